"""A desk to call tools at: the real store, switchboard and calls, with twins for vendors and carriers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from jsonschema import Draft202012Validator
from pydantic_core import from_json

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.attendance import Absence
from mcp_voice.core.counts import Counts
from mcp_voice.media.calls import Calls
from mcp_voice.media.talks import Talks
from mcp_voice.ports import Bare, Desk, LiveCall, Talk
from mcp_voice.stores.memory import MemoryStore
from mcp_voice.stores.watched import Watched
from mcp_voice.tools.catalogue import Catalogue, gather
from tests.twins import Clock, Network, OpenGate, Vendors, loud

CATALOGUE: Final[Catalogue] = gather()


@dataclass
class Office:
    """A desk, and what a test sees of its surroundings."""

    desk: Desk
    clock: Clock
    vendors: Vendors
    network: Network
    calls: Calls
    gate: OpenGate
    _checked: dict[str, Draft202012Validator] = field(default_factory=dict)

    def talk(self, call: LiveCall) -> Talk:
        """Return a call's conversation."""
        return self.desk.talks.of(call.session_id)

    async def use(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Call a tool as the server does; return its answer as JSON says it.

        What it took and what it gave are checked against its schemas.
        """
        tool = CATALOGUE.get(name)
        assert tool is not None, name
        ask = tool.read(arguments)
        answer = await tool.body(ask, self.desk)
        said: dict[str, Any] = from_json(answer.__pydantic_serializer__.to_json(answer, by_alias=True))
        self._check(f"{name} asks", tool.input_schema, arguments)
        self._check(f"{name} answers", tool.output_schema, said)
        return said

    def _check(self, which: str, schema: dict[str, Any], value: Any) -> None:
        if which not in self._checked:
            Draft202012Validator.check_schema(schema)
            self._checked[which] = Draft202012Validator(schema)
        self._checked[which].validate(value)


@asynccontextmanager
async def an_office(
    vendors: Vendors | None = None,
    network: Network | None = None,
    media_url: str = "wss://voice.example.com/ws",
    absence: Absence | None = None,
    gate: OpenGate | None = None,
) -> AsyncIterator[Office]:
    """Open an office for as long as a test lasts."""
    vendors, network, clock = vendors or Vendors(), network or Network(), Clock()
    gate = gate or OpenGate()
    talks, counts = Talks(absence=absence), Counts()
    store = Watched(MemoryStore(), lambda session_id, listed: None, talks.written)
    async with Calls(
        store=store,
        providers=vendors,
        counts=counts,
        make_vad=lambda: loud,
        make_wire=TwilioWire,
        now=clock,
        talks=talks,
    ) as calls:
        desk = Desk(
            store=store,
            switchboard=calls,
            talks=talks,
            providers=vendors,
            carriers=network,
            counts=counts,
            make_vad=lambda: loud,
            media_url=media_url,
            sockets=Bare(media_url),
            now=clock,
            gate=gate,
        )
        try:
            yield Office(desk, clock, vendors, network, calls, gate)
        finally:
            await desk.aclose()
