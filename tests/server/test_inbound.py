"""A call comes in: what its webhooks answer."""

from typing import Any

import anyio
import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.events import HangUp, Started
from mcp_voice.core.session import SessionConfig, begin
from mcp_voice.errors import StoreFailed
from mcp_voice.media.calls import HeldOutlet
from mcp_voice.settings.inbound import Inbound
from tests.server.hooks import CALL, FROM, HERE, RECORDING, TO, Twilio, an_exchange, parameters, url, verbs

pytestmark = pytest.mark.anyio


async def connected(twilio: Twilio, stream: str = "MZ1") -> Any:
    """Open the call's stream."""
    return await twilio.office.calls.open(Started(stream, CALL), TwilioWire(), HeldOutlet())


async def test_a_call_rings_before_its_stream_is_there_and_its_stream_has_an_address_of_its_own() -> None:
    async with an_exchange() as twilio:
        answer = await twilio.ask("/twilio/voice")
        session = await twilio.session()
        waiting = await twilio.office.use("telephony.wait", **{"for": "incoming", "waitSeconds": 0})

    assert verbs(answer) == ["Connect", "Redirect"]
    assert url(answer).startswith("wss://voice.example.com/twilio/media/")
    assert answer[1].text == f"{HERE}/twilio/after/{session.session_id}"
    assert parameters(answer) == {
        "sessionId": session.session_id, "from": FROM, "to": TO, "route": "stream",
    }  # fmt: skip
    assert (session.status, session.from_, session.to) == ("ringing", FROM, TO)
    [incoming] = waiting["incoming"]
    assert (incoming["sessionId"], incoming["ringing"]) == (session.session_id, True)


async def test_asked_twice_a_call_has_one_session() -> None:
    async with an_exchange() as twilio:
        one, two = [await twilio.ask("/twilio/voice") for _ in range(2)]
        sessions = await twilio.office.desk.store.find()

    assert len(sessions) == 1
    assert url(one) != url(two)  # either is good once


async def test_a_request_that_twilio_repeats_gets_the_answer_that_it_got() -> None:
    async with an_exchange() as twilio:
        twilio.web.headers["I-Twilio-Idempotency-Token"] = "0b0c"
        one, two = [await twilio.ask("/twilio/voice") for _ in range(2)]

    assert url(one) == url(two)


async def test_a_request_repeated_by_somebody_else_makes_no_call() -> None:
    async with an_exchange() as twilio:
        await twilio.ask("/twilio/voice")
        await twilio.post("/twilio/status", CallStatus="completed", SequenceNumber="3")
        with capture_logs() as lines:
            again = await twilio.post("/twilio/voice", From=FROM, To=TO, CallStatus="ringing")
        sessions = await twilio.office.desk.store.find()

    assert again.status_code == 403
    assert [(line["event"], line["why"]) for line in lines] == [("webhook_refused", "that call is over")]
    assert [each.status for each in sessions] == ["closed"]


@pytest.mark.parametrize(
    ("path", "to", "does"),
    [
        ("/twilio/voice", "+12025550199", ["Reject"]),
        ("/twilio/voice/front", TO, ["Gather"]),
        ("/twilio/voice/message", "+12025550199", ["Say", "Record", "Hangup"]),
        ("/twilio/voice/desk", TO, ["Say", "Dial"]),
        ("/twilio/voice/+12025550199", TO, ["Reject"]),
        ("/twilio/voice/nowhere", TO, ["Connect", "Redirect"]),
    ],
)
async def test_a_call_takes_the_route_of_its_address_or_of_the_number_called(
    path: str, to: str, does: list[str]
) -> None:
    async with an_exchange() as twilio:
        assert verbs(await twilio.ask(path, To=to)) == does


async def test_a_relay_is_told_where_to_go_on() -> None:
    async with an_exchange(routes={"talk": {"kind": "relay", "greeting": "Good day."}}) as twilio:
        answer = await twilio.ask("/twilio/voice/talk")
        session = await twilio.session()

    [[relay]] = answer
    assert answer[0].attrib["action"] == f"{HERE}/twilio/after/{session.session_id}"
    assert relay.attrib["url"].startswith("wss://voice.example.com/twilio/relay/")
    assert relay.attrib["welcomeGreeting"] == "Good day."
    assert session.status == "ringing"


