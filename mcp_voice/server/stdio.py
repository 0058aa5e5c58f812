"""`mcp-voice stdio`: one client on stdin and stdout, and the media listener beside it.

A desktop client starts this process and waits for its tools, so they are
listed first, from a file. What calls need (the tools, the store, the vendors,
the web server) is imported and opened after that, or when the first tool is
called, or a second after the start, whichever comes first.
"""

import gc
import os
from importlib import import_module
from typing import TYPE_CHECKING, Final

import anyio

from mcp_voice.errors import VoiceError
from mcp_voice.server.mcp import build_ahead, converse
from mcp_voice.server.updates import Updates
from mcp_voice.settings import Settings

if TYPE_CHECKING:
    from mcp_voice.server.operator import Operator

PATIENCE_SECONDS: Final = 1.0
"""When the house is opened for a client that neither lists nor calls: the telephone may ring."""


class Opening:
    """An operator who is on the way: whoever needs them waits. And whether the client has left."""

    def __init__(self) -> None:
        self.asked = anyio.Event()
        self.left = anyio.Event()
        self._settled = anyio.Event()
        self._outcome: Operator | VoiceError | None = None

    def settle(self, outcome: "Operator | VoiceError") -> None:
        """Here they are, or why there is none."""
        self._outcome = outcome
        self._settled.set()

    def leave(self) -> None:
        """The client has left."""
        self.left.set()
        self.asked.set()

    def present(self) -> "Operator | None":
        """Return the operator if they are here."""
        return None if isinstance(self._outcome, VoiceError) else self._outcome

    async def operator(self) -> "Operator":
        """Wait for the operator. Raises the `VoiceError` that kept them from coming."""
        self.asked.set()
        await self._settled.wait()
        if isinstance(self._outcome, VoiceError):
            raise self._outcome
        assert self._outcome is not None
        return self._outcome


def run(settings: Settings, *, handshake_only: bool = False, media: bool = True) -> None:
    """Serve the client until it leaves."""
    anyio.run(talk, settings, handshake_only, media)


async def talk(settings: Settings, handshake_only: bool, media: bool) -> None:
    """Converse, and keep house in the background."""
    opening, updates = Opening(), Updates()
    server = build_ahead(
        settings.toolset,
        settings.tool_names,
        opening.operator,
        opening.asked.set,
        present=opening.present,
        updates=updates,
    )

    async def keep_house() -> None:
        with anyio.move_on_after(PATIENCE_SECONDS):
            await opening.asked.wait()
        gc.enable()
        if opening.left.is_set():
            return
        # In a thread, so that the client's next request is read meanwhile.
        telephone = await anyio.to_thread.run_sync(import_module, "mcp_voice.server.telephone")
        try:
            signalled = await telephone.ring(
                settings, opening.settle, opening.left, media=media, updates=updates
            )
        except VoiceError as error:
            opening.settle(error)
        else:
            if signalled:
                os._exit(0)  # the thread that reads stdin cannot be woken, and would be waited for

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_house)
        await converse(server, handshake_only=handshake_only)
        opening.leave()
