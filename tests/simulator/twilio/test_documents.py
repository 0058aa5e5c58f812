"""What is done with a document, verb after verb, in virtual time."""

import json
from typing import Any

import pytest

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.dialling import failed
from mcp_voice.simulator.twilio import calls
from mcp_voice.simulator.twilio.twiml import read
from tests.simulator.twilio.network import SOMEBODY, Network, response, somebody

VOICE = "https://shop.example/voice"
ACTION = "https://shop.example/action"
OTHER = "+12025550143"
PAUSE = "<Pause length='60'/>"


def test_what_is_not_twiml_has_twilios_number() -> None:
    found = []
    for document in (b"<Response><Say>", b"<html/>", b"<Response>" + b" " * 65_536 + b"</Response>"):
        with pytest.raises(CarrierFailed) as refused:
            read(document)
        found.append(refused.value.details["code"])

    assert found == [12100, 12100, 11750]


def test_unknown_verbs_and_attributes_are_passed_over_with_a_warning() -> None:
    verbs, alerts = read(
        b"<Response><Shout/><Say interruptByDtmf='true' loop='2'>Hi</Say><Hangup/></Response>"
    )

    assert [verb.name for verb in verbs] == ["Say", "Hangup"]
    assert verbs[0].attributes == {"loop": "2"}
    assert [alert.code for alert in alerts] == [12200, 12200]


@pytest.mark.parametrize(
    ("page", "code"),
    [(500, 11200), (404, 11200), ("<Response>", 12100), (failed(11205, "No connection."), 11205)],
)
def test_a_document_that_cannot_be_had_is_asked_for_at_the_fallback(page: Any, code: int) -> None:
    fallback = "https://shop.example/fallback"
    network = Network({VOICE: page, fallback: response(PAUSE)})

    call = network.dial(Url=VOICE, FallbackUrl=fallback)
    network.run(3)

    (form,) = network.to(fallback)
    assert (form["ErrorCode"], form["ErrorUrl"], call.status) == (str(code), VOICE, "in-progress")
    assert network.alerts == [code]


def test_without_a_fallback_the_call_ends() -> None:
    network = Network({VOICE: 500})

    call = network.dial(Url=VOICE)
    network.run(3)

    assert (call.status, network.alerts) == ("completed", [11200])


def test_a_relative_address_is_of_the_document_it_stands_in() -> None:
    network = Network(
        {VOICE: response("<Redirect>next</Redirect>"), "https://shop.example/next": response(PAUSE)}
    )

    call = network.dial(Url=VOICE)
    network.run(3)

    assert (call.status, call.base) == ("in-progress", "https://shop.example/next")


def test_documents_that_lead_round_in_a_circle_end() -> None:
    network = Network({VOICE: response("<Redirect/>")})

    call = network.dial(Url=VOICE)
    network.run(3)

    assert call.status == "completed"
    assert len(network.to(VOICE)) == 500


def test_a_call_is_redirected_in_the_middle_of_a_verb() -> None:
    network = Network({VOICE: response("<Hangup/>")})
    call = network.dial(Twiml=response(PAUSE))
    network.run(3)

    calls.update(network.account, call, {"Url": VOICE})
    network.run(0)

    assert (call.status, call.seconds) == ("completed", 2)


def test_digits_are_gathered_and_sent_to_the_action() -> None:
    keys = somebody(
        states={"a": {"press": "w42#", "goto": "b"}, "b": {"when": [{"silence": 99, "hang_up": True}]}}
    )
    gather = f"<Gather action='{ACTION}' timeout='4'><Say>Enter your number, please.</Say></Gather>"
    network = Network({VOICE: response(gather), ACTION: response(PAUSE)}, {SOMEBODY: keys})

    network.dial(Url=VOICE)
    network.run(10)

    assert [form["Digits"] for form in network.to(ACTION)] == ["42"]


def test_as_many_digits_as_are_wanted_are_enough() -> None:
    keys = somebody(
        states={"a": {"press": "1234", "goto": "b"}, "b": {"when": [{"silence": 99, "hang_up": True}]}}
    )
    network = Network({VOICE: response("<Gather numDigits='3'/>")}, {SOMEBODY: keys})

    network.dial(Url=VOICE)
    network.run(2)

    assert network.to(VOICE)[1]["Digits"] == "123"


def test_speech_is_gathered_when_it_is_asked_for() -> None:
    polite = somebody(
        thinks=0.3,
        states={"a": {"when": [{"words": "name", "say": "My name is Miller."}]}},
    )
    gather = (
        f"<Gather input='speech dtmf' action='{ACTION}' speechTimeout='auto'><Say>Your name?</Say></Gather>"
    )
    network = Network({VOICE: response(gather), ACTION: response(PAUSE)}, {SOMEBODY: polite})

    network.dial(Url=VOICE)
    network.run(10)

    (form,) = network.to(ACTION)
    assert (form["SpeechResult"], form["Confidence"]) == ("My name is Miller.", "0.95")


def test_who_says_nothing_goes_on_with_the_next_verb() -> None:
    network = Network(
        {VOICE: response("<Gather timeout='3'/>", f"<Redirect>{ACTION}</Redirect>"), ACTION: response(PAUSE)}
    )

    network.dial(Url=VOICE)
    network.run(10)

    assert "Digits" not in network.to(ACTION)[0]
    assert network.posts[-1][0] == pytest.approx(1.05 + 3)


