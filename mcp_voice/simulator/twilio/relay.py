"""A ConversationRelay session on a real socket: `Talk`, and the clock.

https://www.twilio.com/docs/voice/conversationrelay
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator import dialling
from mcp_voice.simulator.dialling import failed, open_socket
from mcp_voice.simulator.twilio.effects import OpenRelay
from mcp_voice.simulator.twilio.hooks import signature
from mcp_voice.simulator.twilio.records import Call
from mcp_voice.simulator.twilio.talk import ENDED, Over, Talk

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

NOT_CONNECTED: Final = 64_102


def setup(call: Call, session_sid: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return what the first message says of a call; what is unknown is empty."""
    scheme = call.from_.partition(":")[0].lower() if ":" in call.from_ else "pstn"
    inbound = call.direction == "inbound"
    return {
        "sessionId": session_sid,
        "accountSid": call.account_sid,
        "parentCallSid": call.parent_sid,
        "callSid": call.sid,
        "from": call.from_,
        "to": call.to,
        "forwardedFrom": call.forwarded_from,
        "callType": scheme.upper(),
        "callerName": call.caller_name,
        "direction": call.direction,
        "callStatus": "RINGING" if inbound else "IN_PROGRESS",
        "customParameters": dict(parameters),
    }


def upgrade_headers(url: str, token: str) -> dict[str, str]:
    """Sign an upgrade: over the URL without its query, whose pairs count as parameters."""
    bare, _, query = url.partition("?")
    parts = urlsplit(bare)
    bare = parts._replace(path=parts.path or "/").geturl()
    return {dialling.SIGNATURE: signature(token, bare, dict(parse_qsl(query, keep_blank_values=True)))}


async def hold(
    effect: OpenRelay, token: str | None, ended: asyncio.Event, clock: Callable[[], float]
) -> Over:
    """Have the session, until it is over or `ended` is set; `clock` is the party's.

    Raises:
        CarrierFailed: 64102, the socket cannot be opened; 64105, it was closed or lost.
    """
    headers = upgrade_headers(effect.url, token) if token else {}
    try:
        socket = await open_socket(effect.url, headers, 10.0)
    except CarrierFailed as error:
        raise failed(NOT_CONNECTED, error.args[0]) from None
    session = _Session(effect, socket, clock)
    try:
        return await session.run(ended)
    finally:
        over = session.talk.over
        await socket.close(*((over.code, over.reason) if over else (1_000, "Closing websocket session")))


class _Session:
    def __init__(self, effect: OpenRelay, socket: "ClientConnection", clock: Callable[[], float]) -> None:
        self._socket = socket
        self._clock = clock
        told = setup(effect.call, effect.session_sid, effect.parameters)
        self.talk = Talk(effect.party, effect.attributes, told, clock())

    async def run(self, ended: asyncio.Event) -> Over:
        """Talk until it is over. Raises `CarrierFailed`, 64105."""
        from websockets.exceptions import ConnectionClosed

        await self._send(self.talk.open(self._clock()))
        leaving = asyncio.create_task(ended.wait())
        hearing = asyncio.create_task(self._socket.recv())
        try:
            while (over := self.talk.over) is None:
                at = self.talk.wakes_at
                wait = None if at is None else max(0.001, at - self._clock())
                await asyncio.wait({hearing, leaving}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if leaving.done():
                    return Over("caller")
                if hearing.done():
                    await self._send(self.talk.receive(hearing.result(), self._clock()))
                    hearing = asyncio.create_task(self._socket.recv())
                await self._send(self.talk.tick(self._clock()))
            return over
        except ConnectionClosed:
            raise failed(ENDED, "The server closed the WebSocket before it ended the session.") from None
        finally:
            for task in (hearing, leaving):
                task.cancel()
            await asyncio.gather(hearing, leaving, return_exceptions=True)

    async def _send(self, messages: list[str]) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            for message in messages:
                await self._socket.send(message)
        except ConnectionClosed:
            return
