"""An ear that counts: everything about hearing but the recogniser.

It is what `mcp-voice serve --loopback-echo` hears with, so that a load tool
meets the whole path of a frame, turns and their record included, and no engine.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from mcp_voice.core.audio import TELEPHONE
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.events import Heard
from mcp_voice.ports import EarConfig

COUNTING: Final = "counting"


class CountingEar:
    """Says at the end of each utterance how long it was. Implements `ports.Ear`."""

    def __init__(self) -> None:
        self.latency_ms: int | None = None
        self.errors = 0
        self._bytes = 0
        self._said: asyncio.Queue[Heard | None] = asyncio.Queue()

    def hear(self, audio: bytes, *, onset: bool = False) -> None:
        """Count audio."""
        self._bytes = len(audio) if onset else self._bytes + len(audio)

    def finalize(self) -> None:
        """Say the sum."""
        milliseconds = TELEPHONE.duration_ms(self._bytes)
        self.latency_ms = 0
        self._said.put_nowait(FinalWords(f"{milliseconds} milliseconds", 1.0, duration_ms=milliseconds))

    async def heard(self) -> AsyncIterator[Heard]:
        """Yield sums until closed."""
        while (said := await self._said.get()) is not None:
            yield said

    async def aclose(self) -> None:
        """Say no more."""
        self._said.put_nowait(None)


class Counting:
    """The vendor of such ears. Implements `ports.Hears`."""

    name = COUNTING
    continuous = False

    async def listen(self, config: EarConfig) -> CountingEar:
        """Open an ear, whatever the language."""
        return CountingEar()
