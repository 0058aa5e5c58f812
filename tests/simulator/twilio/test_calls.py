"""The life of a call, in virtual time."""

from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.casting import cast
from mcp_voice.simulator.twilio import calls
from mcp_voice.simulator.twilio.refusals import body
from tests.simulator.twilio.network import OURS, SOMEBODY, Network, response, saying, somebody

STATUS = "https://shop.example/status"
VOICE = "https://shop.example/voice"
EVERY = "initiated ringing answered completed"
HANG_UP = response("<Hangup/>")


def test_a_call_is_queued_rings_is_answered_and_ends() -> None:
    network = Network({VOICE: response("<Pause length='10'/>")})

    call = network.dial(EVERY, Url=VOICE, StatusCallback=STATUS)
    seen = [call.status]
    for seconds in (0.5, 1, 20):
        network.run(seconds)
        seen.append(call.status)

    assert seen == ["queued", "ringing", "in-progress", "completed"]
    forms = network.to(STATUS)
    assert [form["CallStatus"] for form in forms] == ["initiated", "ringing", "in-progress", "completed"]
    assert [form["SequenceNumber"] for form in forms] == ["0", "1", "2", "3"]
    assert {form["CallbackSource"] for form in forms} == {"call-progress-events"}
    assert parsedate_to_datetime(forms[3]["Timestamp"]).timestamp() == 11
    assert (forms[3]["CallDuration"], forms[3]["Duration"], forms[3]["SipResponseCode"]) == ("10", "1", "200")
    assert "CallDuration" not in forms[2]


def test_only_the_end_is_told_unless_more_is_asked_for() -> None:
    network = Network()

    network.dial(Twiml=HANG_UP, StatusCallback=STATUS)
    network.run(5)

    assert [form["CallStatus"] for form in network.to(STATUS)] == ["completed"]


@pytest.mark.parametrize(
    ("persona", "status", "after"),
    [
        (cast("busy"), "busy", 0.55),
        (cast("no_answer"), "no-answer", 35.05),
        (somebody(rings=50), "no-answer", 35.05),
    ],
    ids=["busy", "no answer", "too late"],
)
def test_who_does_not_pick_up_ends_the_call(persona: Any, status: str, after: float) -> None:
    network = Network(people={SOMEBODY: persona})

    call = network.dial(Twiml=HANG_UP, Timeout="30", StatusCallback=STATUS)
    network.run(60)

    assert (call.status, call.seconds) == (status, 0)
    assert call.ended == pytest.approx(after)
    assert network.to(STATUS)[0]["CallStatus"] == status


def test_a_ringing_call_can_be_canceled_and_a_live_one_only_completed() -> None:
    network = Network()
    ringing, live = network.dial(Twiml=response("<Pause length='60'/>")), None
    network.run(0.5)
    calls.update(network.account, ringing, {"Status": "canceled"})
    live = network.dial(Twiml=response("<Pause length='60'/>"))
    network.run(2)

    calls.update(network.account, live, {"Status": "canceled"})
    untouched = live.status
    calls.update(network.account, live, {"Status": "completed"})

    assert (ringing.status, untouched, live.status) == ("canceled", "in-progress", "completed")


def test_a_call_that_is_over_cannot_be_changed() -> None:
    network = Network()
    call = network.dial(Twiml=HANG_UP)
    network.run(5)

    with pytest.raises(CarrierFailed) as gone:
        calls.update(network.account, call, {"Status": "completed"})
    with pytest.raises(CarrierFailed) as redirect:
        calls.update(network.account, call, {"Url": VOICE})

    assert (gone.value.details["code"], redirect.value.details["code"]) == (20404, 21220)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"To": ""}, 21201),
        ({"From": ""}, 21213),
        ({"From": "Alice"}, 21212),
        ({"From": "+12025550199"}, 21210),
        ({"From": "+15005550001"}, 21212),
        ({"To": "12025550142"}, 21211),
        ({"To": "+15005550001"}, 21217),
        ({"To": "+15005550002"}, 21214),
        ({"To": "+15005550003"}, 21215),
        ({"To": "+15005550004"}, 21216),
        ({"Twiml": ""}, 21205),
        ({"Url": "shop.example"}, 21205),
        ({"Twiml": "x" * 4_001}, 20001),
        ({"SendDigits": "12-3"}, 21221),
        ({"StatusCallback": "/status"}, 21609),
        ({"MachineDetection": "Maybe"}, 21234),
        ({"AsyncAmd": "true"}, 21262),
        ({"MachineDetection": "Enable", "MachineDetectionTimeout": "1"}, 20001),
        ({"Timeout": "soon"}, 20001),
    ],
)  # fmt: skip
def test_what_twilio_refuses_is_refused_under_its_number(form: dict[str, str], code: int) -> None:
    network = Network()

    with pytest.raises(CarrierFailed) as refused:
        network.dial(**{"Twiml": HANG_UP, **form})

    spelled = body(refused.value)
    assert (spelled["code"], spelled["more_info"]) == (code, f"https://www.twilio.com/docs/errors/{code}")
    assert network.account.calls == {}


