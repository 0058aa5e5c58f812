"""Conferences and queues: rooms that legs are in.

https://www.twilio.com/docs/voice/twiml/conference · /docs/voice/api/conference-participant-resource
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mcp_voice.simulator.line import make_sid
from mcp_voice.simulator.twilio import calls, recording
from mcp_voice.simulator.twilio.doing import Doing
from mcp_voice.simulator.twilio.effects import Hook
from mcp_voice.simulator.twilio.records import API, Call, Callbacks, rfc2822
from mcp_voice.simulator.twilio.refusals import refusal
from mcp_voice.simulator.twilio.twiml import Verb

if TYPE_CHECKING:
    from mcp_voice.simulator.twilio.account import Account

FULL: Final = 16_020
MOST: Final = 250


@dataclass(slots=True, eq=False)
class Conference:
    """A room with a name; its first guest says where its events are told."""

    account_sid: str
    name: str
    created: float
    sid: str = field(default_factory=lambda: make_sid("CF"))
    status: str = "init"
    members: "dict[str, Member]" = field(default_factory=dict)
    progress: Callbacks = field(default_factory=lambda: Callbacks(events=frozenset()))
    expected: int = 0
    """Calls that were placed for it and are not over."""
    sequence: int = 0
    updated: float = 0.0
    reason: str | None = None
    ended_by: str | None = None

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        uri = f"/{API}/Accounts/{self.account_sid}/Conferences/{self.sid}"
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "friendly_name": self.name,
            "status": self.status,
            "region": "us1",
            "api_version": API,
            "reason_conference_ended": self.reason,
            "call_sid_ending_conference": self.ended_by,
            "date_created": rfc2822(self.created),
            "date_updated": rfc2822(max(self.updated, self.created)),
            "uri": f"{uri}.json",
            "subresource_uris": {
                "participants": f"{uri}/Participants.json",
                "recordings": f"{uri}/Recordings.json",
            },
        }


class Member(Doing):
    """A leg in a room."""

    def __init__(self, network: "Account", call: Call, room: Conference, how: Mapping[str, str]) -> None:
        super().__init__()
        self.network, self.call, self.room = network, call, room
        self.joined = network.now
        self.label = how.get("Label", "")
        self.muted, self.hold = _on(how, "Muted"), False
        self.coaching = bool(how.get("CallSidToCoach"))
        self.coached = how.get("CallSidToCoach", "")
        self.starts = _on(how, "StartConferenceOnEnter", True)
        self.ends = _on(how, "EndConferenceOnExit")
        self.verb: Verb | None = None

    def listeners(self) -> "list[Member]":
        """Who hears what is said here."""
        if self.muted or self.hold or self.room.status != "in-progress":
            return []
        others = [one for one in self.room.members.values() if one is not self and not one.hold]
        return [one for one in others if one.call.sid == self.coached] if self.coaching else others

    def begins(self, text: str) -> None:
        """The others hear it begin."""
        for other in self.listeners():
            self.network.speaks_to(other.call)

    def said(self, text: str) -> None:
        """The others have heard it."""
        for other in self.listeners():
            self.network.told(other.call, text)

    def stop(self) -> None:
        """Leave the room."""
        leave(self.network, self)

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        room = self.room
        uri = f"/{API}/Accounts/{room.account_sid}/Conferences/{room.sid}/Participants/{self.call.sid}.json"
        return {
            "account_sid": room.account_sid,
            "call_sid": self.call.sid,
            "label": self.label or None,
            "call_sid_to_coach": self.coached or None,
            "coaching": self.coaching,
            "conference_sid": room.sid,
            "date_created": rfc2822(self.joined),
            "date_updated": rfc2822(self.joined),
            "end_conference_on_exit": self.ends,
            "muted": self.muted,
            "hold": self.hold,
            "status": "connected",
            "start_conference_on_enter": self.starts,
            "queue_time": None,
            "uri": uri,
        }


def _on(how: Mapping[str, str], name: str, default: bool = False) -> bool:
    return how.get(name, str(default)).lower() == "true"


# ─── coming and going ────────────────────────────────────────────────────────


def room_of(network: "Account", name: str) -> Conference | None:
    """Return the live room of that name or sid."""
    found = (room for room in network.conferences.values() if name in (room.sid, room.name))
    return next((room for room in found if room.status != "completed"), None)


def open_room(network: "Account", name: str) -> Conference:
    """Return the live room of that name, or make one."""
    room = room_of(network, name)
    if room is None:
        room = Conference(network.sid, name, network.now)
        network.conferences[room.sid] = room
    return room


def join(network: "Account", call: Call, room: Conference, how: Mapping[str, str]) -> Member:
    """Put a leg into a room."""
    member = Member(network, call, room, how)
    if not room.progress.hook:
        url = Hook(how.get("ConferenceStatusCallback", ""), how.get("ConferenceStatusCallbackMethod", "POST"))
        room.progress = Callbacks(url, frozenset(how.get("ConferenceStatusCallbackEvent", "").split()))
    network.set_doing(call, member)
    room.members[call.sid] = member
    enough = len(room.members) > 1 and any(one.starts for one in room.members.values())
    if room.status == "init" and enough:
        _start(network, room, how)
    _tell(network, room, "participant-join", member)
    return member


def _start(network: "Account", room: Conference, how: Mapping[str, str]) -> None:
    room.status, room.updated = "in-progress", network.now
    _tell(network, room, "conference-start")
    if how.get("ConferenceRecord", "do-not-record") != "do-not-record":
        first = next(iter(room.members.values()))
        taped = recording.start(network, first.call, "Conference", how)
        taped.conference_sid = room.sid


def leave(network: "Account", member: Member) -> None:
    """Take a leg out of its room; the last one ends it, and so does one that was to."""
    room = member.room
    if room.members.pop(member.call.sid, None) is None:
        return
    _tell(network, room, "participant-leave", member)
    if room.status == "completed":
        return
    if member.ends:
        end(network, room, "participant-with-end-conference-on-exit-left", member)
    elif not room.members:
        end(network, room, "last-participant-left", member)


def end(network: "Account", room: Conference, reason: str, by: Member | None = None) -> None:
    """End a room: everybody in it goes on with their next verb."""
    if room.status == "completed":
        return
    room.status, room.updated, room.reason = "completed", network.now, reason
    room.ended_by = by.call.sid if by is not None else None
    for member in list(room.members.values()):
        _release(network, member)
    for taped in list(network.recordings.values()):
        if taped.conference_sid == room.sid:
            recording.finish(network, taped)
    _tell(network, room, "conference-end", by)


def remove(network: "Account", member: Member) -> None:
    """Take somebody out: they go on with their next verb, or their call ends."""
    leave(network, member)
    _release(network, member)


def _release(network: "Account", member: Member) -> None:
    call, verb = member.call, member.verb
    if call.over or call.doing is not member:
        return
    if verb is not None and verb.get("action"):
        form = {"DialCallStatus": "completed", "DialBridged": "true"}
        network.fetch(call, Hook(verb.get("action"), verb.get("method", "POST")), form)
    else:
        network.go_on(call)


# ─── the API's and TwiML's ways in ───────────────────────────────────────────


def dial(network: "Account", call: Call, verb: Verb, noun: Verb) -> None:
    """Do `<Dial><Conference>`."""
    room = open_room(network, noun.text)
    how = {
        "Label": noun.get("participantLabel"),
        "Muted": noun.get("muted"),
        "StartConferenceOnEnter": noun.get("startConferenceOnEnter", "true"),
        "EndConferenceOnExit": noun.get("endConferenceOnExit"),
        "CallSidToCoach": noun.get("coach"),
        "ConferenceRecord": noun.get("record", "do-not-record"),
        "ConferenceStatusCallback": noun.get("statusCallback"),
        "ConferenceStatusCallbackMethod": noun.get("statusCallbackMethod", "POST"),
        "ConferenceStatusCallbackEvent": noun.get("statusCallbackEvent"),
        **recording.attributes(noun.attributes),
    }
    if len(room.members) >= min(MOST, int(noun.seconds("maxParticipants", MOST))):
        network.alert(call, FULL, f"The conference {room.name!r} is full.")
        return
    join(network, call, room, how).verb = verb


def add(
    network: "Account", name: str, form: Mapping[str, str], events: frozenset[str]
) -> tuple[Call, Conference]:
    """Call somebody into a room, as `POST /Conferences/{name}/Participants` does. Raises `CarrierFailed`."""
    label = form.get("Label", "")
    room = room_of(network, name)
    if room is None and name.startswith("CF"):
        raise refusal(20404, f"/Conferences/{name}")
    if room is not None and label and any(one.label == label for one in room.members.values()):
        raise refusal(16025, label)
    calls.check_ends(network, form)
    room = room or open_room(network, name)

    def enter(call: Call) -> None:
        if room.status == "completed":
            network.finish(call)
        else:
            join(network, call, room, form)

    def lost(event: str) -> None:
        if event == "completed":
            room.expected -= 1
            if not room.members and not room.expected:
                end(network, room, "last-participant-left")

    call = calls.dial(network, form, events=events, enters=enter)
    room.expected += 1
    call.tells.append(lost)
    return call, room


def change(network: "Account", member: Member, form: Mapping[str, str]) -> None:
    """Hold, mute, coach, or let the end depend on somebody."""
    before = (member.hold, member.muted)
    member.hold, member.muted = _on(form, "Hold", member.hold), _on(form, "Muted", member.muted)
    if "Coaching" in form:
        member.coaching = _on(form, "Coaching")
        member.coached = form.get("CallSidToCoach", member.coached) if member.coaching else ""
    member.ends = _on(form, "EndConferenceOnExit", member.ends)
    if member.hold != before[0]:
        _tell(network, member.room, f"participant-{'hold' if member.hold else 'unhold'}", member)
    if member.muted != before[1]:
        _tell(network, member.room, f"participant-{'mute' if member.muted else 'unmute'}", member)
    if "Coaching" in form or "EndConferenceOnExit" in form:
        _tell(network, member.room, "participant-modify", member)


_GROUP: Final = {
    "conference-start": "start", "conference-end": "end", "participant-join": "join",
    "participant-leave": "leave", "participant-mute": "mute", "participant-unmute": "mute",
    "participant-hold": "hold", "participant-unhold": "hold", "participant-modify": "modify",
}  # fmt: skip


def _tell(network: "Account", room: Conference, event: str, member: Member | None = None) -> None:
    if not room.progress.hook or _GROUP[event] not in room.progress.events:
        return
    form = {
        "AccountSid": room.account_sid,
        "ConferenceSid": room.sid,
        "FriendlyName": room.name,
        "StatusCallbackEvent": event,
        "SequenceNumber": str(room.sequence + 1),
        "Timestamp": rfc2822(network.now) or "",
    }
    room.sequence += 1
    if event == "conference-end":
        form["ReasonConferenceEnded"] = room.reason or ""
        if room.ended_by:
            form["CallSidEndingConference"] = room.ended_by
    elif member is not None:
        form |= {
            "CallSid": member.call.sid,
            "Muted": str(member.muted).lower(),
            "Hold": str(member.hold).lower(),
            "Coaching": str(member.coaching).lower(),
            "EndConferenceOnExit": str(member.ends).lower(),
            "StartConferenceOnEnter": str(member.starts).lower(),
        }
        if member.label:
            form["ParticipantLabel"] = member.label
    call = member.call if member is not None else next(iter(network.calls.values()))
    network.tell(call, room.progress.hook, form)


# ─── queues ──────────────────────────────────────────────────────────────────


class Waiting(Doing):
    """A leg in a queue."""

    def __init__(self, queue: str, verb: Verb, since: float) -> None:
        super().__init__()
        self.queue, self.verb, self.since = queue, verb, since


def enqueue(network: "Account", call: Call, verb: Verb) -> None:
    """Do `<Enqueue>`: wait until somebody dials the queue."""
    network.set_doing(call, Waiting(verb.text, verb, network.now))


def dequeue(network: "Account", call: Call, verb: Verb, noun: Verb) -> None:
    """Do `<Dial><Queue>`: be connected with whoever has waited longest, or go on."""
    from mcp_voice.simulator.twilio.bridging import Bridged, after_dial

    for other in network.calls.values():
        doing = other.doing
        if isinstance(doing, Waiting) and doing.queue == noun.text:
            network.set_doing(other, Bridged(network, call))
            network.set_doing(call, Bridged(network, other))
            call.tells.append(partial(_let_go, network, other))
            other.tells.append(partial(_let_go, network, call))
            return
    after_dial(network, call, verb, {"DialCallStatus": "no-answer", "DialBridged": "false"})


def _let_go(network: "Account", other: Call, event: str) -> None:
    """The one has hung up: the other goes on."""
    if event == "completed" and not other.over:
        network.go_on(other)