def test_a_message_is_recorded_until_there_is_silence() -> None:
    talks = somebody(
        states={"a": {"when": [{"any": True, "say": "Please call me back tomorrow.", "times": 1}]}}
    )
    hook = "https://shop.example/recording"
    record = f"<Record action='{ACTION}' timeout='2' recordingStatusCallback='{hook}'/>"
    network = Network({VOICE: response(record), ACTION: response("<Hangup/>")}, {SOMEBODY: talks})

    network.dial(Url=VOICE)
    network.run(10)

    (form,) = network.to(ACTION)
    (recorded,) = network.to(hook)
    assert form["RecordingSid"] == recorded["RecordingSid"]
    assert form["RecordingUrl"].startswith("https://api.twilio.com/2010-04-01/Accounts/AC")
    assert (recorded["RecordingStatus"], recorded["RecordingSource"]) == ("completed", "RecordVerb")
    assert (recorded["RecordingChannels"], recorded["RecordingTrack"], recorded["RecordingDuration"]) == (
        "1",
        "both",
        "4",
    )


def test_a_message_that_was_never_spoken_asks_no_action() -> None:
    network = Network({VOICE: response(f"<Record action='{ACTION}' timeout='2'/>", "<Hangup/>")})

    call = network.dial(Url=VOICE)
    network.run(10)

    assert (network.to(ACTION), call.status) == ([], "completed")


def test_keys_are_played_to_whoever_was_called() -> None:
    keyed = somebody(
        states={
            "a": {"when": [{"digits": "1#", "goto": "b"}]},
            "b": {"when": [{"silence": 99, "hang_up": True}]},
        }
    )
    network = Network(people={SOMEBODY: keyed})

    call = network.dial(Twiml=response("<Play digits='ww1w#'/>", PAUSE))
    network.run(5)

    assert call.party is not None
    assert call.party.path[-1] == "b"


def test_a_transfer_rings_bridges_and_reports() -> None:
    replies = somebody(
        states={"a": {"when": [{"words": "kitchen", "say": "Kitchen here."}, {"after": 8, "hang_up": True}]}}
    )
    network = Network(
        {VOICE: response(f"<Dial action='{ACTION}' callerId='+12025550100'><Number>{OTHER}</Number></Dial>"),
         ACTION: response(PAUSE)},
        {SOMEBODY: somebody(
            states={"a": {"when": [{"after": 3, "say": "Is this the kitchen?", "goto": "b"}]},
                    "b": {"when": [{"words": "kitchen here", "goto": "heard"}]},
                    "heard": {"when": [{"silence": 99, "hang_up": True}]}}),
         OTHER: replies},
    )  # fmt: skip

    call = network.dial(Url=VOICE)
    network.run(30)

    (form,) = network.to(ACTION)
    child = network.account.calls[form["DialCallSid"]]
    assert (child.direction, child.parent_sid, child.to, child.from_) == (
        "outbound-dial",
        call.sid,
        OTHER,
        "+12025550100",
    )
    assert (form["DialCallStatus"], form["DialBridged"], form["DialCallDuration"]) == (
        "completed",
        "true",
        "8",
    )
    assert call.party is not None
    assert call.party.path[-1] == "heard"


def test_a_transfer_to_somebody_busy_goes_on() -> None:
    network = Network(
        {VOICE: response(f"<Dial action='{ACTION}'>{OTHER}</Dial>"), ACTION: response(PAUSE)},
        {OTHER: somebody(answers="busy")},
    )

    call = network.dial(Url=VOICE)
    network.run(5)

    form = network.to(ACTION)[0]
    assert (form["DialCallStatus"], form["DialBridged"], call.status) == ("busy", "false", "in-progress")


def test_who_picks_up_first_gets_the_call() -> None:
    numbers = f"<Dial><Number>{OTHER}</Number><Sip>sip:bob@example.com</Sip></Dial>"
    network = Network({}, {OTHER: somebody(rings=9), "sip:bob@example.com": somebody(rings=2)})

    network.dial(Twiml=response(numbers))
    network.run(20)

    assert [leg.status for leg in network.account.calls.values()] == [
        "in-progress",
        "canceled",
        "in-progress",
    ]


def test_hanging_up_ends_the_other_leg_too() -> None:
    network = Network()
    call = network.dial(Twiml=response(f"<Dial>{OTHER}</Dial>"))
    network.run(5)

    calls.update(network.account, call, {"Status": "completed"})

    assert {leg.status for leg in network.account.calls.values()} == {"completed"}


def test_a_caller_id_that_is_not_ones_own_is_not_shown() -> None:
    network = Network()

    network.dial(Twiml=response(f"<Dial callerId='+12025550199'>{OTHER}</Dial>"))
    network.run(5)

    assert network.alerts == [13214]
    assert len(network.account.calls) == 1


def test_a_transcription_tells_what_both_say() -> None:
    hook = "https://shop.example/words"
    start = f"<Start><Transcription statusCallbackUrl='{hook}'/></Start>"
    hello = somebody(states={"a": {"when": [{"words": "hello", "say": "Good day.", "times": 1}]}})
    network = Network(people={SOMEBODY: hello})

    network.dial(Twiml=response(start, "<Say>Hello.</Say>", "<Pause length='4'/>"))
    network.run(20)

    forms = network.to(hook)
    assert [form["TranscriptionEvent"].removeprefix("transcription-") for form in forms] == [
        "started",
        "content",
        "content",
        "stopped",
    ]
    assert [form["SequenceId"] for form in forms] == ["1", "2", "3", "4"]
    said = [(form["Track"], json.loads(form["TranscriptionData"])["transcript"]) for form in forms[1:3]]
    assert said == [("outbound_track", "Hello."), ("inbound_track", "Good day.")]
