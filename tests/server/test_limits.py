import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.errors import TooFast
from mcp_voice.server.limits import Rates, names
from mcp_voice.server.windows import Windows

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def refused(rates: Rates, tool: str, rpm: int, *keys: str) -> float | None:
    """How long to wait, or None when it was let through."""
    try:
        await rates.take(tool, rpm, keys)
    except TooFast as error:
        return error.retry_after
    return None


async def test_a_caller_gets_exactly_its_limit_and_is_told_when_to_come_again() -> None:
    clock = Clock()
    rates = Rates(clock=clock)
    taken = [await refused(rates, "stt.connect", 3, "me") for _ in range(3)]
    clock.now += 20

    wait = await refused(rates, "stt.connect", 3, "me")

    assert taken == [None, None, None]
    assert wait == 40.0
    clock.now += 39.99
    assert await refused(rates, "stt.connect", 3, "me") == 0.01
    clock.now += 0.011
    assert await refused(rates, "stt.connect", 3, "me") is None


async def test_callers_and_tools_do_not_take_from_each_other() -> None:
    rates = Rates(clock=Clock())

    assert await refused(rates, "a.b", 1, "me") is None
    assert await refused(rates, "a.b", 1, "you") is None
    assert await refused(rates, "a.c", 1, "me") is None
    assert await refused(rates, "a.b", 1, "me") == 60.0


async def test_a_call_is_limited_whoever_asks_and_a_refusal_costs_the_caller_nothing() -> None:
    rates = Rates(clock=Clock())
    await rates.take("a.b", 2, ("me", "call:CA1"))
    await rates.take("a.b", 2, ("you", "call:CA1"))

    assert await refused(rates, "a.b", 2, "me", "call:CA1") == 60.0
    assert await refused(rates, "a.b", 2, "me", "call:CA2") is None
    assert await refused(rates, "a.b", 2, "me", "call:CA2") == 60.0


async def test_a_setting_outranks_a_tools_own_limit_in_either_spelling_and_0_is_none() -> None:
    rates = Rates({"a.one": 1, "a_none": 0}, clock=Clock())

    assert [await refused(rates, "a.one", 9, "me") for _ in range(2)] == [None, 60.0]
    assert [await refused(rates, "a.none", 1, "me") for _ in range(9)] == [None] * 9
    assert [await refused(rates, "a.other", 0, "me") for _ in range(9)] == [None] * 9


async def test_names_that_fall_silent_are_forgotten() -> None:
    clock = Clock()
    windows = Windows(clock)
    for number in range(100):
        await windows.acquire_entry(f"caller-{number}", 1, 60)
    clock.now += 61

    await windows.acquire_entry("me", 1, 60)

    assert len(windows) == 1


async def test_looking_at_a_window_keeps_nothing() -> None:
    windows = Windows(Clock())

    assert await windows.get_moving_window("me", 1, 60) == (1_000.0, 0)
    assert len(windows) == 0


@given(st.lists(st.integers(0, 120).map(lambda n: n / 4), max_size=60), st.integers(1, 5))
async def test_no_minute_has_more_uses_than_the_limit(waits: list[float], rpm: int) -> None:
    clock = Clock()
    rates = Rates(clock=clock)
    used: list[float] = []

    for wait in waits:
        clock.now += wait
        if await refused(rates, "a.b", rpm, "me") is None:
            used.append(clock.now)

    assert all(sum(start <= use < start + 60 for use in used) <= rpm for start in used)


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ({}, None),
        ({"provider": "x"}, None),
        ({"sessionId": "s1", "callSid": "CA1"}, "s1"),
        ({"callSid": "CA1"}, "CA1"),
        ({"connectionId": "c1", "chunk": "…"}, "c1"),
        ({"message": {"event": "media", "streamSid": "MZ1"}}, "MZ1"),
        ({"messages": [{"streamSid": "MZ1"}, {"streamSid": "MZ2"}]}, "MZ1"),
        ({"messages": []}, None),
        ({"messages": ["?"]}, None),
        ({"sessionId": 7}, None),
        ({"sessionId": "x" * 500}, "x" * 128),
    ],
)
def test_a_use_counts_against_the_call_that_it_names(arguments: dict[str, object], call: str | None) -> None:
    assert names("me", arguments) == (("me",) if call is None else ("me", f"call:{call}"))