async def test_a_rejected_call_is_a_record_and_nothing_more() -> None:
    async with an_exchange(default="reject") as twilio:
        [reject] = await twilio.ask("/twilio/voice")
        session = await twilio.session()

    assert reject.attrib == {"reason": "rejected"}
    assert (session.status, session.close_reason) == ("closed", "rejected")


async def test_a_full_house_is_busy_and_takes_no_call_down() -> None:
    async with an_exchange(full=True) as twilio:
        [reject] = await twilio.ask("/twilio/voice")
        sessions = await twilio.office.desk.store.find()

    assert (reject.tag, reject.attrib) == ("Reject", {"reason": "busy"})
    assert not sessions


async def test_what_a_menu_says_is_escaped_and_a_key_chooses() -> None:
    async with an_exchange(default="front", language="en-GB", voice="Polly.Amy") as twilio:
        [menu] = await twilio.ask("/twilio/voice")
        before = await twilio.session()
        waiting = await twilio.office.use("telephony.wait", **{"for": "incoming", "waitSeconds": 0})
        chosen = await twilio.ask(menu.attrib["action"].removeprefix(HERE), Digits="1")
        after, log = await twilio.session(), await twilio.log("menu")

    assert menu[0].text == "Press 1 & wait."
    assert menu[0].attrib == {"voice": "Polly.Amy", "language": "en-GB"}
    assert before.status == "pending"
    assert waiting["incoming"] == []  # nobody is to take it yet
    assert verbs(chosen) == ["Connect", "Redirect"]
    assert (after.status, after.metadata["route"]) == ("ringing", "stream")
    assert log == [{"digit": "1", "route": "stream"}]


async def test_who_presses_nothing_is_asked_again_and_then_let_go() -> None:
    async with an_exchange(default="front") as twilio:
        [menu] = await twilio.ask("/twilio/voice")
        action = menu.attrib["action"].removeprefix(HERE)
        answers = [verbs(await twilio.ask(action, Digits=digits)) for digits in ("", "9", "")]
        session = await twilio.session()

    assert answers == [["Gather"], ["Gather"], ["Say", "Hangup"]]
    assert (session.status, session.close_reason) == ("closed", "no-answer")


async def test_a_message_is_recorded_thanked_for_and_noted() -> None:
    async with an_exchange(default="message") as twilio:
        _, record, _ = await twilio.ask("/twilio/voice")
        session = await twilio.session()
        left = await twilio.ask(
            record.attrib["action"].removeprefix(HERE), RecordingSid=RECORDING, RecordingDuration="13"
        )
        await twilio.post(
            record.attrib["recordingStatusCallback"].removeprefix(HERE),
            RecordingSid=RECORDING, RecordingStatus="completed", RecordingDuration="13", ErrorCode="0",
        )  # fmt: skip
        closed, told, noted = (
            await twilio.session(), await twilio.log("voicemail"), await twilio.log("recording"),
        )  # fmt: skip

    assert verbs(left) == ["Say", "Hangup"]
    assert (session.status, closed.status, closed.close_reason) == ("pending", "closed", "completed")
    assert told[-1] == {"state": "left", "recordingSid": RECORDING, "seconds": 13}
    assert noted == [
        {"by": "carrier", "state": "completed", "recordingSid": RECORDING, "seconds": 13}
    ]  # fmt: skip


async def test_a_call_that_is_forwarded_ends_with_it() -> None:
    async with an_exchange(default="alone") as twilio:
        [dial] = await twilio.ask("/twilio/voice")
        action = dial.attrib["action"].removeprefix(HERE)
        behind = await twilio.ask(action, DialCallStatus="completed", DialCallDuration="9")
        session = await twilio.session()

    assert (dial[0].tag, dial[0].text) == ("Sip", "sip:desk@example.com")
    assert verbs(behind) == ["Hangup"]
    assert (session.status, session.close_reason) == ("closed", "completed")


