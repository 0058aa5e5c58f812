"""The switchboard of a test, and what surrounds it: the real store and wire, with scripted ears."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import anyio

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.counts import Counts
from mcp_voice.core.events import Audio, EarFailed, Started
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.errors import VoiceError
from mcp_voice.media.calls import Calls, HeldLeg, Rules
from mcp_voice.ports import SessionStore
from mcp_voice.stores.memory import MemoryStore
from tests.twins import Clock, Listener, Vendors, loud, sound

STARTED: Final = Started("MZ1", "CA1", parameters={"from": "+12025550142", "to": "+12025550100"})
UTTERANCE: Final = sound((True, 600), (False, 700))


@dataclass
class Room:
    """The switchboard of a test, and what surrounds it."""

    calls: Calls
    store: SessionStore
    counts: Counts
    clock: Clock
    vendors: Vendors = field(default_factory=Vendors)

    async def kinds(self, session_id: str) -> list[str]:
        return [entry.kind for entry in await self.store.entries(session_id)]

    async def errors(self, session_id: str) -> list[dict[str, object]]:
        return [dict(entry.data) for entry in await self.store.entries(session_id) if entry.kind == "error"]

    async def heard(self, session_id: str) -> list[object]:
        log = await self.store.entries(session_id)
        return [entry.data["text"] for entry in log if entry.kind == "final"]


@asynccontextmanager
async def a_room(
    *heard: FinalWords | EarFailed,
    store: SessionStore | None = None,
    refuses: VoiceError | None = None,
    breaks: Exception | None = None,
    broken: int | None = None,
    rules: Rules | None = None,
) -> AsyncIterator[Room]:
    store, counts, clock = store or MemoryStore(), Counts(), Clock()
    vendors = Vendors(listener=Listener(lines=heard, refuses=refuses, breaks=breaks, broken=broken))
    calls = Calls(
        store=store, providers=vendors, counts=counts, make_vad=lambda: loud, make_wire=TwilioWire,
        rules=rules, now=clock,
    )  # fmt: skip
    async with calls:
        yield Room(calls, store, counts, clock, vendors)


def talk(held: HeldLeg, audio: bytes = UTTERANCE) -> None:
    held.hear([Audio(audio[at : at + 160]) for at in range(0, len(audio), 160)])


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    with anyio.fail_after(seconds):
        while not condition():
            await anyio.lowlevel.checkpoint()
