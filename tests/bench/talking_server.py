"""A media server that speaks, and whose loop is blocked on purpose.

The product's own calls, endpoint and listener, with two things added: a call is
spoken to as soon as it comes, and one that has `stalls` among its parameters
has the loop blocked that often, for `stallMs` each.

    python -m tests.bench.talking_server 375 500 speech

The arguments are how far ahead audio is sent, least and most, in milliseconds,
and what is said: one long `speech`, or a word in each of many `turns`.
"""

import json
import sys
from asyncio import get_running_loop
from time import perf_counter
from typing import Any, Final

import anyio
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.counts import Counts
from mcp_voice.core.events import Play, Started
from mcp_voice.core.playout import Lead
from mcp_voice.media.calls import Calls, Rules
from mcp_voice.media.endpoint import Endpoint
from mcp_voice.media.pump import Leg
from mcp_voice.providers import Registry
from mcp_voice.providers.counting import COUNTING, Counting
from mcp_voice.providers.vad import WebrtcVad
from mcp_voice.server.listeners import Listener, bind, listening, port_of, settle
from mcp_voice.simulator.sounds import load
from mcp_voice.stores.memory import MemoryStore
from tests.bench.load import PATH

FIRST: Final = 0.6
"""Seconds from a call's beginning to the first stall."""
BETWEEN: Final = 0.431
"""Seconds of rest between two stalls: no multiple of a frame, so each finds the lead at another length."""
SPEECH_SECONDS: Final = 60
TURN: Final = 1.1
"""Seconds from one word to the next; a word takes 0.6."""


class TalkativeCalls(Calls):
    """Speaks to each call at once, and stalls for those that ask for it."""

    says: str = "speech"

    async def open(self, *arguments: Any, **named: Any) -> Leg:
        """Take on a stream, as ever; then talk."""
        leg = await super().open(*arguments, **named)
        if self.says == "turns":
            self._converse(leg)
            return leg
        sound = load("book-a-table")
        leg.ask(Play(sound * (SPEECH_SECONDS * 8_000 // len(sound))))
        started: Started = arguments[0]
        seconds = int(started.parameters.get("stallMs", "0")) / 1_000
        for number in range(int(started.parameters.get("stalls", "0"))):
            get_running_loop().call_later(FIRST + number * (BETWEEN + seconds), block, seconds)
        return leg

    def _converse(self, leg: Leg) -> None:
        if leg.ended is None and not leg.over.is_set():
            leg.ask(Play(load("hello"), text="hello"))
            get_running_loop().call_later(TURN, self._converse, leg)


def block(seconds: float) -> None:
    """Keep the processor, and let nothing else of this process run."""
    until = perf_counter() + seconds
    while perf_counter() < until:
        pass


async def serve(lead: Lead, says: str) -> None:
    """Serve until the process is ended."""
    counts = Counts()
    calls = TalkativeCalls(
        store=MemoryStore(),
        providers=Registry(counts, hears=COUNTING, also={COUNTING: Counting()}),
        counts=counts,
        make_vad=WebrtcVad,
        make_wire=TwilioWire,
        rules=Rules(lead=lead),
    )
    calls.says = says
    bound = bind("127.0.0.1", 0, "public_port")
    async with calls:
        endpoint = Endpoint(calls, TwilioWire, counts)
        async with listening(Listener(Starlette(routes=[WebSocketRoute(PATH, endpoint)]), bound)):
            settle()
            sys.stderr.write(json.dumps({"event": "listening", "public": port_of(bound)}) + "\n")
            sys.stderr.flush()
            await anyio.sleep_forever()


if __name__ == "__main__":
    least, most = (int(argument) / 1_000 for argument in sys.argv[1:3])
    options = {"use_uvloop": sys.platform != "win32"}
    anyio.run(serve, Lead(least, most), sys.argv[3], backend_options=options)
