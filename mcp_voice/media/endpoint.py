"""The door for media sockets: an ASGI application for one WebSocket route.

It speaks ASGI itself rather than through a WebSocket class: every message of
every call passes here, and a frame should cost a frame.

A socket is admitted (or refused with HTTP 403 before it is accepted), has
`start_seconds` to say `start`, and then belongs to a leg until one side ends.
What it says, audio or words, is the wire's business.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import anyio
import structlog

from mcp_voice.core.counts import Counts
from mcp_voice.core.events import Started
from mcp_voice.core.tickets import Pass
from mcp_voice.errors import BadMessage, VoiceError
from mcp_voice.media.calls import Calls
from mcp_voice.media.pump import Leg
from mcp_voice.ports import Wire

log = structlog.get_logger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

NORMAL: Final = 1000
POLICY: Final = 1008
TRY_LATER: Final = 1013
UNSUPPORTED: Final = 1003


GONE: Final = (OSError, RuntimeError)
"""How a server says that the peer has left: OSError by the ASGI specification, and uvicorn raises
RuntimeError once the peer's own close frame has been answered."""


class SocketOutlet:
    """What is to be sent on one socket, in order, by a task of its own."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._messages: deque[str] = deque()
        self._wake = asyncio.Event()
        self._closing: str | None = None

    def write(self, message: str) -> None:
        """Take a message."""
        self._messages.append(message)
        self._wake.set()

    def close(self, why: str) -> None:
        """Send what was written, then a close frame with the reason."""
        self._closing = why
        self._wake.set()

    async def run(self) -> None:
        """Send until closed, or until the socket is gone."""
        messages, send = self._messages, self._send
        try:
            while True:
                while messages:
                    await send({"type": "websocket.send", "text": messages.popleft()})
                if self._closing is not None:
                    await send({"type": "websocket.close", "code": NORMAL, "reason": self._closing[:120]})
                    return
                await self._wake.wait()
                self._wake.clear()
        except GONE:
            log.debug("socket_gone", waiting=len(messages))


class Endpoint:
    """Takes media sockets. `admit` judges the upgrade, and says what it has shown, or None of one that is
    refused; `echo` plays a caller back to themselves.
    """

    def __init__(
        self,
        calls: Calls,
        make_wire: Callable[[], Wire],
        counts: Counts,
        *,
        admit: Callable[[Message], Pass | None] = lambda scope: Pass(),
        start_seconds: float = 5.0,
        echo: bool = False,
    ) -> None:
        self._calls = calls
        self._make_wire = make_wire
        self._counts = counts
        self._admit = admit
        self._start_seconds = start_seconds
        self._echo = echo

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one socket from upgrade to close."""
        await receive()  # websocket.connect
        shown = self._admit(scope)
        if shown is None:
            await _told(send, {"type": "websocket.close", "code": POLICY})  # before accept: HTTP 403
            return
        if not await _told(send, {"type": "websocket.accept"}):
            return
        wire = self._make_wire()
        started = await self._started(wire, receive)
        if not isinstance(started, Started):
            await _told(send, {"type": "websocket.close", "code": POLICY, "reason": started})
            return
        outlet = SocketOutlet(send)
        try:
            leg = await self._calls.open(started, wire, outlet, shown)
        except VoiceError as error:
            log.warning("call_refused", call=started.call_sid, code=error.code)
            code = TRY_LATER if error.retryable else UNSUPPORTED
            await _told(send, {"type": "websocket.close", "code": code, "reason": error.code})
            return
        await self._serve(leg, wire, outlet, receive)

    async def _started(self, wire: Wire, receive: Receive) -> Started | str:
        """Wait for `start`; return it, or why there is none."""
        with anyio.move_on_after(self._start_seconds):
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    return "gone"
                try:
                    event = wire.receive(message.get("text") or message.get("bytes") or "")
                except BadMessage as error:
                    self._counts.errors[str(error.details["kind"])] += 1
                    continue
                if isinstance(event, Started):
                    return event
        self._counts.errors["no_start"] += 1
        return "no start"

    async def _serve(self, leg: Leg, wire: Wire, outlet: SocketOutlet, receive: Receive) -> None:
        code = 0
        async with anyio.create_task_group() as tasks:

            async def write() -> None:
                await outlet.run()
                tasks.cancel_scope.cancel()

            tasks.start_soon(write)
            code = await self._read(leg, receive)
            tasks.cancel_scope.cancel()
        if code:
            self._counts.disconnects[str(code)] += 1
        with anyio.CancelScope(shield=True):
            await self._calls.close(leg, wire.left(code))

    async def _read(self, leg: Leg, receive: Receive) -> int:
        """Feed the leg until the carrier goes; return its close code."""
        take, echo = leg.receive, self._echo
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return message.get("code") or 1005
            take(message.get("text") or message.get("bytes") or "", echo=echo)
            if leg.ended is not None:
                await anyio.sleep_forever()  # the writer says goodbye and cancels this


async def _told(send: Send, message: Message) -> bool:
    """Send a message; say whether the peer was still there."""
    try:
        await send(message)
    except GONE:
        log.debug("socket_gone", before=message["type"])
        return False
    return True
