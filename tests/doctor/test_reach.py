"""The public address, called from outside: servers of a test stand in for tunnels and proxies."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from mcp_voice.doctor.finding import Finding
from mcp_voice.doctor.reach import compared, reach, tried
from mcp_voice.server.listeners import Listener, bind, listening, port_of
from mcp_voice.settings import Settings

pytestmark = pytest.mark.anyio

MEDIA = "/twilio/media"


async def refusing(socket: WebSocket) -> None:
    await socket.close()


class Unknown:
    """What a proxy does that knows no WebSockets."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})


@asynccontextmanager
async def a_server(healthz: Response, *more: BaseRoute) -> AsyncIterator[str]:
    async def answer(_: Request) -> Response:
        return healthz

    with bind("127.0.0.1", 0, "public_port") as bound:
        app = Starlette(routes=[Route("/healthz", answer), *more])
        async with listening(Listener(app, bound)):
            yield f"http://127.0.0.1:{port_of(bound)}"


async def found(url: str, seal: str | None = "s1") -> dict[str, Finding]:
    return {finding.what: finding async for finding in tried(url, seal)}


async def test_an_address_that_leads_here_is_good_and_so_is_its_socket() -> None:
    async with a_server(JSONResponse({"status": "ok", "seal": "s1"}), WebSocketRoute(MEDIA, refusing)) as url:
        seen = await found(url)

    assert {what: finding.state for what, finding in seen.items()} == {
        "public address": "ok", "clock": "ok", "media socket": "ok",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("healthz", "told"),
    [
        (JSONResponse({"status": "ok", "seal": "s2"}), "leads to another machine"),
        (JSONResponse({"status": "ok"}), "leads to another machine"),
        (PlainTextResponse("Bad Gateway", status_code=502), "HTTP 502"),
        (PlainTextResponse("welcome to nginx"), "not as mcp-voice does"),
        (JSONResponse(["ok"]), "not as mcp-voice does"),
    ],
)
async def test_an_address_that_leads_elsewhere_is_bad(healthz: Response, told: str) -> None:
    async with a_server(healthz) as url:
        seen = await found(url)

    assert seen["public address"].state == "bad"
    assert told in seen["public address"].told
    assert seen["public address"].fix


async def test_a_proxy_that_passes_no_websockets_is_bad() -> None:
    async with a_server(
        JSONResponse({"status": "ok", "seal": "s1"}), WebSocketRoute(MEDIA, Unknown())
    ) as url:
        seen = await found(url)

    assert seen["public address"].state == "ok"
    assert seen["media socket"].state == "bad"
    assert "HTTP 404" in seen["media socket"].told


async def test_nobody_at_the_address_is_bad() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        seen = await found(f"http://127.0.0.1:{taken.getsockname()[1]}")

    assert seen["public address"].state == "bad"
    assert "cannot be reached" in seen["public address"].told


@pytest.mark.parametrize(
    ("date", "told"),
    [
        ("Sat, 21 Nov 2026 12:00:10 GMT", "right"),
        ("Sat, 21 Nov 2026 11:58:00 GMT", "120 s fast"),
        ("Sat, 21 Nov 2026 12:01:00 GMT", "60 s slow"),
        ("Sat, 21 Nov 2026 12:01:00 -0000", None),
        ("noon", None),
        (None, None),
    ],
)
async def test_our_clock_is_compared_with_theirs(date: str | None, told: str | None) -> None:
    finding = compared(date, datetime(2026, 11, 21, 12, tzinfo=UTC))

    assert (finding and finding.told) == told


@pytest.mark.parametrize(
    ("given", "state", "told"),
    [
        ({}, "warn", "Twilio cannot reach this machine"),
        ({"public_url": "http://voice.example.com"}, "bad", "not https"),
    ],
)
async def test_an_address_is_judged_before_it_is_called(given: dict[str, Any], state: str, told: str) -> None:
    [finding] = [each async for each in reach(Settings(**given))]

    assert finding.state == state
    assert told in finding.told