@pytest.mark.parametrize(
    ("route", "does", "status"),
    [("desk", ["Say", "Record", "Hangup"], "pending"), ("alone", ["Say", "Hangup"], "closed")],
)
async def test_a_call_that_nobody_takes_goes_on(route: str, does: list[str], status: str) -> None:
    async with an_exchange(default=route) as twilio:
        *_, dial = await twilio.ask("/twilio/voice")
        behind = await twilio.ask(dial.attrib["action"].removeprefix(HERE), DialCallStatus="no-answer")
        session, log = await twilio.session(), await twilio.log("transfer")

    assert verbs(behind) == does
    assert session.status == status
    assert log[-1] == {"state": "no-answer"}


async def test_two_routes_that_lead_to_each_other_end() -> None:
    there = {"kind": "forward", "to": "+12025550123"}
    routes = {"one": {**there, "otherwise": "two"}, "two": {**there, "otherwise": "one"}}
    async with an_exchange(default="one", routes=routes) as twilio:
        answer = await twilio.ask("/twilio/voice")
        for _ in range(30):
            if verbs(answer) != ["Dial"]:
                break
            answer = await twilio.ask(answer[0].attrib["action"].removeprefix(HERE), DialCallStatus="busy")

    assert verbs(answer) == ["Say", "Hangup"]


# ─── behind a stream ─────────────────────────────────────────────────────────


async def test_a_lost_socket_is_opened_again_for_the_same_session() -> None:
    async with an_exchange() as twilio:
        answer = await twilio.ask("/twilio/voice")
        leg = await connected(twilio)
        back = await twilio.ask(answer[1].text[len(HERE) :], CallStatus="in-progress")
        again = await connected(twilio, "MZ2")
        session = await twilio.session()

    assert verbs(back) == ["Connect", "Redirect"]
    assert url(back) != url(answer)
    assert leg.ended == "connection_lost"
    assert again.session_id == leg.session_id == session.session_id
    assert session.status == "active"


async def test_a_call_that_we_have_ended_is_hung_up() -> None:
    async with an_exchange() as twilio:
        answer = await twilio.ask("/twilio/voice")
        leg = await connected(twilio)
        leg.ask(HangUp("hangup"))
        await leg.done.wait()
        behind = await twilio.ask(answer[1].text[len(HERE) :], CallStatus="in-progress")

    assert verbs(behind) == ["Hangup"]


async def test_a_socket_that_never_opens_is_tried_for_a_while() -> None:
    async with an_exchange() as twilio:
        answer = await twilio.ask("/twilio/voice")
        after = answer[1].text[len(HERE) :]
        tried = [verbs(await twilio.ask(after, CallStatus="in-progress")) for _ in range(11)]
        session = await twilio.session()

    assert tried == [["Connect", "Redirect"]] * 10 + [["Say", "Hangup"]]
    assert (session.status, session.close_reason) == ("closed", "failed")


@pytest.mark.parametrize(
    "fields",
    [{"CallStatus": "completed"}, {"CallSid": "CA" + "9" * 32}],
)
async def test_a_call_that_is_over_or_another_is_hung_up(fields: dict[str, str]) -> None:
    async with an_exchange() as twilio:
        answer = await twilio.ask("/twilio/voice")

        behind = await twilio.ask(answer[1].text[len(HERE) :], **fields)
        nobody = await twilio.ask("/twilio/after/sess_nobody")

    assert verbs(behind) == verbs(nobody) == ["Hangup"]


async def test_a_relay_that_has_failed_is_connected_again_and_one_that_the_caller_left_is_not() -> None:
    async with an_exchange(default="relay") as twilio:
        [connect] = await twilio.ask("/twilio/voice")
        after = connect.attrib["action"].removeprefix(HERE)
        failed = await twilio.ask(after, SessionStatus="failed", ErrorCode="64105", CallStatus="in-progress")
        left = await twilio.ask(after, SessionStatus="completed", SessionDuration="9", CallStatus="completed")
        log = await twilio.log("relay")

    assert failed[0][0].tag == "ConversationRelay"
    assert verbs(left) == ["Hangup"]
    assert log == [{"state": "failed", "error": 64105}, {"state": "completed", "seconds": 9}]


