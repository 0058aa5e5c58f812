"""A few engines of a kind, lent to one user at a time.

The engine used last is lent first, so that a quiet server keeps one child warm
and starts the others only when people speak at once.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from mcp_voice.errors import TooMany
from mcp_voice.providers.engine import Engine

Reply = TypeVar("Reply")


class Pool(Generic[Reply]):
    """Engines that are alike."""

    def __init__(self, engines: Sequence[Engine[Reply]]) -> None:
        self.engines = engines
        self._idle: asyncio.LifoQueue[Engine[Reply]] = asyncio.LifoQueue()
        for engine in reversed(engines):
            self._idle.put_nowait(engine)

    @asynccontextmanager
    async def lend(self, patience: float) -> AsyncIterator[Engine[Reply]]:
        """Lend an engine for the length of a block, first come, first served.

        Raises:
            TooMany: none was free within `patience` seconds.
        """
        try:
            async with asyncio.timeout(patience):
                engine = await self._idle.get()
        except TimeoutError:
            raise TooMany(
                f"All {len(self.engines)} recognisers were busy for {patience:.0f} s.",
                advice="Speak when fewer callers do, or start more of them.",
            ) from None
        try:
            yield engine
        finally:
            self._idle.put_nowait(engine)

    @property
    def any(self) -> Engine[Reply]:
        """An engine for a question in passing: the one to be lent next, else one at work."""
        if self._idle.empty():
            return self.engines[-1]
        engine = self._idle.get_nowait()
        self._idle.put_nowait(engine)
        return engine

    async def aclose(self) -> None:
        """End every engine."""
        await asyncio.gather(*(engine.aclose() for engine in self.engines))
