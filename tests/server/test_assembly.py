import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from mcp_voice.carriers.twilio.signature import signed
from mcp_voice.core.session import SessionConfig, begin
from mcp_voice.errors import Invalid, NotConfigured
from mcp_voice.ports import utc_now
from mcp_voice.server.assembly import House, assemble
from mcp_voice.server.listeners import Listener, bind, listening, port_of
from mcp_voice.settings import Settings, load
from mcp_voice.stores import open_store
from mcp_voice.tools.catalogue import gather
from tests.e2e.wire import begin as dial
from tests.e2e.wire import stop, talk

pytestmark = pytest.mark.anyio

SECRET = "canary-0123456789"


@asynccontextmanager
async def at_home(settings: Settings) -> AsyncIterator[tuple[House, str, str]]:
    """A house with both its listeners, in this process; yield it and their addresses."""
    public, private = (bind("127.0.0.1", 0, name) for name in ("public_port", "private_port"))
    async with assemble(settings, public_port=port_of(public)) as house:
        listeners = Listener(house.public, public), Listener(house.private, private, lifespan=True)
        async with listening(*listeners):
            yield house, f"127.0.0.1:{port_of(public)}", f"127.0.0.1:{port_of(private)}"


def settings(**given: Any) -> Settings:
    return load(**{"store": "memory:", "media__vad": "energy", **given})


async def structured(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    assert result.structured_content is not None
    return dict(result.structured_content)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_call_and_its_record_are_one_thing_from_both_sides(mode: Any) -> None:
    async with (
        at_home(settings()) as (house, public, private),
        Client(f"http://{private}/mcp/agent", mode=mode) as client,
    ):
        stream = await dial(public)
        while not len(house.calls):
            await anyio.lowlevel.checkpoint()
        live = (await structured(client, "session_get", callSid="CA1"))["session"]
        await stop(stream)
        while len(house.calls):
            await anyio.lowlevel.checkpoint()
        over = (await structured(client, "session_get", sessionId=live["sessionId"]))["session"]

    assert (live["status"], live["carrier"]) == ("active", "simulator")
    assert (over["status"], over["closeReason"]) == ("closed", "stop")
    assert house.counts.calls == 1
    assert house.counts.tool_calls == {"session.get": 2}


async def test_every_tool_is_on_one_address_and_an_agents_on_another() -> None:
    async with at_home(settings()) as (_, _, private):
        async with Client(f"http://{private}/mcp") as client:
            everything = [tool.name for tool in (await client.list_tools()).tools]
        async with Client(f"http://{private}/mcp/agent") as client:
            agents = [tool.name for tool in (await client.list_tools()).tools]

    assert len(everything) == len(gather())
    assert agents == [tool.underscored for tool in gather().toolset("agent")]


async def test_on_a_line_test_a_caller_hears_what_they_say() -> None:
    async with at_home(settings(media__loopback_echo=True)) as (_, public, _):
        stream = await dial(public)
        await talk(stream, bytes(range(160)))
        with anyio.fail_after(30):
            answer = json.loads(await stream.recv())
        await stop(stream)

    assert answer["event"] == "media"
    assert answer["streamSid"] == "MZCA1"


async def test_with_the_accounts_token_only_a_signed_socket_is_let_in() -> None:
    url = "https://voice.example.com"
    given = settings(twilio__auth_token=SECRET, public_url=url, twilio__tickets=False)
    good = signed("wss://voice.example.com/twilio/media", SECRET)
    forged = signed("wss://voice.example.com/twilio/media", "guess")
    async with at_home(given) as (house, public, _):
        for headers in ({}, {"x-twilio-signature": forged}, {"x-twilio-signature": ""}):
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://{public}/twilio/media", additional_headers=headers)
            assert refused.value.response.status_code == 403
        async with connect(f"ws://{public}/twilio/media", additional_headers={"x-twilio-signature": good}):
            pass

    assert house.desk.media_url == "wss://voice.example.com/twilio/media"


async def test_a_signed_socket_needs_a_ticket_that_nobody_has_used() -> None:
    given = settings(twilio__auth_token=SECRET, public_url="https://voice.example.com")
    async with at_home(given) as (house, public, _):
        session = begin("CA1", SessionConfig(), utc_now())
        await house.store.add(session)
        bare, ticket = house.entrance.socket(), house.desk.sockets.url(session)
        path = ticket.removeprefix(bare)
        signature = {"x-twilio-signature": signed(ticket, SECRET)}
        stream = await dial(f"{public}/twilio/media{path}", headers=signature)
        with anyio.fail_after(30):
            while not len(house.calls):
                await anyio.lowlevel.checkpoint()
        refused = []
        for at, headers in ((bare, {"x-twilio-signature": signed(bare, SECRET)}), (ticket, signature)):
            with pytest.raises(InvalidStatus) as answer:
                await connect(
                    at.replace("wss://voice.example.com", f"ws://{public}"), additional_headers=headers
                )
            refused.append(answer.value.response.status_code)
        await stop(stream)

    assert path.startswith("/")
    assert refused == [403, 403]
    assert house.counts.sessions_created == 0  # nobody has made one but this test


async def test_a_ticket_is_for_the_call_of_its_session() -> None:
    given = settings(twilio__auth_token=SECRET, public_url="https://voice.example.com")
    async with at_home(given) as (house, public, _):
        session = begin("CA1", SessionConfig(), utc_now())
        await house.store.add(session)
        ticket = house.desk.sockets.url(session)
        at = ticket.replace("wss://voice.example.com", public)
        stream = await dial(at, "CA2", headers={"x-twilio-signature": signed(ticket, SECRET)})
        with anyio.fail_after(30):
            await stream.wait_closed()
        record = await house.store.load(session.session_id)

    assert stream.close_code == 1003
    assert record == session
    assert house.counts.sessions_created == 0


async def test_a_house_that_drains_says_so() -> None:
    async with at_home(settings()) as (house, public, private), httpx2.AsyncClient() as web:
        before = await web.get(f"http://{private}/readyz")
        house.calls.draining = True
        after = await web.get(f"http://{private}/readyz")
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{public}/twilio/media")

    assert (before.status_code, after.status_code) == (200, 503)
    assert refused.value.response.status_code == 503


async def test_a_house_whose_store_has_failed_is_not_ready(tmp_path: Path) -> None:
    async with assemble(settings(store=f"sqlite:///{tmp_path}/calls.db"), public_port=1) as house:
        before = await house.readiness()
        await house.store.aclose()
        after = await house.readiness()

    assert before["ready"] is True
    assert after["ready"] is False


async def test_sessions_of_a_dead_process_are_closed_and_those_of_a_living_one_are_not(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/calls.db"
    store = open_store(url)
    left = begin("CA1", SessionConfig(), utc_now()).moved("start", utc_now(), stream_sid="MZ1")
    await store.add(left)
    await store.aclose()

    async with assemble(settings(store=url), public_port=1) as first:
        found = await first.store.load(left.session_id)
        mine = begin("CA2", SessionConfig(), utc_now()).moved("start", utc_now(), stream_sid="MZ2")
        await first.store.add(mine)
        async with assemble(settings(store=url), public_port=1) as second:
            still = await second.store.load(mine.session_id)

    assert found is not None
    assert (found.status, found.close_reason) == ("closed", "process_ended")
    assert still is not None
    assert still.status == "active"


async def test_idle_sessions_are_closed_while_the_house_stands() -> None:
    async with assemble(settings(sweep_seconds=0.01), public_port=1) as house:
        old = begin("CA1", SessionConfig(ttl=60), utc_now().replace(year=2020))
        await house.store.add(old)
        with anyio.fail_after(30):
            while not house.counts.sessions_timed_out:
                await anyio.lowlevel.checkpoint()

    assert house.counts.sessions_closed == 1


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "ws://127.0.0.1:9/twilio/media"),
        ({"host": "::1"}, "ws://[::1]:9/twilio/media"),
        ({"host": "0.0.0.0"}, "ws://127.0.0.1:9/twilio/media"),
        ({"public_url": "https://a.example/voice/"}, "wss://a.example/voice/twilio/media"),
        ({"public_url": "http://127.0.0.1:8080"}, "ws://127.0.0.1:8080/twilio/media"),
    ],
)
async def test_carriers_are_sent_where_they_can_reach_us(given: dict[str, str], url: str) -> None:
    async with assemble(settings(**given), public_port=9) as house:
        assert house.desk.media_url == url


