"""What is done at each address of the API that is about conferences.

https://www.twilio.com/docs/voice/api/conference-resource
"""

from typing import Any

from mcp_voice.simulator.twilio import conferences
from mcp_voice.simulator.twilio.asked import Asked
from mcp_voice.simulator.twilio.conferences import Conference, Member
from mcp_voice.simulator.twilio.records import API, Call, rfc2822
from mcp_voice.simulator.twilio.refusals import refusal


def _room(asked: Asked) -> Conference:
    """Return the conference of that sid; a name will not do here."""
    room = asked.account.conferences.get(asked.names["room"])
    if room is None:
        raise asked.missing()
    return room


def _member(asked: Asked) -> Member:
    name = asked.names["member"]
    found = next((one for one in _room(asked).members.values() if name in (one.call.sid, one.label)), None)
    if found is None:
        raise asked.missing()
    return found


def rooms_list(asked: Asked) -> dict[str, Any]:
    """`GET /Conferences`."""
    form = asked.form
    found = [
        room.json()
        for room in reversed(asked.account.conferences.values())
        if form.get("FriendlyName", room.name) == room.name and form.get("Status", room.status) == room.status
    ]
    return asked.page("conferences", found)


def room_fetch(asked: Asked) -> dict[str, Any]:
    """`GET /Conferences/{sid}`."""
    return _room(asked).json()


def room_update(asked: Asked) -> dict[str, Any]:
    """`POST /Conferences/{sid}`: end it; an announcement is heard by everybody in it."""
    room = _room(asked)
    if room.status == "completed":
        raise asked.missing()
    if asked.form.get("Status"):
        if asked.form["Status"] != "completed":
            raise refusal(20001, "Status must be completed")
        conferences.end(asked.account, room, "conference-ended-via-api")
    return room.json()


def members_list(asked: Asked) -> dict[str, Any]:
    """`GET /Conferences/{sid}/Participants`."""
    form = asked.form
    found = [
        member.json()
        for member in _room(asked).members.values()
        if form.get("Muted", str(member.muted).lower()) == str(member.muted).lower()
        and form.get("Hold", str(member.hold).lower()) == str(member.hold).lower()
    ]
    return asked.page("participants", found)


def member_create(asked: Asked) -> dict[str, Any]:
    """`POST /Conferences/{sid or name}/Participants`."""
    form = asked.form
    call, room = conferences.add(asked.account, asked.names["room"], form, asked.events())
    return _waiting(call, room, form.get("Label", ""), form)


def _waiting(call: Call, room: Conference, label: str, form: dict[str, str]) -> dict[str, Any]:
    """Show somebody who has not come yet."""
    uri = f"/{API}/Accounts/{room.account_sid}/Conferences/{room.sid}/Participants/{call.sid}.json"
    return {
        "account_sid": room.account_sid,
        "call_sid": call.sid,
        "label": label or None,
        "call_sid_to_coach": form.get("CallSidToCoach"),
        "coaching": form.get("Coaching", "false").lower() == "true",
        "conference_sid": room.sid,
        "date_created": rfc2822(call.created),
        "date_updated": rfc2822(call.created),
        "end_conference_on_exit": form.get("EndConferenceOnExit", "false").lower() == "true",
        "muted": form.get("Muted", "false").lower() == "true",
        "hold": False,
        "status": "queued",
        "start_conference_on_enter": form.get("StartConferenceOnEnter", "true").lower() == "true",
        "queue_time": "0",
        "uri": uri,
    }


def member_fetch(asked: Asked) -> dict[str, Any]:
    """`GET /Conferences/{sid}/Participants/{call or label}`."""
    return _member(asked).json()


def member_update(asked: Asked) -> dict[str, Any]:
    """`POST /Conferences/{sid}/Participants/{call or label}`."""
    member = _member(asked)
    conferences.change(asked.account, member, asked.form)
    return member.json()


def member_delete(asked: Asked) -> None:
    """`DELETE /Conferences/{sid}/Participants/{call or label}`."""
    conferences.remove(asked.account, _member(asked))


def recordings_list(asked: Asked) -> dict[str, Any]:
    """`GET /Conferences/{sid}/Recordings`."""
    sid = _room(asked).sid
    found = [one.json() for one in asked.account.recordings.values() if one.conference_sid == sid]
    return asked.page("recordings", found)
