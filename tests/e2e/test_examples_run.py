"""Every example books a table: the real program, a simulated caller, each framework in its environment."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import ByteReceiveStream
from anyio.streams.text import TextReceiveStream
from mcp import Client

from mcp_voice.simulator.line import Names
from mcp_voice.simulator.report import CallReport
from mcp_voice.simulator.script import Listen, Say, UntilHungUp, place_call
from tests.e2e.processes import environment, running

ROOT = Path(__file__).parents[2]
FRAMEWORKS = ("langgraph_agent", "openai_agents", "pydantic_ai_agent")
SERVE = ("serve", "--public-port", "0", "--private-port", "0", "--store", "memory:")

SAID = {
    "for-four": "for four people please",
    "tomorrow": "tomorrow at seven o'clock",
    "my-name": "my name is smith",
    "yes": "yes please",
}
BOOKING = {"booked": True, "party": "four", "day": "tomorrow", "time": "seven", "name": "smith"}
PATIENCE = 60.0
"""Seconds that the caller waits for an answer, which takes two on a quiet machine."""

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("pocketsphinx") is None or find_spec("espeakng_loader") is None,
        reason="the engines of the extra `local` are not installed",
    ),
]


def python_of(framework: str) -> str:
    """Return the interpreter of a framework's environment; skip if there is none."""
    python = ROOT / "build" / "examples" / framework / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{framework} has no environment: run `make examples`")
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


async def call(url: str, tools: str) -> CallReport:
    """Be the caller, of whom is known what there is to say: so the local ear hears it well."""
    names = Names()
    config = {"phrases": [*SAID.values()]}
    async with Client(tools) as client:
        await warm(client, config)
        made = await client.call_tool("session.create", {"callSid": names.call_sid, "config": config})
    assert made.structured_content is not None
    lines = [step for name in SAID for step in (Listen(timeout=PATIENCE), Say(name))]
    here = {"sessionId": made.structured_content["sessionId"]}
    return await place_call(url, [*lines, UntilHungUp(timeout=PATIENCE)], parameters=here, names=names)


async def warm(client: Client, config: dict[str, Any]) -> None:
    """Open and close an ear: its engine has started then, which takes seconds on a busy machine."""
    with anyio.fail_after(4 * PATIENCE):
        while True:
            ear = await client.call_tool("stt.connect", {"config": {"sampleRate": 8_000, **config}})
            if ear.structured_content is not None:
                break
    await client.call_tool("stt.close", {"connectionId": ear.structured_content["connectionId"]})


async def booked(*command: str) -> dict[str, Any]:
    """Start a server, let an example wait for a call, and make one; return what the example printed."""
    example, status = Example(), -1

    async with running(*SERVE) as program:
        ports = await program.event("listening", PATIENCE)
        tools = f"http://127.0.0.1:{ports['private']}/mcp"
        with anyio.fail_after(6 * PATIENCE):
            async with anyio.create_task_group() as tasks:

                async def run() -> None:
                    nonlocal status
                    status = await example.run(*command, "--url", f"{tools}/agent")

                tasks.start_soon(run)
                await example.waits.wait()
                report = await call(f"ws://127.0.0.1:{ports['public']}/twilio/media", tools)

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
