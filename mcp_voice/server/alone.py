"""One app on one port, until it is told to stop."""

from collections.abc import Callable

import anyio
from starlette.types import ASGIApp

from mcp_voice.errors import NotConfigured
from mcp_voice.server.listeners import Listener, bind, listening, port_of, told_to_stop


def run(app: ASGIApp, host: str, port: int, announce: Callable[[int], None]) -> None:
    """Serve; `announce` is told the port when it listens. Raises `NotConfigured`."""
    try:
        bound = bind(host, port, "public_port")
    except NotConfigured as error:
        raise NotConfigured(error.args[0], advice="Name another with --host and --port; 0 is free.") from None

    async def serve() -> None:
        async with listening(Listener(app, bound, lifespan=True)):
            announce(port_of(bound))
            with told_to_stop() as signals:
                await anext(signals)

    anyio.run(serve)
