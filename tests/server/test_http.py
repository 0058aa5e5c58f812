import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, MCPError
from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from mcp_voice.core.counts import Counts
from mcp_voice.errors import NotConfigured
from mcp_voice.ports import Desk
from mcp_voice.server import http
from mcp_voice.server.auth import Door
from mcp_voice.server.limits import Rates
from mcp_voice.server.listeners import Listener, bind, listening, port_of
from mcp_voice.server.mcp import build, mount
from mcp_voice.server.metrics import CONTENT_TYPE, Page
from tests.server.counter import CATALOGUE, Lines, desk

pytestmark = pytest.mark.anyio

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    },
}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
JSON = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@dataclass
class House:
    url: str
    desk: Desk
    counts: Counts
    ready: dict[str, Any]


@asynccontextmanager
async def private(token: str | None = None, more_hosts: tuple[str, ...] = ()) -> AsyncIterator[House]:
    counts = Counts()
    house = House("", desk(counts), counts, {"ready": True})
    limiter, page = Rates(), Page(counts)
    hosts, origins = http.hosts("127.0.0.1", more_hosts), http.origins(())
    everything = build(CATALOGUE, house.desk, limiter, counts)
    agent = build(CATALOGUE.toolset("agent"), house.desk, limiter, counts, names="underscore")

    async def readiness() -> dict[str, Any]:
        return house.ready

    app = http.private_app(
        [
            mount(everything, "/mcp", ["line.say", "line_say"], hosts=hosts, origins=origins),
            mount(agent, "/mcp/agent", ["line.say", "line_say"], hosts=hosts, origins=origins),
        ],
        lambda: Response(page.text(), media_type=CONTENT_TYPE),
        readiness,
        token,
    )
    bound = bind("127.0.0.1", 0, "private_port")
    house.url = f"http://127.0.0.1:{port_of(bound)}"
    async with listening(Listener(app, bound, lifespan=True)):
        yield house


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    async with private() as house:
        yield house


@pytest.fixture(scope="module")
async def web() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient() as web:
        yield web


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_one_address_has_every_tool_and_another_an_agents(house: House, mode: Any) -> None:
    async with Client(f"{house.url}/mcp", mode=mode) as client:
        everything = [tool.name for tool in (await client.list_tools()).tools]
        said = [await client.call_tool(name, {"words": "ahoy"}) for name in ("line.say", "line_say")]
    async with Client(f"{house.url}/mcp/agent", mode=mode) as client:
        agents = [tool.name for tool in (await client.list_tools()).tools]
        said += [await client.call_tool(name, {"words": "ahoy"}) for name in ("line.say", "line_say")]
        with pytest.raises(MCPError):
            await client.call_tool("line.hold", {})

    assert everything == ["line.say", "line.refuse", "line.crash", "line.hold", "line.rare"]
    assert agents == ["line_say", "line_refuse", "line_crash", "line_rare"]
    whole, lean = {"saidWords": "ahoy", "nothing": None}, {"saidWords": "ahoy"}
    assert [result.structured_content for result in said] == [whole, whole, lean, lean]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_hangs_up_stops_its_tool(house: House, mode: Any) -> None:
    lines = house.desk.drawer(Lines)
    lines.__init__()  # type: ignore[misc]  # nobody waits yet
    async with Client(f"{house.url}/mcp", mode=mode) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.call_tool, "line.hold", {})
        await lines.waiting.wait()
        tasks.cancel_scope.cancel()

    with anyio.fail_after(30):
        await lines.cancelled.wait()


async def test_callers_are_told_apart_by_address_and_share_a_limit_between_addresses(house: House) -> None:
    async with Client(f"{house.url}/mcp") as one, Client(f"{house.url}/mcp/agent") as two:
        answers = [await client.call_tool("line.rare", {"words": "x"}) for client in (one, two, one, two)]

    assert [bool(answer.is_error) for answer in answers] == [False, False, True, True]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost"}, 200),
        ({"host": "evil.example.com"}, 421),
        ({"origin": "http://localhost:3000"}, 200),
        ({"origin": "http://evil.example.com"}, 403),
        ({"origin": "null"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/mcp", "/mcp/agent"])
async def test_a_page_elsewhere_cannot_use_the_tools(
    house: House, web: httpx2.AsyncClient, path: str, headers: dict[str, str], status: int
) -> None:
    answer = await web.post(house.url + path, json=HELLO, headers=JSON | headers)

    assert answer.status_code == status


async def test_hosts_that_are_set_are_taken_too(web: httpx2.AsyncClient) -> None:
    async with private(more_hosts=("voice.example.com",)) as house:
        answer = await web.post(f"{house.url}/mcp", json=HELLO, headers=JSON | {"host": "voice.example.com"})

    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["line.say", "  line.say  ", "line.say\t"])
async def test_blanks_around_a_headers_value_are_not_part_of_it(house: House, name: str) -> None:
    body = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "line.say", "arguments": {"words": "ahoy"}, "_meta": ENVELOPE},
        }
    )
    lines = [
        "POST /mcp HTTP/1.1", "Host: localhost", "Connection: close", "Content-Type: application/json",
        "Accept: application/json, text/event-stream", "MCP-Protocol-Version: 2026-07-28",
        "Mcp-Method: tools/call", f"Mcp-Name: {name}", f"Content-Length: {len(body)}", "", body,
    ]  # fmt: skip

    async with await anyio.connect_tcp("127.0.0.1", int(house.url.rpartition(":")[2])) as stream:
        await stream.send("\r\n".join(lines).encode())
        answer = b"".join([part async for part in stream])

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"saidWords":"ahoy"' in answer


