"""What Twilio tells of a call: forms, read into values.

Every field of a webhook is text. Here it becomes what it is, a number or a
yes, and what is not known stays outside: Twilio adds fields without notice
(https://www.twilio.com/docs/voice/twiml#request-parameters). A form that says
something we act on in a way that we cannot read is a `BadMessage`.

    >>> call_status({"CallSid": "CA" + "0" * 32, "CallStatus": "completed", "CallDuration": "12"}).seconds
    12
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from mcp_voice.errors import BadMessage

Form: TypeAlias = Mapping[str, str]

LONGEST: Final = 256
"""Characters of a party's address, as our tools take them."""

LONGEST_TEXT: Final = 8_000

ENDED: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""Statuses of a call that is over; before them come queued, initiated, ringing and in-progress."""

_SID: Final = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")
_PARTY: Final = re.compile(r"[\x21-\x7e]*")
"""A number, or a `sip:` or `client:` address; `anonymous`, and nothing, are some as well."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A call asks what to do with it. `answered_by` is of one that we placed."""

    call_sid: str
    from_: str
    to: str
    status: str
    answered_by: str | None = None
    forwarded_from: str | None = None


@dataclass(frozen=True, slots=True)
class CallStatus:
    """How a call goes. `sequence` orders the news of one call."""

    call_sid: str
    status: str
    sequence: int | None = None
    seconds: int | None = None
    sip_code: int | None = None


@dataclass(frozen=True, slots=True)
class Amd:
    """Who answered, in Twilio's words."""

    call_sid: str
    answered_by: str
    after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """A media stream has started, stopped or failed."""

    call_sid: str
    stream_sid: str
    event: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RecordingStatus:
    """How a recording of Twilio's stands; of a conference there is no call."""

    recording_sid: str
    status: str
    call_sid: str | None = None
    conference_sid: str | None = None
    seconds: int | None = None
    channels: int | None = None
    source: str | None = None
    error: int | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """The caller has left a message."""

    call_sid: str
    recording_sid: str
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class ConferenceEvent:
    """Something has happened in a conference."""

    conference_sid: str
    event: str
    sequence: int | None = None
    call_sid: str | None = None
    name: str | None = None
    label: str | None = None
    muted: bool | None = None
    hold: bool | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Transcription:
    """Words that Twilio has heard; `text` is none in news of its beginning and end."""

    call_sid: str
    event: str
    transcription_sid: str | None = None
    sequence: int | None = None
    track: str | None = None
    text: str | None = None
    confidence: float | None = None
    final: bool = False
    error: int | None = None


@dataclass(frozen=True, slots=True)
class DialEnded:
    """Whoever was dialled has not answered, or has hung up."""

    call_sid: str
    status: str
    other_sid: str | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """The caller has pressed keys or spoken, or has not."""

    call_sid: str
    digits: str
    speech: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class RelayEnded:
    """A relay's session is over: `completed` the caller left, `ended` we let go, `failed`."""

    call_sid: str
    status: str
    relay_sid: str | None = None
    seconds: int | None = None
    handoff: str | None = None
    error: int | None = None


def incoming(form: Form) -> Incoming:
    """Read the request of a call for its TwiML."""
    return Incoming(
        _sid(form, "CallSid"), _party(form, "From"), _party(form, "To"), _word(form, "CallStatus"),
        answered_by=_maybe(form, "AnsweredBy"), forwarded_from=_party(form, "ForwardedFrom") or None,
    )  # fmt: skip


def call_status(form: Form) -> CallStatus:
    """Read a status callback."""
    return CallStatus(
        _sid(form, "CallSid"), _word(form, "CallStatus"), _number(form, "SequenceNumber"),
        seconds=_number(form, "CallDuration"), sip_code=_number(form, "SipResponseCode"),
    )  # fmt: skip


def amd(form: Form) -> Amd:
    """Read the verdict of the answering machine detection."""
    after = _number(form, "MachineDetectionDuration")
    return Amd(_sid(form, "CallSid"), _word(form, "AnsweredBy"), after)


def stream_status(form: Form) -> StreamStatus:
    """Read a stream's news."""
    return StreamStatus(
        _sid(form, "CallSid"), _sid(form, "StreamSid"), _word(form, "StreamEvent"),
        _text(form, "StreamError", 500),
    )  # fmt: skip


def recording(form: Form) -> RecordingStatus:
    """Read a recording's news."""
    return RecordingStatus(
        _sid(form, "RecordingSid"), _word(form, "RecordingStatus"),
        call_sid=_sid_if_any(form, "CallSid"), conference_sid=_sid_if_any(form, "ConferenceSid"),
        seconds=_number(form, "RecordingDuration"), channels=_number(form, "RecordingChannels"),
        source=_maybe(form, "RecordingSource"), error=_number(form, "ErrorCode") or None,
    )  # fmt: skip


