import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError, types
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated, ServerEvent
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage

from mcp_voice.core.session import Session
from mcp_voice.ports import utc_now
from mcp_voice.server.assembly import House
from mcp_voice.server.mcp import build
from mcp_voice.server.updates import MOST_URIS, PAUSE, Updates
from tests.e2e.virtual import VirtualLoop, virtual_clocks
from tests.server.visitors import KINDS, Visitor, a_call, at_home, visiting
from tests.twins import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture(autouse=True)
async def clocks() -> AsyncIterator[None]:
    """Pauses are kept in virtual time: what rests on a slow machine rests no longer."""
    with virtual_clocks():
        yield


HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "deaf", "version": "1"},
}


async def touch(house: House, session: Session) -> None:
    await house.store.amend(session.session_id, lambda old: old.touched(utc_now()))


@asynccontextmanager
async def a_reader_of(kind: str, *below: str) -> AsyncIterator[tuple[Visitor, Session]]:
    """A client that has subscribed to a call, and is known to hear."""
    async with at_home() as house, visiting(kind, house) as visitor:
        session = await a_call(house)
        one = f"voice://sessions/{session.session_id}"
        async with visitor.subscribed(*(one + path for path in below)):
            with anyio.fail_after(30):
                while not visitor.told:  # a client of 2025 opens its ear a moment after its hello
                    await touch(house, session)
                    await anyio.sleep(0.01)
            await visitor.rest()
            visitor.told.clear()
            yield visitor, session


# ─── through a client ────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
async def test_who_subscribed_to_a_call_hears_that_it_changed_and_of_nothing_else(kind: str) -> None:
    async with a_reader_of(kind, "", "/transcript", "/events") as (visitor, session):
        house, one = visitor.house, f"voice://sessions/{session.session_id}"

        other = await a_call(house, "CA2")
        await touch(house, other)
        await touch(house, session)
        for path in ("", "/transcript", "/events"):
            await visitor.until_told(one + path)
        await visitor.rest()

        assert sorted(visitor.told) == [one, f"{one}/events", f"{one}/transcript"]


@pytest.mark.parametrize("kind", ["memory auto", "http legacy"])
async def test_what_a_client_reads_after_the_last_update_is_the_last_change(kind: str) -> None:
    async with a_reader_of(kind, "") as (visitor, session):
        began = time.monotonic()
        for _ in range(30):
            await touch(visitor.house, session)
            await anyio.sleep(0.002)
        took = time.monotonic() - began
        await visitor.rest()
        times = len(visitor.told)
        last = await visitor.house.store.load(session.session_id)
        read = await visitor.client.read_resource(f"voice://sessions/{session.session_id}")

        assert 2 <= times <= 2 + took / visitor.house.updates.pause
        assert last is not None
        assert isinstance(read.contents[0], types.TextResourceContents)
        assert f'"version":{last.version},' in read.contents[0].text


@pytest.mark.parametrize("kind", ["memory legacy", "http auto"])
async def test_the_list_is_announced_when_a_call_comes_and_when_it_ends_and_not_in_between(kind: str) -> None:
    async with (
        at_home() as house,
        visiting(kind, house) as visitor,
        visitor.subscribed("voice://sessions"),
    ):
        session = await a_call(house)
        with anyio.fail_after(30):
            while not visitor.told:
                session = await a_call(house)
                await anyio.sleep(0.01)
        await visitor.rest()
        visitor.told.clear()

        for _ in range(3):
            await touch(house, session)
        await visitor.rest()
        between = list(visitor.told)
        await visitor.client.call_tool("session.close", {"sessionId": session.session_id})
        await visitor.until_told("voice://sessions")

    assert between == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_client_that_has_left_is_forgotten(kind: str) -> None:
    async with at_home() as house:
        session = await a_call(house)
        async with visiting(kind, house) as visitor, visitor.subscribed("voice://sessions"):
            assert len(house.updates) == 1
        await until(lambda: not len(house.updates))

        await touch(house, session)  # and nobody minds


async def test_a_2025_connection_that_is_gone_is_not_kept_alive_by_its_wishes() -> None:
    async with (
        at_home() as house,
        visiting("memory legacy", house) as visitor,
        visitor.subscribed("voice://sessions"),
    ):
        connection = next(iter(house.updates._connections))
        connection.exit_stack.pop_all()  # as if it were never told to close
        del connection
    gc.collect()

    assert len(house.updates) == 0


async def test_a_2025_client_can_unsubscribe() -> None:
    async with a_reader_of("memory legacy", "", "/events") as (visitor, session):
        one = f"voice://sessions/{session.session_id}"
        params = types.UnsubscribeRequestParams(uri=one)
        await visitor.client.session.send_request(types.UnsubscribeRequest(params=params), types.EmptyResult)

        await touch(visitor.house, session)
        await visitor.until_told(f"{one}/events")

        assert visitor.told == [f"{one}/events"]


