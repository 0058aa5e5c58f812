"""A server as shipped, with an ear and a voice that take no time.

The product's own calls, endpoint, desk and MCP server, behind two listeners.
With `prepared` the ear knows at once what was said, namely when it was asked
(nanoseconds of `time.monotonic`, so that a client learns when the turn ended),
and the voice has its sound ready. With `engines` they are pocketsphinx and
espeak-ng.

    python -m tests.bench.answering_server prepared
"""

import json
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from typing import Final

import anyio
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import WebSocketRoute

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.counts import Counts
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.playout import Lead
from mcp_voice.media.calls import Calls, Rules
from mcp_voice.media.endpoint import Endpoint
from mcp_voice.media.talks import Talks
from mcp_voice.ports import Desk, EarConfig, VoiceConfig
from mcp_voice.providers import Registry
from mcp_voice.providers.counting import CountingEar
from mcp_voice.providers.vad import WebrtcVad
from mcp_voice.server import http, mcp
from mcp_voice.server.limits import Rates
from mcp_voice.server.listeners import Listener, bind, listening, port_of, settle
from mcp_voice.settings import Media
from mcp_voice.simulator.sounds import load
from mcp_voice.stores.memory import MemoryStore
from mcp_voice.stores.watched import Watched
from mcp_voice.tools.catalogue import Catalogue, gather
from tests.bench.load import PATH
from tests.bench.tool_server import OFTEN

PREPARED: Final = "prepared"
ENGINES: Final = "engines"
LONG: Final = "long"
"""A text that takes `LONG_SECONDS` to say; any other takes as long as a short word."""
LONG_SECONDS: Final = 20
SHORT_BYTES: Final = 800


class PromptEar(CountingEar):
    """Knows at once what was said. Implements `ports.Ear`."""

    def finalize(self) -> None:
        """Say when it was asked."""
        self.latency_ms = 0
        self._said.put_nowait(FinalWords(f"{time.monotonic_ns()} nanoseconds", 1.0))


class Prepared:
    """Has all its words and sounds ready. Implements `ports.Hears` and `ports.Speaks`."""

    name = PREPARED
    continuous = False

    def __init__(self) -> None:
        sound = load("book-a-table")
        self._long = sound * (1 + LONG_SECONDS * 8_000 // len(sound))
        self._short = sound[len(sound) // 4 :][:SHORT_BYTES]

    async def listen(self, config: EarConfig) -> PromptEar:
        """Open an ear, whatever the language."""
        return PromptEar()

    async def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[bytes, None]:
        """Yield what is ready."""
        yield self._long if text == LONG else self._short

    async def voices(self) -> Sequence[str]:
        """It has one."""
        return (PREPARED,)


async def serve(which: str) -> None:
    """Serve until the process is ended."""
    counts, talks = Counts(), Talks()
    ready = which == PREPARED
    providers = Registry(
        counts,
        hears=PREPARED if ready else "local",
        speaks=PREPARED if ready else "local",
        also={PREPARED: Prepared()},
    )
    store = Watched(MemoryStore(), lambda session_id, listed: None, talks.written)
    lead = Media().lead_ms / 1_000
    calls = Calls(
        store=store, providers=providers, counts=counts, make_vad=WebrtcVad, make_wire=TwilioWire,
        talks=talks, rules=Rules(lead=Lead(lead * 0.75, lead)),
    )  # fmt: skip
    desk = Desk(
        store=store, switchboard=calls, talks=talks, providers=providers, carriers={}, counts=counts,
        make_vad=WebrtcVad, media_url="ws://127.0.0.1/",
    )  # fmt: skip
    async with AsyncExitStack() as stack:
        stack.push_async_callback(providers.aclose)
        await stack.enter_async_context(calls)
        stack.push_async_callback(desk.aclose)
        public, private = (bind("127.0.0.1", 0, name) for name in ("public_port", "private_port"))
        media = Starlette(routes=[WebSocketRoute(PATH, Endpoint(calls, TwilioWire, counts))])
        await stack.enter_async_context(listening(Listener(media, public)))
        tools = _tools(gather(), desk, counts)
        await stack.enter_async_context(listening(Listener(tools, private, lifespan=True)))
        settle()
        told = {"event": "listening", "public": port_of(public), "private": port_of(private)}
        sys.stderr.write(json.dumps(told) + "\n")
        sys.stderr.flush()
        await anyio.sleep_forever()


def _tools(catalogue: Catalogue, desk: Desk, counts: Counts) -> Starlette:
    """The tools, as `server/assembly.py` serves them, without a limit of how often."""
    server = mcp.build(catalogue, desk, Rates({tool.name: OFTEN for tool in catalogue}), counts)
    often = [name for tool in catalogue if tool.rpm >= 1_000 for name in (tool.name, tool.underscored)]
    mounted = mcp.mount(server, "/mcp", often, hosts=http.hosts("127.0.0.1", ()), origins=http.origins(()))

    async def ready() -> dict[str, object]:
        return {"ready": True}

    return http.private_app([mounted], lambda: Response(), ready, None)


if __name__ == "__main__":
    anyio.run(serve, sys.argv[1], backend_options={"use_uvloop": sys.platform != "win32"})
