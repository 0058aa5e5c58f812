"""Twilio's ConversationRelay, message by message.

The messages are those of Twilio's documentation
(https://www.twilio.com/docs/voice/conversationrelay/websocket-messages) and of logged calls.
"""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mcp_voice.carriers.twilio.relay import LONGEST_MESSAGE, RelayWire
from mcp_voice.core.events import Digit, Lost, Partial, SendClear, Started, Stopped
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.relaying import (
    Complained,
    Interrupted,
    Played,
    SendDigits,
    SendEnd,
    SendLanguage,
    SendPlay,
    SendText,
    Voiced,
)
from mcp_voice.errors import BadMessage

SESSION = "VX" + "0" * 31 + "1"
CALL = "CA" + "0" * 31 + "1"

INBOUND: dict[str, Any] = {
    "type": "setup",
    "sessionId": SESSION,
    "callSid": CALL,
    "parentCallSid": "",
    "from": "+15550100001",
    "to": "+15550100002",
    "forwardedFrom": "+15550100002",
    "callerName": "",
    "direction": "inbound",
    "callType": "PSTN",
    "callStatus": "RINGING",
    "accountSid": "AC" + "0" * 31 + "1",
    "customParameters": {},
}
OUTBOUND: dict[str, Any] = INBOUND | {
    "direction": "outbound-api",
    "callStatus": "IN_PROGRESS",
    "forwardedFrom": "",
    "customParameters": {"sessionId": "sess_1"},
}

SENT: dict[str, dict[str, Any]] = {
    "text": {"token": {"type": "string"}, "last": {"type": "boolean"}, "lang": {"type": "string"},
             "interruptible": {"type": "boolean"}, "preemptible": {"type": "boolean"}},
    "play": {"source": {"type": "string"}, "loop": {"type": "integer", "minimum": 0},
             "interruptible": {"type": "boolean"}, "preemptible": {"type": "boolean"}},
    "sendDigits": {"digits": {"type": "string", "pattern": "^[0-9w#*]+$"}},
    "language": {"ttsLanguage": {"type": "string"}, "transcriptionLanguage": {"type": "string"}},
    "end": {"handoffData": {"type": "string"}},
}  # fmt: skip
"""What the relay takes, by type: the fields of its documentation, and no other."""

NEEDED = {"text": ["token"], "play": ["source"], "sendDigits": ["digits"], "language": [], "end": []}


def set_up() -> RelayWire:
    wire = RelayWire()
    wire.receive(json.dumps(INBOUND))
    return wire


def read(**message: Any) -> Any:
    return set_up().receive(json.dumps(message))


def documented(message: str) -> bool:
    said = json.loads(message)
    kind = said["type"]
    Draft202012Validator(
        {
            "type": "object",
            "properties": {"type": {"const": kind}, **SENT[kind]},
            "required": ["type", *NEEDED[kind]],
            "additionalProperties": False,
        }
    ).validate(said)
    return True


def test_a_setup_names_the_call_its_parties_and_its_parameters() -> None:
    started = RelayWire().receive(json.dumps(OUTBOUND))

    assert started == Started(
        stream_sid=SESSION,
        call_sid=CALL,
        account_sid="AC" + "0" * 31 + "1",
        tracks=(),
        parameters={"from": "+15550100001", "to": "+15550100002", "sessionId": "sess_1"},
        mode="relay",
    )


def test_words_grow_until_they_are_final() -> None:
    wire = set_up()
    texts = ["Thank you for", "Thank you for calling", "Thank you for calling Acme Corporation."]

    heard = [
        wire.receive(json.dumps({"type": "prompt", "voicePrompt": text, "lang": "en-US", "last": last}))
        for text, last in [*((text, False) for text in texts), (texts[-1], True)]
    ]

    assert heard == [*map(Partial, texts), FinalWords(texts[-1])]


@pytest.mark.parametrize("duration", [460, "460", 460.0])
def test_an_interruption_says_what_was_heard_and_for_how_long(duration: Any) -> None:
    event = read(type="interrupt", utteranceUntilInterrupt="You said:", durationUntilInterruptMs=duration)

    assert event == Interrupted("You said:", 460)


def test_an_interruption_may_say_nothing() -> None:
    assert read(type="interrupt") == Interrupted("", None)


def test_voices_and_words_that_were_said_are_told() -> None:
    told = [
        read(type="info", name=name, value=value)
        for name, value in [
            ("agentSpeaking", "on"), ("agentSpeaking", "off"), ("clientSpeaking", "on"),
            ("tokensPlayed", "You said:"), ("roundTripDelayMs", "148"),
        ]
    ]  # fmt: skip

    assert told == [
        Voiced("agent", True), Voiced("agent", False), Voiced("caller", True), Played("You said:"), None,
    ]  # fmt: skip


