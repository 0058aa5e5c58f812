"""How webhooks are signed and delivered, against Twilio's own validator."""

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from mcp_voice.simulator.casting import cast
from mcp_voice.simulator.twilio.effects import Hook, Post, Reply
from mcp_voice.simulator.twilio.hooks import Faults, Hooks, Overrides, signature
from mcp_voice.simulator.twilio.party import Begins, Party, resumed

TOKEN = "12345"
FORM = {
    "CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234", "From": "+14158675309",
    "To": "+18005551212",
}  # fmt: skip
URL = "https://a.example/hook"


def test_a_signature_is_that_of_twilios_own_tests() -> None:
    """https://github.com/twilio/twilio-python/blob/main/tests/unit/test_request_validator.py"""
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"

    assert signature(TOKEN, url, FORM) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert signature(TOKEN, url.replace(".com/", ".com:443/"), FORM) == "kvajT1Ptam85bY51eRf/AJRuM3w="


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=5))
def test_whatever_is_in_a_form_twilios_validator_accepts_it(form: dict[str, str]) -> None:
    assert RequestValidator(TOKEN).validate(URL, form, signature(TOKEN, URL, form))


@pytest.mark.parametrize(
    ("fragment", "status", "asks"),
    [
        ("", 500, 1),
        ("#rp=5xx", 500, 2),
        ("#rc=3&rp=5xx", 500, 4),
        ("#rc=9&rp=all", 404, 6),
        ("#rp=5xx", 404, 1),
    ],
)
async def test_a_webhook_is_retried_as_its_address_says(fragment: str, status: int, asks: int) -> None:
    keys: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        keys.append(request.headers["I-Twilio-Idempotency-Token"])
        assert "#" not in str(request.url)
        return httpx2.Response(status)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        reply = await Hooks(TOKEN, http).deliver(Post(Hook(URL + fragment), FORM, "CA1", 1))

    assert isinstance(reply, Reply)
    assert (reply.status, len(keys), len(set(keys))) == (status, asks, 1)


async def test_a_connection_that_fails_is_tried_twice() -> None:
    tries = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        tries.append(request)
        raise httpx2.ConnectError("no route")

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        failed = await Hooks(TOKEN, http).deliver(Post(Hook(URL), FORM, "CA1", 1))

    assert not isinstance(failed, Reply)
    assert (failed.details["code"], len(tries)) == (11_205, 2)


async def test_a_replayed_webhook_is_the_one_before_as_it_was() -> None:
    came: list[tuple[str, str]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        came.append((request.headers["I-Twilio-Idempotency-Token"], request.headers["X-Twilio-Signature"]))
        return httpx2.Response(200)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        hooks = Hooks(TOKEN, http, Faults(stale=True))
        for digits in ("1", "2"):
            await hooks.deliver(Post(Hook(URL), {**FORM, "Digits": digits}, "CA1"))

    first, second, again = came
    assert (again, first != second) == (first, True)


def test_overrides_have_their_limits() -> None:
    assert Overrides.of(f"{URL}#ct=99000&rt=99000&rc=99") == Overrides(10.0, 15.0, 5)
    assert Overrides.of(f"{URL}#rc=x") == Overrides()


def test_who_comes_from_elsewhere_goes_on_where_it_was() -> None:
    persona = resumed(cast("restaurant"), ["greeting", "day"], {"party": "four"})
    party = Party(persona, 0.0)

    deeds = party.tick(1.0) + party.told("Tomorrow, please.", 2.0) + party.tick(4.0)

    assert party.path[0] == "day"
    assert isinstance(deeds[0], Begins)
    assert deeds[0].text != persona.states["greeting"].say[0]
