from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.twiml import LONGEST, LONGEST_PARAMETER, stream_twiml
from mcp_voice.errors import Invalid

URL = "wss://voice.example.com/twilio/media"


def read(twiml: str) -> ElementTree.Element:
    """The document as a carrier reads it."""
    return ElementTree.fromstring(twiml)


def test_a_call_is_connected_to_the_socket() -> None:
    twiml = stream_twiml(URL, {"sessionId": "sess_1"})

    assert twiml == (
        '<?xml version="1.0" encoding="UTF-8"?><Response><Connect>'
        f'<Stream url="{URL}"><Parameter name="sessionId" value="sess_1" /></Stream></Connect></Response>'
    )


def test_a_greeting_is_said_before_the_stream_opens() -> None:
    response = read(stream_twiml(URL, greeting="Salt & pepper", language="en-GB", voice="alice"))

    assert [child.tag for child in response] == ["Say", "Connect"]
    assert response[0].text == "Salt & pepper"
    assert response[0].attrib == {"voice": "alice", "language": "en-GB"}


def test_keys_are_pressed_before_anything_else() -> None:
    response = read(stream_twiml(URL, greeting="Hello", press="12w#"))

    assert [child.tag for child in response] == ["Play", "Say", "Connect"]
    assert response[0].attrib == {"digits": "12w#"}


def test_what_is_not_on_a_keypad_is_not_pressed() -> None:
    with pytest.raises(Invalid, match="no key 'x'"):
        stream_twiml(URL, press="1x")


def test_a_relay_says_the_greeting_itself() -> None:
    response = read(stream_twiml(URL, mode="relay", greeting="Hello", language="en-GB"))

    (connect,) = response
    (relay,) = connect
    assert relay.tag == "ConversationRelay"
    assert relay.attrib == {"url": URL, "welcomeGreeting": "Hello", "language": "en-GB"}


def test_callbacks_go_where_the_carrier_looks_for_them() -> None:
    twiml = stream_twiml(
        URL, action_url="https://a.example/next?x=1&y=2", status_callback="https://a.example/s"
    )

    (connect,) = read(twiml)
    assert connect.attrib == {"action": "https://a.example/next?x=1&y=2"}
    assert connect[0].attrib == {"url": URL, "statusCallback": "https://a.example/s"}


xml_text = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r<>&\"'"),
    max_size=100,
)


@given(st.dictionaries(xml_text.filter(bool), xml_text, max_size=5))
def test_what_goes_in_as_a_parameter_comes_out(parameters: dict[str, str]) -> None:
    (connect,) = read(stream_twiml(URL, parameters))

    assert {p.attrib["name"]: p.attrib["value"] for p in connect[0]} == parameters


@given(st.text(max_size=300))
def test_no_greeting_can_add_a_verb(greeting: str) -> None:
    try:
        twiml = stream_twiml(URL, greeting=greeting)
    except Invalid:
        return

    assert [element.tag for element in read(twiml).iter()] == ["Response", "Say", "Connect", "Stream"]


@pytest.mark.parametrize(
    "url",
    [
        "ws://localhost:8080/ws",
        "ws://127.0.0.1/ws",
        "ws://[::1]:80/",
        "wss://[2001:db8::1]/ws",
        "WSS://x.example",
    ],
)
def test_an_address_is_secure_or_on_this_machine(url: str) -> None:
    (connect,) = read(stream_twiml(url))

    assert connect[0].attrib["url"] == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "not an absolute URL"),
        ("/ws", "not an absolute URL"),
        ("wss://", "not an absolute URL"),
        ("wss://a b/", "not an absolute URL"),
        ("wss://a.example/\n", "not an absolute URL"),
        ("wss://a.example:0/", "not an absolute URL"),
        ("wss://a.example:99999/", "not a URL"),
        ("wss://[::1", "not a URL"),
        ("ws://a.example/ws", "begin with wss"),
        ("ws://8.8.8.8/ws", "begin with wss"),
        ("https://a.example/ws", "begin with wss"),
        ("wss://a.example/ws?token=1", "query"),
        ("wss://a.example/ws?", "query"),
        ("wss://a.example/ws#top", "fragment"),
        ("wss://me:word@a.example/ws", "password"),
    ],
)
def test_an_address_that_twilio_would_not_reach_is_refused(url: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        stream_twiml(url)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"parameters": {"": "x"}}, "no name"),
        ({"parameters": {"n": "x" * LONGEST_PARAMETER}}, "500 characters"),
        ({"parameters": {"n": "\x00"}}, "XML cannot hold"),
        ({"parameters": {"\ud800": "x"}}, "XML cannot hold"),
        ({"greeting": "\x1b[0m"}, "XML cannot hold"),
        ({"greeting": "x" * LONGEST}, "Twilio takes 4000"),
        ({"parameters": {f"name{n}": "x" * 400 for n in range(10)}}, "Twilio takes 4000"),
        ({"action_url": "next"}, "not an absolute URL"),
        ({"action_url": "ftp://a.example/"}, "begin with https"),
        ({"status_callback": "javascript:alert(1)"}, "not an absolute URL"),
        ({"mode": "relay", "status_callback": "https://a.example/s"}, "mode `stream` only"),
    ],
)
def test_what_twilio_would_not_take_is_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        stream_twiml(URL, **arguments)


def test_a_parameter_of_499_characters_is_taken() -> None:
    (connect,) = read(stream_twiml(URL, {"n": "x" * (LONGEST_PARAMETER - 1)}))

    assert len(connect[0][0].attrib["value"]) == LONGEST_PARAMETER - 1
