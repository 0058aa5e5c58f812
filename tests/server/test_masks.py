import io
import json
import logging

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.server import logs
from mcp_voice.server.masks import masked, masked_field, masked_number
from mcp_voice.settings import Log

CALL = "CA" + "ab" * 16


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("from +14155550123 to +44 20 7946 0199.", "from ***-***-0123 to ***-***-0199."),
        ("(415) 555-0123 and 415.555.0123 and 4155550123", "***-***-0123 and ***-***-0123 and ***-***-0123"),
        ("sip:+14155550123@example.com", "sip:***-***-0123@example.com"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        ("https://user:secret@example.com/x", "https://***@example.com/x"),
        ("account AC" + "1a" * 16, "account AC***1a1a"),
        (
            "at 1681617600000 on 127.0.0.1:54321, 0.123456789 s",
            "at 1681617600000 on 127.0.0.1:54321, 0.123456789 s",
        ),
        ("sess_00112233445566778899aabbccddeeff", "sess_00112233445566778899aabbccddeeff"),
        ("2026-11-21T05:44:00Z", "2026-11-21T05:44:00Z"),
    ],
)
def test_running_text_keeps_what_is_nobodys(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_a_call_is_hashed_the_same_everywhere() -> None:
    assert masked(f"a {CALL} b") == masked(f"a {CALL} b")
    assert CALL not in masked(CALL)


@given(st.text("0123456789", min_size=7, max_size=15))
def test_a_number_shows_its_last_four_digits_only(digits: str) -> None:
    assert masked(f"call +{digits} now") == f"call ***-***-{digits[-4:]} now"
    assert masked_number(digits) == f"***-***-{digits[-4:]}"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("auth_token", "s", "***"),
        ("apiKey", ["a"], "***"),
        ("payload", "AAAA", "<4 characters>"),
        ("user_utterance", "hello", "<5 characters>"),
        ("chunk", b"\xff\xff", "<2 bytes>"),
        (
            "messages",
            [{"payload": "AA"}, {"from": "+14155550123"}],
            [{"payload": "<2 characters>"}, {"from": "***-***-0123"}],
        ),
        ("target", "sip:amy@example.com", "***@example.com"),
        ("to", "12", "***"),
        ("frames", 14155550123, 14155550123),
        ("token", None, None),
    ],
)
def test_a_fields_name_says_what_it_holds(name: str, value: object, shown: object) -> None:
    assert masked_field(name, value) == shown


@pytest.fixture
def lines(own_logs: None) -> io.StringIO:
    return io.StringIO()


def test_a_line_is_json_and_masked_whoever_writes_it(lines: io.StringIO) -> None:
    logs.configure(Log(format="json"), lines)

    structlog.get_logger().info("call_started", call=CALL, to="+14155550123", payload="AAAA")
    structlog.get_logger().debug("unheard")
    logging.getLogger("uvicorn.error").warning("lost %s", "+14155550123")
    logging.getLogger("uvicorn.error").info("unheard")
    try:
        raise ValueError("+14155550123 is engaged")
    except ValueError:
        logging.getLogger("mcp").exception("tool")

    ours, theirs, crash = map(json.loads, lines.getvalue().splitlines())
    assert (ours["event"], ours["to"], ours["payload"]) == ("call_started", "***-***-0123", "<4 characters>")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == (
        "lost ***-***-0123",
        "uvicorn.error",
        "warning",
    )
    assert "***-***-0123 is engaged" in crash["exception"]
    assert "4155550123" not in lines.getvalue()
    assert CALL not in lines.getvalue()


def test_a_terminal_gets_colours_and_the_same_masks(lines: io.StringIO) -> None:
    logs.configure(Log(format="pretty", level="debug"), lines)

    structlog.get_logger().debug("dialling", to="+14155550123")

    assert "\x1b[" in lines.getvalue()
    assert "4155550123" not in lines.getvalue()
    assert "***-***-0123" in lines.getvalue()
