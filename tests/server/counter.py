"""A small shop to try the protocol on: a desk with nobody behind it, and five tools."""

import asyncio
from typing import Annotated, Any

from pydantic import Field

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.audio import TELEPHONE
from mcp_voice.core.counts import Counts
from mcp_voice.core.voice import EnergyVad
from mcp_voice.errors import Invalid, NotConfigured, Refused
from mcp_voice.media.calls import Calls
from mcp_voice.media.talks import Talks
from mcp_voice.ports import Carrier, Desk, Hears, Speaks
from mcp_voice.stores.memory import MemoryStore
from mcp_voice.tools.catalogue import Answer, Arguments, Catalogue, Tool


class Nobody:
    """Vendors and carriers of a machine that has none."""

    def ear(self, name: str | None = None) -> Hears:
        raise NotConfigured("Nothing hears here.")

    def voice(self, name: str | None = None) -> Speaks:
        raise NotConfigured("Nothing speaks here.")

    def names(self) -> dict[str, frozenset[str]]:
        return {}

    async def aclose(self) -> None:
        """There is nothing to end."""

    def __getitem__(self, name: str) -> Carrier:
        raise NotConfigured("Nobody carries here.")


def desk(counts: Counts | None = None) -> Desk:
    counts, store, nobody = counts or Counts(), MemoryStore(), Nobody()
    talks = Talks()
    calls = Calls(
        store=store, providers=nobody, counts=counts, make_vad=EnergyVad, make_wire=TwilioWire, talks=talks
    )
    return Desk(
        store=store,
        switchboard=calls,
        talks=talks,
        providers=nobody,
        carriers=nobody,
        counts=counts,
        make_vad=EnergyVad,
        media_url="ws://127.0.0.1:8765/twilio/media",
        audio=TELEPHONE,
    )


class Ask(Arguments):
    """What to say."""

    words: Annotated[str, Field(min_length=1, max_length=20, description="What to say.")]
    session_id: str | None = None
    times: Annotated[int, Field(ge=1)] = 1


class Said(Answer):
    """What was said."""

    said_words: str
    nothing: str | None = None


async def say(ask: Ask, desk: Desk) -> Said:
    """Say something. And no more."""
    return Said(said_words=ask.words * ask.times)


async def refuse(ask: Ask, desk: Desk) -> Said:
    """Never say anything."""
    raise Refused("The line is engaged.", advice="Try line.say.", since=TELEPHONE, times=ask.times)


async def crash(ask: Ask, desk: Desk) -> Said:
    """Fail as no tool should."""
    raise RuntimeError("secret of the house: +14155550123")


class Held(Arguments):
    """Nothing to ask."""


class Lines:
    """Who waits, and who was told to stop."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.cancelled = asyncio.Event()


async def hold(ask: Held, desk: Desk) -> Said:
    """Hold the line for ever."""
    lines = desk.drawer(Lines)
    lines.waiting.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        lines.cancelled.set()
        raise
    raise Invalid("nobody holds for ever")


def tool(name: str, body: Any, asks: type[Arguments] = Ask, *, rpm: int = 1_000, agent: bool = True) -> Tool:
    return Tool(
        name=name, title=name.title(), rpm=rpm, body=body, asks=asks, answers=Said, reads=name == "line.say",
        destroys=False, repeats=True, open_world=False, toolsets=frozenset({"agent"} if agent else {"media"}),
    )  # fmt: skip


CATALOGUE = Catalogue(
    {
        made.name: made
        for made in (
            tool("line.say", say),
            tool("line.refuse", refuse),
            tool("line.crash", crash),
            tool("line.hold", hold, Held, agent=False),
            tool("line.rare", say, rpm=2),
        )
    }
)
