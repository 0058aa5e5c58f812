"""One SQLite file: how it is opened, and what its errors mean.

The write-ahead log lets other programs read while we write, and makes a commit
one sequential write. What a commit survives is the caller's choice:

    crash        the end of this process, however it ends (synchronous=NORMAL)
    power_loss   the end of the machine too: each commit waits for the disk (FULL)

(https://sqlite.org/pragma.html#pragma_synchronous)
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from mcp_voice.errors import StoreFailed, VoiceError
from mcp_voice.stores import fulltext
from mcp_voice.stores.tables import SCHEMA, Records, made, make

_SYNCHRONOUS: Final = {"crash": "NORMAL", "power_loss": "FULL"}

_CANNOT_WRITE: Final = (
    "cannot be opened for writing",
    "Make the file and its folder writable for this user, or name another file.",
)
_NOT_OURS: Final = (
    "is damaged or is no SQLite database",
    "Restore it from a copy, or move it away: a new one is made when it is not there.",
)
_SENTENCES: Final = {
    sqlite3.SQLITE_BUSY: (
        "is locked: another program has been writing to it all the time",
        "Nothing was changed. Call again; if it persists, end the other program or name another file.",
    ),
    sqlite3.SQLITE_FULL: (
        "is on a disk that is full",
        "Nothing was changed. Free some space and call again.",
    ),
    sqlite3.SQLITE_IOERR: (
        "cannot be read or written",
        "Nothing was changed. Look at the disk, then call again.",
    ),
    sqlite3.SQLITE_CORRUPT: _NOT_OURS,
    sqlite3.SQLITE_NOTADB: _NOT_OURS,
    sqlite3.SQLITE_READONLY: _CANNOT_WRITE,
    sqlite3.SQLITE_CANTOPEN: _CANNOT_WRITE,
    sqlite3.SQLITE_PERM: _CANNOT_WRITE,
}
"""SQLite's primary result codes: what is so, and what to do (https://sqlite.org/rescode.html)."""


class SqliteFile:
    """A connection to one file; the thread that opens it is the one that uses it.

    `index` keeps a full-text index, if this SQLite can.
    Every verb raises `StoreFailed` for what the database or the disk refuses.
    """

    def __init__(self, path: Path, durability: str, busy_seconds: float, *, index: bool = True) -> None:
        self._path = path
        with self._told():
            _own(path)
            self._db = _connect(path, busy_seconds)
        self.records = Records(self._db)
        try:
            self._prepare(_SYNCHRONOUS[durability], index)
        except StoreFailed:
            self._db.close()
            raise

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[None]:
        """Do everything inside, or nothing."""
        with self._told():
            self._db.execution_options(writes=writes)
            with self._db.begin():
                yield

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Do this part of a transaction, or leave it out when it raises a `VoiceError`."""
        part = self._db.begin_nested()
        try:
            yield
        except VoiceError:
            part.rollback()
            raise
        # After any other error SQLite may have rolled back everything: the part is not there to undo.
        part.commit()

    def close(self) -> None:
        """Let go of the file; the last to do so folds the write-ahead log into it."""
        with self._told():
            self._db.close()

    def _prepare(self, synchronous: str, index: bool) -> None:
        with self._told():
            raw = self._db.connection.driver_connection
            assert raw is not None
            raw.execute("PRAGMA journal_mode=WAL")
            raw.execute(f"PRAGMA synchronous={synchronous}")
            raw.execute("PRAGMA secure_delete=ON")  # what is removed is overwritten, not only unlinked
        with self.transaction(writes=False):
            able = index and fulltext.able(self._db)
            ready = made(self._db) == SCHEMA and fulltext.kept(self._db) is able
        if not ready:
            with self.transaction(writes=True):
                if (found := made(self._db)) < SCHEMA:  # else somebody was quicker
                    make(self._db, found)
                if fulltext.kept(self._db) is not able:
                    fulltext.keep(self._db) if able else fulltext.leave(self._db)
        self.records.indexed = able

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise _failure(self._path, error.orig or error) from error
        except (OSError, sqlite3.Error) as error:
            raise _failure(self._path, error) from error


def _own(path: Path) -> None:
    """Make the file if it is not there, and let nobody else read it: it holds callers' words."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def _connect(path: Path, busy_seconds: float) -> Connection:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        # Without an isolation level the driver begins no transactions of its own.
        connect_args={"timeout": busy_seconds, "isolation_level": None},
        poolclass=NullPool,
        hide_parameters=True,  # they are callers' words, and errors are logged
    )
    event.listen(engine, "begin", _begun)
    return engine.connect()


def _begun(db: Connection) -> None:
    """Begin a transaction in SQLite's words.

    One that reads first and writes later fails at once, without waiting its turn,
    when somebody else has written in between; so a writer asks for the lock first.
    """
    db.exec_driver_sql("BEGIN IMMEDIATE" if db.get_execution_options()["writes"] else "BEGIN")


def _failure(path: Path, error: BaseException) -> StoreFailed:
    """Put an error into words; the statement stays out of them."""
    what, advice = _CANNOT_WRITE
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        what, advice = _SENTENCES.get(code & 0xFF, ("failed", StoreFailed.advice))
    return StoreFailed(f"The database {path} {what} ({str(error).partition(chr(10))[0]}).", advice=advice)
