"""Barge-in: from the frame that decides it to the `clear`.

On the wire: a caller on a real socket cuts in while a server in a process of its
own plays a long sentence; from sending the deciding frame to receiving `clear`.

In process: a call of the real switchboard, held by hand, plays; a voice begins.
Each frame goes in when the one before it has been dealt with, so what is timed is
ours alone: hearing the frame, deciding, cutting the playback and spelling `clear`.

The frame itself, 20 ms of sound, is added to both: nobody can decide before it is over.
"""

import time
from statistics import quantiles
from typing import Any, Final

import anyio

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.audio import FRAME_MS, SILENCE_FRAME, frames
from mcp_voice.core.counts import Counts
from mcp_voice.core.events import Audio, Play, Started
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.turns import Cue
from mcp_voice.media.calls import Calls, HeldLeg
from mcp_voice.providers.vad import make_vad
from mcp_voice.simulator.sounds import load
from mcp_voice.stores.memory import MemoryStore
from tests.bench import machine
from tests.bench.answering_server import LONG, PREPARED
from tests.bench.rows import Bar, Row
from tests.bench.talker import Client, Talker
from tests.bench.turns import session_of
from tests.twins import Listener, Vendors

PART: Final = "barge"
CLEAR_MS: Final = 60
CALLERS: Final = 3
SENTENCE: Final = b"\x21" * 8_000 * 6
"""Six seconds: longer than it takes to cut in."""


def run(*, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """Cut in many times."""
    with machine.server("-m", "tests.bench.answering_server", PREPARED) as server:
        wire = anyio.run(_calls, server.public, server.private, 6 if quick else 40)
    own = anyio.run(_cuts, 40 if quick else 300)
    return [
        *_rows("the deciding frame → clear on the wire", wire, Bar("ours", "most", CLEAR_MS)),
        *_rows("the deciding frame → clear to the socket, in process", own, None),
    ], {}


def _rows(what: str, times: list[float], bar: Bar | None) -> list[Row]:
    cents = quantiles(times, n=100, method="inclusive")
    return [
        Row(PART, f"{what}, p50", "ms", ours=FRAME_MS + cents[49]),
        Row(PART, f"{what}, p95", "ms", ours=FRAME_MS + cents[94], bar=bar),
    ]


# ─── on the wire ─────────────────────────────────────────────────────────────


async def _calls(public: int, private: int, count: int) -> list[float]:
    """Cut in so many times in each of three calls at once."""
    times: list[float] = []
    async with anyio.create_task_group() as calls:
        for _ in range(CALLERS):
            calls.start_soon(_call, public, private, count, times)
    return times


async def _call(public: int, private: int, count: int, times: list[float]) -> None:
    async with Talker(public) as talker, Client(private) as client:
        session = await session_of(client, talker)
        for _ in range(count):
            talker.heard_at = talker.cleared_at = None
            await client.call(
                "telephony.say", sessionId=session, text=LONG, then="return", ifCallerSpoke="speak"
            )
            await talker.until_heard()
            talker.agent(speaks=True)
            talker.say(frames(load("wait-stop")))
            cleared = await talker.until_cleared()
            times.append(1_000 * (cleared - talker.when(Cue.CUT_PLAYBACK)))
            talker.agent(speaks=False)
            await talker.until_silent()
            await client.call("telephony.listen", sessionId=session, waitSeconds=5)


# ─── in process ──────────────────────────────────────────────────────────────


async def _cuts(count: int) -> list[float]:
    vendors = Vendors(Listener([FinalWords("stop that please", 0.9)] * count))
    calls = Calls(
        store=MemoryStore(),
        providers=vendors,
        counts=Counts(),
        make_vad=make_vad("webrtc"),
        make_wire=TwilioWire,
    )  # fmt: skip
    async with calls:
        held = await calls.hold(Started("MZ1", "CA1"))
        return [await _cut(held) for _ in range(count)]


async def _cut(held: HeldLeg) -> float:
    """Play, let a voice cut in, and return how long the deciding frame took, in milliseconds."""
    voice = load("opening")
    held.ask(Play(SENTENCE, "a sentence that is cut"))
    took = await _feed(held, SILENCE_FRAME * 25)
    assert took is None
    took = await _feed(held, voice)
    assert took is not None, "a voice did not cut in"
    await _feed(held, SILENCE_FRAME * 60)
    return took


async def _feed(held: HeldLeg, sound: bytes) -> float | None:
    found = None
    for at in range(0, len(sound), len(SILENCE_FRAME)):
        began = time.perf_counter()
        held.hear([Audio(sound[at : at + len(SILENCE_FRAME)])])
        took = (time.perf_counter() - began) * 1_000
        if found is None and any(message["event"] == "clear" for message in held.outbound()):
            found = took
        await anyio.lowlevel.checkpoint()
    return found
