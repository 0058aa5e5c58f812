"""Whether a carrier would reach this machine at its public address.

We call ourselves from outside. If the server runs, it has to answer; if it
does not, somebody with a seal stands at its port meanwhile, so that an answer
without the seal is another machine's.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from mcp_voice.doctor.finding import Finding, bad, good, worth
from mcp_voice.doctor.house import running
from mcp_voice.errors import NotConfigured
from mcp_voice.ports import utc_now
from mcp_voice.server.assembly import MEDIA_PATH
from mcp_voice.server.listeners import Listener, bind, listening
from mcp_voice.settings import Settings, variable

if TYPE_CHECKING:
    import httpx2

SECONDS: Final = 15.0
"""What Twilio waits for a webhook's answer (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides)."""

SLOW: Final = 2.0
OFF: Final = 30.0
"""Seconds by which a clock may be wrong."""

PUBLIC: Final = "public address"


async def reach(settings: Settings) -> AsyncIterator[Finding]:
    """Call ourselves at the public address, by HTTP and by WebSocket, and compare the clocks."""
    url = settings.public_url
    if url is None:
        yield worth(
            PUBLIC, "none: Twilio cannot reach this machine",
            f"set {variable('public_url')} to https://…, or serve with --tunnel ngrok",
        )  # fmt: skip
        return
    parts = urlsplit(url)
    if parts.scheme != "https":
        yield bad(PUBLIC, f"{url} is not https: Twilio opens no media socket to it", "put TLS before it")
        return
    if parts.port not in (None, 443):
        yield worth(PUBLIC, f"it names port {parts.port}; Twilio promises 443 only", "use the standard port")
    async with _somebody(settings) as seal:
        if seal is None and not await running(settings.host, settings.public_port):
            yield bad(PUBLIC, "not tried: another program has the public port", "stop it first")
            return
        async for finding in tried(url, seal):
            yield finding


async def tried(url: str, seal: str | None) -> AsyncIterator[Finding]:
    """Call `url`; whoever answers has to show the seal, if there is one."""
    import httpx2

    async with httpx2.AsyncClient(timeout=SECONDS) as client:
        try:
            answer = await client.get(f"{url}/healthz")
        except httpx2.TimeoutException:
            yield bad(
                PUBLIC, f"{url} did not answer in {SECONDS:.0f} s", "start the tunnel, open the firewall"
            )
            return
        except httpx2.TransportError as error:
            yield bad(
                PUBLIC, f"{url} cannot be reached: {_cause(error)}", "correct its name, its certificate"
            )
            return
    yield _answered(url, answer, seal)
    if (clock := compared(answer.headers.get("date"), utc_now())) is not None:
        yield clock
    if answer.is_success:
        yield await _socket(url)


def _answered(url: str, answer: "httpx2.Response", seal: str | None) -> Finding:
    try:
        told: Any = answer.json()
    except ValueError:
        told = None
    if not answer.is_success or not isinstance(told, dict) or told.get("status") != "ok":
        return bad(
            PUBLIC, f"{url}/healthz answered HTTP {answer.status_code}, and not as mcp-voice does",
            "point the tunnel or the proxy at the public port",
        )  # fmt: skip
    if seal is not None and told.get("seal") != seal:
        return bad(PUBLIC, f"{url} leads to another machine", "point it at this one's public port")
    seconds = answer.elapsed.total_seconds()
    if seconds > SLOW:
        return worth(PUBLIC, f"{url} took {seconds:.1f} s", "find out what is slow: callers hear it ring")
    return good(PUBLIC, f"{url} leads here, in {seconds * 1000:.0f} ms")


def compared(date: str | None, now: datetime) -> Finding | None:
    """Compare our clock with somebody else's, if they say what time it is as HTTP has it."""
    try:
        wrong = (now - parsedate_to_datetime(date or "")).total_seconds()
    except (ValueError, TypeError):
        return None
    if abs(wrong) <= OFF:
        return good("clock", "right")
    return worth("clock", f"{abs(wrong):.0f} s {'fast' if wrong > 0 else 'slow'}", "let it be set by NTP")


async def _socket(url: str) -> Finding:
    """See whether WebSockets pass: whether we are let in without a signature is another matter."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidHandshake, InvalidStatus

    address = url.replace("http", "ws", 1) + MEDIA_PATH
    try:
        async with connect(address, open_timeout=SECONDS):
            return good("media socket", f"{address} opens")
    except InvalidStatus as error:
        if error.response.status_code == 403:
            return good("media socket", f"{address} is answered, and asks for Twilio's signature")
        return bad(
            "media socket", f"{address} answered HTTP {error.response.status_code}",
            "let the proxy pass WebSockets (Upgrade, Connection)",
        )  # fmt: skip
    except (InvalidHandshake, OSError, TimeoutError) as error:
        return bad("media socket", f"{address}: {_cause(error)}", "let the proxy pass WebSockets")


@asynccontextmanager
async def _somebody(settings: Settings) -> AsyncIterator[str | None]:
    """Stand at the public port with a seal; None if somebody stands there already."""
    try:
        bound = bind(settings.host, settings.public_port, "public_port")
    except NotConfigured:
        yield None
        return
    seal = secrets.token_hex(8)

    async def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "seal": seal})

    async def media(socket: WebSocket) -> None:
        await socket.close()

    app = Starlette(routes=[Route("/healthz", healthz), WebSocketRoute(MEDIA_PATH, media)])
    with bound:
        async with listening(Listener(app, bound)):
            yield seal


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    return str(error) or type(error).__name__
