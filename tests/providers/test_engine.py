import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event
from typing import Final

import msgspec
import psutil
import pytest

from mcp_voice.core.counts import Counts
from mcp_voice.errors import ProviderFailed
from mcp_voice.providers.child import UNWRITTEN, Child, Job
from mcp_voice.providers.engine import Engine
from mcp_voice.providers.workers.messages import Said, Saying, SpeakingReply
from tests.providers.parrot import order

PARROT: Final = "tests.providers.parrot"

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def parrot(counts: Counts | None = None, module: str = PARROT) -> AsyncIterator[Engine[SpeakingReply]]:
    replies = msgspec.msgpack.Decoder(SpeakingReply)
    engine: Engine[SpeakingReply] = Engine(
        "parrot", module, replies, Counts() if counts is None else counts, backoff=(0.01,) * 5
    )
    try:
        yield engine
    finally:
        await engine.aclose()


async def repeat(child: Child[SpeakingReply], text: str, sound: bytes = b"") -> bytes:
    """Order something, and return the sound that comes back."""
    with child.open() as job:
        job.send(order(text), sound)
        return await hear_out(job)


async def hear_out(job: Job[SpeakingReply]) -> bytes:
    heard = b""
    while True:
        job.expect(5.0)
        match await job.receive():
            case Saying(), sound:
                heard += sound
            case Said(), _:
                return heard


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_a_child_starts_when_it_is_first_needed() -> None:
    async with parrot() as engine:
        before = engine.pid

        heard = await repeat(await engine.child(), "hello", b"hello")

        assert before is None
        assert heard == b"hello"


async def test_each_job_hears_its_own_answers() -> None:
    async with parrot() as engine:
        child = await engine.child()

        heard = await asyncio.gather(*(repeat(child, "", bytes([number]) * 9_000) for number in range(20)))

        assert heard == [bytes([number]) * 9_000 for number in range(20)]


async def test_a_child_that_dies_tells_every_job_why_and_is_replaced() -> None:
    counts = Counts()
    async with parrot(counts) as engine:
        child = await engine.child()

        with child.open() as waiting:
            with pytest.raises(ProviderFailed, match=r"ended with 3; the parrot is no more\."):
                await repeat(child, "die")
            with pytest.raises(ProviderFailed, match="the parrot is no more"):
                await waiting.receive()
        other = await engine.child()

        assert other.process.pid != child.process.pid
        assert await repeat(other, "", b"again") == b"again"
        assert counts.engine_restarts == {"parrot": 1}


async def test_a_job_opened_with_a_dead_child_fails() -> None:
    async with parrot() as engine:
        child = await engine.child()
        with pytest.raises(ProviderFailed):
            await repeat(child, "die")

        with pytest.raises(ProviderFailed, match="the parrot is no more"):
            await repeat(child, "hello")


@pytest.mark.parametrize("stop", ["hang", "SIGSTOP"])
async def test_a_child_that_does_not_answer_in_time_is_killed_and_replaced(stop: str) -> None:
    async with parrot() as engine:
        child = await engine.child()
        if stop == "SIGSTOP":
            os.kill(child.process.pid, signal.SIGSTOP)

        with child.open() as job:
            job.send(order(stop))
            job.expect(0.1)
            with pytest.raises(ProviderFailed, match=r"it did not answer within 0\.1 s"):
                await job.receive()

        assert gone(child.process.pid)
        assert await repeat(await engine.child(), "", b"again") == b"again"


async def test_a_child_at_another_job_within_its_time_is_left_alone() -> None:
    counts = Counts()
    async with parrot(counts) as engine:
        child = await engine.child()

        with child.open() as long, child.open() as short:
            long.send(order("be slow"), b"long")
            long.expect(5.0)
            short.send(order("hello"), b"short")
            short.expect(0.05)
            heard = await hear_out(short)

        assert heard == b"short"
        assert counts.engine_restarts == {}


async def test_dropping_a_job_hurts_no_other() -> None:
    async with parrot() as engine:
        child = await engine.child()
        dropped = asyncio.create_task(repeat(child, "be slow", b"dropped"))
        kept = asyncio.create_task(repeat(child, "hello", b"kept"))
        await asyncio.sleep(0)

        dropped.cancel()

        assert await kept == b"kept"
        assert child.jobs == {}


async def test_what_a_library_prints_is_no_answer_and_reaches_nobody(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with parrot() as engine:
        child = await engine.child()

        heard = await repeat(child, "print", b"sound")

        assert heard == b"sound"
    assert capfd.readouterr() == ("", "")


async def test_an_answer_that_makes_no_sense_ends_the_child() -> None:
    async with parrot() as engine:
        with pytest.raises(ProviderFailed, match="its answer makes no sense"):
            await repeat(await engine.child(), "talk nonsense")


async def test_a_child_that_does_not_read_is_killed() -> None:
    async with parrot() as engine:
        child = await engine.child()
        os.kill(child.process.pid, signal.SIGSTOP)

        with child.open() as job:
            for _ in range(4):
                job.send(order("hello"), bytes(UNWRITTEN // 2))
            with pytest.raises(ProviderFailed, match="it does not read"):
                await job.receive()


async def test_an_engine_that_never_starts_is_tried_five_times_more_and_then_rests() -> None:
    counts = Counts()
    async with parrot(counts, "tests.providers.egg") as engine:
        with pytest.raises(ProviderFailed, match="No module named"):
            await engine.child()

        with pytest.raises(ProviderFailed, match="No module named"):
            await engine.child()

        assert counts.engine_restarts == {"parrot": 5}


async def test_one_who_gives_up_waiting_for_a_child_hurts_no_other() -> None:
    async with parrot() as engine:
        impatient = asyncio.create_task(engine.child())
        patient = asyncio.create_task(engine.child())
        await asyncio.sleep(0)

        impatient.cancel()

        assert await repeat(await patient, "", b"here") == b"here"


async def test_an_interrupt_from_the_keyboard_is_for_the_parent() -> None:
    async with parrot() as engine:
        child = await engine.child()

        os.kill(child.process.pid, signal.SIGINT)

        assert await repeat(child, "", b"still here") == b"still here"


@pytest.mark.parametrize("stopped", [False, True])
async def test_no_process_is_left_after_aclose(stopped: bool) -> None:
    async with parrot() as engine:
        pid = (await engine.child()).process.pid
        if stopped:
            os.kill(pid, signal.SIGSTOP)

        await engine.aclose()

        assert not psutil.pid_exists(pid)
        with pytest.raises(ProviderFailed, match="closed"):
            await engine.child()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_no_process_is_left_when_the_loop_is_closed(loop: str) -> None:
    runs = pytest.importorskip(loop, reason=f"{loop} is not made for this system")
    replies = msgspec.msgpack.Decoder(SpeakingReply)
    engine: Engine[SpeakingReply] = Engine("parrot", PARROT, replies, Counts())

    async def use() -> int:
        child = await engine.child()
        await repeat(child, "hello")
        return child.process.pid

    pid = runs.run(use())

    assert not psutil.pid_exists(pid)


PARENT: Final = f"""
import asyncio, msgspec
from mcp_voice.core.counts import Counts
from mcp_voice.providers.engine import Engine
from mcp_voice.providers.workers.messages import SpeakingReply

async def main():
    engine = Engine("parrot", {PARROT!r}, msgspec.msgpack.Decoder(SpeakingReply), Counts())
    print((await engine.child()).process.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_a_child_goes_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))

        parent.kill()

        for _ in range(500):
            if gone(child.pid):
                break
            Event().wait(0.01)
    assert gone(child.pid)