def test_calls_a_second_are_queued_beyond_the_accounts_limit() -> None:
    network = Network(cps=1.0)

    placed = [network.dial(Twiml=response("<Pause length='60'/>")) for _ in range(3)]
    network.run(1.5)

    assert [call.status for call in placed] == ["in-progress", "ringing", "queued"]


@pytest.mark.parametrize(
    ("name", "kind", "verdict"),
    [
        ("restaurant", "Enable", "human"),
        ("voicemail", "Enable", "machine_start"),
        ("voicemail", "DetectMessageEnd", "machine_end_beep"),
    ],
)
def test_who_answers_is_found_out_while_the_call_goes_on(name: str, kind: str, verdict: str) -> None:
    network = Network(people={SOMEBODY: cast(name)})
    hook = "https://shop.example/amd"

    call = network.dial(
        Twiml=response("<Pause length='60'/>"),
        MachineDetection=kind,
        AsyncAmd="true",
        AsyncAmdStatusCallback=hook,
    )
    network.run(20)

    (form,) = network.to(hook)
    assert (form["AnsweredBy"], call.answered_by, form["CallSid"]) == (verdict, verdict, call.sid)
    assert int(form["MachineDetectionDuration"]) > 1_000


def test_the_document_waits_for_the_verdict_unless_that_is_asynchronous() -> None:
    network = Network({VOICE: HANG_UP}, {SOMEBODY: cast("voicemail")})

    network.dial(Url=VOICE, MachineDetection="Enable")
    network.run(6)
    early = network.to(VOICE)
    network.run(30)

    assert early == []
    assert network.to(VOICE)[0]["AnsweredBy"] == "machine_start"


def test_keys_that_are_sent_turn_detection_off_and_come_first() -> None:
    keyed = somebody(
        states={
            "a": {"when": [{"digits": "12", "goto": "b"}]},
            "b": {"when": [{"silence": 99, "hang_up": True}]},
        }
    )
    network = Network({VOICE: response("<Pause length='5'/>")}, {SOMEBODY: keyed})

    call = network.dial(Url=VOICE, SendDigits="ww12", MachineDetection="Enable")
    network.run(4)

    assert call.party is not None
    assert list(call.party.path) == ["a", "b"]
    assert "AnsweredBy" not in network.to(VOICE)[0]
    assert network.posts[0][0] == pytest.approx(0.05 + 1 + 1 + 0.3)


def test_somebody_calls_in_and_is_answered_by_the_first_verb() -> None:
    network = Network({VOICE: response("<Say>Hello.</Say>", "<Hangup/>")}, {SOMEBODY: saying("Good day.")})
    network.account.numbers[OURS].fields |= {"voice_url": VOICE, "status_callback": STATUS}

    call = calls.incoming(network.account, SOMEBODY, OURS)
    network.run(5)

    form = network.to(VOICE)[0]
    assert (form["CallStatus"], form["Direction"], form["From"], form["To"]) == (
        "ringing",
        "inbound",
        SOMEBODY,
        OURS,
    )
    assert (form["Caller"], form["Called"], form["ApiVersion"]) == (SOMEBODY, OURS, "2010-04-01")
    assert form["CallerCountry"] == "US"
    assert (call.status, network.to(STATUS)[0]["CallStatus"]) == ("completed", "completed")


@pytest.mark.parametrize(("reason", "status"), [("busy", "busy"), ("rejected", "no-answer")])
def test_a_rejected_call_was_never_answered(reason: str, status: str) -> None:
    network = Network({VOICE: response(f"<Reject reason='{reason}'/>")})
    network.account.numbers[OURS].fields["voice_url"] = VOICE

    call = calls.incoming(network.account, SOMEBODY, OURS)
    network.run(5)

    assert (call.status, call.started) == (status, None)


def test_nobody_calls_a_number_that_is_not_the_accounts() -> None:
    with pytest.raises(CarrierFailed, match="not valid"):
        calls.incoming(Network().account, SOMEBODY, "+12025550101")


def test_a_person_who_hangs_up_ends_the_call() -> None:
    goes = somebody(states={"goes": {"say": "Wrong number.", "hang_up": True}})
    network = Network(people={SOMEBODY: goes})

    call = network.dial(Twiml=response("<Pause length='60'/>"), StatusCallback=STATUS)
    network.run(10)

    assert call.status == "completed"
    assert call.ended == pytest.approx(1.05 + len("Wrong number.") / 15, abs=0.01)


def test_the_time_limit_ends_a_call() -> None:
    network = Network()

    call = network.dial(Twiml=response("<Pause length='600'/>"), TimeLimit="30")
    network.run(60)

    assert (call.status, call.seconds) == ("completed", 30)
