"""Turns: how long a caller waits for us.

A caller on a real socket says something and stops; a client that waits in
`telephony.listen` answers at once with `telephony.say`. What is counted begins
with the frame in which the silence is long enough, and ends with the first
audio at the caller's socket: everything but the wait that is configured, and,
as the ear and the voice have their answers ready, but the engines. The same is
then done with pocketsphinx and espeak-ng, from the caller's last sound on.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any, Final

import anyio

from mcp_voice.core.audio import frames
from mcp_voice.core.turns import Cue
from mcp_voice.simulator.sounds import load
from tests.bench import machine
from tests.bench.answering_server import ENGINES, PREPARED
from tests.bench.machine import Died, say
from tests.bench.rows import Bar, Row
from tests.bench.talker import Client, Talker

PART: Final = "turns"
CALLERS: Final = 3
OVERHEAD_MS: Final = 15
APART: Final = 0.31
"""Seconds between two callers' coming."""


@dataclass(slots=True)
class Times:
    """What was measured, in milliseconds."""

    decided: list[float] = field(default_factory=list)
    """From the frame in which the turn is over to our saying so."""
    sounded: list[float] = field(default_factory=list)
    """From our saying so to the first audio."""
    own: list[float] = field(default_factory=list)
    """Both."""
    ended: list[float] = field(default_factory=list)
    """From the last frame with a voice in it to our saying that the turn is over."""
    whole: list[float] = field(default_factory=list)
    """From that frame to the first audio."""
    trips: list[float] = field(default_factory=list)
    """A `telephony.listen` that waits for nothing."""


def run(*, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """Hold conversations."""
    prepared = _held(PREPARED, CALLERS, 4 if quick else 20)
    engines = _held(ENGINES, 1, 2 if quick else 10)
    return [
        *_rows(prepared),
        *_both("last voice to first audio, local engines", engines.whole),
    ], {}


def _held(which: str, callers: int, turns: int) -> Times:
    """Hold conversations with one of the servers."""
    with machine.server("-m", "tests.bench.answering_server", which) as server:
        return anyio.run(_all, server.public, server.private, callers, turns)


async def _all(public: int, private: int, callers: int, turns: int) -> Times:
    """Have all callers hold their conversations, each at times of its own."""
    times = Times()
    async with asyncio.TaskGroup() as calls:
        for number in range(callers):
            calls.create_task(_call(public, private, times, turns, number))
    return times


async def _call(public: int, private: int, times: Times, turns: int, number: int) -> None:
    chance = random.Random(number)
    await asyncio.sleep(APART * number)
    async with Talker(public) as talker, Client(private) as client:
        session = await session_of(client, talker)
        await _turn(talker, client, session, Times(), chance)  # what is imported or opened once
        for _ in range(turns):
            await _turn(talker, client, session, times, chance)
    say(f"turns: {turns} turns of one call")


async def session_of(client: Client, talker: Talker) -> str:
    """Return what the call is called here, once it is active."""
    for _ in range(50):
        try:
            found = await client.call("session.get", callSid=talker.line.names.call_sid)
        except Died:
            await asyncio.sleep(0.05)
            continue
        session = found.get("session", found)
        if session["status"] == "active":
            return str(session["sessionId"])
        await asyncio.sleep(0.05)
    raise Died("The call has no session.")


async def _turn(talker: Talker, client: Client, session: str, times: Times, chance: random.Random) -> None:
    """Say something, and be answered."""
    asked = time.monotonic()
    await client.call("telephony.listen", sessionId=session, waitSeconds=0)
    times.trips.append(1_000 * (time.monotonic() - asked))
    listening = asyncio.create_task(client.call("telephony.listen", sessionId=session, waitSeconds=10))
    await asyncio.sleep(0.05 + chance.random() * 0.02)
    talker.say(frames(load("hello")))
    heard = (await listening)["heard"]
    talker.heard_at = None
    await client.call("telephony.say", sessionId=session, text="word", then="return")
    first, over = await talker.until_heard(), talker.when(Cue.TURN_ENDED)
    times.own.append(1_000 * (first - over))
    times.whole.append(1_000 * (first - talker.voiced_at))
    told = heard[-1]["text"].split()[0] if heard else ""
    if told.isdigit():
        times.decided.append(1_000 * (int(told) / 1e9 - over))
        times.ended.append(1_000 * (int(told) / 1e9 - talker.voiced_at))
        times.sounded.append(1_000 * (first - int(told) / 1e9))


def _rows(times: Times) -> list[Row]:
    own = Bar("ours", "most", OVERHEAD_MS)
    trip = _p95(times.trips)
    return [
        *_both("last voice to our decision", times.ended),
        *_both("turn over to our decision", times.decided),
        *_both("decision to first audio, MCP client between", times.sounded),
        Row(PART, "own share of a turn, p50", "ms", _p50(times.own), _p50(times.trips)),
        Row(PART, "own share of a turn, p95", "ms", _p95(times.own), trip, own),
        *_both("MCP round trip, telephony.listen", times.trips),
    ]


def _both(what: str, values: Sequence[float]) -> list[Row]:
    return [Row(PART, f"{what}, p50", "ms", _p50(values)), Row(PART, f"{what}, p95", "ms", _p95(values))]


def _p50(values: Sequence[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[9] if len(values) > 1 else float("inf")


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[18] if len(values) > 1 else float("inf")
