"""What is done at each address of the API that is not about conferences.

https://www.twilio.com/docs/voice/api
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from starlette.responses import Response

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.twilio import calls, connecting, recording, transcribing
from mcp_voice.simulator.twilio.asked import Asked
from mcp_voice.simulator.twilio.records import API, NUMBER_FIELDS, Number, Recording, rfc2822
from mcp_voice.simulator.twilio.refusals import refusal
from mcp_voice.simulator.twilio.twiml import Verb

# ─── the account ─────────────────────────────────────────────────────────────


def account(asked: Asked) -> dict[str, Any]:
    """`GET /Accounts/{sid}`."""
    sid = asked.account.sid
    return {
        "sid": sid,
        "friendly_name": "Simulated account",
        "status": "active",
        "type": "Full",
        "auth_token": None,
        "owner_account_sid": sid,
        "date_created": rfc2822(0),
        "date_updated": rfc2822(0),
        "uri": f"/{API}/Accounts/{sid}.json",
        "subresource_uris": {"calls": f"/{API}/Accounts/{sid}/Calls.json"},
    }


def balance(asked: Asked) -> dict[str, Any]:
    """`GET /Balance`: calls here cost nothing."""
    return {"account_sid": asked.account.sid, "balance": "100.00", "currency": "USD"}


# ─── calls ───────────────────────────────────────────────────────────────────


def calls_create(asked: Asked) -> dict[str, Any]:
    """`POST /Calls`."""
    return calls.dial(asked.account, asked.form, events=asked.events()).json()


def calls_list(asked: Asked) -> dict[str, Any]:
    """`GET /Calls`, the newest first."""
    form = asked.form
    found = [
        call.json()
        for call in reversed(asked.account.calls.values())
        if form.get("To", call.to) == call.to
        and form.get("From", call.from_) == call.from_
        and form.get("ParentCallSid", call.parent_sid) == call.parent_sid
        and form.get("Status", call.status) == call.status
        and _in_time(form, "StartTime", call.started if call.started is not None else call.created)
        and _in_time(form, "EndTime", call.ended)
    ]
    return asked.page("calls", found)


def _in_time(form: Mapping[str, str], name: str, at: float | None) -> bool:
    """Whether a time is on, before or after what the form says; a date stands for its whole day."""
    for sign in ("", "<", ">"):
        wanted = form.get(name + sign, "")
        if not wanted:
            continue
        if at is None:
            return False
        since, until = _span(wanted, name)
        if (
            (sign == "" and not since <= at < until)
            or (sign == "<" and at >= until)
            or (sign == ">" and at < since)
        ):
            return False
    return True


def _span(wanted: str, name: str) -> tuple[float, float]:
    try:
        time = datetime.fromisoformat(wanted.replace("Z", "+00:00"))
    except ValueError:
        try:
            time = parsedate_to_datetime(wanted)
        except ValueError:
            raise refusal(20001, f"{name} must be a date") from None
    since = time.replace(tzinfo=time.tzinfo or UTC).timestamp()
    return since, since + (86_400 if len(wanted) == len("2026-11-21") else 1)


def call_fetch(asked: Asked) -> dict[str, Any]:
    """`GET /Calls/{sid}`."""
    return asked.call.json()


def call_update(asked: Asked) -> dict[str, Any]:
    """`POST /Calls/{sid}`: redirect, or hang up."""
    calls.update(asked.account, asked.call, asked.form)
    return asked.call.json()


def call_delete(asked: Asked) -> None:
    """`DELETE /Calls/{sid}`: a call that is over is forgotten."""
    if not asked.call.over:
        raise refusal(20001, "Call is in progress")
    del asked.account.calls[asked.call.sid]


def notifications(asked: Asked) -> dict[str, Any]:
    """`GET /Calls/{sid}/Notifications`: what the debugger shows."""
    found = [
        {
            "account_sid": asked.account.sid,
            "call_sid": sid,
            "error_code": str(alert.code),
            "message_text": alert.why,
            "log": "1" if alert.code == 12_200 else "0",
            "more_info": f"https://www.twilio.com/docs/errors/{alert.code}",
        }
        for sid, alert in asked.account.alerts
        if sid == asked.call.sid
    ]
    return asked.page("notifications", found)


# ─── recordings ──────────────────────────────────────────────────────────────

ENDINGS: Final = {".json": "", ".wav": "audio/x-wav", "": "audio/x-wav"}


def _recording(asked: Asked, name: str | None = None) -> Recording:
    sid = asked.names["recording"] if name is None else name
    if sid == recording.CURRENT:
        found = recording.current(asked.account, asked.call)
    else:
        found = asked.account.recordings.get(sid)
    if found is None or ("call" in asked.names and found.call_sid != asked.call.sid):
        raise asked.missing()
    return found


def recordings_list(asked: Asked) -> dict[str, Any]:
    """`GET /Recordings`, of all calls or of one."""
    wanted = asked.call.sid if "call" in asked.names else asked.form.get("CallSid", "")
    found = [one.json() for one in asked.account.recordings.values() if wanted in ("", one.call_sid)]
    return asked.page("recordings", found)


def recording_create(asked: Asked) -> dict[str, Any]:
    """`POST /Calls/{sid}/Recordings`."""
    if asked.call.status != "in-progress":
        raise refusal(21220)
    return recording.start(asked.account, asked.call, "StartCallRecordingAPI", asked.form).json()


def recording_fetch(asked: Asked) -> dict[str, Any]:
    """`GET /Calls/{sid}/Recordings/{sid}`."""
    return _recording(asked).json()


def recording_update(asked: Asked) -> dict[str, Any]:
    """`POST /Calls/{sid}/Recordings/{sid}`: pause, resume, stop."""
    found = _recording(asked)
    recording.update(asked.account, found, asked.form.get("Status", ""))
    return found.json()


def recording_delete(asked: Asked) -> None:
    """`DELETE /Recordings/{sid}`."""
    name = asked.names["recording"].removesuffix(".json")
    del asked.account.recordings[_recording(asked, name).sid]


def recording_media(asked: Asked) -> Response | dict[str, Any]:
    """`GET /Recordings/{sid}`: what is known of it, or with `.wav` the sound."""
    name, dot, ending = asked.names["recording"].partition(".")
    kind = ENDINGS.get(dot + ending)
    found = _recording(asked, name)
    if kind is None or (kind and found.ended is None):
        raise asked.missing()
    if not kind:
        return found.json()
    wanted = 2 if asked.form.get("RequestedChannels") == "2" and found.channels == 2 else 1
    return Response(recording.sound(found, wanted), media_type=kind)


# ─── streams and transcriptions ──────────────────────────────────────────────


def _camel(fields: Mapping[str, str]) -> dict[str, str]:
    return {name[0].lower() + name[1:]: value for name, value in fields.items() if "." not in name}


def _parameters(fields: Mapping[str, str]) -> Iterator[Verb]:
    for number in range(1, 100):
        if name := fields.get(f"Parameter{number}.Name"):
            yield Verb("Parameter", {"name": name, "value": fields.get(f"Parameter{number}.Value", "")})


def stream_create(asked: Asked) -> dict[str, Any]:
    """`POST /Calls/{sid}/Streams`: it only listens."""
    if asked.call.status != "in-progress":
        raise refusal(21220)
    noun = Verb("Stream", _camel(asked.form), "", tuple(_parameters(asked.form)))
    try:
        return connecting.begin_stream(asked.account, asked.call, noun).json()
    except CarrierFailed as error:
        raise refusal(20001, error.args[0]) from None


def stream_update(asked: Asked) -> dict[str, Any]:
    """`POST /Calls/{sid}/Streams/{sid or name}`: stop it."""
    found = connecting.find(asked.account, asked.call, asked.names["stream"])
    if found is None:
        raise asked.missing()
    if asked.form.get("Status") != "stopped":
        raise refusal(20001, "Status must be stopped")
    connecting.stop_stream(asked.account, found)
    return found.json()


def words_create(asked: Asked) -> dict[str, Any]:
    """`POST /Calls/{sid}/Transcriptions`."""
    return transcribing.start(asked.account, asked.call, _camel(asked.form)).json()


def words_update(asked: Asked) -> dict[str, Any]:
    """`POST /Calls/{sid}/Transcriptions/{sid or name}`: stop it."""
    found = transcribing.find(asked.account, asked.call, asked.names["words"])
    if found is None:
        raise asked.missing()
    if asked.form.get("Status") != "stopped":
        raise refusal(20001, "Status must be stopped")
    transcribing.stop(asked.account, found)
    return found.json()


# ─── numbers ─────────────────────────────────────────────────────────────────


def _number(asked: Asked) -> Number:
    numbers = asked.account.numbers.values()
    found = next((one for one in numbers if one.sid == asked.names["number"]), None)
    if found is None:
        raise asked.missing()
    return found


def numbers_list(asked: Asked) -> dict[str, Any]:
    """`GET /IncomingPhoneNumbers`."""
    wanted = asked.form.get("PhoneNumber", "")
    found = [one.json() for one in asked.account.numbers.values() if wanted in one.phone_number]
    return asked.page("incoming_phone_numbers", found)


def number_fetch(asked: Asked) -> dict[str, Any]:
    """`GET /IncomingPhoneNumbers/{sid}`."""
    return _number(asked).json()


def number_update(asked: Asked) -> dict[str, Any]:
    """`POST /IncomingPhoneNumbers/{sid}`."""
    found = _number(asked)
    for name, value in asked.form.items():
        field = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
        if field not in NUMBER_FIELDS:
            continue
        if field.endswith(("_url", "status_callback")) and value and not calls.is_url(value):
            raise refusal(21609 if field == "status_callback" else 21205, value)
        found.fields[field] = value
    return found.json()
