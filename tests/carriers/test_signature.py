"""Is this Twilio?"""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import FormData
from twilio.request_validator import RequestValidator

from mcp_voice.carriers.twilio.signature import Keys, Pairs, Shown, genuine, signed, spellings

URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
SOCKET = "wss://voice.example.com/twilio/media"
TOKEN = "12345"
KEYS = Keys((TOKEN,), {"key1": "shared"})
FORM: Pairs = [
    ("To", "+18005551212"), ("CallSid", "CA1234567890ABCDE"), ("Caller", "+14158675309"),
    ("Digits", "1234"), ("From", "+14158675309"),
]  # fmt: skip
REPEATED: Pairs = [
    ("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234"),
]  # fmt: skip
JSON = b'{"property": "value", "boolean": true}'
JSON_SHA = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
EMPTY_SHA = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

TEXT = st.text(st.characters(codec="utf-8"))
PATHS = st.from_regex(r"[a-z]{1,9}(/[a-z]{0,9}){0,3}", fullmatch=True)
HOSTS = st.sampled_from(["voice.example.com", "voice.example.com:8443", "127.0.0.1:8765"])


# From Twilio's own libraries: twilio-python tests/unit/test_request_validator.py, twilio-node
# spec/validation.spec.js.
@pytest.mark.parametrize(
    ("url", "form", "body", "signature"),
    [
        (URL, FORM, b"", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (URL, FORM, b"", "kvajT1Ptam85bY51eRf/AJRuM3w="),  # signed with :443
        (URL.replace("https", "http"), FORM, b"", "0ZXoZLH/DfblKGATFgpif+LLRf4="),  # with :80
        ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", FORM, b"", "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        (f"{URL}&bodySHA256={JSON_SHA}", (), JSON, "a9nBmqA0ju/hNViExpshrM61xv4="),
        (f"https://mycompany.com/myapp.php?bodySHA256={JSON_SHA}", (), JSON, "y77kIzt2vzLz71DgmJGsen2scGs="),
        (f"{URL}&bodySHA256={EMPTY_SHA}", (), b"{}", "Ldidvp12m26NI7eqEvxnEpkd9Hc="),
        (URL, REPEATED, b"", "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
        (URL.replace("my", "user:pass@my", 1), FORM, b"", "CukzLTc1tT5dXEDIHm/tKBanW10="),
        (URL.replace("my", "user:pass@my", 1), FORM, b"", "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI="),  # with :443
        (f"{URL}&Body=It's+amazing", FORM, b"", "TfZzewPq8wqrGlMfyAud8+/IvJ0="),  # signed as It%27s
    ],
)
def test_what_twilios_own_libraries_take_is_taken(url: str, form: Pairs, body: bytes, signature: str) -> None:
    assert genuine(Shown(signature, form=form, body=body), url, KEYS)
    assert not genuine(Shown(signature, form=form, body=body), url, Keys(("54321",)))
    assert not genuine(Shown(signature, form=[*form, ("x", "y")], body=body), url, KEYS)


def test_a_shared_key_signs_with_the_algorithm_that_its_header_names() -> None:
    signature = "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="
    shown = Shown(signature, "key=key9,algorithm=HMAC_SHA256", FORM)

    assert signature == RequestValidator(TOKEN).compute_signature(URL, dict(FORM), "HMAC_SHA256")
    assert genuine(shown, URL, Keys(("other",), {"key9": TOKEN}))
    assert not genuine(shown, URL, Keys((TOKEN,), {"key8": TOKEN}))


@pytest.mark.parametrize("settings", ["key=key1", "algorithm=HMAC_MD5", "algorithm=HMAC_SHA256", "key=,,=é"])
def test_a_header_does_not_change_whose_signature_it_is(settings: str) -> None:
    taken = genuine(Shown(signed(URL, TOKEN, FORM), settings, FORM), URL, KEYS)

    assert taken is (settings == "key=,,=é")  # which names neither


@given(TEXT.filter(len), HOSTS, PATHS, st.lists(st.tuples(TEXT, TEXT)), st.sampled_from(["http", "https"]))
def test_what_twilios_own_library_signs_is_genuine_and_changed_is_not(
    token: str, host: str, path: str, form: Pairs, scheme: str
) -> None:
    url = f"{scheme}://{host}/{path}"
    signature = RequestValidator(token).compute_signature(url, FormData(form))

    assert signed(url, token, form) == signature
    assert genuine(Shown(signature, form=form), url, Keys((token,)))
    assert not genuine(Shown(signature, form=form), f"{url}x", Keys((token,)))
    assert not genuine(Shown(signature, form=[*form, ("new", "field")]), url, Keys((token,)))


@given(HOSTS, PATHS, st.lists(st.tuples(TEXT, TEXT)))
def test_twilios_own_library_takes_what_is_signed_here(host: str, path: str, form: Pairs) -> None:
    url = f"https://{host}/{path}"

    assert RequestValidator(TOKEN).validate(url, FormData(form), signed(url, TOKEN, form))


@given(TEXT, TEXT, st.lists(st.tuples(TEXT, TEXT)), TEXT, st.binary())
def test_whatever_comes_the_answer_is_no(
    signature: str, settings: str, form: Pairs, url: str, body: bytes
) -> None:
    for where in (url, f"https://{url}", f"wss://{url}"):
        assert not genuine(Shown(signature, settings, form, body), where, KEYS)


@pytest.mark.parametrize(
    "shown",
    [Shown(), Shown("\udc80"), Shown("x", form=[("\udc80", "")]), Shown("x", "key=\udc80")],
)
@pytest.mark.parametrize("url", [URL, "", "https://[", "https://a:b:c", "\udc80"])
def test_what_is_no_text_and_no_address_is_refused_without_an_error(shown: Shown, url: str) -> None:
    assert not genuine(shown, url, KEYS)


@pytest.mark.parametrize(
    "dialled",
    [SOCKET, SOCKET + "/", SOCKET.replace(".com", ".com:443"), SOCKET.replace(".com", ".com:443") + "/"],
)
def test_each_way_in_which_twilio_may_write_the_url_is_accepted(dialled: str) -> None:
    assert genuine(Shown(signed(dialled, TOKEN)), SOCKET, KEYS)


def test_a_sockets_query_may_be_signed_as_a_forms_fields_are_and_a_webhooks_may_not() -> None:
    query = [("b", "2"), ("a", "1")]

    assert genuine(Shown(signed(SOCKET, TOKEN, query)), f"{SOCKET}?{urlencode(query)}", KEYS)
    assert not genuine(
        Shown(signed("https://a.example/x", TOKEN, query)), f"https://a.example/x?{urlencode(query)}", KEYS
    )


def test_during_a_rotation_either_token_will_do() -> None:
    assert genuine(Shown(signed(SOCKET, "old")), SOCKET, Keys(("new", "old")))


def test_a_body_that_is_not_the_one_in_the_url_is_refused() -> None:
    url = f"{URL}&bodySHA256={JSON_SHA}"

    assert genuine(Shown(signed(url, TOKEN), body=JSON), url, KEYS)
    assert not genuine(Shown(signed(url, TOKEN), body=JSON + b" "), url, KEYS)
    assert not genuine(Shown(signed(URL, TOKEN), body=JSON), URL, KEYS)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "é",
        signed(SOCKET, "wrong token"),
        signed("wss://voice.example.com/other", TOKEN),
        signed("wss://evil.example.com/twilio/media", TOKEN),
        signed("https://voice.example.com/twilio/media", TOKEN),
    ],
)
def test_no_other_signature_is(signature: str) -> None:
    assert not genuine(Shown(signature), SOCKET, KEYS)


def test_without_a_key_nothing_is_genuine() -> None:
    assert not genuine(Shown(signed(SOCKET, "")), SOCKET, Keys())
    assert not genuine(Shown(signed(SOCKET, "")), SOCKET, Keys(("",)))


def test_a_port_that_is_not_the_standard_one_is_tried_with_and_without() -> None:
    assert list(spellings("ws://127.0.0.1:8765/twilio/media")) == [
        "ws://127.0.0.1/twilio/media",
        "ws://127.0.0.1/twilio/media/",
        "ws://127.0.0.1:8765/twilio/media",
        "ws://127.0.0.1:8765/twilio/media/",
    ]
    assert "wss://[::1]:443/x" in spellings("wss://[::1]/x")


def test_a_key_is_not_shown() -> None:
    assert TOKEN not in repr(KEYS)
    assert "shared" not in repr(KEYS).replace("shared=", "")
