"""What Twilio tells of a call, as values."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.carriers.twilio import callbacks
from mcp_voice.carriers.twilio.callbacks import (
    Amd,
    CallStatus,
    ConferenceEvent,
    DialEnded,
    Form,
    Gathered,
    Incoming,
    Recorded,
    RecordingStatus,
    RelayEnded,
    StreamStatus,
    Transcription,
)
from mcp_voice.errors import BadMessage

CALL = "CA00000000000000000000000000000001"
OTHER = "CA00000000000000000000000000000002"
STREAM = "MZ00000000000000000000000000000000"
RECORDING = "RE00000000000000000000000000000000"
CONFERENCE = "CF00000000000000000000000000000000"
WORDS = "GT00000000000000000000000000000000"

READERS: dict[str, Callable[[Form], Any]] = {
    name: getattr(callbacks, name)
    for name in (
        "incoming", "call_status", "amd", "stream_status", "recording", "recorded", "conference",
        "transcription", "dial_ended", "gathered", "relay_ended",
    )
}  # fmt: skip

# Forms as https://www.twilio.com/docs/voice has them for each callback, and as live calls have had them.
TOLD: list[tuple[str, dict[str, str], Any]] = [
    (
        "incoming",
        {
            "From": "+12025550142", "To": "+12025550100", "CallStatus": "ringing", "ApiVersion": "2010-04-01",
            "Direction": "inbound", "ForwardedFrom": "+12025550143", "CallerName": "",
            "FromCity": "WASHINGTON",
        },
        Incoming(CALL, "+12025550142", "+12025550100", "ringing", forwarded_from="+12025550143"),
    ),
    (
        "call_status",
        {
            "CallStatus": "completed", "CallDuration": "12", "Duration": "1", "SipResponseCode": "200",
            "Timestamp": "Tue, 24 Mar 2026 18:15:40 +0000", "CallbackSource": "call-progress-events",
            "SequenceNumber": "3",
        },
        CallStatus(CALL, "completed", 3, 12, 200),
    ),
    (
        "amd",
        {"AnsweredBy": "machine_end_beep", "MachineDetectionDuration": "4210"},
        Amd(CALL, "machine_end_beep", 4210),
    ),
    (
        "stream_status",
        {
            "StreamSid": STREAM, "StreamName": STREAM, "StreamEvent": "stream-error",
            "StreamError": "A 31921 error", "Timestamp": "2024-11-29T00:09:39.602648368Z",
        },
        StreamStatus(CALL, STREAM, "stream-error", "A 31921 error"),
    ),
    (
        "recording",
        {
            "RecordingSid": RECORDING, "RecordingUrl": "https://api.twilio.com/x",
            "RecordingStatus": "completed",
            "RecordingDuration": "13", "RecordingChannels": "1", "RecordingSource": "DialVerb",
            "RecordingStartTime": "Tue, 24 Mar 2026 18:15:40 +0000", "RecordingTrack": "both",
            "ErrorCode": "0",
        },
        RecordingStatus(RECORDING, "completed", CALL, None, 13, 1, "DialVerb"),
    ),
    ("recorded", {"RecordingSid": RECORDING, "RecordingDuration": "4"}, Recorded(CALL, RECORDING, 4)),
    (
        "conference",
        {
            "ConferenceSid": CONFERENCE, "FriendlyName": "sess_1", "StatusCallbackEvent": "participant-hold",
            "SequenceNumber": "5", "Muted": "false", "Hold": "true", "Coaching": "false",
            "ParticipantLabel": "guest",
        },
        ConferenceEvent(CONFERENCE, "participant-hold", 5, CALL, "sess_1", "guest", muted=False, hold=True),
    ),
    (
        "transcription",
        {
            "TranscriptionSid": WORDS, "TranscriptionEvent": "transcription-content", "Final": "true",
            "TranscriptionData": '{"transcript":"Hello","confidence":0.99}', "Track": "inbound_track",
            "SequenceId": "2", "LanguageCode": "en-US",
        },
        Transcription(CALL, "transcription-content", WORDS, 2, "inbound_track", "Hello", 0.99, final=True),
    ),
    (
        "transcription",
        {"TranscriptionEvent": "transcription-error", "ErrorCode": "32650", "ErrorMessage": "..."},
        Transcription(CALL, "transcription-error", error=32650),
    ),
    (
        "dial_ended",
        {"DialCallSid": OTHER, "DialCallStatus": "completed", "DialCallDuration": "9", "DialBridged": "true"},
        DialEnded(CALL, "completed", OTHER, 9),
    ),
    ("gathered", {"Digits": "12#"}, Gathered(CALL, "12#")),
    (
        "gathered",
        {"SpeechResult": "a table", "Confidence": "0.91"},
        Gathered(CALL, "", "a table", 0.91),
    ),
    (
        "relay_ended",
        {
            "SessionId": "VX00000000000000000000000000000000", "SessionStatus": "ended",
            "SessionDuration": "25", "HandoffData": '{"reason":"human"}',
        },
        RelayEnded(CALL, "ended", "VX00000000000000000000000000000000", 25, '{"reason":"human"}'),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "form", "value"), TOLD)
def test_a_form_becomes_a_value(name: str, form: dict[str, str], value: Any) -> None:
    assert READERS[name]({"CallSid": CALL, "AccountSid": "AC0", **form}) == value


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("incoming", {"CallSid": "", "CallStatus": "ringing"}),
        ("incoming", {"CallSid": "CA1", "CallStatus": "ringing"}),
        ("incoming", {"CallStatus": "ringing", "From": "x" * 257}),
        ("incoming", {"CallStatus": "ringing", "From": "\x00"}),
        ("incoming", {"CallStatus": "ringing", "To": "a b"}),
        ("call_status", {}),
        ("call_status", {"CallStatus": "completed", "CallDuration": "long"}),
        ("call_status", {"CallStatus": "completed", "SequenceNumber": "1" * 16}),
        ("amd", {"AnsweredBy": "hum an"}),
        ("stream_status", {"StreamEvent": "stream-started", "StreamSid": "../x"}),
        ("conference", {"StatusCallbackEvent": "conference-end"}),
        ("transcription", {"TranscriptionEvent": "transcription-content", "TranscriptionData": "{"}),
        ("transcription", {"TranscriptionEvent": "transcription-content", "TranscriptionData": "[]"}),
        ("gathered", {"Digits": "hangup"}),
        ("gathered", {"Confidence": "sure"}),
    ],
)
def test_what_cannot_be_read_is_named_and_not_repeated(name: str, form: dict[str, str]) -> None:
    with pytest.raises(BadMessage) as refused:
        READERS[name]({"CallSid": CALL, **form})

    assert all(len(value) < 3 or value not in str(refused.value) for value in form.values())


@pytest.mark.parametrize("confidence", ["true", "2", '"high"', "null"])
def test_a_confidence_that_is_none_is_left_out(confidence: str) -> None:
    data = f'{{"transcript": "Hello", "confidence": {confidence}}}'
    told = callbacks.transcription(
        {"CallSid": CALL, "TranscriptionEvent": "transcription-content", "TranscriptionData": data}
    )

    assert told.text == "Hello"
    assert told.confidence in (None, 1.0)


FIELDS = sorted({"CallSid", *(field for _, form, _ in TOLD for field in form)})


@given(st.sampled_from(sorted(READERS)), st.dictionaries(st.sampled_from(FIELDS), st.text()))
def test_whatever_a_form_says_it_is_read_or_refused(name: str, form: dict[str, str]) -> None:
    for call in ({}, {"CallSid": CALL}):
        with suppress(BadMessage):
            READERS[name]({**form, **call})
