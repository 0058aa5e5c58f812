"""`mcp-voice serve`: the whole house, behind two listeners."""

import sys
from collections.abc import Callable
from contextlib import AsyncExitStack

import anyio
import structlog

from mcp_voice.server import http, logs, telemetry
from mcp_voice.server.assembly import MEDIA_PATH, assemble
from mcp_voice.server.listeners import Listener, bind, listening, port_of, settle, until_told
from mcp_voice.server.tunnel import tunnelled
from mcp_voice.settings import Settings, guard

log = structlog.get_logger(__name__)


def run(settings: Settings, announce: Callable[[Settings, int, int], None]) -> None:
    """Serve until SIGTERM or SIGINT. `announce` is told both ports once they answer.

    Raises `NotConfigured` when it may not listen where it was told to, or cannot.
    """
    anyio.run(serve, settings, announce, backend_options={"use_uvloop": sys.platform != "win32"})


async def serve(settings: Settings, announce: Callable[[Settings, int, int], None]) -> None:
    """Serve until told to stop; then drain."""
    logs.configure(settings.log)
    guard(settings)
    async with AsyncExitStack() as stack:
        public = stack.enter_context(bind(settings.host, settings.public_port, "public_port"))
        private = stack.enter_context(bind(settings.private_bind, settings.private_port, "private_port"))
        stack.callback(telemetry.export(settings.otel_endpoint))
        settings = await stack.enter_async_context(tunnelled(settings, port_of(public)))
        house = await stack.enter_async_context(assemble(settings, public_port=port_of(public)))

        def drain() -> None:
            house.calls.draining = True
            log.info("draining", calls=len(house.calls), seconds=settings.drain_seconds)

        async def empty() -> None:
            while len(house.calls):  # noqa: ASYNC110 - a call ends in many ways, and this is asked once
                await anyio.sleep(0.05)

        house.approvals.address = http.address(settings.private_bind, port_of(private))
        listeners = Listener(house.public, public), Listener(house.private, private, lifespan=True)
        async with listening(*listeners):
            settle()
            log.info("listening", public=port_of(public), private=port_of(private), media=MEDIA_PATH)
            if settings.log.format != "json":
                announce(settings, port_of(public), port_of(private))
            await until_told(drain, empty, settings.drain_seconds)
            house.updates.close()
