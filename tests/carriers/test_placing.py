"""A call is placed once, whatever becomes of the request."""

import random
from contextlib import aclosing
from typing import Final

import anyio
import pytest

from mcp_voice.carriers.twilio.placing import Order, Placing
from mcp_voice.carriers.twilio.rest import Patience, TwilioRest
from mcp_voice.errors import CarrierFailed, Invalid, Unconfirmed, VoiceError
from tests.carriers.account import ACCOUNT, FROM, TOKEN, Account, Asked, Misfortune, an_account

TO: Final = "+14155550123"
HASTE: Final = Patience(tries=3, first=0.01, most=0.02)

EVERY: Final = [
    Misfortune(done, then) for then in ("reset", 20500, 20503, "silent") for done in (True, False)
]
WEATHER: Final = [*EVERY[:6] * 3, *EVERY[6:], *[Misfortune(False, 20429)] * 4]
"""What a request may meet with; silence, which takes its time, is rare."""


def rest_of(account: Account, seconds: float = 30.0) -> TwilioRest:
    return TwilioRest(ACCOUNT, TOKEN, account.url, seconds=seconds, patience=HASTE)


def an_order(to: str = TO) -> Order:
    return Order(to=to, from_=FROM, twiml="<Response/>", status_callback_event=("ringing", "completed"))


def meets(account: Account, *bad: Misfortune) -> None:
    """Let the first requests that would place a call meet with something."""
    left = list(bad)

    def fate(asked: Asked) -> Misfortune | None:
        return left.pop(0) if left and (asked.method, asked.path) == ("POST", "Calls.json") else None

    account.fate = fate


async def test_a_call_is_placed_as_it_was_ordered() -> None:
    async with an_account() as account, aclosing(rest_of(account)) as rest:
        leg = await Placing(rest).place(an_order())

    [asked] = account.asked
    assert asked.form == {
        "To": [TO],
        "From": [FROM],
        "Twiml": ["<Response/>"],
        "StatusCallbackEvent": ["ringing", "completed"],
    }
    assert account.calls[leg.sid]["status"] == leg.status == "queued"


@pytest.mark.parametrize("then", ["reset", 20500, 20503])
async def test_a_call_whose_answer_was_lost_is_found_and_not_placed_again(then: str | int) -> None:
    async with an_account() as account, aclosing(rest_of(account)) as rest:
        meets(account, Misfortune(True, then))

        leg = await Placing(rest).place(an_order())

    assert list(account.calls) == [leg.sid]


async def test_a_call_that_was_placed_in_silence_is_found() -> None:
    async with an_account() as account, aclosing(rest_of(account, seconds=0.2)) as rest:
        meets(account, Misfortune(True, "silent"))

        leg = await Placing(rest).place(an_order())

    assert list(account.calls) == [leg.sid]


@pytest.mark.parametrize("then", ["reset", 20500])
async def test_of_a_call_that_is_not_there_it_is_said_that_it_may_be(then: str | int) -> None:
    async with an_account() as account, aclosing(rest_of(account)) as rest:
        meets(account, Misfortune(False, then))

        with pytest.raises(Unconfirmed, match="may have been placed") as unsure:
            await Placing(rest).place(an_order())

    assert not unsure.value.retryable
    assert [asked.method for asked in account.asked] == ["POST", "GET", "GET", "GET"]


async def test_a_call_that_was_never_processed_is_asked_for_again() -> None:
    async with an_account() as account, aclosing(rest_of(account)) as rest:
        meets(account, Misfortune(False, 20429), Misfortune(False, 20429))

        leg = await Placing(rest).place(an_order())

    assert list(account.calls) == [leg.sid]


async def test_an_account_that_is_always_busy_places_nothing_and_says_so() -> None:
    async with an_account() as account, aclosing(rest_of(account)) as rest:
        meets(account, *[Misfortune(False, 20429)] * 9)

        with pytest.raises(CarrierFailed, match="Try again") as refused:
            await Placing(rest).place(an_order())

    assert refused.type is CarrierFailed
    assert account.calls == {}


async def test_a_call_of_a_moment_ago_is_not_taken_for_the_one_that_was_lost() -> None:
    async with an_account() as account, aclosing(rest_of(account)) as rest:
        placing = Placing(rest)
        await placing.place(an_order())
        meets(account, Misfortune(False, "reset"))

        with pytest.raises(Unconfirmed):
            await placing.place(an_order())


async def test_of_two_that_may_be_it_neither_is_taken() -> None:
    async with an_account() as account, aclosing(rest_of(account)) as rest:
        await Placing(rest).place(an_order())  # by somebody else
        meets(account, Misfortune(True, "reset"))

        with pytest.raises(Unconfirmed):
            await Placing(rest).place(an_order())


async def test_a_twilio_that_is_not_there_was_sent_nothing() -> None:
    async with an_account() as account:
        pass

    async with aclosing(rest_of(account)) as rest:
        with pytest.raises(CarrierFailed, match="Nothing was done") as refused:
            await Placing(rest).place(an_order())
    assert refused.type is CarrierFailed


async def test_an_answer_that_names_no_call_is_no_confirmation() -> None:
    async with an_account() as account, aclosing(rest_of(account)) as rest:
        account.raw = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"

        with pytest.raises(Unconfirmed, match="may have been placed"):
            await Placing(rest).place(an_order())


@pytest.mark.parametrize(
    "said", [{}, {"twiml": "<Response/>", "url": "https://a.example"}, {"twiml": "x" * 4_001}]
)
def test_what_twilio_would_not_take_is_not_ordered(said: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        Order(to=TO, from_=FROM, twiml=said.get("twiml"), url=said.get("url"))


@pytest.mark.slow
async def test_of_a_thousand_attempts_in_bad_weather_none_rings_twice() -> None:
    chance = random.Random(4)
    outcomes: dict[str, VoiceError | str] = {}
    async with an_account() as account, aclosing(rest_of(account, seconds=1.0)) as rest:
        account.fate = lambda asked: chance.choice(WEATHER) if chance.random() < 0.25 else None
        placing, desks = Placing(rest), anyio.CapacityLimiter(10)

        async def attempt(to: str) -> None:
            async with desks:
                try:
                    outcomes[to] = (await placing.place(an_order(to))).sid
                except VoiceError as error:
                    outcomes[to] = error

        async with anyio.create_task_group() as tasks:
            for n in range(1_000):
                tasks.start_soon(attempt, f"+1415555{n:04d}")

    rung = [call["to"] for call in account.calls.values()]
    assert len(outcomes) == 1_000
    assert len(rung) == len(set(rung))
    for to, outcome in outcomes.items():
        if isinstance(outcome, str):
            assert account.calls[outcome]["to"] == to
        elif to in rung:
            assert isinstance(outcome, Unconfirmed)
            assert "may have been placed" in str(outcome)
        else:
            assert isinstance(outcome, CarrierFailed)
    assert sum(isinstance(outcome, str) for outcome in outcomes.values()) > 300
