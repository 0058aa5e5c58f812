"""What a caller hears of the server itself while an agent thinks, in a call whose time is free."""

from itertools import pairwise
from typing import Any

import anyio
import pytest

from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.events import Play
from mcp_voice.core.phrases import fillers
from mcp_voice.media.calls import Rules
from tests.e2e.virtual import VirtualLoop, virtual_clocks
from tests.media.test_calls import STARTED, a_room, talk
from tests.twins import sound


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


async def passed_time(rules: Rules, thinks: float) -> list[str]:
    """Ask an agent seven things, each of which it thinks about so long; return what passed the time."""
    words = [FinalWords(f"question {number}", 0.9) for number in range(7)]
    with virtual_clocks():
        async with a_room(*words, rules=rules) as room:
            held = await room.calls.hold(STARTED)
            for _ in words:
                talk(held)
                await anyio.sleep(thinks)
                held.ask(Play(sound((True, 400)), "An answer."))
                await anyio.sleep(3.0)
            await room.calls.release("MZ1", "stop")
            log = await room.store.entries(held.session_id)
    said = [entry.data for entry in log if entry.kind == "agentSaid"]
    assert [data["text"] for data in said if "filler" not in data] == ["An answer."] * 7
    return [data["text"] for data in said if "filler" in data]


async def test_a_caller_of_a_slow_agent_hears_that_somebody_is_there_and_not_twice_the_same() -> None:
    heard = await passed_time(Rules(fillers=True), thinks=3.5)

    assert len(heard) == 3
    assert set(heard) <= set(fillers("en-US"))
    assert all(before != after for before, after in pairwise(heard))


@pytest.mark.parametrize(("rules", "thinks"), [(Rules(fillers=True), 1.0), (Rules(), 3.5)])
async def test_a_quick_agent_is_not_covered_and_nobody_is_where_it_is_not_wished(
    rules: Rules, thinks: float
) -> None:
    assert await passed_time(rules, thinks) == []
