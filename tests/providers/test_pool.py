import anyio
import msgspec
import pytest

from mcp_voice.core.counts import Counts
from mcp_voice.errors import TooMany
from mcp_voice.providers.engine import Engine
from mcp_voice.providers.pool import Pool
from mcp_voice.providers.workers.messages import SpeakingReply

pytestmark = pytest.mark.anyio


def pool(number: int) -> Pool[SpeakingReply]:
    """Engines that nobody starts."""
    replies = msgspec.msgpack.Decoder(SpeakingReply)
    return Pool([Engine(f"engine {number}", "no.module", replies, Counts()) for number in range(number)])


async def test_an_engine_is_lent_to_one_at_a_time() -> None:
    engines = pool(2)

    async with engines.lend(1) as one, engines.lend(1) as other:
        assert one is not other


async def test_who_comes_first_is_served_first() -> None:
    engines, served = pool(1), []

    async def wait(name: str) -> None:
        async with engines.lend(5):
            served.append(name)
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        for name in "abcd":
            group.start_soon(wait, name)

    assert served == ["a", "b", "c", "d"]


async def test_who_waits_too_long_is_told_and_the_next_is_served() -> None:
    engines = pool(1)

    async with engines.lend(1):
        with pytest.raises(TooMany, match="All 1 recognisers were busy"):
            await engines.lend(0.01).__aenter__()

    async with engines.lend(1) as engine:
        assert engine is engines.engines[0]


async def test_the_engine_that_was_used_last_is_used_next() -> None:
    engines = pool(3)
    async with engines.lend(1) as one, engines.lend(1):
        pass

    async with engines.lend(1) as again:
        assert again is one
        assert engines.any is not one
    assert engines.any is one


async def test_a_question_in_passing_finds_an_engine_at_work() -> None:
    engines = pool(1)

    async with engines.lend(1) as engine:
        assert engines.any is engine
