"""Twilio Media Streams, message by message.

The messages are those of Twilio's documentation
(https://www.twilio.com/docs/voice/media-streams/websocket-messages) and of logged calls.
"""

import json
from base64 import b64encode
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mcp_voice.carriers.twilio.wire import LONGEST_MESSAGE, TwilioWire
from mcp_voice.core.audio import TELEPHONE, AudioFormat, Encoding
from mcp_voice.core.events import (
    Audio,
    Connected,
    Digit,
    MarkReached,
    SendAudio,
    SendClear,
    SendMark,
    Started,
    Stopped,
)
from mcp_voice.errors import BadMessage

STREAM = "MZ18ad3ab5a668481ce02b83e7395059f0"
CALL = "CAa85b5d1e5a8d7a7a8f8c1f2f3f4f5f6f"

START: dict[str, Any] = {
    "event": "start",
    "sequenceNumber": "1",
    "start": {
        "accountSid": "AC" + "1" * 32,
        "streamSid": STREAM,
        "callSid": CALL,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"sessionId": "sess_1", "FirstName": "Jane"},
    },
    "streamSid": STREAM,
}
MEDIA: dict[str, Any] = {
    "event": "media",
    "sequenceNumber": "3",
    "media": {
        "track": "inbound",
        "chunk": "1",
        "timestamp": "102",
        "payload": b64encode(b"\xff" * 160).decode(),
    },
    "streamSid": STREAM,
}


def started() -> TwilioWire:
    wire = TwilioWire()
    wire.receive(json.dumps(START))
    return wire


def without(message: dict[str, Any], *path: str) -> dict[str, Any]:
    copy = json.loads(json.dumps(message))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return copy  # type: ignore[no-any-return]  # json.loads returns Any


def test_connected_is_read() -> None:
    event = TwilioWire().receive('{"event":"connected","protocol":"Call","version":"1.0.0"}')

    assert event == Connected("1.0.0")


def test_start_names_the_stream_the_call_the_format_and_the_parameters() -> None:
    event = TwilioWire().receive(json.dumps(START))

    assert event == Started(
        stream_sid=STREAM,
        call_sid=CALL,
        account_sid="AC" + "1" * 32,
        tracks=("inbound",),
        format=TELEPHONE,
        parameters={"sessionId": "sess_1", "FirstName": "Jane"},
    )


def test_start_may_leave_out_the_stream_name_in_one_of_its_two_places() -> None:
    for path in (("streamSid",), ("start", "streamSid")):
        event = TwilioWire().receive(json.dumps(without(START, *path)))

        assert isinstance(event, Started)
        assert event.stream_sid == STREAM


def test_another_format_is_read_not_assumed() -> None:
    message = json.loads(json.dumps(START))
    message["start"]["mediaFormat"] = {"encoding": "audio/x-L16", "sampleRate": 16000, "channels": 1}

    event = TwilioWire().receive(json.dumps(message))

    assert isinstance(event, Started)
    assert event.format == AudioFormat(Encoding.PCM16, 16_000)


def test_media_is_read() -> None:
    assert started().receive(json.dumps(MEDIA)) == Audio(b"\xff" * 160, 102, "inbound")


def test_a_key_a_mark_and_the_end_are_read() -> None:
    wire = started()
    dtmf = {
        "event": "dtmf",
        "streamSid": STREAM,
        "sequenceNumber": "5",
        "dtmf": {"track": "inbound_track", "digit": "#"},
    }
    mark = {"event": "mark", "sequenceNumber": "4", "streamSid": STREAM, "mark": {"name": "my label"}}
    stop = {
        "event": "stop",
        "sequenceNumber": "5",
        "streamSid": STREAM,
        "stop": {"accountSid": "AC1", "callSid": CALL},
    }

    events = [wire.receive(json.dumps(message)) for message in (dtmf, mark, stop)]

    assert events == [Digit("#"), MarkReached("my label"), Stopped(CALL)]


