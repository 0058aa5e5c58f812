import os
import signal
import sys

import anyio
import pytest

from mcp_voice.server.listeners import until_told

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals there"),
]


class Calls:
    """Live calls, and whether more are taken."""

    def __init__(self) -> None:
        self.draining = anyio.Event()
        self.over = anyio.Event()


async def told(calls: Calls, seconds: float, done: anyio.Event) -> None:
    await until_told(calls.draining.set, calls.over.wait, seconds)
    done.set()


def tell(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


async def test_a_signal_drains_and_the_last_call_ends_it() -> None:
    calls, done = Calls(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(told, calls, 60.0, done)
        await anyio.wait_all_tasks_blocked()
        assert not calls.draining.is_set()
        tell(signal.SIGTERM)
        await calls.draining.wait()
        await anyio.wait_all_tasks_blocked()
        assert not done.is_set()
        calls.over.set()
        with anyio.fail_after(30):
            await done.wait()


async def test_a_second_signal_does_not_wait_for_calls() -> None:
    calls, done = Calls(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(told, calls, 60.0, done)
        await anyio.wait_all_tasks_blocked()
        tell(signal.SIGINT)
        await calls.draining.wait()
        tell(signal.SIGTERM)
        with anyio.fail_after(30):
            await done.wait()


async def test_draining_ends_when_its_time_is_up() -> None:
    calls, done = Calls(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(told, calls, 0.01, done)
        await anyio.wait_all_tasks_blocked()
        tell(signal.SIGTERM)
        with anyio.fail_after(30):
            await done.wait()

    assert calls.draining.is_set()
