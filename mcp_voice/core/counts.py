"""What is counted: plain integers, read by whoever publishes them.

Adding one to a slot costs 0.06 µs, a metrics library's counter 1 to 12, and a
call has a hundred frames a second. So the frame path counts here, and
`server/metrics.py` walks the fields when it is asked. The field's metadata is
the metric: its name in the field's own documents, and what it means.

    >>> from dataclasses import fields
    >>> counts = Counts()
    >>> counts.media_chunks += 1
    >>> next(f.metadata["name"] for f in fields(counts) if f.name == "media_chunks")
    'twilio.media.chunks'
"""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

SECONDS: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0)
TURNS: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
MILLISECONDS: Final = (50.0, 100.0, 200.0, 400.0, 600.0, 800.0, 1_200.0, 2_000.0, 5_000.0)


class Histogram:
    """Counts of values at or below each bound, and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


def _number(name: str, about: str, kind: str = "counter") -> Any:
    return field(default=0, metadata={"name": name, "about": about, "kind": kind})


def _by(label: str, name: str, about: str) -> Any:
    return field(
        default_factory=Counter, metadata={"name": name, "about": about, "kind": "counter", "label": label}
    )


def _spread(bounds: tuple[float, ...], name: str, about: str) -> Any:
    return field(
        default_factory=lambda: Histogram(bounds),
        metadata={"name": name, "about": about, "kind": "histogram"},
    )


@dataclass(slots=True)
class Counts:
    """Everything this process counts."""

    calls: int = _number("twilio.calls.total", "Media streams taken on.")
    calls_active: int = _number("twilio.calls.active", "Media streams open now.", "gauge")
    media_chunks: int = _number("twilio.media.chunks", "Media messages received.")
    media_bytes: int = _number("twilio.media.bytes", "Bytes of caller audio received.")
    sent_bytes: int = _number("twilio.media.sent_bytes", "Bytes of audio sent to callers.")
    errors: Counter[str] = _by("code", "twilio.errors.total", "Messages that could not be read, by code.")
    disconnects: Counter[str] = _by(
        "code", "twilio.websocket.disconnects", "Sockets that went away, by close code."
    )

    directions: Counter[str] = _by("direction", "telephony.calls.total", "Calls, by direction.")
    live: int = _number("telephony.calls.active", "Calls live now.", "gauge")
    call_seconds: Histogram = _spread(SECONDS, "telephony.calls.duration_seconds", "How long calls lasted.")
    disconnect_reasons: Counter[str] = _by("reason", "telephony.calls.disconnect_reason", "Why calls ended.")
    transfers: int = _number("telephony.transfers.total", "Calls handed over.")
    telephony_errors: Counter[str] = _by(
        "code", "telephony.errors.total", "Telephony tools that failed, by code."
    )

    sessions_active: int = _number("voice.session.active", "Sessions not closed.", "gauge")
    sessions_created: int = _number("voice.session.created", "Sessions started.")
    sessions_closed: int = _number("voice.session.closed", "Sessions closed.")
    sessions_timed_out: int = _number("voice.session.timeout", "Sessions closed for being idle.")
    turn_count: Histogram = _spread(TURNS, "voice.session.turn_count", "Turns of a closed session.")
    session_seconds: Histogram = _spread(
        SECONDS, "voice.session.duration_seconds", "How long sessions lasted."
    )

    stt_ms: Histogram = _spread(MILLISECONDS, "voice.stt.latency_ms", "Caller silent → final words.")
    tts_first_byte_ms: Histogram = _spread(MILLISECONDS, "voice.tts.first_byte_ms", "Text → first audio.")
    turn_ms: Histogram = _spread(
        MILLISECONDS, "voice.turn.duration_ms", "Caller silent → first audio of the answer."
    )
    think_ms: Histogram = _spread(
        MILLISECONDS, "voice.agent.think_ms", "Final words → the agent's next request to speak."
    )
    gap_ms: Histogram = _spread(
        MILLISECONDS, "voice.response.gap_ms", "Caller silent → first sound of ours, a filler counted."
    )
    barge_ins: int = _number("voice.barge_in.count", "Times the caller cut the agent off.")
    false_barge_ins: int = _number(
        "voice.barge_in.false_positives", "Voices during playback that did not cut it, or cut it for nothing."
    )

    tool_calls: Counter[str] = _by("tool", "mcp.tool.calls", "Tool calls, by tool.")
    tool_errors: Counter[str] = _by("code", "mcp.tool.errors", "Tool calls that failed, by code.")
    policy_denied: Counter[str] = _by("rule", "mv.policy.denied", "Calls refused before dialling, by rule.")
    policy_asked: Counter[str] = _by("rule", "mv.policy.asked", "Calls that waited for a human, by rule.")
    engine_restarts: Counter[str] = _by("engine", "voice.engine.restarts", "Speech engines started again.")
