"""Is this socket Twilio's?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from mcp_voice.carriers.twilio.signature import genuine, signed, spellings

URL = "wss://voice.example.com/twilio/media"
BODY_SHA = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        (
            f"https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256={BODY_SHA}",
            "a9nBmqA0ju/hNViExpshrM61xv4=",
        ),
        (f"https://mycompany.com/myapp.php?bodySHA256={BODY_SHA}", "y77kIzt2vzLz71DgmJGsen2scGs="),
    ],
)
def test_it_signs_like_twilios_own_test_vectors(url: str, signature: str) -> None:
    assert signed(url, "12345") == signature


@given(
    st.text(min_size=1, alphabet=st.characters(codec="utf-8")),
    st.from_regex(r"[a-z]{1,9}(/[a-z]{0,9}){0,3}", fullmatch=True),
)
def test_it_signs_like_twilios_own_library(token: str, path: str) -> None:
    url = f"wss://voice.example.com/{path}"

    assert signed(url, token) == RequestValidator(token).compute_signature(url, {})


@pytest.mark.parametrize(
    "dialled",
    [URL, URL + "/", "wss://voice.example.com:443/twilio/media", "wss://voice.example.com:443/twilio/media/"],
)
def test_each_way_in_which_twilio_may_write_the_url_is_accepted(dialled: str) -> None:
    assert genuine(signed(dialled, "token"), URL, ["token"])


def test_during_a_rotation_either_token_will_do() -> None:
    assert genuine(signed(URL, "old"), URL, ["new", "old"])


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "é",
        signed(URL, "wrong token"),
        signed("wss://voice.example.com/other", "token"),
        signed("wss://evil.example.com/twilio/media", "token"),
        signed("https://voice.example.com/twilio/media", "token"),
    ],
)
def test_no_other_signature_is(signature: str) -> None:
    assert not genuine(signature, URL, ["token"])


def test_a_port_that_is_not_the_standard_one_is_tried_with_and_without() -> None:
    assert list(spellings("ws://127.0.0.1:8765/twilio/media")) == [
        "ws://127.0.0.1/twilio/media",
        "ws://127.0.0.1/twilio/media/",
        "ws://127.0.0.1:8765/twilio/media",
        "ws://127.0.0.1:8765/twilio/media/",
    ]
