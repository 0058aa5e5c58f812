"""Every example books a table: over real sockets with a simulated caller, each framework in its environment.

Caller and agent speak as parrots do: what a recogniser makes of a voice is not asked here.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import ByteReceiveStream
from anyio.streams.text import TextReceiveStream

from mcp_voice.simulator.script import Listen, Say, UntilHungUp, place_call
from tests.e2e.parrot import Parrot
from tests.e2e.processes import environment
from tests.e2e.rehearsing import a_house_of_parrots

ROOT = Path(__file__).parents[2]
FRAMEWORKS = ("langgraph_agent", "openai_agents", "pydantic_ai_agent")

SAID = ("for four people please", "tomorrow at seven o'clock", "my name is smith", "yes please")
BOOKING = {"booked": True, "party": "four", "day": "tomorrow", "time": "seven", "name": "smith"}
PATIENCE = 60.0
"""Seconds that the caller waits for an answer, which takes two on a quiet machine."""

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def python_of(framework: str) -> str:
    """Return the interpreter of a framework's environment; skip if there is none, but for CI."""
    python = ROOT / "build" / "examples" / framework / "bin" / "python"
    if not python.exists():
        (pytest.fail if "CI" in os.environ else pytest.skip)(
            f"{framework} has no environment: run `make examples`"
        )
    return str(python)


class Example:
    """A running example; what it prints is kept."""

    def __init__(self) -> None:
        self.printed = self.told = ""
        self.waits = anyio.Event()

    async def run(self, *command: str) -> int:
        """Run it to its end; return the exit status."""
        async with await anyio.open_process(command, cwd=ROOT, env=environment(), stdin=None) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._print, process.stdout)
                tasks.start_soon(self._tell, process.stderr)
            return await process.wait()

    async def _print(self, stream: ByteReceiveStream) -> None:
        async for text in TextReceiveStream(stream):
            self.printed += text

    async def _tell(self, stream: ByteReceiveStream) -> None:
        async for text in TextReceiveStream(stream):
            self.told += text
            if "Waiting for a call." in self.told:
                self.waits.set()
        self.waits.set()


async def booked(*command: str) -> dict[str, Any]:
    """Let an example wait for a call, and make one; return what the example printed."""
    example, parrot, status = Example(), Parrot(), -1
    lines = [step for text in SAID for step in (Listen(PATIENCE), Say(parrot.sound(text)))]

    async with a_house_of_parrots(parrot) as (_, public, private):
        with anyio.fail_after(6 * PATIENCE):
            async with anyio.create_task_group() as tasks:

                async def run() -> None:
                    nonlocal status
                    status = await example.run(*command, "--url", f"http://{private}/mcp/agent")

                tasks.start_soon(run)
                await example.waits.wait()
                report = await place_call(f"ws://{public}/twilio/media", [*lines, UntilHungUp(PATIENCE)])

    assert status == 0, example.told
    assert (report.end.by, report.faults) == ("agent", ())
    printed: dict[str, Any] = json.loads(example.printed)
    return printed


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_an_agent_of_a_framework_books_a_table(framework: str) -> None:
    python = python_of(framework)

    report = await booked(python, "-m", f"examples.{framework}.main")

    assert report == BOOKING


@pytest.mark.parametrize(("era", "patience"), [("legacy", "35"), ("auto", "35"), ("auto", "2")])
async def test_a_plain_client_books_a_table_in_both_eras_and_if_it_does_not_wait(
    era: str, patience: str
) -> None:
    report = await booked(sys.executable, "-m", "examples.raw_client", "--era", era, "--patience", patience)

    assert report == BOOKING | {"status": "closed"}
