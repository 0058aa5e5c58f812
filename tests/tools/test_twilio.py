from base64 import b64decode, b64encode
from typing import Any

import pytest

from mcp_voice.core.audio import SILENCE_FRAME, AudioFormat, Encoding, from_telephone
from mcp_voice.core.events import Final
from mcp_voice.errors import BadAudio, BadMessage, Invalid, NotFound, NotLive, Refused
from tests.tools.desk import Office, an_office
from tests.tools.streams import Message, media_messages, start_message, stop_message
from tests.twins import VOICE_FRAME, Listener, Vendors, sound

FLAT_START: Message = {
    "event": "start",
    "callSid": "CA1",
    "streamSid": "MZ1",
    "format": "audio/x-mulaw",
    "sampleRate": 8000,
    "tracks": ["inbound_audio"],
    "customParameters": {},
}


async def held(office: Office) -> str:
    answer = await office.use("twilio.handleStart", message=start_message())
    session_id = answer["sessionId"]
    assert isinstance(session_id, str)
    return session_id


async def session_of(office: Office, session_id: str) -> dict[str, Any]:
    session = (await office.use("session.get", sessionId=session_id))["session"]
    assert isinstance(session, dict)
    return session


# ─── handleStart ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("message", [start_message(), FLAT_START], ids=["nested", "flat"])
async def test_a_stream_starts_a_session_in_either_shape(office: Office, message: Message) -> None:
    answer = await office.use("twilio.handleStart", message=message)

    assert answer["connected"] is True
    session = await session_of(office, answer["sessionId"])
    assert (session["status"], session["callSid"], session["streamSid"]) == ("active", "CA1", "MZ1")


async def test_a_stream_joins_the_session_that_its_parameter_names(office: Office) -> None:
    let_in = await office.use(
        "telephony.handleConnect", callSid="CA1", to="+14155550100", **{"from": "anonymous"}
    )

    answer = await office.use("twilio.handleStart", message=start_message(sessionId=let_in["sessionId"]))

    assert answer["sessionId"] == let_in["sessionId"]
    assert (await session_of(office, answer["sessionId"]))["from"] == "anonymous"


async def test_a_call_has_one_stream_at_a_time(office: Office) -> None:
    await held(office)

    with pytest.raises(Refused, match="live stream already"):
        await office.use("twilio.handleStart", message=start_message(stream_sid="MZ2"))


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"event": "media"},
        {"event": "start"},
        {"event": "start", "callSid": "CA1"},
        {"event": "start", "streamSid": "MZ1", "start": "now"},
        {**FLAT_START, "callSid": ""},
        {**FLAT_START, "callSid": "C" * 65},
        {**FLAT_START, "sampleRate": "fast"},
        {**FLAT_START, "format": "audio/ogg"},
        {**FLAT_START, "customParameters": {"deep": {}}},
        {**FLAT_START, "tracks": "inbound"},
    ],
)
async def test_a_start_that_cannot_be_read_starts_nothing(office: Office, message: Message) -> None:
    with pytest.raises(BadMessage):
        await office.use("twilio.handleStart", message=message)

    assert len(office.calls) == 0
    assert office.desk.counts.sessions_created == 0


# ─── handleMedia ─────────────────────────────────────────────────────────────


async def test_what_the_caller_sends_comes_back_as_chunks(office: Office) -> None:
    await held(office)
    flat = {
        "event": "media",
        "streamSid": "MZ1",
        "payload": b64encode(VOICE_FRAME).decode(),
        "timestamp": "1681617600000",
    }

    answer = await office.use("twilio.handleMedia", message=flat)

    assert answer["skipped"] == []
    (chunk,) = answer["audioChunks"]
    assert b64decode(chunk.pop("buffer")) == VOICE_FRAME
    assert chunk == {"sampleRate": 8000, "encoding": "mulaw", "channels": 1, "timestamp": 1_681_617_600_000}


async def test_our_own_voice_coming_back_is_no_chunk_of_the_caller(office: Office) -> None:
    await held(office)
    (message,) = media_messages(VOICE_FRAME)
    message["media"]["track"] = "outbound"

    answer = await office.use("twilio.handleMedia", message=message)

    assert answer["audioChunks"] == []


async def test_a_held_call_is_heard_and_written_down() -> None:
    words = Final("two plus two", confidence=0.9)
    async with an_office(Vendors(Listener([words]))) as office:
        session_id = await held(office)
        messages = media_messages(sound((False, 200), (True, 600), (False, 800)))

        await office.use("twilio.handleMedia", messages=messages)
        await office.use("twilio.handleStop", message=stop_message())

        (turn,) = (await session_of(office, session_id))["turns"]
        assert turn["userUtterance"] == "two plus two"


