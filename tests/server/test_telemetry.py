import gzip
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mcp_voice.errors import NotConfigured
from mcp_voice.media.spans import hashed
from mcp_voice.server import telemetry
from mcp_voice.tools.catalogue import gather


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    (span,) = spans.get_finished_spans()
    return span


def test_a_span_tells_what_the_documents_ask_and_hides_who_it_was(spans: InMemorySpanExporter) -> None:
    with telemetry.traced(
        "telephony.transfer", {"callSid": "CA1", "target": "+14155550123", "type": "cold", "announce": "x"}
    ) as told:
        told({"transferred": True})

    span = only(spans)
    assert span.name == "telephony.transfer"
    assert dict(span.attributes or {}) == {
        "call_sid": hashed("CA1"),
        "target": "***-***-0123",
        "type": "cold",
    }


def test_a_span_takes_from_the_answer_what_the_arguments_lack(spans: InMemorySpanExporter) -> None:
    with telemetry.traced("session.update", {"sessionId": "s1", "updates": {}}) as told:
        told({"updated": True, "session": {"turns": [{}, {}], "sessionId": "s1"}})

    assert dict(only(spans).attributes or {}) == {"session_id": "s1", "turn_count": 2}


def test_a_refusal_leaves_its_code_and_not_its_words(spans: InMemorySpanExporter) -> None:
    with pytest.raises(NotConfigured), telemetry.traced("telephony.hangup", {"callSid": "CA1"}):
        raise NotConfigured("+14155550123 cannot be reached")

    span = only(spans)
    assert (span.attributes or {})["error.type"] == "not_configured"
    assert span.status.status_code is trace.StatusCode.ERROR
    assert "4155550123" not in span.to_json()


def test_a_tool_of_frames_leaves_none(spans: InMemorySpanExporter) -> None:
    with telemetry.traced("twilio.handleMedia", {"message": {}}) as told:
        told({})

    assert spans.get_finished_spans() == ()


def test_every_span_is_of_a_tool_that_there_is() -> None:
    catalogue = gather()

    assert [name for name in telemetry.SPANS if catalogue.get(name) is None] == []


class Collector(BaseHTTPRequestHandler):
    """Takes what is posted."""

    posted: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.posted.append((self.path, gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing."""


LEAVE_A_SPAN = """
import sys
from mcp_voice.server import telemetry
stop = telemetry.export(sys.argv[1])
with telemetry.traced("telephony.hangup", {"callSid": "CA1", "reason": "done"}):
    pass
stop()
"""


def test_spans_are_sent_where_the_standard_variable_says() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        Thread(target=collector.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{collector.server_port}"
        variables = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        subprocess.run([sys.executable, "-c", LEAVE_A_SPAN, endpoint], env=variables, check=True, timeout=30)
        collector.shutdown()

    ((path, body),) = Collector.posted
    assert path == "/v1/traces"
    assert b"telephony.hangup" in body
    assert b"mcp-voice" in body
    assert hashed("CA1").encode() in body


def test_nothing_is_sent_unless_somebody_says_where() -> None:
    stop = telemetry.export(None)

    stop()
