"""A store that says what it has kept.

It stands before another store, and each verb is the other's. When a change is
safe, and not before, `changed` hears the session's id, and whether the list of
sessions reads differently now: one was made, came to another status, or was
removed; `wrote` hears the lines of the log that came with it. They are plain
calls in the caller's way: they return at once and do not fail.

    caller ─ commit ─▶ Watched ─ commit ─▶ store
       ◀────── done ────┤◀───── kept ───────┘
                        └─ changed(session_id, listed)

Only what goes through this object is told: another process that writes to the
same database is not heard.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

import anyio

from mcp_voice.core.finding import Found, Place
from mcp_voice.core.session import Change, Entry, Session, Status
from mcp_voice.errors import StoreFailed
from mcp_voice.ports import SessionStore

NEWEST: Final = 100
"""Lines told again when it is not known which of them were: a reader knows their numbers."""


class Watched(SessionStore):
    """Another store, and who is told of its changes."""

    def __init__(
        self,
        store: SessionStore,
        changed: Callable[[str, bool], None],
        wrote: Callable[[str, Sequence[Entry]], None] = lambda session_id, entries: None,
    ) -> None:
        self._store = store
        self._changed = changed
        self._wrote = wrote
        self._statuses: dict[str, Status] = {}
        """Of the sessions that are not closed, as they were last written here."""
        self._asking: set[asyncio.Task[None]] = set()

    async def add(self, session: Session) -> None:
        try:
            await self._store.add(session)
        except anyio.get_cancelled_exc_class():
            self._ask(session.session_id)
            raise
        self._written(session)

    async def load(self, session_id: str) -> Session | None:
        return await self._store.load(session_id)

    async def named(self, call_sid: str) -> Session | None:
        return await self._store.named(call_sid)

    async def commit(self, new: Change, expected: int) -> None:
        try:
            await self._store.commit(new, expected)
        except anyio.get_cancelled_exc_class():
            self._ask(new.session.session_id)
            raise
        self._written(new.session, new.entries)

    async def entries(self, session_id: str, after: int = 0, limit: int = 1_000) -> Sequence[Entry]:
        return await self._store.entries(session_id, after, limit)

    async def find(
        self, *, idle_before: datetime | None = None, live: bool | None = None, limit: int = 1_000
    ) -> Sequence[Session]:
        return await self._store.find(idle_before=idle_before, live=live, limit=limit)

    async def search(
        self,
        query: str = "",
        *,
        live: bool | None = None,
        party: str = "",
        before: Place | None = None,
        limit: int = 20,
    ) -> Sequence[Found]:
        return await self._store.search(query, live=live, party=party, before=before, limit=limit)

    async def remove(self, session_ids: Sequence[str]) -> int:
        try:
            removed = await self._store.remove(session_ids)
        except anyio.get_cancelled_exc_class():
            self._ask(*session_ids)
            raise
        for session_id in session_ids if removed else ():
            self._gone(session_id)
        return removed

    async def aclose(self) -> None:
        await self._store.aclose()
        await asyncio.gather(*self._asking)

    def _written(self, session: Session, entries: Sequence[Entry] = ()) -> None:
        listed = self._statuses.get(session.session_id) != session.status
        if session.closed:
            self._statuses.pop(session.session_id, None)
        else:
            self._statuses[session.session_id] = session.status
        self._changed(session.session_id, listed)
        self._wrote(session.session_id, entries)

    def _gone(self, session_id: str) -> None:
        self._statuses.pop(session_id, None)
        self._changed(session_id, True)

    # ─── a caller that does not wait for the answer ──────────────────────────

    def _ask(self, *session_ids: str) -> None:
        """A caller was cancelled, and the store may do its work all the same: find out."""
        task = asyncio.create_task(self._find_out(session_ids))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _find_out(self, session_ids: Sequence[str]) -> None:
        """Tell of sessions as they are once the store has done what came before this question."""
        with suppress(StoreFailed):  # closed: there is nobody to tell either
            for session_id in session_ids:
                session = await self._store.load(session_id)
                if session is None:
                    self._gone(session_id)
                else:
                    newest = max(0, session.seq - NEWEST)
                    self._written(session, await self._store.entries(session_id, newest, NEWEST))
