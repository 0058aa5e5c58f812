"""Barge-in: from the frame that decides it to the `clear` handed to the socket.

A call of the real switchboard, held by hand, plays; a voice begins. Each frame
goes in when the one before it has been dealt with, so what is timed is ours
alone: hearing the frame, deciding, cutting the playback and spelling `clear`.
The frame itself, 20 ms of sound, is added: nobody can decide before it is over.
"""

import time
from statistics import quantiles
from typing import Any, Final

import anyio

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.audio import FRAME_MS, SILENCE_FRAME
from mcp_voice.core.counts import Counts
from mcp_voice.core.events import Audio, Play, Started
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.media.calls import Calls, HeldLeg
from mcp_voice.providers.vad import make_vad
from mcp_voice.simulator.sounds import load
from mcp_voice.stores.memory import MemoryStore
from tests.bench.rows import Bar, Row
from tests.twins import Listener, Vendors

PART: Final = "barge"
CLEAR_MS: Final = 60
SENTENCE: Final = b"\x21" * 8_000 * 6
"""Six seconds: longer than it takes to cut in."""


def run(*, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """Cut in many times."""
    times = anyio.run(_cuts, 40 if quick else 300)
    cents = quantiles(times, n=100)
    median, most = FRAME_MS + cents[49], FRAME_MS + cents[94]
    what = "the deciding frame → clear to the socket"
    return [
        Row(PART, f"{what}, p50", "ms", ours=median),
        Row(PART, f"{what}, p95", "ms", ours=most, bar=Bar("ours", "most", CLEAR_MS)),
    ], {}


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
