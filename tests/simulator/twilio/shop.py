"""A customer of Twilio's on real sockets, made with nothing of the product, and its network."""

import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import anyio
import anyio.lowlevel
import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from mcp_voice.server.listeners import Listener, bind, listening, port_of
from mcp_voice.simulator.casting import PREFIX, cast
from mcp_voice.simulator.persona import Persona
from mcp_voice.simulator.twilio import calls
from mcp_voice.simulator.twilio.account import Account
from mcp_voice.simulator.twilio.api import app
from mcp_voice.simulator.twilio.exchange import Exchange
from tests.simulator.twilio.network import OURS, SID, somebody

TOKEN = "0123456789abcdef0123456789abcdef"
PATIENCE = 30.0

Socket = Callable[[WebSocket], Awaitable[None]]


async def until(holds: Callable[[], bool]) -> None:
    """Look every hundredth of a second until something holds."""
    with anyio.fail_after(PATIENCE):
        while not holds():
            await anyio.lowlevel.checkpoint()
            await anyio.to_thread.run_sync(threading.Event().wait, 0.01)


@dataclass
class Asking:
    """One webhook, as it arrived."""

    path: str
    form: dict[str, str]
    headers: Mapping[str, str]
    genuine: bool


@dataclass
class Shop:
    """Answers with `pages`, keeps what it is asked, and talks on its sockets as `on` says."""

    pages: dict[str, str | int] = field(default_factory=dict)
    on: dict[str, Socket] = field(default_factory=dict)
    asked: list[Asking] = field(default_factory=list)
    upgrades: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    url: str = ""

    @property
    def wss(self) -> str:
        return self.url.replace("http", "ws", 1)

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/{path:path}", self._answer, methods=["GET", "POST"]),
                WebSocketRoute("/{path:path}", self._talk),
            ]
        )

    async def _answer(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        url = f"{self.url}{request.url.path}" + (f"?{request.url.query}" if request.url.query else "")
        given = request.headers.get("x-twilio-signature", "")
        genuine = RequestValidator(TOKEN).validate(url, form, given)
        self.asked.append(Asking(request.url.path, form, dict(request.headers), genuine))
        page = self.pages.get(request.url.path, "<Response/>")
        if isinstance(page, int):
            return Response("", page)
        return Response(page.replace("SOCKET", self.wss), media_type="text/xml")

    async def _talk(self, socket: WebSocket) -> None:
        self.upgrades.append((f"{self.wss}{socket.url.path}", dict(socket.headers)))
        behaviour = self.on.get(socket.url.path)
        if behaviour is None:
            await socket.close()
            return
        await socket.accept()
        try:
            await behaviour(socket)
        except WebSocketDisconnect:
            return

    def of(self, path: str) -> list[dict[str, str]]:
        return [asking.form for asking in self.asked if asking.path == path]

    async def until(self, path: str, count: int = 1, **fields: str) -> dict[str, str]:
        """Wait until an address has been asked so often, with these fields; return the last form."""

        def found() -> list[dict[str, str]]:
            return [form for form in self.of(path) if fields.items() <= form.items()]

        await until(lambda: len(found()) >= count)
        return found()[count - 1]


class Here(TwilioHttpClient):
    """Twilio's own client, with another host."""

    def __init__(self, base: str) -> None:
        super().__init__(timeout=PATIENCE)
        self._base = base

    def request(self, method: str, url: str, *args: Any, **how: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self._base), *args, **how)


@dataclass
class Standing:
    """A network and a shop that run."""

    exchange: Exchange
    base: str
    shop: Shop
    client: Client

    async def sdk(self, what: Callable[..., Any], *args: Any, **how: Any) -> Any:
        """Do something with Twilio's SDK, in a thread."""
        return await anyio.to_thread.run_sync(partial(what, *args, **how))

    async def refused(self, what: Callable[..., Any], *args: Any, **how: Any) -> int:
        """Return the number that the SDK is refused with."""
        try:
            await self.sdk(what, *args, **how)
        except TwilioRestException as error:
            return int(error.code or 0)
        return 0


@asynccontextmanager
async def standing(shop: Shop, people: Mapping[str, Persona] | None = None) -> AsyncIterator[Standing]:
    """Let a network and a shop run."""

    def who(number: str) -> Persona:
        if number.startswith(PREFIX):
            return cast(number)
        return (people or {}).get(number) or somebody(rings=0)

    exchange = Exchange(Account(SID, who, numbers=[OURS]), TOKEN)
    ours, theirs = bind("127.0.0.1", 0, "port"), bind("127.0.0.1", 0, "port")
    shop.url, base = f"http://127.0.0.1:{port_of(ours)}", f"http://127.0.0.1:{port_of(theirs)}"
    client = Client(SID, TOKEN, http_client=Here(base))
    async with listening(Listener(shop.app, ours), Listener(app(exchange), theirs, lifespan=True)):
        yield Standing(exchange, base, shop, client)
        for call in exchange.account.calls.values():
            exchange.do(partial(calls.hang_up, exchange.account, call))


async def messages(socket: WebSocket) -> AsyncIterator[dict[str, Any]]:
    """Yield what comes on a socket, until it is closed."""
    while True:
        fields: dict[str, Any] = json.loads(await socket.receive_text())
        yield fields
