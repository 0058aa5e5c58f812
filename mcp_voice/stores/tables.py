"""The tables, and every query there is: one set for SQLite and for Postgres.

No column type and no statement here belongs to one database. There are no
foreign keys: a commit changes the session's row before any other and `remove`
deletes that row first, so whoever holds it holds the whole session.

Importing this imports SQLAlchemy; only a store at work does.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, get_args

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from mcp_voice.core import finding
from mcp_voice.core.finding import Found, Place
from mcp_voice.core.session import Entry, Session, Status
from mcp_voice.errors import NotFound, StaleVersion, StoreFailed, StoreTooNew
from mcp_voice.stores import fulltext
from mcp_voice.stores.rows import (
    EntryRow,
    Rows,
    SessionRow,
    TurnRow,
    bounded,
    entry_of,
    id_taken,
    seq_taken,
    session_of,
)

SCHEMA: Final = 3
"""The version of the tables below, and of what is in a `doc`: since 3 a session has a mode, which an earlier
program would take for damage. A store records it and refuses a later one."""

LIVE: Final = tuple(status for status in get_args(Status) if status != "closed")
AT_A_TIME: Final = 100
"""Sessions whose words are written down in one transaction: other writers wait for it."""
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
    Column("heard", Integer, nullable=False, server_default="0"),
    Index("ix_sessions_status_created_at", "status", "created_at"),
)
"""`heard` since 2: whether `said` has its words as they are now."""
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
said = Table(
    "said",
    metadata,
    Column("n", Integer, primary_key=True),
    Column("session_id", Text, nullable=False, unique=True),
    Column("words", Text, nullable=False),
)
"""The words a session is found by (`core.finding.kept`), as they were at the last search. Since 2."""

_unheard = sessions.c.heard == 0
unheard = Index(
    "ix_sessions_unheard", sessions.c.session_id, sqlite_where=_unheard, postgresql_where=_unheard
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
    .values({sessions.c[name]: bindparam(name) for name in SessionRow._fields if name != "session_id"})
    .values(heard=0)
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
_UNHEARD: Final = select(sessions.c.session_id, sessions.c.doc).where(_unheard).limit(AT_A_TIME)


def made(db: Connection) -> int:
    """Return the version of our tables in the database; 0 means that it is empty.

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
    found = (db.scalar(select(schema.c.version)) if there else None) or 0
    if found > SCHEMA:
        raise StoreTooNew(
            f"The database {db.engine.url} has schema {found}; this program knows schema {SCHEMA}."
        )
    return found


def make(db: Connection, found: int) -> None:
    """Make the tables of an empty database, or what those of an earlier version lack."""
    if found == 0:
        metadata.create_all(db, checkfirst=False)
        db.execute(insert(schema).values(version=SCHEMA))
        return
    if found < 2:
        db.execute(text("ALTER TABLE sessions ADD COLUMN heard INTEGER NOT NULL DEFAULT 0"))
        unheard.create(db)
        said.create(db)
    db.execute(update(schema).values(version=SCHEMA))


def _lives(live: bool) -> ColumnElement[bool]:
    return sessions.c.status.in_(LIVE) if live else sessions.c.status == "closed"


class Records:
    """The tables, through one connection and inside the transaction that is open on it.

    `indexed`: a full-text index is kept of `said`.
    """

    def __init__(self, db: Connection) -> None:
        self._db = db
        self.indexed = False

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
            query = query.where(_lives(live))
        return tuple(session_of(doc) for doc in self._db.scalars(query))

    @property
    def behind(self) -> bool:
        """Whether sessions have changed since their words were written down."""
        return bool(self._db.execute(_UNHEARD.limit(1)).all())

    def catch_up(self) -> bool:
        """Write down the words of sessions that have changed, some of them; return whether that was all.

        A commit only marks its session, so that a call's record is written as fast as if nobody searched.
        """
        some = self._db.execute(_UNHEARD).all()
        ids = [row.session_id for row in some]
        if ids:
            new = [{"session_id": row.session_id, "words": self._words(*row)} for row in some]
            self._db.execute(delete(said).where(said.c.session_id.in_(ids)))
            self._db.execute(insert(said), new)
            self._db.execute(update(sessions).where(sessions.c.session_id.in_(ids)).values(heard=1))
        return len(ids) < AT_A_TIME

    def _words(self, session_id: str, doc: str) -> str:
        with suppress(StoreFailed):  # what is damaged cannot be found, and hides nothing else
            return finding.kept(self._whole(session_id, doc))
        return ""

    def search(
        self, query: str, live: bool | None, party: str, before: Place | None, limit: int
    ) -> tuple[Found, ...]:
        """Return sessions in which the words begin words, newest first, behind a place."""
        wanted = select(sessions.c.session_id, sessions.c.doc).order_by(*_NEWEST_FIRST).limit(bounded(limit))
        if live is not None:
            wanted = wanted.where(_lives(live))
        if before is not None:
            wanted = wanted.where(tuple_(sessions.c.created_at, sessions.c.session_id) < tuple_(*before))
        for word in finding.party(party):
            spoken = select(said.c.n).where(said.c.session_id == sessions.c.session_id)
            wanted = wanted.where(spoken.where(said.c.words.like(f"% {word}%|%")).exists())
        words = finding.words(query)
        for word in words:
            wanted = wanted.where(sessions.c.session_id.in_(self._speaking_of(word)))
        found = self._db.execute(wanted).all()
        return tuple(finding.found(self._whole(row.session_id, row.doc), words) for row in found)

    def _speaking_of(self, word: str) -> Select[Any]:
        """Select the sessions that have a word which begins so."""
        speaking = select(said.c.session_id)
        if self.indexed:
            return speaking.where(said.c.n.in_(fulltext.beginning(word)))
        return speaking.where(said.c.words.like(f"% {word}%"))

    def remove(self, session_ids: Sequence[str]) -> int:
        """Delete sessions and all that hangs on them; return how many there were."""
        gone = 0
        for start in range(0, len(session_ids), AT_ONCE):
            some = session_ids[start : start + AT_ONCE]
            gone += self._db.execute(delete(sessions).where(sessions.c.session_id.in_(some))).rowcount
            for table in (turns, entries, said):
                self._db.execute(delete(table).where(table.c.session_id.in_(some)))
        if gone and self.indexed:
            fulltext.forget(self._db)
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
