"""Writes down what happens to one call, off the frame path.

The pump hands over notes and turns and never waits. A task of the call's own
writes what has gathered, in order, one commit for all of it. While the store
fails, notes are kept and tried again: nothing is lost before `KEPT` of them.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import anyio
import structlog

from mcp_voice.core.events import Note, TurnDone
from mcp_voice.core.session import Change, Entry, Session, Turn, change
from mcp_voice.errors import NotFound, StoreFailed
from mcp_voice.ports import SessionStore

log = structlog.get_logger(__name__)

KEPT: Final = 10_000
"""Notes held while the store fails; past that the oldest go."""

BACKOFF: Final = (0.1, 0.2, 0.4, 0.8, 1.6)

Line = tuple[datetime, Note | TurnDone]


class Scribe:
    """The record of one live call, being written."""

    def __init__(self, store: SessionStore, session_id: str, now: Callable[[], datetime]) -> None:
        self._store = store
        self._session_id = session_id
        self._now = now
        self._lines: list[Line] = []
        self._wake = anyio.Event()
        self._closing = False

    def put(self, effect: Note | TurnDone) -> None:
        """Take a line; returns at once."""
        if len(self._lines) >= KEPT:
            del self._lines[0]
        self._lines.append((self._now(), effect))
        self._wake.set()

    def close(self) -> None:
        """There will be no more lines; `run` ends when all are written."""
        self._closing = True
        self._wake.set()

    async def run(self) -> None:
        """Write until closed, or until the session is gone."""
        while self._lines or not self._closing:
            await self._wake.wait()
            self._wake = anyio.Event()
            lines, self._lines = self._lines, []
            if lines and not await self._write(lines):
                return

    async def _write(self, lines: list[Line]) -> bool:
        def move(session: Session) -> Change:
            return written(session, lines)

        for pause in (*BACKOFF, None):
            try:
                await self._store.amend(self._session_id, move)
            except NotFound:
                return False
            except StoreFailed as error:
                log.warning(
                    "record_not_written", session=self._session_id, lines=len(lines), error=error.code
                )
                await anyio.sleep(pause or 0)
            else:
                return True
        self._lines = (lines + self._lines)[-KEPT:]
        if not self._closing:
            self._wake.set()
        return not self._closing


def written(session: Session, lines: list[Line]) -> Change:
    """Return the session with these lines in its log and its turns."""
    entries = [
        Entry(at=at, kind=what.kind, data=dict(what.data)) for at, what in lines if isinstance(what, Note)
    ]
    known: dict[str, Turn] = {turn.turn_id: turn for turn in session.turns}
    grown: dict[str, Turn] = {}
    for at, what in lines:
        if isinstance(what, TurnDone):
            grown[what.turn_id] = _turn(what, at, grown.get(what.turn_id) or known.get(what.turn_id))
    return change(session.touched(lines[-1][0]), tuple(grown.values()), entries)


def _turn(done: TurnDone, at: datetime, before: Turn | None) -> Turn:
    """Make a turn, or let one grow: what somebody else has put into it stays."""
    fields: Mapping[str, object] = {
        "user_utterance": done.user_utterance,
        "agent_response": done.agent_response,
        "heard_by_caller": done.heard_by_caller,
        "interrupted": done.interrupted,
        "heard_fraction": done.heard_fraction,
        "cut_at_ms": done.cut_at_ms,
        "confidence": done.confidence,
        "rejected": done.rejected,
        "timing_ms": dict(done.timing_ms),
        "latency_ms": done.timing_ms.get("latency"),
    }
    if before is None:
        return Turn.model_validate({"turn_id": done.turn_id, "timestamp": at, **fields})
    return before.model_copy(
        update={name: value for name, value in fields.items() if value not in (None, {})}
    )
