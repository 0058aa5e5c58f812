"""What is counted when a session opens, comes back and closes.

Sessions are opened by a tool, by a webhook and by a stream, and closed by as
many; each of them writes it down here, once for every move that was stored.
"""

from collections.abc import Mapping
from typing import Final

from mcp_voice.core.counts import Counts
from mcp_voice.core.session import Session

IDLE: Final = "idle"
"""The reason for closing a session in which nothing has happened for its `ttl`."""

REASONS: Final = frozenset(
    {
        *("completed", "busy", "failed", "no-answer", "canceled", "rejected"),  # a carrier's
        *("hangup", "connection_lost", "shutdown", "process_ended", IDLE),  # ours
    }
)
"""Reasons counted under their own name. A tool may close for any reason, and a metric must not grow a
label for each sentence: the rest is `other`."""

_ALIASES: Final[Mapping[str | None, str]] = {"stop": "completed"}


def opened(counts: Counts, session: Session) -> None:
    """Count a new session."""
    counts.sessions_created += 1
    counts.sessions_active += 1
    counts.directions[session.direction] += 1


def returned(counts: Counts) -> None:
    """Count a closed session that lives again, with the next stream of its call."""
    counts.sessions_active += 1


def closed(counts: Counts, session: Session) -> None:
    """Count the end of a session; its turns have to be loaded."""
    seconds = session.duration_ms / 1000
    reason = _ALIASES.get(session.close_reason, session.close_reason)
    counts.sessions_closed += 1
    # One from a former process was never counted as active in this one.
    counts.sessions_active = max(0, counts.sessions_active - 1)
    counts.sessions_timed_out += reason == IDLE
    counts.turn_count.observe(len(session.turns))
    counts.session_seconds.observe(seconds)
    counts.call_seconds.observe(seconds)
    counts.disconnect_reasons[reason if reason in REASONS else "other"] += 1
