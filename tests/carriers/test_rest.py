"""Twilio's REST API, over a real socket."""

from contextlib import aclosing
from pathlib import Path

import pytest

from mcp_voice.carriers.twilio.calls import Calls
from mcp_voice.carriers.twilio.codes import CODES, explained
from mcp_voice.carriers.twilio.rest import Patience, TwilioRest, address
from mcp_voice.errors import CarrierFailed, NotConfigured, NotFound, Unconfirmed, VoiceError
from tests.carriers.account import ACCOUNT, TOKEN, Account, Asked, Misfortune, an_account

HASTE = Patience(tries=3, first=0.01, most=0.02)


def rest_of(account: Account, token: str = TOKEN, seconds: float = 5.0) -> TwilioRest:
    return TwilioRest(ACCOUNT, token, account.url + "/", seconds=seconds, patience=HASTE)


async def test_one_connection_serves_two_requests() -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account)) as rest:
        await Calls(rest).redirect("CA1", "<Response/>")
        await Calls(rest).redirect("CA1", "<Response/>")

    assert (len(account.updates), account.connections) == (2, 1)


@pytest.mark.parametrize(
    ("code", "error", "why"),
    [
        (20404, NotFound, "It is over"),
        (21220, NotFound, "It is over"),
        (20003, NotConfigured, "TWILIO_AUTH_TOKEN"),
        (20500, Unconfirmed, "failed inside.*20500.*before you know"),
    ],
)
async def test_what_twilio_refuses_is_an_error_that_says_what_to_do(
    code: int, error: type[VoiceError], why: str
) -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account)) as rest:
        account.fails = [code]

        with pytest.raises(error, match=why) as refused:
            await Calls(rest).redirect("CA1", "<Response/>")

        await Calls(rest).redirect("CA1", "<Response/>")
    assert refused.type is error
    assert len(account.updates) == 1


async def test_a_wrong_token_is_a_matter_of_settings() -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account, "wrong")) as rest:
        with pytest.raises(NotConfigured, match="credentials"):
            await Calls(rest).redirect("CA1", "<Response/>")


async def test_a_call_that_is_over_is_not_there() -> None:
    async with an_account() as account, aclosing(rest_of(account)) as rest:
        with pytest.raises(NotFound, match="CA1"):
            await Calls(rest).redirect("CA1", "<Response/>")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"code": "many"}'])
async def test_an_answer_that_is_not_twilios_is_a_failure_all_the_same(body: bytes) -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account)) as rest:
        account.raw = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: %d\r\n\r\n" % len(body) + body

        with pytest.raises(CarrierFailed, match="HTTP 502, error unknown"):
            await Calls(rest).redirect("CA1", "<Response/>")


@pytest.mark.parametrize("code", [20429, 20500, 20503])
async def test_what_may_be_done_twice_is_asked_for_again(code: int) -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account)) as rest:
        account.fails = [code, code]

        assert await Calls(rest).end("CA1")

    assert account.calls["CA1"]["status"] == "completed"
    assert len(account.asked) == 3


async def test_a_refusal_is_final() -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account)) as rest:
        account.fails = [21215, 21215]

        with pytest.raises(NotConfigured, match="geographic permissions") as refused:
            await Calls(rest).end("CA1")

    assert len(account.asked) == 1
    assert refused.value.details == {"twilioCode": 21215, "httpStatus": 400}


async def test_a_call_that_is_over_can_be_ended() -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account)) as rest:
        calls = Calls(rest)

        assert [await calls.end("CA1"), await calls.end("CA1"), await calls.end("CA2")] == [
            True,
            False,
            False,
        ]


async def test_a_broken_connection_is_no_reason_to_redirect_a_call_twice() -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account)) as rest:
        account.fate = lambda asked: Misfortune(True, "reset")

        with pytest.raises(Unconfirmed, match="broke the connection off"):
            await Calls(rest).redirect("CA1", "<Response/>")

    assert len(account.updates) == 1


async def test_a_call_is_waited_for_until_it_is_answered() -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account)) as rest:
        account.calls["CA1"]["status"] = "ringing"

        def answers(asked: Asked) -> None:
            if len(account.asked) == 3:
                account.calls["CA1"]["status"] = "in-progress"

        account.fate = answers

        assert (await Calls(rest).answered("CA1", 30.0, every=0.0)).status == "in-progress"
        assert [leg.sid for leg in await Calls(rest).find(status="in-progress")] == ["CA1"]

    assert len(account.asked) == 4


def test_every_code_says_what_to_do() -> None:
    assert all(trouble.says.endswith(".") and trouble.advice.endswith(".") for trouble in CODES.values())
    assert explained(31920) is not None
    assert explained(1) is None


@pytest.mark.parametrize(
    ("region", "edge", "url"),
    [
        (None, None, "https://api.twilio.com"),
        ("au1", None, "https://api.sydney.au1.twilio.com"),
        (None, "tokyo", "https://api.tokyo.us1.twilio.com"),
        ("ie1", "frankfurt", "https://api.frankfurt.ie1.twilio.com"),
    ],
)
def test_a_region_is_reached_by_its_edge(region: str | None, edge: str | None, url: str) -> None:
    assert address(region, edge) == url


async def test_a_twilio_that_does_not_answer_is_not_waited_for_for_ever() -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account, seconds=0.05)) as rest:
        account.silent = True

        with pytest.raises(CarrierFailed, match=r"within 0\.05 s"):
            await Calls(rest).redirect("CA1", "<Response/>")


async def test_a_twilio_that_cannot_be_reached_says_so() -> None:
    async with an_account() as account:
        pass

    async with aclosing(rest_of(account)) as rest:
        with pytest.raises(CarrierFailed, match="cannot be reached"):
            await Calls(rest).redirect("CA1", "<Response/>")


def test_the_page_of_codes_is_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "twilio-rest.md").read_text(encoding="utf-8")

    for code, trouble in CODES.items():
        row = (
            f"| [{code}](https://www.twilio.com/docs/api/errors/{code}) | {trouble.says} | {trouble.advice} |"
        )
        assert row in page
