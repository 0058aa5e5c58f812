"""The tables, and every query there is: one set for SQLite and for Postgres.

No column type and no statement here belongs to one database. There are no
foreign keys: a commit changes the session's row before any other and `remove`
deletes that row first, so whoever holds it holds the whole session.

Importing this imports SQLAlchemy; only a store at work does.
"""

from collections.abc import Sequence
from typing import Any, Final, get_args

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from mcp_voice.core.session import Entry, Session, Status
from mcp_voice.errors import NotFound, StaleVersion, StoreFailed, StoreTooNew
from mcp_voice.stores.rows import EntryRow, Rows, TurnRow, bounded, entry_of, id_taken, seq_taken, session_of

SCHEMA: Final = 1
"""The version of the tables below. A store records it and refuses a later one."""

LIVE: Final = tuple(status for status in get_args(Status) if status != "closed")
AT_ONCE: Final = 500
"""How many ids one statement names; SQLite allows 32 766 parameters."""

metadata = MetaData()
schema = Table("mcp_voice_schema", metadata, Column("version", Integer, primary_key=True))
sessions = Table(
    "sessions",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("call_sid", Text, nullable=False, index=True),
    Column("status", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_activity_at", BigInteger, nullable=False, index=True),
    Column("doc", Text, nullable=False),
    Index("ix_sessions_status_created_at", "status", "created_at"),
)
turns = Table(
    "turns",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("turn_id", Text, nullable=False),
    Column("doc", Text, nullable=False),
    UniqueConstraint("session_id", "turn_id"),
)
entries = Table(
    "entries",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("doc", Text, nullable=False),
)

_ID: Final = bindparam("id", type_=Text)
_NEWEST_FIRST: Final = (sessions.c.created_at.desc(), sessions.c.session_id.desc())

_DOC: Final = select(sessions.c.doc).where(sessions.c.session_id == _ID)
_VERSION: Final = select(sessions.c.version).where(sessions.c.session_id == _ID)
_NAMED: Final = (
    select(sessions.c.session_id, sessions.c.doc)
    .where(sessions.c.call_sid == bindparam("call"))
    .order_by(*_NEWEST_FIRST)
    .limit(1)
)
_SWAP: Final = (
    update(sessions)
    .where(sessions.c.session_id == _ID, sessions.c.version == bindparam("expected"))
    .values({column: bindparam(column.name) for column in sessions.c if not column.primary_key})
)
_TURNS: Final = select(turns.c.doc).where(turns.c.session_id == _ID).order_by(turns.c.n)
_NEXT: Final = select(func.coalesce(func.max(turns.c.n), 0) + 1).where(turns.c.session_id == _ID)
_REPLACE: Final = (
    update(turns)
    .where(turns.c.session_id == _ID, turns.c.turn_id == bindparam("turn"))
    .values(doc=bindparam("new"))
)
_APPEND: Final = insert(turns).values(
    session_id=_ID, n=_NEXT.scalar_subquery(), turn_id=bindparam("turn"), doc=bindparam("new")
)
_ENTRIES: Final = (
    select(entries.c.doc)
    .where(entries.c.session_id == _ID, entries.c.seq > bindparam("after"))
    .order_by(entries.c.seq)
    .limit(bindparam("most"))
)


def made(db: Connection) -> bool:
    """Return whether the database has our tables; False means it is empty.

    Raises:
        StoreTooNew: a later version of this program made them.
        StoreFailed: it is another program's.
    """
    there = inspect(db).get_table_names()
    if there and schema.name not in there:
        raise StoreFailed(
            f"The database {db.engine.url} is another program's.",
            advice="Name a file that is used for nothing else.",
        )
    found = db.scalar(select(schema.c.version)) if there else None
    if found is not None and found > SCHEMA:
        raise StoreTooNew(
            f"The database {db.engine.url} has schema {found}; this program knows schema {SCHEMA}."
        )
    return found is not None


def make(db: Connection) -> None:
    """Make the tables in an empty database."""
    metadata.create_all(db, checkfirst=False)
    db.execute(insert(schema).values(version=SCHEMA))


class Records:
    """The tables, through one connection and inside the transaction that is open on it."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(self, new: Rows) -> None:
        """Insert a session and its turns. Raises `Refused` if its id is taken."""
        try:
            self._db.execute(insert(sessions), new.session._asdict())
        except IntegrityError:
            raise id_taken(new.session.session_id) from None
        self._upsert(new.session.session_id, new.turns)

    def load(self, session_id: str) -> Session | None:
        """Return a session with its turns, or None."""
        doc = self._db.scalar(_DOC, {"id": session_id})
        return None if doc is None else self._whole(session_id, doc)

    def named(self, call_sid: str) -> Session | None:
        """Return the newest session of a call with its turns, or None."""
        found = self._db.execute(_NAMED, {"call": call_sid}).one_or_none()
        return None if found is None else self._whole(found.session_id, found.doc)

    def commit(self, new: Rows, expected: int) -> None:
        """Swap in a session, its turns and entries. Raises `StaleVersion`, `NotFound`, `Refused`."""
        session_id = new.session.session_id
        swap = {**new.session._asdict(), "id": session_id, "expected": bounded(expected)}
        if not self._db.execute(_SWAP, swap).rowcount:
            found = self._db.scalar(_VERSION, {"id": session_id})
            if found is None:
                raise NotFound("session", session_id)
            raise StaleVersion(session_id, wanted=expected, found=found)
        self._upsert(session_id, new.turns)
        self._append(session_id, new.entries)

    def entries(self, session_id: str, after: int, limit: int) -> tuple[Entry, ...]:
        """Return the log behind `after`, oldest first."""
        asked = {"id": session_id, "after": bounded(after), "most": bounded(limit)}
        return tuple(entry_of(doc) for doc in self._db.scalars(_ENTRIES, asked))

    def find(self, idle_before: int | None, live: bool | None, limit: int) -> tuple[Session, ...]:
        """Return sessions without turns, newest first; `idle_before` in microseconds since 1970."""
        query = select(sessions.c.doc).order_by(*_NEWEST_FIRST).limit(bounded(limit))
        if idle_before is not None:
            query = query.where(sessions.c.last_activity_at < idle_before)
        if live is not None:
            query = query.where(sessions.c.status.in_(LIVE) if live else sessions.c.status == "closed")
        return tuple(session_of(doc) for doc in self._db.scalars(query))

    def remove(self, session_ids: Sequence[str]) -> int:
        """Delete sessions and all that hangs on them; return how many there were."""
        gone = 0
        for start in range(0, len(session_ids), AT_ONCE):
            some = session_ids[start : start + AT_ONCE]
            gone += self._db.execute(delete(sessions).where(sessions.c.session_id.in_(some))).rowcount
            for table in (turns, entries):
                self._db.execute(delete(table).where(table.c.session_id.in_(some)))
        return gone

    def _whole(self, session_id: str, doc: str) -> Session:
        return session_of(doc, self._db.scalars(_TURNS, {"id": session_id}).all())

    def _upsert(self, session_id: str, new: Sequence[TurnRow]) -> None:
        for turn in new:
            said: dict[str, Any] = {"id": session_id, "turn": turn.turn_id, "new": turn.doc}
            if not self._db.execute(_REPLACE, said).rowcount:
                self._db.execute(_APPEND, said)

    def _append(self, session_id: str, new: Sequence[EntryRow]) -> None:
        if new:
            try:
                self._db.execute(
                    insert(entries), [{"session_id": session_id, **line._asdict()} for line in new]
                )
            except IntegrityError:
                raise seq_taken(session_id) from None
