"""Sessions, turns and log lines for the tests of the stores."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event

from mcp_voice.core.session import Change, Entry, Session, SessionConfig, Turn, begin, change
from mcp_voice.stores.sql import SqlStore

NOON: Final = datetime(2025, 3, 1, 12, 0, 0, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_session(call_sid: str = "CA1", made: float = 0, **fields: Any) -> Session:
    return begin(call_sid, SessionConfig(metadata={"case": [1, {"β": None}]}), at(made), **fields)


def a_turn(turn_id: str, said: str = "hello") -> Turn:
    return Turn(turn_id=turn_id, user_utterance=said, timestamp=at(1), timing_ms={"answer": 640})


def a_change(old: Session, *turns: Turn, notes: int = 0, **fields: Any) -> Change:
    """The next version of a session, with turns and so many new lines in its log."""
    log = [Entry(at=at(n), kind="mark", data={"name": f"m{n}"}) for n in range(notes)]
    return change(old.touched(at(1), **fields), turns, log)


def on_disk(path: Path, query: str) -> list[Any]:
    """What another program reads, or does, in the file: the first column of its answer."""
    other = sqlite3.connect(path)
    try:
        with other:
            return [row[0] for row in other.execute(query)]
    finally:
        other.close()


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[SqlStore]:
    """A store on a file, closed at the end."""
    store = SqlStore(f"sqlite:///{path}", **options)
    try:
        yield store
    finally:
        await store.aclose()


@contextmanager
def listening(target: Any, what: str, ear: Callable[..., Any]) -> Iterator[None]:
    """Hear of SQLAlchemy's events for a while."""
    event.listen(target, what, ear)
    try:
        yield
    finally:
        event.remove(target, what, ear)
