"""Recordings: of a call, of a conference, of a message after the tone.

https://www.twilio.com/docs/voice/api/recording
"""

import io
import wave
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from mcp_voice.simulator.twilio.effects import Hook
from mcp_voice.simulator.twilio.records import Call, Callbacks, Recording, rfc2822
from mcp_voice.simulator.twilio.refusals import refusal

if TYPE_CHECKING:
    from mcp_voice.simulator.twilio.account import Account

CURRENT: Final = "Twilio.CURRENT"
HOST: Final = "https://api.twilio.com"
RATE: Final = 8_000


def start(network: "Account", call: Call, source: str, form: Mapping[str, str]) -> Recording:
    """Begin; `form` has the parameters of `POST /Calls/{sid}/Recordings`."""
    url = form.get("RecordingStatusCallback", "")
    events = frozenset(form.get("RecordingStatusCallbackEvent", "completed").split())
    recording = Recording(
        network.sid, call.sid, source, network.now,
        channels=2 if form.get("RecordingChannels") in ("2", "dual") else 1,
        track=form.get("RecordingTrack", "both"),
        progress=Callbacks(Hook(url, form.get("RecordingStatusCallbackMethod", "POST")), events),
    )  # fmt: skip
    network.recordings[recording.sid] = recording
    _tell(network, recording, "in-progress")
    return recording


def attributes(verb: Mapping[str, str]) -> dict[str, str]:
    """Return a verb's attributes as the parameters of the API."""
    names = ("recordingStatusCallback", "recordingStatusCallbackMethod", "recordingStatusCallbackEvent")
    return {name[0].upper() + name[1:]: verb[name] for name in names if name in verb}


def update(network: "Account", recording: Recording, status: str) -> None:
    """Pause, resume or stop. Raises `CarrierFailed`, 20001."""
    if status not in ("paused", "in-progress", "stopped"):
        raise refusal(20001, f"Status {status} is not valid")
    if recording.ended is not None:
        raise refusal(21220)
    if status == "stopped":
        finish(network, recording)
    else:
        recording.status = status


def finish(network: "Account", recording: Recording) -> None:
    """End it, and tell that it can be fetched."""
    if recording.ended is None:
        recording.ended, recording.status = network.now, "completed"
        _tell(network, recording, "completed")


def end_all(network: "Account", call: Call) -> None:
    """End the recordings of a call."""
    for recording in list(network.recordings.values()):
        if recording.call_sid == call.sid and recording.conference_sid is None:
            finish(network, recording)


def current(network: "Account", call: Call) -> Recording | None:
    """Return the one that runs."""
    found = (one for one in network.recordings.values() if one.call_sid == call.sid and one.ended is None)
    return next(found, None)


def last_of(network: "Account", call: Call) -> dict[str, str]:
    """Return what the callback at a call's end says of its recording."""
    found = [one for one in network.recordings.values() if one.call_sid == call.sid]
    return fields(found[-1]) if found else {}


def fields(recording: Recording) -> dict[str, str]:
    """Return what an action is told of a recording."""
    return {
        "RecordingUrl": HOST + recording.uri,
        "RecordingSid": recording.sid,
        "RecordingDuration": str(recording.seconds),
    }


def _tell(network: "Account", recording: Recording, status: str) -> None:
    call = network.calls[recording.call_sid]
    if status not in recording.progress.events:
        return
    form = {"AccountSid": recording.account_sid, "CallSid": recording.call_sid, **fields(recording)}
    form |= {
        "RecordingStatus": status,
        "RecordingChannels": str(recording.channels),
        "RecordingSource": recording.source,
        "RecordingStartTime": rfc2822(recording.started) or "",
        "RecordingTrack": recording.track,
        "ErrorCode": "0",
    }
    if recording.conference_sid:
        form["ConferenceSid"] = recording.conference_sid
    network.tell(call, recording.progress.hook, form)


def sound(recording: Recording, channels: int) -> bytes:
    """Return it as WAV, 16-bit PCM at 8 kHz: as long as it was, and silent."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(bytes(2 * channels * RATE * recording.seconds))
    return file.getvalue()
