"""News for a client whose tool call takes its time, so that it does not give up.

A client that wants news sends a token with its call. It hears every few seconds
that the call is still being worked at; some take that as a reason to wait on.
One that cannot be told is told no more, and has its result all the same.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Final, Protocol

import structlog

log = structlog.get_logger(__name__)

EVERY: Final = 5.0
"""Seconds between two of them."""


class Reports(Protocol):
    """Who passes them on."""

    def __call__(self, progress: float, total: float | None, message: str | None) -> Awaitable[None]:
        """Tell how far it has got; without a total it only rises."""


@asynccontextmanager
async def progressing(report: Reports | None, every: float = EVERY) -> AsyncIterator[None]:
    """Report while the block runs, if there is somebody to report to."""
    if report is None:
        yield
        return
    telling = asyncio.create_task(_tell(report, every), name="progress")
    telling.add_done_callback(_told)
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait([telling])


def _told(telling: "asyncio.Task[None]") -> None:
    """Note that a client could not be told; the result of its call does not hang on it."""
    if not telling.cancelled() and (error := telling.exception()) is not None:
        log.info("progress_not_told", error=type(error).__name__)


async def _tell(report: Reports, every: float) -> None:
    passed = 0.0
    while True:
        await asyncio.sleep(every)
        passed += every
        await report(passed, None, f"Waiting for {passed:.0f} s. Nothing is lost.")
