"""Two apps: what a tunnel exposes, and what it must not.

The *public* one is for carriers: media sockets, webhooks, `/healthz`. The
*private* one has the tools: `/mcp` lists them all, dotted, and `/mcp/agent` an
agent's, underscored; beside them `/metrics`, `/readyz`, `/healthz`. They are
served on two ports (`listeners.py`), so no tunnel to the first reaches the
second.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeAlias

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_voice.server.auth import Door
from mcp_voice.server.mcp import Running
from mcp_voice.settings import is_loopback

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
ANY: Final = frozenset({"0.0.0.0", "::"})
TRY_LATER: Final = 1013  # IANA WebSocket close codes

Readiness: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Mounted: TypeAlias = tuple[Route, Running]


def public_app(routes: Sequence[BaseRoute], draining: Callable[[], bool]) -> Starlette:
    """Serve carriers: the routes given, and `/healthz`."""
    return Starlette(
        routes=[*routes, Route("/healthz", _healthz)], middleware=[Middleware(Barrier, draining=draining)]
    )


def private_app(
    mounted: Sequence[Mounted],
    metrics: Callable[[], Response],
    readiness: Readiness,
    token: str | None,
    more: Sequence[BaseRoute] = (),
) -> Starlette:
    """Serve clients: MCP, metrics, readiness; behind a token if there is one."""

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for _route, run in mounted:
                await stack.enter_async_context(run())
            yield

    async def page(_: Request) -> Response:
        return metrics()

    async def readyz(_: Request) -> Response:
        found = await readiness()
        return JSONResponse(dict(found), status_code=200 if found["ready"] else 503)

    return Starlette(
        routes=[
            *(route for route, _ in mounted),
            Route("/metrics", page),
            Route("/healthz", _healthz),
            Route("/readyz", readyz),
            *more,
        ],
        middleware=[Middleware(Door, token=token)] if token else [],
        lifespan=running,
    )


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


class Barrier:
    """Turns new sockets away while the process drains: HTTP 503, before anything is accepted."""

    def __init__(self, app: ASGIApp, draining: Callable[[], bool]) -> None:
        self.app = app
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket" or not self._draining():
            await self.app(scope, receive, send)
        elif "websocket.http.response" in scope.get("extensions", {}):
            headers = [(b"retry-after", b"1")]
            await send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
            await send({"type": "websocket.http.response.body", "body": b""})
        else:
            await send({"type": "websocket.close", "code": TRY_LATER})


def address(bound: str, port: int) -> str:
    """Where somebody on this machine, or in its network, reaches a listener: `http://127.0.0.1:8766`."""
    host = LOOPBACK[0] if bound in ANY else bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def hosts(bound: str, more: Sequence[str]) -> list[str]:
    """Host headers that the MCP endpoints take: loopback, the address they are bound to, and those set."""
    own = [] if bound in ANY or is_loopback(bound) else [f"[{bound}]" if ":" in bound else bound]
    return [name for host in (*LOOPBACK, *own) for name in (host, f"{host}:*")] + list(more)


def origins(more: Sequence[str]) -> list[str]:
    """Origin headers that the MCP endpoints take: pages of this machine, and those set."""
    return [name for host in LOOPBACK for name in (f"http://{host}", f"http://{host}:*")] + list(more)
