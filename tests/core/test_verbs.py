"""The verbs of TwiML, beside Twilio's own library."""

from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from twilio.twiml.voice_response import Connect as TheirConnect
from twilio.twiml.voice_response import Dial as TheirDial
from twilio.twiml.voice_response import Gather as TheirGather
from twilio.twiml.voice_response import Refer, Start, Stop, VoiceResponse

from mcp_voice.core.twiml import stream_twiml, verbs
from mcp_voice.core.twiml.verbs import (
    Client,
    Conference,
    Connect,
    Dial,
    Number,
    Relay,
    Say,
    Sip,
    Stream,
    Verb,
)
from mcp_voice.core.twiml.writing import added, document
from mcp_voice.errors import Invalid

HTTPS = "https://voice.example.com/twilio/x?a=1&b=2"
WSS = "wss://voice.example.com/twilio/media"
ROOM = {
    "muted": True, "beep": False, "start_conference_on_enter": True, "end_conference_on_exit": False,
    "wait_url": "", "max_participants": 3, "participant_label": "caller", "record": "record-from-start",
    "status_callback_event": ("start", "join"), "status_callback": HTTPS,
}  # fmt: skip
NUMBER = {"send_digits": "1w2", "url": HTTPS, "machine_detection": "Enable", "amd_status_callback": HTTPS}
RELAY = {
    "url": WSS, "welcome_greeting": "Hello & welcome", "interruptible": "any", "dtmf_detection": True,
    "eot_threshold": 0.75, "speech_timeout": "auto", "application_reconnect": False, "partial_prompts": True,
}  # fmt: skip


def tree(twiml: str) -> Any:
    """A document, whatever the order of its attributes."""

    def of(node: ElementTree.Element) -> Any:
        return (node.tag, dict(node.attrib), (node.text or "").strip(), [of(inner) for inner in node])

    return of(ElementTree.fromstring(twiml))


def listed(**options: Any) -> dict[str, Any]:
    """Their library takes lists where we take tuples."""
    return {name: " ".join(v) if isinstance(v, tuple) else v for name, v in options.items()}


def said() -> tuple[str, str]:
    theirs = VoiceResponse()
    theirs.say("Fish & <chips>", voice="Polly.Amy", language="en-GB", loop=2)
    theirs.play(HTTPS, loop=1)
    theirs.play(digits="12w#")
    theirs.pause(length=3)
    ours = document(
        Say(text="Fish & <chips>", voice="Polly.Amy", language="en-GB", loop=2),
        verbs.Play(url=HTTPS, loop=1),
        verbs.Play(digits="12w#"),
        verbs.Pause(length=3),
    )
    return ours, str(theirs)


def gathered() -> tuple[str, str]:
    options: dict[str, Any] = {
        "action": HTTPS, "timeout": 5, "num_digits": 4, "finish_on_key": "#", "barge_in": True,
        "language": "en-US", "hints": "one, two", "speech_timeout": "auto", "speech_model": "phone_call",
        "action_on_empty_result": True,
    }  # fmt: skip
    theirs, gather = VoiceResponse(), TheirGather(input="dtmf speech", **options)
    gather.say("Your number?")
    theirs.append(gather)
    ours = verbs.Gather(input=("dtmf", "speech"), prompts=(Say(text="Your number?"),), **options)
    return document(ours), str(theirs)


def dialled() -> tuple[str, str]:
    theirs, dial = (
        VoiceResponse(),
        TheirDial(caller_id="+15005550006", timeout=20, action=HTTPS, sequential=True),
    )
    dial.number("+14155550123", **NUMBER)
    dial.sip("sip:desk@example.com", username="me", password="canary")
    dial.client("alice", url=HTTPS)
    theirs.append(dial)
    nouns = (
        Number(number="+14155550123", **NUMBER),
        Sip(uri="sip:desk@example.com", username="me", password="canary"),
        Client(identity="alice", url=HTTPS),
    )
    ours = Dial(to=nouns, caller_id="+15005550006", timeout=20, action=HTTPS, sequential=True)
    return document(ours), str(theirs)


def conferred() -> tuple[str, str]:
    theirs, dial = VoiceResponse(), TheirDial()
    dial.conference("room 1", **listed(**ROOM))
    theirs.append(dial)
    return document(Dial(to=(Conference(name="room 1", **ROOM),))), str(theirs)


def connected() -> tuple[str, str]:
    theirs, connect = VoiceResponse(), TheirConnect(action=HTTPS)
    stream = connect.stream(url=WSS, name="s", status_callback=HTTPS)
    stream.parameter(name="sessionId", value='a "b"')
    theirs.append(connect)
    noun = Stream(url=WSS, name="s", status_callback=HTTPS, parameters={"sessionId": 'a "b"'})
    return document(Connect(to=noun, action=HTTPS)), str(theirs)


def relayed() -> tuple[str, str]:
    theirs, connect = VoiceResponse(), TheirConnect()
    relay = connect.conversation_relay(**RELAY)
    relay.parameter(name="sessionId", value="sess_1")
    relay.language(code="de-DE", tts_provider="Google", voice="de-DE-Neural2-C")
    theirs.append(connect)
    language = {"code": "de-DE", "tts_provider": "Google", "voice": "de-DE-Neural2-C"}
    noun = Relay.model_validate(RELAY | {"parameters": {"sessionId": "sess_1"}, "languages": [language]})
    return document(Connect(to=noun)), str(theirs)


