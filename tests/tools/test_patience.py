"""How long a caller may pause, by what was asked of them, whichever tool asked."""

from typing import Any

import anyio
import pytest

from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.events import Started
from tests.tools.desk import an_office
from tests.tools.lines import a_call, eventually, talk
from tests.twins import Listener, Network, Speaker, Vendors, sound

NUMBER = sound((True, 600), (False, 800), (True, 600), (False, 1_500))
"""Said in two pieces, with a pause that would end any other answer."""


def vendors() -> Vendors:
    return Vendors(
        Listener([FinalWords("four one five five", 0.9), FinalWords("five five", 0.9)]),
        Speaker(ms_per_character=2),
    )


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("telephony.say", {"text": "Your number?", "expect": "digits"}),
        ("telephony.listen", {"expect": "digits"}),
        ("telephony.answer", {"expect": "digits"}),
        ("telephony.answer", {"greeting": "Hello. Your number?", "expect": "digits"}),
        ("telephony.press", {"digits": "1", "expect": "digits"}),
        ("telephony.gather", {"prompt": "Your number?", "kind": "either"}),
    ],
)
async def test_a_number_may_be_said_with_pauses(tool: str, arguments: dict[str, Any]) -> None:
    async with an_office(vendors()) as office:
        held = await a_call(office)
        answers: list[dict[str, Any]] = []

        async def ask() -> None:
            answers.append(await office.use(tool, **arguments))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await eventually(lambda: held.leg._call._speaker.expects == "digits", 30)
            talk(held, NUMBER)

        assert [heard["text"] for heard in answers[0]["heard"]] == ["four one five five"]


async def test_a_call_that_comes_back_knows_what_is_waited_for() -> None:
    async with an_office(vendors(), Network(has_keys=True)) as office:
        first = await a_call(office)
        pending = await office.use("telephony.press", digits="1", expect="digits", waitSeconds=0)
        await office.calls.release(first.stream_sid, "stop")
        again = await office.calls.hold(Started("MZ2", "CA1"))
        talk(again, NUMBER)
        reply = await office.use("telephony.listen", expect="digits")

        assert pending["outcome"] == "pending"
        assert [heard["text"] for heard in reply["heard"]] == ["four one five five"]
