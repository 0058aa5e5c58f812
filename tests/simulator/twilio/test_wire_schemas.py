"""`schemas/twilio/`: every frame that a server may send, written from the documentation.

They are a second witness: what the simulator takes, they take, and the other way round.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mcp_voice.errors import BadMessage
from mcp_voice.simulator import commands
from mcp_voice.simulator.twilio import relay_commands
from tests.simulator.shapes import DOCUMENTED

FOLDER = Path(__file__).parents[3] / "schemas" / "twilio"
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
STREAM = "MZ" + "0" * 31 + "1"

GOOD: dict[str, list[dict[str, Any]]] = {
    "stream.media": [{"event": "media", "streamSid": STREAM, "media": {"payload": "/w=="}}],
    "stream.mark": [{"event": "mark", "streamSid": STREAM, "mark": {"name": "a"}}],
    "stream.clear": [{"event": "clear", "streamSid": STREAM}],
    "relay.text": [
        {"type": "text", "token": " "},
        {"type": "text", "token": "Hi", "last": True, "lang": "en-US"},
        {"type": "text", "token": "Hi", "interruptible": False, "preemptible": True},
    ],
    "relay.play": [{"type": "play", "source": "https://a.example/b.mp3", "loop": 0, "preemptible": False}],
    "relay.sendDigits": [{"type": "sendDigits", "digits": "1w*#"}],
    "relay.language": [
        {"type": "language", "ttsLanguage": "es-ES"},
        {"type": "language", "transcriptionLanguage": "multi"},
    ],
    "relay.end": [{"type": "end"}, {"type": "end", "handoffData": "{}"}],
}  # fmt: skip


def fits(name: str, message: Any) -> bool:
    return bool(Draft202012Validator(SCHEMAS[name]).is_valid(message))


def taken(name: str, message: Any) -> bool:
    """Whether the simulator takes it."""
    try:
        if name.startswith("stream."):
            commands.read(json.dumps(message), STREAM)
        else:
            relay_commands.read(json.dumps(message))
    except BadMessage:
        return False
    return True


def test_there_is_a_schema_for_every_frame_and_each_refuses_what_it_does_not_know() -> None:
    kinds = {f"stream.{name}" for name in commands.SHAPES} | {
        f"relay.{name}" for name in relay_commands.FIELDS
    }

    assert set(SCHEMAS) == kinds == set(GOOD)
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
        assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", GOOD)
def test_good_frames_fit_and_are_taken(name: str) -> None:
    assert all(fits(name, message) and taken(name, message) for message in GOOD[name])


def test_the_documentations_own_frames_fit() -> None:
    assert all(fits(f"stream.{message['event']}", message) for message in DOCUMENTED["to_twilio"])


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from(["", "MZ", "1w", "1A", "en-US", "English", "/w==", "/w"]),
    st.sampled_from(["https://a.example/b", "b.mp3", "ftp://a"]),
    st.dictionaries(st.sampled_from(["payload", "name"]), st.just("/w=="), max_size=2),
)  # fmt: skip


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_the_schemas_and_the_simulator_refuse_the_same_frames(name: str, data: st.DataObject) -> None:
    message = dict(data.draw(st.sampled_from(GOOD[name])))
    fields = sorted({*SCHEMAS[name]["properties"], "extra"} - {"type", "event"})
    for field in data.draw(st.lists(st.sampled_from(fields or ["extra"]), max_size=2)):
        if data.draw(st.booleans()):
            message.pop(field, None)
        else:
            message[field] = data.draw(JUNK)

    assert fits(name, message) == taken(name, message)