def test_a_key_and_a_complaint_are_read() -> None:
    assert read(type="dtmf", digit="#") == Digit("#")
    assert read(type="error", description="Invalid message received") == Complained(
        "Invalid message received"
    )


def test_a_message_of_tomorrow_is_none_of_our_business() -> None:
    assert read(type="configUpdated", config={"hints": "a"}) is None
    assert read(type="prompt", voicePrompt="Yes.", last=True, turnState="complete") == FinalWords("Yes.")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (b"\x00", "binary"),
        ("x" * (LONGEST_MESSAGE + 1), "too_long"),
        ("{", "not_json"),
        ("[]", "bad_shape"),
        ('{"event":"media"}', "bad_shape"),
        ('{"type":"prompt"}', "bad_shape"),
        ('{"type":"dtmf","digit":"77"}', "bad_shape"),
        ('{"type":"interrupt","durationUntilInterruptMs":"soon"}', "bad_shape"),
        ('{"type":"interrupt","durationUntilInterruptMs":"1e999"}', "bad_shape"),
        (json.dumps(INBOUND), "second_start"),
    ],
)
def test_what_cannot_be_read_is_named(message: str | bytes, kind: str) -> None:
    with pytest.raises(BadMessage) as caught:
        set_up().receive(message)

    assert caught.value.details["kind"] == kind


def test_nothing_is_said_before_the_setup() -> None:
    with pytest.raises(BadMessage, match="before `setup`"):
        RelayWire().receive('{"type":"prompt","voicePrompt":"Hello","last":true}')
    with pytest.raises(BadMessage, match="without sessionId"):
        RelayWire().receive('{"type":"setup","sessionId":"","callSid":"CA1"}')


def test_a_socket_that_is_closed_as_it_should_be_is_a_call_that_is_over() -> None:
    assert set_up().left(1000) == Stopped()
    assert set_up().left(1006) == Lost("connection_lost")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (SendText("Good "), {"type": "text", "token": "Good ", "last": False}),
        (
            SendText("Tag.", last=True, language="de-DE", interruptible=False, preemptible=True),
            {"type": "text", "token": "Tag.", "last": True, "lang": "de-DE", "interruptible": False,
             "preemptible": True},
        ),
        (SendPlay("https://a.example/a"), {"type": "play", "source": "https://a.example/a", "loop": 1}),
        (SendDigits("12w#"), {"type": "sendDigits", "digits": "12w#"}),
        (SendLanguage("sv-SE"), {"type": "language", "ttsLanguage": "sv-SE"}),
        (
            SendLanguage("sv-SE", "en-US"),
            {"type": "language", "ttsLanguage": "sv-SE", "transcriptionLanguage": "en-US"},
        ),
        (SendEnd(), {"type": "end"}),
        (SendEnd('{"a":"b"}'), {"type": "end", "handoffData": '{"a":"b"}'}),
    ],
)  # fmt: skip
def test_what_is_sent_has_the_documented_fields_and_no_other(command: Any, message: dict[str, Any]) -> None:
    sent = set_up().send(command)

    assert json.loads(sent) == message
    assert documented(sent)


def test_a_relay_has_no_word_for_what_is_of_a_media_stream() -> None:
    with pytest.raises(TypeError, match="SendClear"):
        set_up().send(SendClear())


@given(st.text())
def test_what_is_to_be_said_arrives_letter_for_letter(text: str) -> None:
    text = text.encode(errors="replace").decode()

    sent = set_up().send(SendText(text))

    assert json.loads(sent)["token"] == text
    assert "\n" not in sent


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    ["sessionId", "callSid", "voicePrompt", "last", "digit", "utteranceUntilInterrupt",
     "durationUntilInterruptMs", "description", "name", "value", "customParameters", "from"]
)  # fmt: skip


@given(
    st.sampled_from(["setup", "prompt", "dtmf", "interrupt", "error", "info", "config"]),
    st.dictionaries(FIELDS, JSON),
)
def test_whatever_comes_is_read_or_named_and_breaks_nothing(type: str, fields: dict[str, Any]) -> None:
    wire = set_up()

    with suppress(BadMessage):
        wire.receive(json.dumps(fields | {"type": type}))

    assert wire.receive('{"type":"dtmf","digit":"1"}') == Digit("1")
