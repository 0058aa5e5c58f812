"""Where the apps listen: our own sockets, two uvicorn servers, one loop.

SIGTERM and SIGINT drain: no new streams, wait for the live calls, then close.
A second signal does not wait.
"""

import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import anyio
import uvicorn
from starlette.types import ASGIApp

from mcp_voice.errors import NotConfigured
from mcp_voice.settings import variable

USER_TIMEOUT_MS: Final = 8_000
"""How long sent bytes may stay unacknowledged: a peer that never reads is otherwise never let go."""


def bind(host: str, port: int, setting: str) -> socket.socket:
    """Listen on an address; port 0 takes a free one.

    The socket is ours, and so are its options: accepted ones inherit them.
    Raises `NotConfigured`, naming `setting`, when the address cannot be had.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, proto)
    except OSError as error:
        raise NotConfigured(f"{host!r} is no address: {error}.", advice=f"Set {variable('host')}.") from None
    if sys.platform != "win32":  # there it would let two programs share a port
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    try:
        made.bind(address)
        made.listen(2_048)
    except OSError as error:
        made.close()
        raise NotConfigured(
            f"Port {port} on {host} cannot be listened on: {error.strerror or error}.",
            advice=f"Stop the program that has it, or set {variable(setting)}; 0 takes a free one.",
        ) from None
    made.setblocking(False)
    return made


def port_of(bound: socket.socket) -> int:
    """Return the port a socket has got."""
    port: int = bound.getsockname()[1]
    return port


class Listener(uvicorn.Server):
    """One app on one socket. Signals are not its business; it says when it has started."""

    def __init__(self, app: ASGIApp, bound: socket.socket, *, lifespan: bool = False) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="on" if lifespan else "off",
                http="httptools",
                ws="websockets-sansio",
                ws_max_size=65_536,
                ws_ping_interval=10,
                ws_ping_timeout=5,
                ws_per_message_deflate=False,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=3,
            )
        )
        self.bound = bound
        self.up = anyio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `until_told`: two servers would take them from each other."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.up.set()

    async def run_here(self) -> None:
        """Serve until `should_exit`, and only then end: a cancelled server would leave its sockets open."""
        with anyio.CancelScope(shield=True):
            await self.serve([self.bound])


@asynccontextmanager
async def listening(*listeners: Listener) -> AsyncIterator[None]:
    """Serve while the block runs; at its end close what is open, and wait for it."""
    async with anyio.create_task_group() as tasks:
        for listener in listeners:
            tasks.start_soon(listener.run_here)
        try:
            for listener in listeners:
                await listener.up.wait()
            yield
        finally:
            for listener in listeners:
                listener.should_exit = True


async def until_told(drain: Callable[[], None], empty: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Wait for SIGTERM or SIGINT; then drain, until all is empty, for so many seconds, or a second signal."""
    with told_to_stop() as signals:
        await anext(signals)
        drain()
        async with anyio.create_task_group() as tasks:

            async def hurry() -> None:
                await anext(signals)
                tasks.cancel_scope.cancel()

            tasks.start_soon(hurry)
            with anyio.move_on_after(seconds):
                await empty()
            tasks.cancel_scope.cancel()


@contextmanager
def told_to_stop() -> Iterator[AsyncIterator[signal.Signals]]:
    """Yield SIGTERM and SIGINT as they come. On Windows, whose loops take none, Ctrl-C ends the program."""
    if sys.platform == "win32":
        yield _never()
        return
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        yield signals


async def _never() -> AsyncIterator[signal.Signals]:
    await anyio.sleep_forever()
    yield signal.SIGINT


def settle() -> None:
    """Tell the collector that what is here now stays: else it walks all of it, in the middle of calls.

    A frame leaves nothing for it, an ended call about a hundred objects: it looks after a hundred calls.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
