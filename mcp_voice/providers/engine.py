"""Engines: child processes that hear or speak for us, and are kept alive.

An `Engine` starts its child when it is first needed, and again when it dies:
after 100, 200, 400 and 800 ms, give or take a quarter, five times in a row at
most; then it rests. A `Child` is one life of the process.

    child = await engine.child()
    with child.open() as job:
        job.send(Say(...))
        job.expect(5.0)
        reply, sound = await job.receive()
"""

import asyncio
import os
import random
import sys
from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec

from mcp_voice.core.counts import Counts
from mcp_voice.errors import ProviderFailed
from mcp_voice.providers.child import Child

BACKOFF: Final = (0.1, 0.2, 0.4, 0.8, 0.8)
"""Seconds before each restart in a row."""
JITTER: Final = 0.25
REST: Final = 10.0
"""Seconds that an engine which gave up is left alone."""

Reply = TypeVar("Reply")


class Engine(Generic[Reply]):
    """A child process that is there when it is needed.

    `module` is run by `python -m`; `replies` decodes its answers.
    """

    def __init__(
        self,
        name: str,
        module: str,
        replies: "msgspec.msgpack.Decoder[Any]",
        counts: Counts,
        *,
        start_within: float = 20.0,
        backoff: Sequence[float] = BACKOFF,
    ) -> None:
        self.name = name
        self._module = module
        self._replies = replies
        self._counts = counts
        self._start_within = start_within
        self._backoff = backoff
        self._keeper: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[Child[Reply] | str] | None = None
        self._rests_until = 0.0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process that is ready now."""
        child = self._ready.result() if self._ready and self._ready.done() else None
        return child.process.pid if isinstance(child, Child) else None

    async def child(self) -> Child[Reply]:
        """Return the child, once it is ready, started if need be.

        Raises:
            ProviderFailed: it does not start, or the engine is closed.
        """
        loop = asyncio.get_running_loop()
        if self._closed:
            raise ProviderFailed(f"The engine {self.name!r} is closed.")
        if self._ready is None or (
            (self._keeper is None or self._keeper.done()) and self._rests_until <= loop.time()
        ):
            self._ready = loop.create_future()
            self._keeper = asyncio.create_task(self._keep(), name=f"engine {self.name}")
        found = await asyncio.shield(self._ready)
        if isinstance(found, str):
            raise ProviderFailed(found)
        return found

    async def aclose(self) -> None:
        """End the child, and start no other."""
        self._closed = True
        if self._keeper:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])

    async def _keep(self) -> None:
        """Live one life after another, until too many in a row came to nothing."""
        why, failures = f"The engine {self.name!r} is closed.", 0
        try:
            while failures <= len(self._backoff):
                if failures:
                    self._counts.engine_restarts[self.name] += 1
                    _warn(self.name, why)
                    delay = self._backoff[failures - 1]
                    await asyncio.sleep(delay * random.uniform(1 - JITTER, 1 + JITTER))
                answered, why = await self._live()
                failures = 1 if answered else failures + 1
            self._rests_until = asyncio.get_running_loop().time() + REST
        finally:
            self._renew().set_result(why)

    async def _live(self) -> tuple[bool, str]:
        """Live one life; return whether it did any work, and why it ended."""
        try:
            child: Child[Reply] = Child(await self._spawn(), self.name, self._replies)
        except OSError as error:
            return False, f"The engine {self.name!r} does not start: {error}."
        try:
            await child.live(lambda: self._renew().set_result(child), self._start_within)
        finally:
            self._renew()
        return child.answered, child.ended or ""

    def _renew(self) -> asyncio.Future[Child[Reply] | str]:
        """Return a future that nobody has answered, for those who wait for the next child."""
        if self._ready is None or self._ready.done():
            self._ready = asyncio.get_running_loop().create_future()
        return self._ready

    async def _spawn(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", self._module, stdin=pipe, stdout=pipe, stderr=pipe, env=_environment()
        )  # fmt: skip


def _environment() -> dict[str, str]:
    """Return ours, with our own path (and `-P`): a child imports what we do, not what lies in its folder."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path)}


def _warn(name: str, why: str) -> None:
    import structlog  # a tenth of a second, that a process whose engines live need not spend

    structlog.get_logger(__name__).warning("engine_restarts", engine=name, why=why)
