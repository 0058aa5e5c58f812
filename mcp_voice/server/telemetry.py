"""The documents' spans of a tool call, through the OpenTelemetry API.

A table says which tool leaves which span and where its attributes are found,
in the arguments or, once there is one, in the answer. The media room leaves
the spans of streams itself, whoever holds the socket, so `twilio.*` is not
here. A callSid appears as a hash, a number as its last four digits. Until
somebody installs a tracer this costs one look-up.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import structlog
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from mcp_voice.errors import VoiceError
from mcp_voice.media.spans import hashed
from mcp_voice.server.masks import masked_number

Answered: TypeAlias = Callable[[Mapping[str, Any]], None]

SPANS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "telephony.handleConnect": (
        "telephony.connect",
        {"call_sid": "callSid", "from": "from", "to": "to"},
    ),
    "telephony.generateTwiML": (
        "telephony.twiml.generate",
        {"session_id": "sessionId", "ws_url": "wsUrl"},
    ),
    "telephony.handleDisconnect": (
        "telephony.disconnect",
        {"call_sid": "callSid", "reason": "disconnectReason", "duration": "sessionDuration"},
    ),
    "telephony.transfer": (
        "telephony.transfer",
        {"call_sid": "callSid", "target": "target", "type": "type"},
    ),
    "telephony.hangup": ("telephony.hangup", {"call_sid": "callSid", "reason": "reason"}),
    "session.create": (
        "voice.session.create",
        {
            "call_sid": "callSid",
            "mcp_endpoint": "config.mcpEndpoint",
            "stt_provider": "config.sttProvider",
        },
    ),
    "session.update": (
        "voice.session.update",
        {"session_id": "sessionId", "turn_count": "session.turns"},
    ),
    "session.close": (
        "voice.session.close",
        {"session_id": "sessionId", "reason": "reason", "duration": "duration"},
    ),
    "session.cleanup": (
        "voice.session.cleanup",
        {"sessions_cleaned": "cleaned", "older_than": "olderThan"},
    ),
}
"""Tool → its span's name, and the span's attributes → where they stand in the call's JSON."""

CONSTANT: Final[Mapping[str, Mapping[str, str]]] = {"telephony.connect": {"direction": "inbound"}}
"""Attributes that a span always has: a carrier asks `handleConnect` about calls that come in."""

_tracer: Final = trace.get_tracer("mcp_voice.server")


@contextmanager
def traced(tool: str, arguments: Mapping[str, Any]) -> Iterator[Answered]:
    """Run a tool's body inside its span; the yielded function is told the answer."""
    known = SPANS.get(tool)
    if known is None or isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        yield _nobody
        return
    name, places = known
    # An exception's text may name a caller: its code is recorded, the text is not.
    with _tracer.start_as_current_span(
        name,
        attributes={**CONSTANT.get(name, {}), **_found(places, arguments)},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield lambda answer: span.set_attributes(_found(places, answer))
        except VoiceError as error:
            span.set_attribute("error.type", error.code)
            span.set_status(StatusCode.ERROR)
            raise


def export(endpoint: str | None) -> Callable[[], None]:
    """Send spans to a collector if one is named and the `otel` extra is here; return how to stop.

    The exporter reads its other settings, headers and timeouts, from the
    standard `OTEL_…` variables by itself.
    """
    if endpoint is None:
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        why = "Spans are to be sent, and what sends them is not installed: pip install 'mcp-voice[otel]'."
        structlog.get_logger(__name__).warning("no_spans", why=why)
        return lambda: None
    provider = TracerProvider(resource=Resource.create({"service.name": "mcp-voice"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider.shutdown


def _nobody(answer: Mapping[str, Any]) -> None:
    """Hear an answer that no span wants."""


def _found(places: Mapping[str, str], call: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    found = {attribute: _shown(attribute, _at(call, place)) for attribute, place in places.items()}
    return {attribute: value for attribute, value in found.items() if value is not None}


def _at(node: Any, place: str) -> Any:
    """Follow a dotted path; None where it breaks off."""
    for step in place.split("."):
        if not isinstance(node, Mapping):
            return None
        node = node.get(step)
    return node


def _shown(attribute: str, value: Any) -> str | int | float | bool | None:
    """Make a value fit to leave the house."""
    match attribute, value:
        case _, list():
            return len(value)
        case "call_sid", str():
            return hashed(value)
        case "from" | "to" | "target", str():
            return masked_number(value)
        case _, str() | int() | float():
            return value
    return None
