"""Clients of one house, in both eras of the protocol, in memory and over HTTP."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from mcp import Client, types
from mcp.server.subscriptions import ResourceUpdated

from mcp_voice.core.session import Session, SessionConfig, begin
from mcp_voice.ports import utc_now
from mcp_voice.server import mcp
from mcp_voice.server.assembly import House, assemble
from mcp_voice.server.listeners import Listener, bind, listening, port_of
from mcp_voice.server.updates import Updates
from mcp_voice.settings import load

KINDS: Final = ("memory auto", "memory legacy", "http auto", "http legacy")


@asynccontextmanager
async def at_home(**given: Any) -> AsyncIterator[House]:
    """A house that keeps nothing, and rests less than others between its updates."""
    settings = load(store="memory:", media__vad="energy", **given)
    async with assemble(settings, public_port=1, updates=Updates(pause=0.02)) as house:
        yield house


@dataclass
class Visitor:
    """A client, and what it has been told has changed."""

    house: House
    client: Client
    told: list[str] = field(default_factory=list)
    _news: anyio.Event = field(default_factory=anyio.Event)

    def _tell(self, uri: str) -> None:
        self.told.append(uri)
        self._news.set()
        self._news = anyio.Event()

    @asynccontextmanager
    async def subscribed(self, *uris: str) -> AsyncIterator[None]:
        """Hear of these while the block runs, as clients of this era do."""
        if self.client.protocol_version < "2026":
            for uri in uris:
                params = types.SubscribeRequestParams(uri=uri)
                await self.client.session.send_request(
                    types.SubscribeRequest(params=params), types.EmptyResult
                )
            yield
            return
        async with (
            self.client.listen(resource_subscriptions=uris) as stream,
            anyio.create_task_group() as tasks,
        ):

            async def hear() -> None:
                async for event in stream:
                    assert isinstance(event, ResourceUpdated)
                    self._tell(event.uri)

            tasks.start_soon(hear)
            yield
            tasks.cancel_scope.cancel()

    async def hear(self, message: Any) -> None:
        """Take what a server of the 2025 era sends unasked; later ones use streams, and come here too."""
        legacy = self.client.protocol_version < "2026"
        if legacy and isinstance(message, types.ResourceUpdatedNotification):
            self._tell(message.params.uri)

    async def rest(self) -> None:
        """Let pass what was announced before, and what rested then."""
        await anyio.sleep(3 * self.house.updates.pause)

    async def until_told(self, uri: str) -> None:
        with anyio.fail_after(30):
            while uri not in self.told:
                await self._news.wait()


@asynccontextmanager
async def visiting(kind: str, house: House, path: str = "/mcp") -> AsyncIterator[Visitor]:
    """Visit a house in one of the `KINDS`."""
    where, _, mode = kind.partition(" ")
    visitor = Visitor(house, None)  # type: ignore[arg-type]  # the client is made a line below
    async with AsyncExitStack() as stack:
        target: Any = mcp.build(
            house.catalogue, house.desk, house.limiter, house.counts, updates=house.updates
        )
        if where == "http":
            bound = bind("127.0.0.1", 0, "private_port")
            target = f"http://127.0.0.1:{port_of(bound)}{path}"
            await stack.enter_async_context(listening(Listener(house.private, bound, lifespan=True)))
        visitor.client = await stack.enter_async_context(
            Client(target, mode=mode, message_handler=visitor.hear)
        )
        yield visitor


async def a_call(house: House, call_sid: str = "CA1", **fields: Any) -> Session:
    session = begin(call_sid, SessionConfig(), utc_now(), **fields)
    await house.store.add(session)
    return session