async def test_only_what_can_be_read_can_be_subscribed_to_and_not_without_end() -> None:
    async with at_home() as house, visiting("memory legacy", house) as visitor:
        with pytest.raises(MCPError) as refused:
            async with visitor.subscribed("voice://nonsense"):
                pass
        with pytest.raises(MCPError, match=str(MOST_URIS)):
            async with visitor.subscribed(*(f"voice://sessions/s{n}" for n in range(MOST_URIS + 1))):
                pass

    assert refused.value.code == types.INVALID_PARAMS
    assert refused.value.data["uri"] == "voice://nonsense"


async def test_a_server_without_updates_does_not_offer_them() -> None:
    async with at_home() as house:
        server = build(house.catalogue, house.desk, house.limiter, house.counts)
        async with Client(server) as client:
            resources = client.server_capabilities.resources

    assert resources is not None
    assert not resources.subscribe


async def test_streams_are_ended_by_the_house_and_not_dropped() -> None:
    async with (
        at_home() as house,
        visiting("http auto", house) as visitor,
        visitor.client.listen(resource_subscriptions=["voice://sessions"]) as stream,
    ):
        house.updates.close()
        with anyio.fail_after(30):
            events = [event async for event in stream]  # a stream that is dropped raises

    assert events == []


# ─── by itself ───────────────────────────────────────────────────────────────


class Listener:
    """Who hears everything, and when."""

    def __init__(self, updates: Updates) -> None:
        self.heard: list[tuple[float, ServerEvent]] = []
        self.stop = updates.subscribe(lambda event: self.heard.append((time.monotonic(), event)))

    def times(self, uri: str) -> list[float]:
        return [at for at, event in self.heard if event == ResourceUpdated(uri)]


async def test_a_session_is_announced_once_in_a_pause_and_its_last_change_always() -> None:
    updates = Updates()
    listener = Listener(updates)
    last = 0.0

    for n in range(200):
        updates.changed("a", False)
        if n % 3 == 0:
            updates.changed("b", False)
            last = time.monotonic()
        await anyio.sleep(0.001)
    last_a = time.monotonic()
    await anyio.sleep(2 * PAUSE)

    a, b = listener.times("voice://sessions/a"), listener.times("voice://sessions/b")
    assert all(len(times) <= 2 + (times[-1] - times[0]) / PAUSE for times in (a, b))
    assert b[-1] >= last
    assert a[-1] >= last_a - 0.002
    assert len(a) >= 2


async def test_one_change_is_announced_at_once_and_not_again() -> None:
    updates = Updates()
    listener = Listener(updates)

    updates.changed("a", True)
    before = len(listener.heard)
    await anyio.lowlevel.checkpoint()
    at_once = [event for _, event in listener.heard]
    await anyio.sleep(2 * PAUSE)

    assert before == 0  # nobody who commits waits for a listener
    assert at_once == [
        ResourceUpdated("voice://sessions/a"),
        ResourceUpdated("voice://sessions/a/transcript"),
        ResourceUpdated("voice://sessions/a/events"),
        ResourceUpdated("voice://sessions/a/recording"),
        ResourceUpdated("voice://sessions"),
        ResourcesListChanged(),
    ]
    assert len(listener.heard) == len(at_once)


async def test_nothing_is_kept_for_nobody() -> None:
    updates = Updates()
    listener = Listener(updates)
    listener.stop()

    for n in range(1_000):
        updates.changed(f"s{n}", True)
    await anyio.lowlevel.checkpoint()

    assert listener.heard == []
    assert not updates._resting


async def test_a_2025_client_that_does_not_read_holds_up_nobody_and_is_forgotten_too() -> None:
    async with (
        at_home() as house,
        visiting("memory legacy", house) as visitor,
        create_client_server_memory_streams() as ((read, write), theirs),
        anyio.create_task_group() as tasks,
    ):
        server = build(house.catalogue, house.desk, house.limiter, house.counts, updates=house.updates)
        tasks.start_soon(server.run, *theirs, server.create_initialization_options())
        for id, method, params in (
            (1, "initialize", HELLO),
            (2, "resources/subscribe", {"uri": "voice://sessions"}),
        ):
            request = types.JSONRPCRequest(jsonrpc="2.0", id=id, method=method, params=params)
            await write.send(SessionMessage(request))
            await read.receive()

        async with visitor.subscribed("voice://sessions"):  # the other has read for the last time
            for n in range(3):
                visitor.told.clear()
                await a_call(house, f"CA{n}")
                await visitor.until_told("voice://sessions")
            both = len(house.updates)
            await write.aclose()
            await until(lambda: len(house.updates) < both)

    assert both == 2