async def test_the_settings_reach_the_calls() -> None:
    given = settings(
        media__max_calls=1, media__lead_ms=400, media__endpointing_ms=700, media__barge_in_ms=300
    )
    async with at_home(given) as (_, public, _):
        first = await dial(public)
        await talk(first, bytes(160))
        second = await dial(public, "CA2")
        with anyio.fail_after(30):
            await second.wait_closed()
        await stop(first)

    assert second.close_code == 1013


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ({"store": "redis://x"}, NotConfigured, "redis"),
        ({"limits__rpm": {"session.dial": 1}}, Invalid, "MCP_VOICE_LIMITS__RPM"),
        ({"speech__stt": "parrot"}, Invalid, "MCP_VOICE_SPEECH__STT"),
        ({"speech__tts": "pocketsphinx"}, Invalid, "MCP_VOICE_SPEECH__TTS"),
    ],
)
async def test_what_cannot_be_put_together_is_refused_by_its_name(
    given: dict[str, Any], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        async with assemble(settings(**given), public_port=1):
            pass


async def test_a_limit_that_is_set_is_the_one_that_counts() -> None:
    given = settings(limits__rpm={"session_get": 1})
    async with assemble(given, public_port=1) as house:
        await house.limiter.take("session.get", 1_000, ("me",))
        with pytest.raises(Exception, match=r"session\.get is at its limit"):
            await house.limiter.take("session.get", 1_000, ("me",))
