"""A call goes through: the real program, a simulated caller, real engines, a real MCP client."""

import asyncio
import base64
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from websockets.asyncio.client import connect

from examples.book_a_table import Agent, Booking
from mcp_voice.core.g711 import MULAW
from mcp_voice.simulator.caller import Caller
from mcp_voice.simulator.line import Names
from tests.e2e.processes import environment, running
from tests.wires.test_twilio import MEDIA

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        find_spec("pocketsphinx") is None or find_spec("espeakng_loader") is None,
        reason="the engines of the extra `local` are not installed",
    ),
]

SERVE = ("serve", "--public-port", "0", "--private-port", "0", "--vad", "webrtc", "--store")


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_the_callers_words_reach_a_client_and_its_answer_reaches_the_caller(
    era: Any, tmp_path: Path
) -> None:
    async with running(*SERVE, f"sqlite:///{tmp_path}/calls.db") as program:
        ports = await program.event("listening")
        names = Names()
        async with Client(f"http://127.0.0.1:{ports['private']}/mcp", mode=era) as client:
            agent = Agent(client)
            await agent.connect(names.call_sid, "+12025550142", "+12025550100")
            url = f"ws://127.0.0.1:{ports['public']}/twilio/media"
            async with Caller(url, parameters={"sessionId": agent.session_id}, names=names) as caller:
                await caller.say("for-four")
                words = await heard(agent)
                await agent.say("For which day?")
                talk = await caller.until_spoken_to(timeout=10)
                await agent.hang_up("Goodbye.")
                end = await caller.until_hung_up(timeout=10)
            session = await closed(agent)

    report = caller.report()
    assert words == "for four people please"
    assert talk is not None
    assert loudness(report.agent_sound) > 500
    assert report.faults == ()
    assert end is not None
    assert (end.by, end.reason) == ("agent", "completed")
    assert (session["status"], session["closeReason"]) == ("closed", "completed")
    [turn] = session["turns"]
    assert turn["userUtterance"] == "for four people please"
    assert turn["agentResponse"] == "For which day? Goodbye."
    assert turn["latencyMs"] > 0


async def closed(agent: Agent) -> dict[str, Any]:
    """Wait until the session is closed: its record is finished a moment after the call."""
    with anyio.fail_after(30):
        while True:
            session: dict[str, Any] = (await agent.use("session.get", sessionId=agent.session_id))["session"]
            if session["status"] == "closed":
                return session


async def heard(agent: Agent) -> str:
    """Wait for the caller's next final words."""
    with anyio.fail_after(120):  # dictation takes its time on a busy machine
        async for event in agent.events():
            if event["kind"] == "final":
                return str(event["data"]["text"])
    return ""


def loudness(sound: bytes) -> float:
    """The largest sample, of 32 768."""
    return float(max(map(abs, memoryview(MULAW.decode(sound)).cast("h")), default=0))


async def test_bad_sockets_harm_neither_the_process_nor_another_call(tmp_path: Path) -> None:
    async with running(*SERVE, f"sqlite:///{tmp_path}/calls.db") as program:
        ports = await program.event("listening")
        url = f"ws://127.0.0.1:{ports['public']}/twilio/media"
        async with Client(f"http://127.0.0.1:{ports['private']}/mcp") as client, Caller(url) as honest:
            async with asyncio.TaskGroup() as attackers:
                for attack in (rubbish, silence_for_ever, a_megabyte, abrupt_loss, foreign_stream):
                    attackers.create_task(attack(url))
                attackers.create_task(honest.say("for-four"))
            agent = Agent(client, session_id="")
            found = await agent.use("session.get", callSid=honest.line.names.call_sid)
            agent.session_id = found["session"]["sessionId"]
            words = await heard(agent)
        alive = program.process.returncode is None

    assert words == "for four people please"
    assert alive
    assert "Traceback" not in program.told, program.told


async def rubbish(url: str) -> None:
    async with connect(url) as socket:
        for message in ("not json", b"\x00\x01", "{}", '{"event":"novelty"}', json.dumps(MEDIA)):
            await socket.send(message)


async def silence_for_ever(url: str) -> None:
    async with connect(url) as socket:
        with anyio.fail_after(30):
            await socket.wait_closed()
        assert socket.close_code == 1008


async def a_megabyte(url: str) -> None:
    async with connect(url) as socket:
        await socket.send(json.dumps({"event": "media", "x": base64.b64encode(bytes(750_000)).decode()}))
        with anyio.fail_after(30):
            await socket.wait_closed()
        assert socket.close_code == 1009


async def abrupt_loss(url: str) -> None:
    caller = Caller(url)
    async with caller:
        await caller.silence(0.2)
        await caller.drop()


async def foreign_stream(url: str) -> None:
    async with Caller(url) as caller:
        await caller._socket.send(json.dumps(MEDIA | {"streamSid": "MZ" + "e" * 32}))
        await caller.silence(0.2)


async def test_the_example_waits_for_a_call_and_says_how_to_make_one(tmp_path: Path) -> None:
    async with running(*SERVE, "memory:") as program:
        ports = await program.event("listening")
        example = await anyio.open_process(
            [sys.executable, "examples/book_a_table.py", "--url", f"http://127.0.0.1:{ports['private']}/mcp"],
            env=environment(PYTHONUNBUFFERED="1"),
        )
        try:
            assert example.stdout is not None
            with anyio.fail_after(20):
                told = (await example.stdout.receive()).decode()
        finally:
            example.kill()
            await example.wait()
            await example.aclose()

    assert "mcp-voice simulate --url" in told


@pytest.mark.parametrize(
    ("words", "booking"),
    [
        ("for four people please", Booking(party=4)),
        ("tomorrow at seven o'clock", Booking(day="tomorrow", time="seven o'clock")),
        ("my name is smith", Booking(name="Smith")),
        ("good evening i would like to book a table", Booking()),
    ],
)
def test_the_examples_rules_understand_what_a_caller_says(words: str, booking: Booking) -> None:
    understood = Booking()

    assert understood.understand(words) == (booking != Booking())
    assert understood == booking
