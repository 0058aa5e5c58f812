"""The documents' spans of a call, through the OpenTelemetry API.

A span costs 6 to 30 µs, so there is one for a call and one for a turn and none
for a frame; they are made when the call or the turn is over, with the times it
had. Without an exporter installed and configured they go nowhere. A callSid
appears as a hash.
"""

from collections.abc import Mapping
from hashlib import sha256
from time import time_ns
from typing import Final

from opentelemetry import trace

_tracer: Final = trace.get_tracer("mcp_voice.media")
_NS_PER_MS: Final = 1_000_000

Attributes = Mapping[str, str | int]


def hashed(sid: str) -> str:
    """Return what stands for a callSid where operators are not the readers."""
    return sha256(sid.encode()).hexdigest()[:12]


def span(name: str, began_ns: int, attributes: Attributes) -> None:
    """Make a span that ends now."""
    _tracer.start_span(name, start_time=began_ns, attributes=dict(attributes)).end()


def spoke(stream_sid: str, duration_ms: int) -> None:
    """An utterance has been played, or cut: `twilio.audio.send`."""
    span(
        "twilio.audio.send",
        time_ns() - duration_ms * _NS_PER_MS,
        {"stream_sid": stream_sid, "chunk_count": duration_ms // 20},
    )


def turn(turn_id: str, timing_ms: Mapping[str, int]) -> None:
    """The caller has been answered: `voice.turn`, from their silence to the first audio."""
    span(
        "voice.turn",
        time_ns() - timing_ms["latency"] * _NS_PER_MS,
        {"turn_id": turn_id, **{f"{step}_ms": ms for step, ms in timing_ms.items()}},
    )
