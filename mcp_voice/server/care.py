"""Looking after sessions that nobody closes."""

from typing import Final

import anyio
import structlog

from mcp_voice.core import ledger
from mcp_voice.core.session import Session
from mcp_voice.errors import NotFound, SessionClosed, VoiceError
from mcp_voice.ports import Desk
from mcp_voice.tools.named import expired, finish

PROCESS_ENDED: Final = "process_ended"
"""The reason for closing a session whose stream ended with the process that had it."""

STREAMING: Final = frozenset({"active", "held"})

MANY: Final = 100_000
"""Sessions looked at in one round; the store lists the newest first, and those concerned are the oldest."""

log = structlog.get_logger(__name__)


async def sweep(desk: Desk, seconds: float) -> None:
    """Close idle sessions, and what tools keep open, and remove recordings that have been kept long enough:
    every so many seconds, until cancelled.
    """
    while True:
        await anyio.sleep(seconds)
        try:
            await desk.sweep()
            closed = await close_idle(desk)
            forgotten = 0 if desk.recordings is None else await desk.recordings.sweep(desk.now())
        except VoiceError as error:
            log.warning("sweep_failed", why=str(error))
        else:
            if closed:
                log.info("sessions_idle", closed=closed)
            if forgotten:
                log.info("recordings_removed", removed=forgotten)


async def close_idle(desk: Desk) -> int:
    """Close the sessions that are past their idle time; return how many there were."""
    live = await desk.store.find(live=True, limit=MANY)
    return await _close(desk, [session for session in live if expired(desk, session)], ledger.IDLE)


async def bury(desk: Desk) -> int:
    """Close the sessions whose stream ended with a former process; return how many there were.

    Those that wait for their stream are left to it: the call may just be ringing.
    """
    live = await desk.store.find(live=True, limit=MANY)
    return await _close(desk, [session for session in live if session.status in STREAMING], PROCESS_ENDED)


async def _close(desk: Desk, sessions: list[Session], reason: str) -> int:
    closed = 0
    for session in sessions:
        try:
            await finish(desk, session.session_id, reason)
        except (NotFound, SessionClosed):
            continue  # somebody was quicker
        closed += 1
    return closed