async def test_what_a_tool_plays_goes_out_with_the_next_messages(office: Office) -> None:
    await held(office)
    await office.use(
        "twilio.sendAudio", streamSid="MZ1", audio=b64encode(sound((True, 200))).decode(), text="hum"
    )
    await office.use("twilio.sendMark", streamSid="MZ1", markId="said")

    answer = await office.use("twilio.handleMedia", messages=media_messages(SILENCE_FRAME))

    out = answer["outbound"]
    assert {message["streamSid"] for message in out} == {"MZ1"}
    audio = b"".join(b64decode(message["media"]["payload"]) for message in out if message["event"] == "media")
    assert audio == sound((True, 200))
    assert out[-1] == {"event": "mark", "streamSid": "MZ1", "mark": {"name": "said"}}


async def test_marks_and_keys_reach_the_log_of_the_call(office: Office) -> None:
    session_id = await held(office)
    await office.use("twilio.sendMark", streamSid="MZ1", markId="said")
    nested = {"event": "mark", "streamSid": "MZ1", "mark": {"name": "said"}}
    flat = {"event": "dtmf", "streamSid": "MZ1", "digit": "5"}

    await office.use("twilio.handleMedia", messages=[nested, flat])
    await office.use("twilio.handleStop", message=stop_message())

    events = (await office.use("session.get", sessionId=session_id, detail="timeline"))["events"]
    told = {event["kind"]: event["data"] for event in events}
    assert told["mark"] == {"name": "said", "cleared": False}
    assert told["dtmf"] == {"digit": "5"}


