"""Calls held from a terminal: the real house, and simulated people who are told what is said."""

from collections.abc import AsyncIterator, Callable
from io import StringIO
from typing import Any

import pytest

from mcp_voice.errors import VoiceError
from mcp_voice.server.assembly import House
from mcp_voice.terminal.talk import Person, Terminal, shown
from tests.e2e.parrot import Parrot
from tests.e2e.rehearsing import a_house_of_parrots
from tests.e2e.virtual import VirtualLoop, virtual_clocks

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    with virtual_clocks():
        async with a_house_of_parrots(Parrot()) as (house, _, _):
            yield house


def typed(*lines: str) -> Callable[[], str]:
    rest = iter([*(f"{line}\n" for line in lines), ""])
    return lambda: next(rest)


async def test_the_first_words_are_said_their_answer_is_shown_and_the_call_ends(house: House) -> None:
    told: list[str] = []
    terminal = Terminal(house.operator("all"), Person(yes=False), told.append)

    status = await terminal.call({"to": "sim:restaurant", "opening": "Do you have a table for two?"})

    assert status == 0
    assert told[0] == "ringing …"
    assert "you      Do you have a table for two?" in told
    assert any(line.startswith("they     ") for line in told)
    assert told[-1].startswith("over     ")


async def test_what_is_typed_is_said_and_the_end_of_input_is_goodbye(house: House) -> None:
    told: list[str] = []
    terminal = Terminal(
        house.operator("all"),
        Person(yes=False),
        told.append,
        typed("/wait", "Wrong number, sorry.", "/dance"),
    )

    await terminal.call({"to": "sim:wrong_number", "opening": "Is this the Golden Lion?"})

    assert any("/press, /wait and /bye" in line for line in told)
    assert told[-1].startswith("over     ")


async def test_a_line_that_nobody_takes_is_1(house: House) -> None:
    told: list[str] = []

    status = await Terminal(house.operator("all"), Person(yes=True), told.append).call({"to": "sim:busy"})

    assert status == 1
    assert told[-1] == "over     busy"


async def test_a_call_that_cannot_be_placed_says_why(house: House) -> None:
    terminal = Terminal(house.operator("all"), Person(yes=True), print)

    with pytest.raises(VoiceError, match="nobody"):
        await terminal.call({"to": "sim:nobody"})


async def test_somebody_is_asked_before_a_telephone_rings() -> None:
    class Seat(StringIO):
        def isatty(self) -> bool:
            return True

    seats = [Seat("y\n"), Seat("n\n"), Seat("\n"), StringIO("y\n")]
    said = [await Person(yes=False, seat=seat).ask("Dial?", "t") for seat in seats]

    assert said == ["accept", "decline", "decline", None]
    assert await Person(yes=True).ask("Dial?", "t") == "accept"


def test_what_is_not_worth_a_line_has_none() -> None:
    assert shown("partial", {"text": "hello"}) is None
    assert shown("final", {"text": ""}) is None
    assert shown("final", {"text": "hello"}) == "they     hello"
