"""The least a media server can be: an echo with nothing of the product, on the same web server.

Starlette and uvicorn with the sans-I/O WebSockets and uvloop, deflate off, the
garbage collector settled; a message is decoded into a typed struct and its
payload out of base64 and back, as every media server must. Settings are
spelled out, not shared with the product: a floor must not move with what
stands on it.
"""

import gc
import json
import socket
import sys
from binascii import a2b_base64, b2a_base64

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.bench.load import PATH


class _Connected(msgspec.Struct, tag_field="event", tag="connected"):
    pass


class _Start(msgspec.Struct, tag_field="event", tag="start", rename="camel"):
    stream_sid: str


class _Body(msgspec.Struct):
    payload: str


class _Media(msgspec.Struct, tag_field="event", tag="media", rename="camel"):
    media: _Body
    stream_sid: str


class _Stop(msgspec.Struct, tag_field="event", tag="stop"):
    pass


_read = msgspec.json.Decoder(_Connected | _Start | _Media | _Stop).decode


async def echo(websocket: WebSocket) -> None:
    """Send each frame back."""
    await websocket.accept()
    try:
        while True:
            message = _read(await websocket.receive_text())
            if isinstance(message, _Media):
                audio = a2b_base64(message.media.payload)
                payload = b2a_base64(audio, newline=False).decode()
                await websocket.send_text(
                    f'{{"event":"media","streamSid":"{message.stream_sid}","media":{{"payload":"{payload}"}}}}'
                )
            elif isinstance(message, _Stop):
                await websocket.close()
                return
    except WebSocketDisconnect:
        return


class Server(uvicorn.Server):
    """Says when it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, settle the collector, and say so."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 100)
        assert sockets
        told = {"event": "listening", "public": sockets[0].getsockname()[1]}
        sys.stderr.write(json.dumps(told) + "\n")
        sys.stderr.flush()


def main() -> None:
    """Serve until told to stop."""
    bound = socket.create_server(("127.0.0.1", 0), backlog=2_048)
    bound.setblocking(False)
    config = uvicorn.Config(
        Starlette(routes=[WebSocketRoute(PATH, echo)]),
        lifespan="off",
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=65_536,
        ws_ping_interval=10,
        ws_ping_timeout=5,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
    )
    Server(config).run([bound])


if __name__ == "__main__":
    main()