async def test_a_body_of_more_than_a_mebibyte_is_refused(house: House, web: httpx2.AsyncClient) -> None:
    body = json.dumps(HELLO | {"x": "x" * 1024 * 1024})

    assert (await web.post(f"{house.url}/mcp", content=body, headers=JSON)).status_code == 413


async def test_a_token_that_is_set_is_asked_for(web: httpx2.AsyncClient) -> None:
    wrong = (None, "Bearer wrong", "Bearer", "Basic s3cret", "Bearer s3cret-ünïcode2")
    async with private(token="s3cret-ünïcode") as house:
        for path in ("/mcp", "/mcp/agent", "/metrics", "/readyz"):
            for authorization in wrong:
                presented = {} if authorization is None else {b"authorization": authorization.encode()}
                refused = await web.post(house.url + path, json=HELLO, headers=presented)
                assert refused.status_code == 401
                assert refused.headers["www-authenticate"].startswith("Bearer")
        good = {b"authorization": "Bearer s3cret-ünïcode".encode()}
        headers = good | {name.encode(): value.encode() for name, value in JSON.items()}
        opened = [(await web.post(f"{house.url}/mcp", json=HELLO, headers=headers)).status_code]
        opened += [
            (await web.get(f"{house.url}{at}", headers=good)).status_code for at in ("/metrics", "/readyz")
        ]
        opened.append((await web.get(f"{house.url}/healthz")).status_code)

    assert opened == [200] * 4


async def test_metrics_are_told_as_prometheus_reads_them(house: House, web: httpx2.AsyncClient) -> None:
    async with Client(f"{house.url}/mcp") as client:
        await client.call_tool("line.say", {"words": "x"})

    answer = await web.get(f"{house.url}/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'mcp_tool_calls_total{tool="line.say"}' in answer.text


async def test_readiness_is_what_the_house_says(house: House, web: httpx2.AsyncClient) -> None:
    before = await web.get(f"{house.url}/readyz")
    house.ready = {"ready": False, "draining": True}
    draining = await web.get(f"{house.url}/readyz")
    house.ready = {"ready": True}

    assert (before.status_code, draining.status_code) == (200, 503)
    assert draining.json()["draining"] is True


async def test_a_socket_is_turned_away_while_the_house_drains(web: httpx2.AsyncClient) -> None:
    draining = False

    async def media(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())

    bound = bind("127.0.0.1", 0, "public_port")
    url = f"127.0.0.1:{port_of(bound)}"
    app = http.public_app([WebSocketRoute("/media", media)], lambda: draining)
    async with listening(Listener(app, bound)):
        async with connect(f"ws://{url}/media", compression="deflate") as socket:
            await socket.send("ahoy")
            assert await socket.recv() == "ahoy"
            assert socket.protocol.extensions == []  # no compression: a 15 KB frame could become 15 MB
        draining = True
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{url}/media")
        health = await web.get(f"http://{url}/healthz")

    assert refused.value.response.status_code == 503
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert "server" not in health.headers


async def test_a_server_that_cannot_refuse_with_http_closes_the_socket() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/media", "headers": []}
    await http.Barrier(http.public_app([], lambda: True), lambda: True)(scope, receive, send)
    await Door(http.public_app([], lambda: False), "s3cret")(scope, receive, send)

    assert [message["code"] for message in sent] == [1013, 1008]


async def test_a_port_that_is_taken_is_named_with_what_to_set() -> None:
    bound = bind("127.0.0.1", 0, "public_port")
    try:
        with pytest.raises(NotConfigured, match=rf"Port {port_of(bound)} .*MCP_VOICE_PUBLIC_PORT"):
            bind("127.0.0.1", port_of(bound), "public_port")
    finally:
        bound.close()


def test_a_host_that_is_none_is_refused() -> None:
    with pytest.raises(NotConfigured, match="MCP_VOICE_HOST"):
        bind("no such host", 0, "public_port")


def test_an_address_we_are_bound_to_is_a_host_and_every_address_is_not() -> None:
    assert "10.0.0.7:*" in http.hosts("10.0.0.7", ())
    assert "[fd00::1]:*" in http.hosts("fd00::1", ())
    assert http.hosts("0.0.0.0", ("a",)) == [*http.hosts("127.0.0.1", ()), "a"]