async def test_somebody_whom_an_agent_could_not_reach_leaves_the_caller_with_the_agent() -> None:
    async with an_exchange() as twilio:
        await twilio.ask("/twilio/voice")
        leg = await connected(twilio)
        back = await twilio.ask(f"/twilio/dial/{leg.session_id}", DialCallStatus="busy")
        said = await twilio.ask(f"/twilio/gather/{leg.session_id}", Digits="12")
        keys = await twilio.log("dtmf")

    assert verbs(back) == verbs(said) == ["Connect", "Redirect"]
    assert keys == [{"digit": "1"}, {"digit": "2"}]


# ─── calls that we place ─────────────────────────────────────────────────────


async def test_a_call_that_we_placed_is_connected_and_its_answerer_known() -> None:
    async with an_exchange() as twilio:
        desk = twilio.office.desk
        session = begin(
            "dial_1", SessionConfig(), desk.now(), direction="outbound", to=FROM, status="ringing"
        )
        await desk.store.add(session)
        answer = await twilio.ask(f"/twilio/voice/calls/{session.session_id}", AnsweredBy="human")
        log = await desk.store.entries(session.session_id)

    assert parameters(answer)["sessionId"] == session.session_id
    assert [(entry.kind, entry.data["answeredBy"]) for entry in log] == [("amd", "human")]


async def test_a_call_that_is_none_of_ours_is_hung_up() -> None:
    async with an_exchange() as twilio:
        assert verbs(await twilio.ask("/twilio/voice/calls/sess_nobody")) == ["Hangup"]


# ─── when something is down ──────────────────────────────────────────────────


async def test_a_store_that_has_failed_leaves_the_caller_an_apology() -> None:
    async with an_exchange(sorry="Sorry & goodbye.") as twilio:
        twilio.office.desk.store = _Broken()  # type: ignore[assignment]
        say, hangup = await twilio.ask("/twilio/voice")

    assert (say.text, hangup.tag) == ("Sorry & goodbye.", "Hangup")


async def test_a_store_that_hangs_leaves_the_caller_an_apology() -> None:
    async with an_exchange(patience=0.01) as twilio:
        twilio.office.desk.store = _Hanging()  # type: ignore[assignment]
        answer = await twilio.ask("/twilio/voice")

    assert verbs(answer) == ["Say", "Hangup"]


async def test_what_twilio_falls_back_to_apologizes_without_looking_anything_up() -> None:
    async with an_exchange() as twilio:
        twilio.office.desk.store = _Broken()  # type: ignore[assignment]
        with capture_logs() as lines:
            answer = await twilio.ask("/twilio/fallback", ErrorCode="11200", ErrorUrl="https://x.example/")

    assert verbs(answer) == ["Say", "Hangup"]
    assert [(line["event"], line["code"]) for line in lines] == [("twilio_fell_back", "11200")]


class _Broken:
    async def named(self, call_sid: str) -> None:
        raise StoreFailed("The disk is full.")


class _Hanging:
    async def named(self, call_sid: str) -> None:
        await anyio.sleep_forever()


# ─── settings ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "given",
    [
        {"default": "nowhere"},
        {"routes": {"m": {"kind": "menu", "prompt": "?", "choices": {"1": "nowhere"}}}},
        {"routes": {"f": {"kind": "forward", "to": "+12025550123", "otherwise": "nowhere"}}},
        {"routes": {"f": {"kind": "forward", "to": "12025550123"}}},
        {"routes": {"Front Desk": {"kind": "stream"}}},
        {"routes": {"m": {"kind": "menu", "prompt": "\x01", "choices": {"1": "stream"}}}},
        {"routes": {"m": {"kind": "menu", "prompt": "?", "choices": {"12": "stream"}}}},
        {"routes": {"x": {"kind": "fax"}}},
    ],
)
def test_a_route_that_leads_nowhere_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Inbound.model_validate(given)