def test_an_event_of_tomorrow_is_none_of_our_business() -> None:
    assert started().receive('{"event":"transcript","streamSid":"MZ1","transcript":{}}') is None


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (b"\x00\x01", "binary"),
        ("not json", "not_json"),
        ("", "not_json"),
        ("[]", "bad_shape"),
        ("{}", "bad_shape"),
        ('{"event":7}', "bad_shape"),
        ('{"event":"media"}', "bad_shape"),
        (json.dumps(without(MEDIA, "streamSid")), "bad_shape"),
        (json.dumps(without(MEDIA, "media", "payload")), "bad_shape"),
        (json.dumps(MEDIA | {"streamSid": "MZ" + "0" * 32}), "foreign_stream"),
        (json.dumps(MEDIA | {"media": {"payload": "***"}}), "bad_base64"),
        (json.dumps(MEDIA | {"media": {"payload": "é"}}), "bad_base64"),
        (json.dumps(MEDIA | {"media": {"payload": "AAAA", "timestamp": "soon"}}), "bad_shape"),
        (json.dumps(START), "second_start"),
        (json.dumps({"event": "dtmf", "streamSid": STREAM, "dtmf": {"digit": "12"}}), "bad_shape"),
        ('{"event":"media","x":"' + "a" * LONGEST_MESSAGE + '"}', "too_long"),
    ],
)
def test_a_message_that_cannot_be_read_is_named_and_the_stream_goes_on(
    message: str | bytes, kind: str
) -> None:
    wire = started()

    with pytest.raises(BadMessage) as error:
        wire.receive(message)

    assert error.value.details["kind"] == kind
    assert wire.receive(json.dumps(MEDIA)) is not None


def test_nothing_but_connected_comes_before_start() -> None:
    wire = TwilioWire()

    with pytest.raises(BadMessage) as error:
        wire.receive(json.dumps(MEDIA))

    assert error.value.details["kind"] == "before_start"


@given(st.one_of(st.text(), st.binary()))
def test_arbitrary_text_and_bytes_are_refused_by_name(message: str | bytes) -> None:
    with pytest.raises(BadMessage):
        started().receive(message)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(["streamSid", "media", "start", "mark", "dtmf", "stop", "sequenceNumber", "name"])


@given(
    st.sampled_from(["connected", "start", "media", "mark", "dtmf", "stop", "novel"]),
    st.dictionaries(keys, json_values),
)
def test_arbitrary_json_is_an_event_nothing_or_a_named_refusal(event: str, rest: dict[str, Any]) -> None:
    wire = TwilioWire()

    with suppress(BadMessage):
        read = wire.receive(json.dumps({"event": event, **rest}))

        assert read is None or event in ("connected", "start")


STRICT = Draft202012Validator(
    {
        "oneOf": [
            {
                "type": "object",
                "properties": {
                    "event": {"const": "media"},
                    "streamSid": {"const": STREAM},
                    "media": {
                        "type": "object",
                        "properties": {"payload": {"type": "string", "contentEncoding": "base64"}},
                        "required": ["payload"],
                        "additionalProperties": False,
                    },
                },
                "required": ["event", "streamSid", "media"],
                "additionalProperties": False,
            },
            {
                "type": "object",
                "properties": {
                    "event": {"const": "mark"},
                    "streamSid": {"const": STREAM},
                    "mark": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}},
                        "required": ["name"],
                        "additionalProperties": False,
                    },
                },
                "required": ["event", "streamSid", "mark"],
                "additionalProperties": False,
            },
            {
                "type": "object",
                "properties": {"event": {"const": "clear"}, "streamSid": {"const": STREAM}},
                "required": ["event", "streamSid"],
                "additionalProperties": False,
            },
        ]
    }
)
"""What Twilio takes; one field more and it drops the message in silence (31951)."""


@given(st.one_of(st.builds(SendAudio, st.binary()), st.builds(SendMark, st.text()), st.just(SendClear())))
def test_what_is_sent_has_what_twilio_takes_and_no_field_more(
    command: SendAudio | SendMark | SendClear,
) -> None:
    message = json.loads(started().send(command))

    STRICT.validate(message)
    match command:
        case SendAudio():
            assert message["media"]["payload"] == b64encode(command.payload).decode()
        case SendMark():
            assert message["mark"]["name"] == command.name


@given(st.binary(min_size=1))
def test_audio_survives_the_wire_both_ways(payload: bytes) -> None:
    wire = started()

    event = wire.receive(wire.send(SendAudio(payload)))

    assert event == Audio(payload, 0, "inbound")
