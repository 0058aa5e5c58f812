"""Twilio's REST API, over a real socket."""

from contextlib import aclosing
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from mcp_voice.carriers.twilio.carrier import TwilioCarrier
from mcp_voice.carriers.twilio.rest import TwilioRest
from mcp_voice.core.session import SessionConfig, begin
from mcp_voice.errors import CarrierFailed, NotConfigured, NotFound, VoiceError
from tests.carriers.account import ACCOUNT, TOKEN, Account, an_account

MEDIA = "wss://voice.example.com/twilio/media"
SESSION = begin("CA1", SessionConfig(), datetime(2026, 1, 1, tzinfo=UTC))


def rest_of(account: Account, token: str = TOKEN, seconds: float = 5.0) -> TwilioRest:
    return TwilioRest(ACCOUNT, token, account.url + "/", seconds=seconds)


async def test_a_call_presses_the_keys_and_comes_back_to_its_session() -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account)) as rest:
        done = await TwilioCarrier(rest, MEDIA).press(SESSION, "1w#")

    assert done
    [(call_sid, twiml)] = account.updates
    play, connect = ElementTree.fromstring(twiml)
    assert call_sid == "CA1"
    assert (play.tag, play.attrib) == ("Play", {"digits": "1w#"})
    assert connect[0].attrib == {"url": MEDIA}
    assert connect[0][0].attrib == {"name": "sessionId", "value": SESSION.session_id}


async def test_one_connection_serves_two_presses() -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account)) as rest:
        for digits in ("1", "2"):
            await TwilioCarrier(rest, MEDIA).press(SESSION, digits)

    assert [ElementTree.fromstring(twiml)[0].attrib["digits"] for _, twiml in account.updates] == ["1", "2"]


@pytest.mark.parametrize(
    ("code", "error", "why"),
    [
        (20404, NotFound, "It is over"),
        (21220, NotFound, "It is over"),
        (20003, NotConfigured, "TWILIO_AUTH_TOKEN"),
        (20429, CarrierFailed, "Try again"),
        (20500, CarrierFailed, "HTTP 500, error 20500"),
    ],
)
async def test_what_twilio_refuses_is_an_error_that_says_what_to_do(
    code: int, error: type[VoiceError], why: str
) -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account)) as rest:
        account.fails = [code]

        with pytest.raises(error, match=why) as refused:
            await rest.update_call("CA1", "<Response/>")

        await rest.update_call("CA1", "<Response/>")
    assert refused.type is error
    assert len(account.updates) == 1


async def test_a_wrong_token_is_a_matter_of_settings() -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account, "wrong")) as rest:
        with pytest.raises(NotConfigured, match="credentials"):
            await rest.update_call("CA1", "<Response/>")


async def test_a_call_that_is_over_is_not_there() -> None:
    async with an_account() as account, aclosing(rest_of(account)) as rest:
        with pytest.raises(NotFound, match="CA1"):
            await rest.update_call("CA1", "<Response/>")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"code": "many"}'])
async def test_an_answer_that_is_not_twilios_is_a_failure_all_the_same(body: bytes) -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account)) as rest:
        account.raw = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: %d\r\n\r\n" % len(body) + body

        with pytest.raises(CarrierFailed, match="HTTP 502, error unknown"):
            await rest.update_call("CA1", "<Response/>")


async def test_a_twilio_that_does_not_answer_is_not_waited_for_for_ever() -> None:
    async with an_account("CA1") as account, aclosing(rest_of(account, seconds=0.05)) as rest:
        account.silent = True

        with pytest.raises(CarrierFailed, match=r"within 0\.05 s"):
            await rest.update_call("CA1", "<Response/>")


async def test_a_twilio_that_cannot_be_reached_says_so() -> None:
    async with an_account() as account:
        pass

    async with aclosing(rest_of(account)) as rest:
        with pytest.raises(CarrierFailed, match="cannot be reached"):
            await rest.update_call("CA1", "<Response/>")


async def test_without_an_account_or_an_address_no_keys_are_pressed() -> None:
    with pytest.raises(NotConfigured, match="TWILIO_ACCOUNT_SID"):
        await TwilioCarrier(None, MEDIA).press(SESSION, "1")

    async with an_account("CA1") as account, aclosing(rest_of(account)) as rest:
        with pytest.raises(NotConfigured, match="public address"):
            await TwilioCarrier(rest, "ws://192.0.2.1/media").press(SESSION, "1")

    assert account.updates == []