def begun() -> tuple[str, str]:
    theirs = VoiceResponse()
    for name, options in (
        ("stream", {"url": WSS, "track": "both_tracks"}),
        ("transcription", {"name": "t", "partial_results": True, "status_callback_url": HTTPS}),
        ("recording", {"channels": "dual", "track": "both", "recording_status_callback": HTTPS}),
        ("siprec", {"connector_name": "c"}),
    ):
        start = Start()
        getattr(start, name)(**options)
        theirs.append(start)
    stop = Stop()
    stop.stream(name="s")
    theirs.append(stop)
    ours = document(
        verbs.Start(what=Stream(url=WSS, track="both_tracks")),
        verbs.Start(what=verbs.Transcription(name="t", partial_results=True, status_callback_url=HTTPS)),
        verbs.Start(what=verbs.Recording(channels="dual", track="both", recording_status_callback=HTTPS)),
        verbs.Start(what=verbs.Siprec(connector_name="c")),
        verbs.Stop(what=verbs.Ended(kind="stream", name="s")),
    )
    return ours, str(theirs)


def the_rest() -> tuple[str, str]:
    theirs = VoiceResponse()
    theirs.record(action=HTTPS, max_length=60, play_beep=True, finish_on_key="#", trim="trim-silence")
    theirs.enqueue("support", wait_url=HTTPS)
    theirs.leave()
    refer = Refer(action=HTTPS)
    refer.sip("sip:a@example.com")
    theirs.append(refer)
    theirs.redirect(HTTPS, method="POST")
    theirs.reject(reason="busy")
    theirs.hangup()
    ours = document(
        verbs.Record(action=HTTPS, max_length=60, play_beep=True, finish_on_key="#", trim="trim-silence"),
        verbs.Enqueue(name="support", wait_url=HTTPS),
        verbs.Leave(),
        verbs.Refer(to=Sip(uri="sip:a@example.com"), action=HTTPS),
        verbs.Redirect(url=HTTPS, method="POST"),
        verbs.Reject(reason="busy"),
        verbs.Hangup(),
    )
    return ours, str(theirs)


@pytest.mark.parametrize(
    "case",
    [said, gathered, dialled, conferred, connected, relayed, begun, the_rest],
    ids=lambda f: f.__name__,
)
def test_it_is_written_as_twilios_own_library_writes_it(case: Any) -> None:
    ours, theirs = case()

    assert tree(ours) == tree(theirs)


def test_ssml_is_passed_on() -> None:
    [say] = ElementTree.fromstring(document(Say(ssml="<speak>One <break time='1s'/> two</speak>")))

    assert (say.text, say[0].tag, say[0].tail) == ("One ", "break", " two")


@pytest.mark.parametrize(
    "ssml",
    [
        "a < b",
        "<Hangup/>",
        "</speak><speak>",
        "<!DOCTYPE x><s/>",
        "<speak><speak/></speak>",
        "<audio src='x'/>",
    ],
)
def test_ssml_that_say_does_not_take_is_refused(ssml: str) -> None:
    with pytest.raises(Invalid, match="ssml"):
        document(Say(ssml=ssml))


@given(st.text(min_size=1, max_size=100), st.text(min_size=1, max_size=100))
def test_no_text_can_add_a_verb(text: str, name: str) -> None:
    try:
        twiml = document(Say(text=text), Dial(to=(Conference(name=name),)))
    except Invalid:
        return

    assert [node.tag for node in ElementTree.fromstring(twiml).iter()] == [
        "Response",
        "Say",
        "Dial",
        "Conference",
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"verb": "say"},
        {"verb": "say", "text": "a", "ssml": "b"},
        {"verb": "say", "text": "a", "bogusAttr": "b"},
        {"verb": "play"},
        {"verb": "play", "digits": "12x"},
        {"verb": "play", "url": "ftp://a.example/x.mp3"},
        {"verb": "gather", "speechTimeout": "auto"},
        {"verb": "gather", "finishOnKey": "##"},
        {"verb": "dial", "to": []},
        {"verb": "dial", "to": [{"noun": "number", "number": "911"}]},
        {"verb": "dial", "to": [{"noun": "sip", "uri": "https://example.com"}]},
        {
            "verb": "dial",
            "to": [{"noun": "conference", "name": "r"}, {"noun": "number", "number": "+14155550123"}],
        },
        {"verb": "connect", "to": {"kind": "stream", "url": WSS, "track": "both_tracks"}},
        {"verb": "connect", "to": {"kind": "stream", "url": WSS + "?token=1"}},
        {"verb": "connect", "to": {"kind": "stream", "url": "https://voice.example.com"}},
        {"verb": "connect", "to": {"kind": "stream", "url": WSS, "parameters": {"n": "x" * 499}}},
        {"verb": "connect", "to": {"kind": "relay", "url": WSS, "interruptByDtmf": True}},
        {"verb": "connect", "to": {"kind": "relay", "url": WSS, "eotThreshold": 0.95}},
        {"verb": "redirect", "url": "/next"},
        {"verb": "reject", "reason": "because"},
        {"verb": "start", "what": {"kind": "fax"}},
        {"verb": "fly"},
    ],
)
def test_what_twilio_would_not_take_is_refused_where_it_is_made(given: dict[str, Any]) -> None:
    with pytest.raises((Invalid, ValidationError)):
        TypeAdapter(Verb).validate_python(given)


def test_a_document_is_no_larger_than_twilio_takes() -> None:
    with pytest.raises(Invalid, match="64000"):
        document(*[Say(text="x" * 3_000)] * 22)


def test_verbs_stand_before_and_after_the_connection() -> None:
    twiml = added(stream_twiml(WSS), (Say(text="One moment."),), (Say(text="Goodbye."), verbs.Hangup()))

    assert [node.tag for node in ElementTree.fromstring(twiml)] == ["Say", "Connect", "Say", "Hangup"]


def test_a_password_is_not_shown() -> None:
    assert "canary" not in repr(Sip(uri="sip:a@example.com", password="canary"))
