"""What is read from a message does not depend on the shape it came in."""

from base64 import b64encode
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.audio import TELEPHONE
from mcp_voice.core.events import Audio, Digit, MarkReached, Started, Stopped
from mcp_voice.errors import BadMessage
from mcp_voice.tools._stream import read_media, read_start, read_stop

Json = dict[str, Any]

sids = st.from_regex(r"\A[A-Z]{2}[0-9a-f]{1,32}\Z")
texts = st.text(max_size=20)
names = st.text(min_size=1, max_size=100)


@st.composite
def numbers(draw: st.DrawFn, most: int = 2**53) -> tuple[int, int | str]:
    """A number, and how it is spelled."""
    number = draw(st.integers(0, most))
    return number, str(number) if draw(st.booleans()) else number


@given(
    sid=sids,
    payload=st.binary(min_size=1, max_size=400),
    at=numbers(),
    track=st.sampled_from(["inbound", "outbound"]),
)
def test_media_says_the_same_nested_and_flat(
    sid: str, payload: bytes, at: tuple[int, int | str], track: str
) -> None:
    text = b64encode(payload).decode()
    nested = {
        "event": "media",
        "sequenceNumber": "4",
        "streamSid": sid,
        "media": {"track": track, "chunk": "2", "timestamp": at[1], "payload": text},
    }
    flat = {
        "event": "media",
        "streamSid": sid,
        "payload": text,
        "timestamp": at[1],
        "track": f"{track}_track",
    }

    read = read_media(nested), read_media(flat)

    assert read == ((sid, Audio(payload, at[0], track)),) * 2


@given(sid=sids, digit=st.sampled_from("0123456789*#ABCD"))
def test_a_key_says_the_same_nested_and_flat(sid: str, digit: str) -> None:
    nested = {"event": "dtmf", "streamSid": sid, "dtmf": {"track": "inbound_track", "digit": digit}}
    flat = {"event": "dtmf", "streamSid": sid, "digit": digit, "duration": 100}

    assert read_media(nested) == read_media(flat) == (sid, Digit(digit))


@given(sid=sids, name=names)
def test_a_mark_says_the_same_in_all_three_shapes(sid: str, name: str) -> None:
    nested = {"event": "mark", "sequenceNumber": "4", "streamSid": sid, "mark": {"name": name}}
    flat = {"event": "mark", "streamSid": sid, "name": name}
    documents = {"event": "mark", "streamSid": sid, "markId": name}

    assert read_media(nested) == read_media(flat) == read_media(documents) == (sid, MarkReached(name))


@given(
    sid=sids,
    call=sids,
    account=sids,
    tracks=st.lists(st.sampled_from(["inbound", "outbound"]), max_size=2),
    parameters=st.dictionaries(texts, texts, max_size=3),
    rate=st.sampled_from([8_000, "8000"]),
    one=st.sampled_from([1, "1"]),
)
def test_a_start_says_the_same_nested_and_flat(
    sid: str,
    call: str,
    account: str,
    tracks: list[str],
    parameters: dict[str, str],
    rate: object,
    one: object,
) -> None:
    common = {"callSid": call, "accountSid": account, "tracks": tracks, "customParameters": parameters}
    shape = {"encoding": "audio/x-mulaw", "sampleRate": rate, "channels": one}
    nested = {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": sid,
        "start": {**common, "streamSid": sid, "mediaFormat": shape},
    }
    flat = {
        "event": "start",
        "streamSid": sid,
        **common,
        "tracks": [f"{track}_audio" for track in tracks],
        "format": "audio/x-mulaw",
        "sampleRate": rate,
    }

    read = read_start(nested), read_start(flat)

    assert read == (Started(sid, call, account, tuple(tracks), TELEPHONE, parameters),) * 2


@given(sid=sids, call=sids)
def test_a_stop_says_the_same_nested_and_flat(sid: str, call: str) -> None:
    nested = {
        "event": "stop",
        "sequenceNumber": "9",
        "streamSid": sid,
        "stop": {"accountSid": "AC1", "callSid": call},
    }
    flat = {"event": "stop", "streamSid": sid, "callSid": call}

    assert read_stop(nested) == read_stop(flat) == (sid, Stopped(call))


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
fields = st.sampled_from(
    ["streamSid", "callSid", "start", "media", "mark", "dtmf", "stop", "payload", "timestamp", "track",
     "tracks", "mediaFormat", "format", "sampleRate", "customParameters", "name", "markId", "digit"]
)  # fmt: skip
events = st.sampled_from(["start", "media", "mark", "dtmf", "stop", "connected"]) | json


@given(message=st.dictionaries(fields, json | st.dictionaries(fields, json, max_size=4)), event=events)
def test_whatever_comes_is_read_or_is_a_bad_message(message: Json, event: object) -> None:
    for read in (read_start, read_media, read_stop):
        with suppress(BadMessage):
            read({**message, "event": event})


def test_what_twilio_adds_one_day_is_let_through() -> None:
    message = {
        "event": "dtmf",
        "streamSid": "MZ1",
        "weather": "fine",
        "dtmf": {"digit": "1", "tone": "A"},
    }

    assert read_media(message) == ("MZ1", Digit("1"))


def test_a_bad_message_says_which_field_and_shows_nothing_else() -> None:
    with pytest.raises(BadMessage) as bad:
        read_start({"event": "start", "streamSid": "MZ1", "callSid": "CA1", "sampleRate": "secret"})

    assert "sampleRate" in str(bad.value)
    assert "secret" not in str(bad.value)
    assert "pydantic" not in str(bad.value)