async def test_a_message_that_cannot_be_read_is_skipped_and_the_rest_is_heard(office: Office) -> None:
    await held(office)
    good = media_messages(sound((True, 40)))
    bad: list[Message] = [
        {"event": "media", "streamSid": "MZ1", "media": {"payload": "?"}},
        {"event": "media", "streamSid": "MZ9", "media": {"payload": "/w=="}},
        {"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "E"}},
        {"event": "mark", "streamSid": "MZ1"},
        {"event": "stop", "streamSid": "MZ1"},
    ]

    answer = await office.use("twilio.handleMedia", messages=[good[0], *bad, good[1]])

    assert len(answer["audioChunks"]) == 2
    assert [(skip["index"], skip["code"]) for skip in answer["skipped"]] == [
        (1, "bad_message"),
        (2, "not_found"),
        (3, "bad_message"),
        (4, "bad_message"),
        (5, "bad_message"),
    ]
    assert office.desk.counts.errors.total() == 4
    assert len(office.calls) == 1


async def test_a_message_of_a_kind_that_came_later_is_nobodys_business(office: Office) -> None:
    await held(office)

    answer = await office.use("twilio.handleMedia", messages=[{"event": "connected"}, {"event": "weather"}])

    assert answer == {"audioChunks": [], "outbound": [], "skipped": []}


@pytest.mark.parametrize(
    "payload", ["", "not base64", "/w", "data:audio/basic;base64,/w==", None, 5, "/" * 10**6]
)
async def test_one_message_that_cannot_be_heard_is_an_error_and_the_call_goes_on(
    office: Office, payload: object
) -> None:
    session_id = await held(office)
    message = {"event": "media", "streamSid": "MZ1", "media": {"payload": payload}}

    with pytest.raises(BadMessage):
        await office.use("twilio.handleMedia", message=message)

    assert (await session_of(office, session_id))["status"] == "active"
    assert office.desk.counts.errors.total() == 1


async def test_a_garbled_message_of_no_known_call_is_counted_all_the_same(office: Office) -> None:
    with pytest.raises(BadMessage):
        await office.use("twilio.handleMedia", message={"event": "media", "streamSid": "MZ1"})

    assert office.desk.counts.errors.total() == 1


async def test_media_of_an_unknown_stream_is_not_found(office: Office) -> None:
    with pytest.raises(NotFound, match=r"twilio\.handleStart"):
        await office.use("twilio.handleMedia", messages=media_messages(VOICE_FRAME))


@pytest.mark.parametrize(
    "arguments",
    [{}, {"messages": []}, {"messages": [{}] * 251}, {"message": {}, "messages": [{}]}, {"message": "media"}],
)
async def test_messages_come_one_way(office: Office, arguments: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await office.use("twilio.handleMedia", **arguments)


# ─── handleStop ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "message",
    [stop_message(), {"event": "stop", "callSid": "CA1", "streamSid": "MZ1"}],
    ids=["nested", "flat"],
)
async def test_a_stop_closes_the_session_and_a_second_one_is_ignored(
    office: Office, message: Message
) -> None:
    session_id = await held(office)

    first = await office.use("twilio.handleStop", message=message)
    second = await office.use("twilio.handleStop", message=message)

    assert first == second == {"sessionId": session_id, "closed": True}
    assert office.desk.counts.sessions_closed == 1


async def test_a_late_stop_does_not_say_that_a_running_call_is_closed(office: Office) -> None:
    session_id = await held(office)

    answer = await office.use("twilio.handleStop", message=stop_message(stream_sid="MZ0"))

    assert answer == {"sessionId": session_id, "closed": False}


@pytest.mark.parametrize("call_sid", ["CA9", ""])
async def test_a_stop_of_an_unknown_call_is_not_found(office: Office, call_sid: str) -> None:
    with pytest.raises(NotFound):
        await office.use("twilio.handleStop", message=stop_message(call_sid=call_sid))


@pytest.mark.parametrize("message", [{}, {"event": "stop"}, {"event": "start", "streamSid": "MZ1"}])
async def test_a_stop_that_cannot_be_read_stops_nothing(office: Office, message: Message) -> None:
    await held(office)

    with pytest.raises(BadMessage):
        await office.use("twilio.handleStop", message=message)

    assert len(office.calls) == 1


# ─── sendAudio, sendClear, sendMark ──────────────────────────────────────────


@pytest.mark.parametrize(("nbytes", "frames"), [(1, 1), (160, 1), (161, 2), (800, 5)])
async def test_audio_is_counted_in_frames(office: Office, nbytes: int, frames: int) -> None:
    await held(office)

    answer = await office.use("twilio.sendAudio", streamSid="MZ1", audio=b64encode(bytes(nbytes)).decode())

    assert answer == {"sent": True, "chunkCount": frames}


@pytest.mark.parametrize(
    ("encoding", "rate"),
    [(Encoding.PCM16, 24_000), (Encoding.PCM16, 8_000), (Encoding.ALAW, 8_000), (Encoding.MULAW, 16_000)],
)
async def test_audio_of_other_formats_is_converted(office: Office, encoding: Encoding, rate: int) -> None:
    await held(office)
    audio = from_telephone(sound((True, 1_000)), AudioFormat(encoding, rate))

    answer = await office.use(
        "twilio.sendAudio",
        streamSid="MZ1",
        audio=b64encode(audio).decode(),
        encoding=str(encoding),
        sampleRate=rate,
    )

    assert answer["chunkCount"] == 50


@pytest.mark.parametrize(
    ("audio", "format", "says"),
    [
        ("", {}, "empty"),
        ("?", {}, "not base64"),
        ("/w", {}, "not base64"),
        ("data:audio/wav;base64,UklGRg==", {}, "data URL"),
        (b64encode(b"RIFF\x00\x00\x00\x00WAVEfmt ").decode(), {}, "WAV file"),
        (b64encode(bytes(161)).decode(), {"encoding": "pcm16", "sampleRate": 8_000}, "whole samples"),
        (b64encode(bytes(160)).decode(), {"encoding": "mp3", "sampleRate": 8_000}, "not known"),
        (b64encode(bytes(160)).decode(), {"encoding": "pcm16", "sampleRate": 7_919}, "no simple ratio"),
    ],
)
async def test_audio_that_is_not_what_it_claims_is_refused(
    office: Office, audio: str, format: dict[str, Any], says: str
) -> None:
    await held(office)

    with pytest.raises(BadAudio, match=says):
        await office.use("twilio.sendAudio", streamSid="MZ1", audio=audio, **format)


async def test_audio_of_more_than_a_minute_is_sent_in_pieces(office: Office) -> None:
    await held(office)

    with pytest.raises(Invalid, match="pieces of at most 60 seconds"):
        await office.use("twilio.sendAudio", streamSid="MZ1", audio=b64encode(bytes(8_000 * 62)).decode())


@pytest.mark.parametrize("half", [{"encoding": "pcm16"}, {"sampleRate": 16_000}])
async def test_an_encoding_and_its_rate_go_together(office: Office, half: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="go together"):
        await office.use("twilio.sendAudio", streamSid="MZ1", audio="/w==", **half)


async def test_a_clear_drops_what_waits_and_says_so(office: Office) -> None:
    session_id = await held(office)
    audio = b64encode(sound((True, 4_000))).decode()
    await office.use("twilio.sendAudio", streamSid="MZ1", audio=audio, text="a long story")

    answer = await office.use("twilio.sendClear", streamSid="MZ1")

    assert answer == {"sent": True}
    out = (await office.use("twilio.handleMedia", messages=media_messages(SILENCE_FRAME)))["outbound"]
    assert out[-1] == {"event": "clear", "streamSid": "MZ1"}
    await office.use("twilio.handleStop", message=stop_message())
    (turn,) = (await session_of(office, session_id))["turns"]
    assert (turn["agentResponse"], turn["interrupted"]) == ("a long story", True)


@pytest.mark.parametrize("mark", ["", "m" * 101, "mv:1:200", 5, None])
async def test_a_mark_has_a_name_of_its_own(office: Office, mark: object) -> None:
    with pytest.raises(Invalid, match="markId"):
        await office.use("twilio.sendMark", streamSid="MZ1", markId=mark)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("twilio.sendAudio", {"audio": "/w=="}), ("twilio.sendClear", {}), ("twilio.sendMark", {"markId": "m"})],
)
async def test_nothing_is_sent_into_a_stream_that_is_not_open(
    office: Office, tool: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(NotLive, match=r"session\.get"):
        await office.use(tool, streamSid="MZ1", **arguments)
