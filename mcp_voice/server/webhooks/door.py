"""What every webhook passes: small enough, a form, signed; and answered once.

Twilio may ask twice for the same: at-least-once is what it promises, and it
says by a header or by a number in the form that it does. The answer is then
the one that was given, or is being made. Whoever is not Twilio gets a status
without a word, and the log one line.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Final
from urllib.parse import parse_qsl

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from mcp_voice.carriers.twilio.callbacks import Form
from mcp_voice.server.sockets import Entrance

LARGEST: Final = 65_536
"""Bytes of a webhook's body; Twilio's have about two thousand."""

MOST_FIELDS: Final = 1_000
SECONDS: Final = 10.0
"""How long a body may take to come."""

FORM: Final = "application/x-www-form-urlencoded"
AGAIN: Final = "i-twilio-idempotency-token"

MOST_ANSWERS: Final = 4_096


class Turned(Exception):
    """A webhook that is turned away: with which status, and why."""

    def __init__(self, status: int, why: str) -> None:
        self.status = status
        super().__init__(why)


async def read(request: Request, entrance: Entrance) -> Form:
    """Return the form of a webhook that Twilio has sent. Raises `Turned`."""
    if not entrance.locked and "origin" in request.headers:
        raise Turned(403, "a web page sent it")  # any page can have a browser post to this machine
    body = await _body(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != FORM:
        raise Turned(415, "no form")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:  # the bytes are no UTF-8, or the fields too many
        raise Turned(403 if entrance.locked else 400, "unreadable") from None
    if not entrance.genuine(request.scope, pairs):
        raise Turned(403, "signature")
    return dict(pairs)


async def _body(request: Request) -> bytes:
    if int(request.headers.get("content-length") or 0) > LARGEST:
        raise Turned(413, "too large")
    body = bytearray()
    try:
        with anyio.fail_after(SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > LARGEST:
                    raise Turned(413, "too large")
    except (TimeoutError, ClientDisconnect):
        raise Turned(400, "never came whole") from None
    return bytes(body)


class Answers:
    """What was answered to what, for as long as there is room."""

    def __init__(self, most: int = MOST_ANSWERS) -> None:
        self._most = most
        self._kept: dict[Hashable, asyncio.Future[Response]] = {}

    async def of(self, key: Hashable, make: Callable[[], Awaitable[Response]]) -> Response:
        """Return the answer to a request of that name: made now, or before. None names none.

        What fails is not kept: who asks again may be luckier.
        """
        if key is None:
            return await make()
        known = self._kept.get(key)
        if known is None:
            while len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            known = self._kept[key] = asyncio.ensure_future(make())
            known.add_done_callback(lambda done: self._forget_failure(key, done))
        return await asyncio.shield(known)

    def _forget_failure(self, key: Hashable, done: "asyncio.Future[Response]") -> None:
        failed = done.cancelled() or done.exception() is not None
        if failed and self._kept.get(key) is done:
            del self._kept[key]
