"""Real-time transcription: words of a call, posted as they are said.

What people say as text is known word for word; the sound of a media stream is not listened to.

https://www.twilio.com/docs/voice/twiml/transcription
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from mcp_voice.simulator.twilio.effects import Hook
from mcp_voice.simulator.twilio.records import Call, Transcription
from mcp_voice.simulator.twilio.refusals import refusal

if TYPE_CHECKING:
    from mcp_voice.simulator.twilio.account import Account

ENGINES: Final = frozenset({"google", "deepgram"})


def start(network: "Account", call: Call, fields: Mapping[str, str]) -> Transcription:
    """Begin; the names of `fields` are TwiML's. Raises `CarrierFailed`, 21220."""
    if call.status != "in-progress":
        raise refusal(21220)
    made = Transcription(network.sid, call.sid, fields)
    network.transcriptions[made.sid] = made
    if made.fields.get("transcriptionEngine", "google").lower() not in ENGINES:
        made.status = "stopped"
        trouble = {"ErrorCode": "32650", "ErrorMessage": "There is no such transcription engine."}
        _tell(network, made, "transcription-error", trouble, numbered=False)
        return made
    begun = {
        "LanguageCode": fields.get("languageCode", "en-US"),
        "PartialResults": fields.get("partialResults", "false"),
        "Track": fields.get("track", "both_tracks"),
        "TranscriptionEngine": fields.get("transcriptionEngine", "google"),
    }
    _tell(network, made, "transcription-started", begun)
    return made


def heard(network: "Account", call: Call, text: str, track: str) -> None:
    """Something was said on a leg."""
    for one in network.transcriptions.values():
        wanted = one.fields.get("track", "both_tracks")
        if one.call_sid == call.sid and one.status == "in-progress" and wanted in ("both_tracks", track):
            data = json.dumps({"transcript": text, "confidence": 0.99}, separators=(",", ":"))
            language = one.fields.get("languageCode", "en-US")
            content = {"TranscriptionData": data, "Final": "true", "Track": track, "LanguageCode": language}
            _tell(network, one, "transcription-content", content)


def stop(network: "Account", one: Transcription) -> None:
    """End one."""
    if one.status == "in-progress":
        one.status = "stopped"
        _tell(network, one, "transcription-stopped", {})


def end_all(network: "Account", call: Call) -> None:
    """End those of a call."""
    for one in list(network.transcriptions.values()):
        if one.call_sid == call.sid:
            stop(network, one)


def find(network: "Account", call: Call, name: str) -> Transcription | None:
    """Return a call's transcription by its sid or its name."""
    of_call = [one for one in network.transcriptions.values() if one.call_sid == call.sid]
    return next((one for one in of_call if name in (one.sid, one.name)), None)


def _tell(
    network: "Account", one: Transcription, event: str, fields: Mapping[str, str], *, numbered: bool = True
) -> None:
    form = {
        "TranscriptionSid": one.sid,
        "CallSid": one.call_sid,
        "AccountSid": one.account_sid,
        "TranscriptionEvent": event,
        **fields,
    }
    if numbered:
        one.sequence += 1
        at = datetime.fromtimestamp(network.now, UTC).isoformat(timespec="milliseconds")
        form |= {"SequenceId": str(one.sequence), "Timestamp": at.replace("+00:00", "Z")}
    hook = Hook(one.fields.get("statusCallbackUrl", ""), one.fields.get("statusCallbackMethod", "POST"))
    network.tell(network.calls[one.call_sid], hook, form)
