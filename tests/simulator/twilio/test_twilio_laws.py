"""Laws of the network: whatever is done to calls, and whatever documents say."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.casting import cast
from mcp_voice.simulator.twilio import calls, conferences
from mcp_voice.simulator.twilio.hooks import signature
from mcp_voice.simulator.twilio.records import OVER
from tests.simulator.twilio.network import OURS, SID, SOMEBODY, Network, response, somebody

STATUS = "https://shop.example/status"
VOICE = "https://shop.example/voice"
EVERY = "initiated ringing answered completed"
OTHER = "+12025550143"
ORDER = ["initiated", "ringing", "in-progress", *sorted(OVER)]

VERBS = st.sampled_from(
    [
        "<Say>Good evening.</Say>",
        "<Pause length='2'/>",
        "<Gather timeout='1'><Say>Press a key.</Say></Gather>",
        "<Record timeout='1' action='https://shop.example/gone'/>",
        f"<Dial timeout='5'>{OTHER}</Dial>",
        "<Hangup/>",
        "<Play digits='1w2'/>",
        "<Dial><Conference endConferenceOnExit='true'>desk</Conference></Dial>",
        "<Enqueue>desk</Enqueue>",
        "<Dial><Queue>desk</Queue></Dial>",
        "<Reject/>",
        "<Start><Transcription/></Start>",
        "<Nothing/>",
    ]
)
CAST = {
    name: cast(name)
    for name in ("restaurant", "voicemail", "busy", "no_answer", "wrong_number", "receptionist")
}
PEOPLE = st.sampled_from(sorted(CAST))
DEEDS = st.sampled_from(["wait", "complete", "cancel", "redirect", "add", "end the room"])


@settings(max_examples=40, deadline=None)
@given(st.lists(VERBS, max_size=4), PEOPLE, PEOPLE, st.lists(st.tuples(DEEDS, st.floats(0, 20)), max_size=6))
def test_every_call_goes_forward_and_ends_once(
    verbs: list[str], first: str, second: str, deeds: list[tuple[str, float]]
) -> None:
    people = {SOMEBODY: CAST[first], OTHER: CAST[second]}
    network = Network({VOICE: response(*verbs)}, people)
    call = network.dial(EVERY, Url=VOICE, StatusCallback=STATUS, TimeLimit="60")

    for deed, seconds in deeds:
        network.run(seconds)
        try:
            _do(network, deed)
        except CarrierFailed:  # Twilio would refuse it too
            continue
    network.run(2_000)

    told = [form["CallStatus"] for form in network.to(STATUS)]
    assert all(one.over for one in network.account.calls.values())
    assert told == sorted(told, key=ORDER.index)
    assert (told[-1], len(set(told)), sum(status in OVER for status in told)) == (call.status, len(told), 1)
    assert [form["SequenceNumber"] for form in network.to(STATUS)] == [str(n) for n in range(len(told))]
    assert all(one.ended is not None for one in network.account.recordings.values())
    assert all(room.status == "completed" for room in network.account.conferences.values())


def _do(network: Network, deed: str) -> None:
    account, call = network.account, next(iter(network.account.calls.values()))
    room = next(iter(account.conferences.values()), None)
    match deed:
        case "complete" | "cancel":
            calls.update(account, call, {"Status": "completed" if deed == "complete" else "canceled"})
        case "redirect":
            calls.update(account, call, {"Url": VOICE})
        case "add":
            conferences.add(account, "desk", {"From": OURS, "To": OTHER}, frozenset())
        case "end the room" if room is not None:
            conferences.end(account, room, "conference-ended-via-api")


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4))
def test_the_order_of_a_forms_fields_does_not_change_its_signature(form: dict[str, str]) -> None:
    turned = dict(reversed(form.items()))

    assert signature("token", "https://a.example/", form) == signature("token", "https://a.example/", turned)


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=200))
def test_no_document_breaks_the_network(document: str) -> None:
    network = Network({VOICE: document}, {SOMEBODY: somebody()})

    call = network.dial(Url=VOICE)
    network.run(2_000)

    assert (call.over, call.account_sid) == (True, SID)
