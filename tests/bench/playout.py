"""Playout: what the caller hears of a loop that is blocked.

Simulated callers listen to one long speech while the server's loop is blocked
now and then. The simulator plays as Twilio does, and tells when it ran dry in
the middle: a gap. Each stall is heard by several callers, who find the lead at
different lengths. The floor is the same server sending at most 40 ms ahead,
which is what a server without a lead comes to: it shows that gaps are found.

Then many calls are spoken to word by word, and none may be lost: timers of both
sides meet there in every order.
"""

from asyncio import TaskGroup
from typing import Final

import anyio

from mcp_voice.settings import Media
from mcp_voice.simulator.caller import Caller
from tests.bench import machine
from tests.bench.load import PATH, Load
from tests.bench.machine import say
from tests.bench.rows import Bar, Row
from tests.bench.talking_server import BETWEEN, FIRST

PART: Final = "playout"
SERVER: Final = ("-m", "tests.bench.talking_server")
STALLS_MS: Final = (60, 100, 300)
CALLERS: Final = 4
TALKS: Final = 150
A_SECOND: Final = 100
APART: Final = 0.023
"""Seconds between two callers' coming: no multiple of a frame."""
NO_LEAD_MS: Final = (10, 40)


def run(*, quick: bool) -> tuple[list[Row], dict[str, object]]:
    """Count gaps for each length of stall, with our lead and without one; and calls lost in conversation."""
    stalls = 2 if quick else 4
    most = Media().lead_ms
    ahead = (most * 3 // 4, most)  # as `server/assembly.py` has it
    ours = _gaps(ahead, stalls)
    floor = _gaps(NO_LEAD_MS, 2)
    lost = _lost(ahead, 3 if quick else 8)
    none = Bar("ours", "most", 0)
    rows = [Row(PART, f"gaps heard a stall of {ms} ms", "", ours[ms], floor[ms], none) for ms in STALLS_MS]
    rows.append(Row(PART, f"calls lost, of {TALKS} in conversation", "", lost, bar=none))
    return rows, {"stalls_heard": stalls * CALLERS}


def _gaps(lead_ms: tuple[int, int], stalls: int) -> dict[int, float]:
    """Return the gaps that a caller hears for each stall, by its length."""
    found = {}
    with machine.server(*SERVER, *map(str, lead_ms), "speech") as server:
        for ms in STALLS_MS:
            gaps = anyio.run(_listen, server.public, ms, stalls)
            found[ms] = gaps / (stalls * CALLERS)
            ahead = "-".join(map(str, lead_ms))
            say(f"playout: {ahead} ms ahead, {stalls} stalls of {ms} ms, {CALLERS} callers: {gaps} gaps")
    return found


def _lost(lead_ms: tuple[int, int], seconds: float) -> int:
    """Speak to many calls, a word a second; return how many do not last."""
    with machine.server(*SERVER, *map(str, lead_ms), "turns") as server:
        load = Load(server.public)
        load.grow(TALKS, A_SECOND)
        load.run(seconds)
        lost = TALKS - len(load)
        why = f": {server.complaint()}" if lost else ""
        say(f"playout: {lost} of {TALKS} calls lost in {seconds} s of conversation{why}")
        load.close()
    return lost


async def _listen(port: int, ms: int, stalls: int) -> int:
    """Call, and be stalled; return how many gaps all the callers heard."""
    seconds = FIRST + stalls * (BETWEEN + ms / 1_000)
    asks = {"stallMs": str(ms), "stalls": str(stalls)}
    async with TaskGroup() as calls:
        listening = [
            calls.create_task(_call(port, seconds, number * APART, {} if number else asks))
            for number in range(CALLERS)
        ]
    return sum(task.result() for task in listening)


async def _call(port: int, seconds: float, after: float, parameters: dict[str, str]) -> int:
    await anyio.sleep(after)
    async with Caller(f"ws://127.0.0.1:{port}{PATH}", parameters=parameters) as caller:
        await anyio.sleep(seconds)
        report = caller.report()
    if not report.agent_talks:
        raise machine.Died("A caller heard nothing.")
    return len(report.of("gap"))
