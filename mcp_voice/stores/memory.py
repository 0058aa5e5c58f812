"""A store that forgets when the process ends: dicts of the rows that SQL keeps.

It is the twin of `SqlStore` and answers the same to every call: what goes in
is copied, what comes out is a new value, a change is whole or not at all.
"""

from collections.abc import Sequence
from datetime import datetime

from anyio.lowlevel import checkpoint

from mcp_voice.core import finding
from mcp_voice.core.finding import Found, Place
from mcp_voice.core.session import Change, Entry, Session
from mcp_voice.errors import NotFound, StaleVersion
from mcp_voice.ports import SessionStore
from mcp_voice.stores.rows import (
    EntryRow,
    Rows,
    SessionRow,
    bounded,
    entry_of,
    id_taken,
    moment,
    name,
    rows,
    seq_taken,
    session_of,
    store_closed,
)


class MemoryStore(SessionStore):
    """Sessions in memory.

    Every verb gives way to other tasks once, before it begins, as a store on
    disk would: a test against this one meets the same races. After that it
    does not await, so it is whole even when its caller is cancelled.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, SessionRow] = {}
        self._turns: dict[str, dict[str, str]] = {}
        self._words: dict[str, str] = {}
        """Of the sessions that have not changed since they were looked through."""
        self._entries: dict[str, dict[int, EntryRow]] = {}
        self._closed = False

    async def add(self, session: Session) -> None:
        new = rows(Change(session, session.turns))
        await self._ready()
        if new.session.session_id in self._sessions:
            raise id_taken(new.session.session_id)
        self._write(new)

    async def load(self, session_id: str) -> Session | None:
        session_id = name(session_id)
        await self._ready()
        row = self._sessions.get(session_id)
        return row and self._whole(row)

    async def named(self, call_sid: str) -> Session | None:
        call_sid = name(call_sid)
        await self._ready()
        row = max(
            (row for row in self._sessions.values() if row.call_sid == call_sid), key=_age, default=None
        )
        return row and self._whole(row)

    async def commit(self, new: Change, expected: int) -> None:
        ready = rows(new)
        session_id = ready.session.session_id
        await self._ready()
        old = self._sessions.get(session_id)
        if old is None:
            raise NotFound("session", session_id)
        if old.version != expected:
            raise StaleVersion(session_id, wanted=expected, found=old.version)
        numbers = {entry.seq for entry in ready.entries}
        if len(numbers) < len(ready.entries) or numbers & self._entries[session_id].keys():
            raise seq_taken(session_id)
        self._write(ready)

    async def entries(self, session_id: str, after: int = 0, limit: int = 1_000) -> Sequence[Entry]:
        session_id = name(session_id)
        await self._ready()
        log = self._entries.get(session_id, {})
        numbers = sorted(seq for seq in log if seq > bounded(after))
        return tuple(entry_of(log[seq].doc) for seq in numbers[: bounded(limit)])

    async def find(
        self, *, idle_before: datetime | None = None, live: bool | None = None, limit: int = 1_000
    ) -> Sequence[Session]:
        before = None if idle_before is None else moment(idle_before)
        await self._ready()
        found = [
            row
            for row in self._sessions.values()
            if (before is None or row.last_activity_at < before)
            and (live is None or (row.status != "closed") is live)
        ]
        found.sort(key=_age, reverse=True)
        return tuple(session_of(row.doc) for row in found[: bounded(limit)])

    async def search(
        self,
        query: str = "",
        *,
        live: bool | None = None,
        party: str = "",
        before: Place | None = None,
        limit: int = 20,
    ) -> Sequence[Found]:
        words, with_them = finding.words(query), finding.party(party)
        await self._ready()
        there = [
            row
            for row in self._sessions.values()
            if (live is None or (row.status != "closed") is live)
            and (before is None or _age(row) < before)
            and finding.matches(with_them, finding.parties(self._heard(row)))
            and finding.matches(words, self._heard(row))
        ]
        there.sort(key=_age, reverse=True)
        return tuple(finding.found(self._whole(row), words) for row in there[: bounded(limit)])

    async def remove(self, session_ids: Sequence[str]) -> int:
        unwanted = {name(session_id) for session_id in session_ids}
        await self._ready()
        there = unwanted & self._sessions.keys()
        for session_id in there:
            del self._sessions[session_id], self._turns[session_id], self._entries[session_id]
            self._words.pop(session_id, None)
        return len(there)

    async def aclose(self) -> None:
        self._closed = True
        self._sessions, self._turns, self._entries, self._words = {}, {}, {}, {}

    async def _ready(self) -> None:
        await checkpoint()
        if self._closed:
            raise store_closed()

    def _write(self, new: Rows) -> None:
        session_id = new.session.session_id
        self._sessions[session_id] = new.session
        self._words.pop(session_id, None)
        self._turns.setdefault(session_id, {}).update(new.turns)
        self._entries.setdefault(session_id, {}).update((entry.seq, entry) for entry in new.entries)

    def _whole(self, row: SessionRow) -> Session:
        return session_of(row.doc, self._turns[row.session_id].values())

    def _heard(self, row: SessionRow) -> str:
        if row.session_id not in self._words:
            self._words[row.session_id] = finding.kept(self._whole(row))
        return self._words[row.session_id]


def _age(row: SessionRow) -> Place:
    """Sort key: the newest is largest; of two made in the same microsecond, the larger id."""
    return Place(row.created_at, row.session_id)
