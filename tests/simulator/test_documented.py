"""The examples of Twilio's documentation, against the simulator and its schemas."""

import json
from typing import Any

import pytest

from mcp_voice.errors import BadMessage
from mcp_voice.simulator.commands import Clear, Mark, Media, read
from mcp_voice.simulator.line import SIMULATED_ACCOUNT, Line, Names
from tests.simulator.shapes import DOCUMENTED, check

STREAM = "MZ00000000000000000000000000000001"
NAMES = Names("CA" + "0" * 31 + "1", STREAM)


def example(event: str) -> dict[str, Any]:
    found: dict[str, Any] = next(m for m in DOCUMENTED["from_twilio"] if m["event"] == event)
    return found


@pytest.mark.parametrize("message", DOCUMENTED["from_twilio"], ids=lambda message: message["event"])
def test_every_documented_message_fits_its_schema(message: dict[str, Any]) -> None:
    assert check(json.dumps(message)) == message


def test_the_line_says_what_the_documentation_shows() -> None:
    line = Line(NAMES, {"FirstName": "Jane", "LastName": "Doe", "RemoteParty": "Bob"})

    connected, start = [json.loads(message) for message in line.open(0.0)]
    (mark,) = [json.loads(m) for m in line.receive(json.dumps(DOCUMENTED["to_twilio"][1]), 1.0)]

    assert connected == example("connected")
    documented = example("start")
    documented["start"]["accountSid"] = SIMULATED_ACCOUNT
    assert start == documented
    assert mark == {**example("mark"), "sequenceNumber": "2"}


def test_a_key_and_the_end_have_the_documented_shape() -> None:
    line = Line(NAMES)
    line.open(0.0)

    key, stop = json.loads(line.press("1", 1.0)), json.loads(line.stop(2.0))

    assert key == {**example("dtmf"), "sequenceNumber": "2"}
    assert stop["stop"] == {"accountSid": SIMULATED_ACCOUNT, "callSid": NAMES.call_sid}
    assert stop.keys() == example("stop").keys()


def test_every_documented_command_is_taken() -> None:
    taken = [read(json.dumps(message), STREAM) for message in DOCUMENTED["to_twilio"]]

    assert taken == [Media(b"\xff"), Mark("my label"), Clear()]


MEDIA = {"event": "media", "streamSid": STREAM, "media": {"payload": "/w=="}}


@pytest.mark.parametrize(
    ("message", "code", "why"),
    [
        (json.dumps(MEDIA).encode(), 31950, "binary"),
        ("hello", 31951, "Not JSON"),
        ("[" * 100_000, 31951, "Not JSON"),
        ("[]", 31951, "Unknown event None"),
        ('{"event": ["media"]}', 31951, "Unknown event"),
        ('{"event": "dtmf"}', 31951, "Unknown event 'dtmf'"),
        (json.dumps({**MEDIA, "sequenceNumber": "1"}), 31951, "sequenceNumber is an extra field"),
        (
            json.dumps({**MEDIA, "media": {"payload": "", "track": "outbound"}}),
            31951,
            "media.track is an extra",
        ),
        (json.dumps({"event": "media", "streamSid": STREAM}), 31951, "media is missing"),
        (json.dumps({**MEDIA, "media": {}}), 31951, "media.payload is missing"),
        (json.dumps({**MEDIA, "media": "/w=="}), 31951, "media is a str"),
        (json.dumps({**MEDIA, "media": {"payload": [1]}}), 31951, "media.payload is a list"),
        (json.dumps({**MEDIA, "media": {"payload": "/w"}}), 31951, "not base64"),
        (json.dumps({**MEDIA, "media": {"payload": "é"}}), 31951, "not base64"),
        (json.dumps({**MEDIA, "streamSid": "MZ2"}), 31951, "not this stream's"),
        (json.dumps({"event": "clear", "streamSid": None}), 31951, "streamSid is a NoneType"),
        (
            json.dumps({"event": "mark", "streamSid": STREAM, "mark": {"name": 1}}),
            31951,
            "mark.name is a int",
        ),
    ],
)
def test_a_wrong_message_has_twilios_number(message: str | bytes, code: int, why: str) -> None:
    with pytest.raises(BadMessage, match=why) as caught:
        read(message, STREAM)

    assert caught.value.details["code"] == code


def test_wrong_messages_are_told_once_counted_and_dropped() -> None:
    line = Line(NAMES)
    line.open(0.0)

    for _ in range(3):
        assert line.receive(json.dumps({**MEDIA, "extra": 1}), 1.0) == []
    line.receive(b"\xff", 1.0)

    assert {code: fault.count for code, fault in line.faults.items()} == {31951: 3, 31950: 1}
    assert [h.data["code"] for h in line.happenings if h.kind == "warning"] == [31951, 31950]
    assert line.heard(9.0) == b""
