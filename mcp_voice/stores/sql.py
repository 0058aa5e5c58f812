"""A store that lasts: SQLAlchemy Core on one SQLite file.

The verbs are here, in the caller's task: they turn values into rows, so that
what cannot be kept is refused before it costs anything. The work is done by
the `Writer`'s thread with the queries of `tables`. SQLAlchemy is imported in
that thread, when the first work comes: a process that lists its tools and ends
never pays for it.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mcp_voice.core.finding import Found, Place
from mcp_voice.core.session import Change, Entry, Session
from mcp_voice.errors import NotConfigured
from mcp_voice.ports import SessionStore
from mcp_voice.stores.rows import moment, name, rows
from mcp_voice.stores.writer import Writer

if TYPE_CHECKING:
    from mcp_voice.stores.sqlite import SqliteFile

Durability: TypeAlias = Literal["crash", "power_loss"]
"""What an acknowledged change survives: the end of the process, or of the machine as well."""

_SCHEME: Final = "sqlite:///"


class SqlStore(SessionStore):
    """Sessions in a database file, which is made when it is not there.

    `url` is `sqlite:///` and a path, relative to the working directory or, with
    one slash more, absolute. `busy_seconds` is how long to wait for another
    program's write; `index` keeps a full-text index where the SQLite has one,
    and finds the same without. Raises `NotConfigured` for a URL without a path.
    """

    def __init__(
        self, url: str, *, durability: Durability = "crash", busy_seconds: float = 5.0, index: bool = True
    ) -> None:
        self.path = _path(url)
        self._durability = durability
        self._busy_seconds = busy_seconds
        self._index = index
        self._writer = Writer(self._open)

    async def add(self, session: Session) -> None:
        new = rows(Change(session, session.turns))
        await self._writer.do(lambda records: records.add(new), writes=True)

    async def load(self, session_id: str) -> Session | None:
        session_id = name(session_id)
        return await self._writer.do(lambda records: records.load(session_id), writes=False)

    async def named(self, call_sid: str) -> Session | None:
        call_sid = name(call_sid)
        return await self._writer.do(lambda records: records.named(call_sid), writes=False)

    async def commit(self, new: Change, expected: int) -> None:
        ready = rows(new)
        await self._writer.do(lambda records: records.commit(ready, expected), writes=True)

    async def entries(self, session_id: str, after: int = 0, limit: int = 1_000) -> Sequence[Entry]:
        session_id = name(session_id)
        return await self._writer.do(lambda records: records.entries(session_id, after, limit), writes=False)

    async def find(
        self, *, idle_before: datetime | None = None, live: bool | None = None, limit: int = 1_000
    ) -> Sequence[Session]:
        before = None if idle_before is None else moment(idle_before)
        return await self._writer.do(lambda records: records.find(before, live, limit), writes=False)

    async def search(
        self,
        query: str = "",
        *,
        live: bool | None = None,
        party: str = "",
        before: Place | None = None,
        limit: int = 20,
    ) -> Sequence[Found]:
        if await self._writer.do(lambda records: records.behind, writes=False):
            while not await self._writer.do(lambda records: records.catch_up(), writes=True):
                pass
        return await self._writer.do(
            lambda records: records.search(query, live, party, before, limit), writes=False
        )

    async def remove(self, session_ids: Sequence[str]) -> int:
        unwanted = sorted({name(session_id) for session_id in session_ids})
        return await self._writer.do(lambda records: records.remove(unwanted), writes=True)

    async def aclose(self) -> None:
        await self._writer.aclose()

    def _open(self) -> "SqliteFile":
        from mcp_voice.stores.sqlite import SqliteFile

        return SqliteFile(self.path, self._durability, self._busy_seconds, index=self._index)


def _path(url: str) -> Path:
    place = url.removeprefix(_SCHEME)
    if place == url or not place or place.startswith(":memory:") or "?" in place:
        raise NotConfigured(
            f"{url!r} does not name a database file.",
            advice="Write sqlite:///calls.db, sqlite:////srv/calls.db, or memory: to keep nothing.",
        )
    return Path(place).expanduser()
