"""Rooms that legs are in, in virtual time."""

import pytest

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.twilio import calls, conferences
from mcp_voice.simulator.twilio.conferences import Conference
from mcp_voice.simulator.twilio.records import Call
from tests.simulator.twilio.network import OURS, SOMEBODY, Network, response, somebody

OTHER = "+12025550143"
THIRD = "+12025550144"
EVENTS = "https://shop.example/conference"
ALL = "start end join leave mute hold modify"


def in_a_room(network: Network, ends: bool = False) -> tuple[Call, Conference]:
    noun = (
        f"<Conference statusCallback='{EVENTS}' statusCallbackEvent='{ALL}' "
        f"endConferenceOnExit='{str(ends).lower()}'>desk</Conference>"
    )
    call = network.dial(
        Twiml=response(f"<Dial>{noun}</Dial>", "<Say>You were alone.</Say>", "<Pause length='60'/>")
    )
    network.run(3)
    room = conferences.room_of(network.account, "desk")
    assert room is not None
    return call, room


def add(network: Network, to: str = OTHER, **form: str) -> Call:
    call, _ = conferences.add(network.account, "desk", {"From": OURS, "To": to, **form}, frozenset())
    network.run(3)
    return call


def test_a_room_begins_with_the_second_guest_and_ends_with_the_last() -> None:
    network = Network()
    caller, room = in_a_room(network)
    alone = room.status

    other = add(network, Label="cook")
    together = room.status
    for call in (caller, other):
        calls.update(network.account, call, {"Status": "completed"})

    assert (alone, together, room.status) == ("init", "in-progress", "completed")
    assert room.reason == "last-participant-left"


def test_events_of_a_room_are_in_order_and_say_who() -> None:
    network = Network()
    _, room = in_a_room(network)
    other = add(network, Label="cook")

    member = room.members[other.sid]
    conferences.change(network.account, member, {"Hold": "true"})
    conferences.change(network.account, member, {"Muted": "true", "Hold": "false"})
    conferences.remove(network.account, member)
    network.run(0)

    forms = network.to(EVENTS)
    assert [form["StatusCallbackEvent"].partition("-")[2] for form in forms] == [
        "join", "start", "join", "hold", "unhold", "mute", "leave",
    ]  # fmt: skip
    assert [form["SequenceNumber"] for form in forms] == [str(n) for n in range(1, 8)]
    assert (forms[3]["ParticipantLabel"], forms[3]["Hold"], forms[3]["CallSid"]) == (
        "cook",
        "true",
        other.sid,
    )
    assert other.status == "completed"


def test_a_room_ends_when_somebody_leaves_who_was_to_end_it() -> None:
    network = Network()
    caller, room = in_a_room(network, ends=True)
    other = add(network)

    calls.update(network.account, caller, {"Status": "completed"})
    network.run(0)

    assert (room.status, room.reason, room.ended_by) == (
        "completed", "participant-with-end-conference-on-exit-left", caller.sid,
    )  # fmt: skip
    assert other.status == "completed"


def test_who_is_removed_goes_on_with_the_next_verb() -> None:
    network = Network()
    caller, room = in_a_room(network)

    conferences.remove(network.account, room.members[caller.sid])
    network.run(5)

    assert (caller.status, room.status) == ("in-progress", "completed")


def test_who_is_muted_or_on_hold_is_not_heard_and_a_coach_only_by_one() -> None:
    network = Network()
    caller, room = in_a_room(network)
    other, coach = add(network), add(network, THIRD, CallSidToCoach=caller.sid)
    members = room.members

    def hears(call: Call) -> set[str]:
        return {one.call.sid for one in members[call.sid].listeners()}

    plain = (hears(caller), hears(coach))
    conferences.change(network.account, members[other.sid], {"Hold": "true"})
    held = (hears(caller), hears(other))
    conferences.change(network.account, members[caller.sid], {"Muted": "true"})

    assert plain == ({other.sid, coach.sid}, {caller.sid})
    assert held == ({coach.sid}, set())
    assert hears(caller) == set()


def test_guests_hear_each_other() -> None:
    asks = somebody(states={"a": {"when": [{"after": 8, "say": "Is anybody there?", "times": 1}]}})
    hears = somebody(
        states={
            "a": {"when": [{"words": "anybody", "goto": "heard"}]},
            "heard": {"when": [{"silence": 99, "hang_up": True}]},
        }
    )
    network = Network(people={SOMEBODY: asks, OTHER: hears})
    in_a_room(network)

    other = add(network)
    network.run(20)

    assert other.party is not None
    assert other.party.path[-1] == "heard"


def test_a_label_is_there_once() -> None:
    network = Network()
    in_a_room(network)
    add(network, Label="cook")

    with pytest.raises(CarrierFailed) as refused:
        add(network, THIRD, Label="cook")

    assert refused.value.details["code"] == 16025


def test_a_queue_is_left_when_somebody_dials_it() -> None:
    network = Network()
    waits = network.dial(Twiml=response("<Enqueue>desk</Enqueue>", "<Hangup/>"))
    network.run(5)

    serves = network.dial(To=OTHER, Twiml=response("<Dial><Queue>desk</Queue></Dial>"))
    network.run(5)
    together = (waits.status, serves.status)
    calls.update(network.account, serves, {"Status": "completed"})

    assert together == ("in-progress", "in-progress")
    assert waits.status == "completed"


def test_a_room_waits_for_everybody_who_is_called_into_it() -> None:
    network = Network(people={OTHER: somebody(answers="busy"), THIRD: somebody(rings=6)})

    for to in (OTHER, THIRD):
        conferences.add(network.account, "desk", {"From": OURS, "To": to}, frozenset())
    network.run(10)
    room = conferences.room_of(network.account, "desk")

    assert room is not None
    assert [member.call.to for member in room.members.values()] == [THIRD]
