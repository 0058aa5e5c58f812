"""Small servers to call, made with nothing of the product."""

import json
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

TONE = b"\x00\x80" * 400
"""100 ms, as loud as it gets."""


class Peer:
    """The server's end of one stream."""

    def __init__(self, connection: ServerConnection) -> None:
        self.socket = connection
        self.stream_sid = ""
        self.received: list[dict[str, Any]] = []

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        async for text in self.socket:
            fields: dict[str, Any] = json.loads(text)
            self.received.append(fields)
            self.stream_sid = fields.get("streamSid", "")
            yield fields

    async def play(self, sound: bytes) -> None:
        await self.send("media", {"payload": b64encode(sound).decode()})

    async def send(self, event: str, body: dict[str, str] | None = None) -> None:
        message = {"event": event, "streamSid": self.stream_sid, **({event: body} if body else {})}
        await self.socket.send(json.dumps(message))

    def of(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.received if message["event"] == event]


Behaviour = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def served(
    behaviour: Behaviour, peers: list[Peer], *, small: bool = False, **how: Any
) -> AsyncIterator[str]:
    """Serve on a free port; yield the URL, put each connection's end into `peers`.

    `small` is a server whose machine holds next to nothing of what it has not read.
    """

    async def answer(connection: ServerConnection) -> None:
        peers.append(Peer(connection))
        await behaviour(peers[-1])

    listening = socket.create_server(("127.0.0.1", 0))
    if small:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    async with serve(answer, sock=listening, **how):
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}/twilio/media"


async def echo(peer: Peer) -> None:
    """Say everything back."""
    async for message in peer.messages():
        if message["event"] == "media":
            await peer.send("media", {"payload": message["media"]["payload"]})


async def listen(peer: Peer) -> None:
    """Say nothing."""
    async for _ in peer.messages():
        pass


async def greet(peer: Peer) -> None:
    """Say one thing at the start."""
    async for message in peer.messages():
        if message["event"] == "start":
            await peer.play(TONE)
            await peer.send("mark", {"name": "greeted"})


async def answer_keys(peer: Peer) -> None:
    """Say one thing after each key."""
    async for message in peer.messages():
        if message["event"] == "dtmf":
            await peer.play(TONE)