def recorded(form: Form) -> Recorded:
    """Read what a `<Record>` asks its action."""
    return Recorded(_sid(form, "CallSid"), _sid(form, "RecordingSid"), _number(form, "RecordingDuration"))


def conference(form: Form) -> ConferenceEvent:
    """Read a conference's news."""
    return ConferenceEvent(
        _sid(form, "ConferenceSid"), _word(form, "StatusCallbackEvent"), _number(form, "SequenceNumber"),
        call_sid=_sid_if_any(form, "CallSid"), name=_text(form, "FriendlyName", 128),
        label=_text(form, "ParticipantLabel", 128),
        muted=_flag(form, "Muted"), hold=_flag(form, "Hold"), reason=_maybe(form, "ReasonConferenceEnded"),
    )  # fmt: skip


def transcription(form: Form) -> Transcription:
    """Read a real-time transcription's news. `TranscriptionData` is JSON in a field."""
    text, confidence = None, None
    if data := form.get("TranscriptionData"):
        text, confidence = _transcript(data)
    return Transcription(
        _sid(form, "CallSid"), _word(form, "TranscriptionEvent"), _sid_if_any(form, "TranscriptionSid"),
        _number(form, "SequenceId"), track=_maybe(form, "Track"), text=text, confidence=confidence,
        final=_flag(form, "Final") is True, error=_number(form, "ErrorCode") or None,
    )  # fmt: skip


def dial_ended(form: Form) -> DialEnded:
    """Read what a `<Dial>` asks its action."""
    return DialEnded(
        _sid(form, "CallSid"), _word(form, "DialCallStatus"), _sid_if_any(form, "DialCallSid"),
        _number(form, "DialCallDuration"),
    )  # fmt: skip


def gathered(form: Form) -> Gathered:
    """Read what a `<Gather>` asks its action."""
    digits = form.get("Digits", "")
    if not re.fullmatch(r"[0-9A-D*#]{0,100}", digits):
        raise _bad("Digits")
    return Gathered(
        _sid(form, "CallSid"), digits, _text(form, "SpeechResult", LONGEST_TEXT), _share(form, "Confidence")
    )


def relay_ended(form: Form) -> RelayEnded:
    """Read what a `<Connect>` with a relay asks its action."""
    return RelayEnded(
        _sid(form, "CallSid"), _word(form, "SessionStatus"), _maybe(form, "SessionId"),
        _number(form, "SessionDuration"), _text(form, "HandoffData", LONGEST_TEXT),
        _number(form, "ErrorCode") or None,
    )  # fmt: skip


# ─── fields ──────────────────────────────────────────────────────────────────


def _bad(name: str) -> BadMessage:
    return BadMessage(f"A webhook came whose {name} cannot be read.", kind="bad_webhook", advice="")


def _sid(form: Form, name: str) -> str:
    sid = form.get(name, "")
    if not _SID.fullmatch(sid):
        raise _bad(name)
    return sid


def _sid_if_any(form: Form, name: str) -> str | None:
    return _sid(form, name) if form.get(name) else None


def _party(form: Form, name: str) -> str:
    party = form.get(name, "")
    if len(party) > LONGEST or not _PARTY.fullmatch(party):
        raise _bad(name)
    return party


def _maybe(form: Form, name: str) -> str | None:
    """Read a word of Twilio's own, which may be missing or empty."""
    word = form.get(name) or None
    if word is not None and not re.fullmatch(r"[\w-]{1,64}", word, re.ASCII):
        raise _bad(name)
    return word


def _word(form: Form, name: str) -> str:
    word = _maybe(form, name)
    if word is None:
        raise _bad(name)
    return word


def _text(form: Form, name: str, longest: int) -> str | None:
    return form.get(name, "")[:longest] or None


def _number(form: Form, name: str) -> int | None:
    number = form.get(name) or None
    if number is not None and not re.fullmatch(r"-?[0-9]{1,15}", number):
        raise _bad(name)
    return None if number is None else int(number)


def _flag(form: Form, name: str) -> bool | None:
    return {"true": True, "false": False}.get(form.get(name, "").lower())


def _share(form: Form, name: str) -> float | None:
    """Read a confidence, 0 to 1."""
    if not form.get(name):
        return None
    try:
        share = float(form[name])
    except ValueError:
        raise _bad(name) from None
    return share if 0 <= share <= 1 else None


def _transcript(data: str) -> tuple[str | None, float | None]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        raise _bad("TranscriptionData") from None
    if not isinstance(told, dict):
        raise _bad("TranscriptionData")
    text, confidence = told.get("transcript"), told.get("confidence")
    sure = float(confidence) if isinstance(confidence, int | float) and 0 <= confidence <= 1 else None
    return text[:LONGEST_TEXT] if isinstance(text, str) else None, sure
