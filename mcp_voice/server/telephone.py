"""What `mcp-voice stdio` opens after its tools are listed: the house, and its media listener."""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from socket import socket

import anyio
import structlog

from mcp_voice.errors import NotConfigured
from mcp_voice.server import logs, telemetry
from mcp_voice.server.assembly import assemble
from mcp_voice.server.listeners import Listener, bind, listening, port_of, settle, told_to_stop
from mcp_voice.server.operator import Operator
from mcp_voice.server.updates import Updates
from mcp_voice.settings import Settings, guard

log = structlog.get_logger(__name__)


async def ring(
    settings: Settings,
    ready: Callable[[Operator], None],
    left: anyio.Event,
    *,
    media: bool,
    updates: Updates | None = None,
) -> bool:
    """Open the house, hand its operator to `ready`, and take calls until the client leaves or a signal comes.

    `updates` tells the client what changes in it. Returns whether it was a
    signal. A media port that cannot be had is no reason to leave the client
    without its tools: another window of the same program may have it. Raises
    `VoiceError` when the house cannot be opened.
    """
    logs.configure(settings.log)
    with told_to_stop() as signals:
        async with AsyncExitStack() as stack:
            stack.callback(telemetry.export(settings.otel_endpoint))
            public = _bound(settings) if media else None
            if public is not None:
                stack.enter_context(public)
            port = port_of(public) if public else settings.public_port
            house = await stack.enter_async_context(assemble(settings, public_port=port, updates=updates))
            ready(house.operator(settings.toolset))
            if public is not None:
                await stack.enter_async_context(listening(Listener(house.public, public)))
                log.info("listening", public=port)
            settle()
            return await _told(signals, left)


async def _told(signals: AsyncIterator[signal.Signals], left: anyio.Event) -> bool:
    """Wait for a signal, or for the client to leave; return whether it was a signal."""
    async with anyio.create_task_group() as tasks:

        async def leave() -> None:
            await left.wait()
            tasks.cancel_scope.cancel()

        tasks.start_soon(leave)
        await anext(signals)
        tasks.cancel_scope.cancel()
    return not left.is_set()


def _bound(settings: Settings) -> socket | None:
    """Return the media port's socket, or None when it cannot or may not be had."""
    try:
        guard(settings)
        return bind(settings.host, settings.public_port, "public_port")
    except NotConfigured as error:
        log.warning("no_media", why=str(error))
        return None
