"""An event loop whose time passes when nothing else is to be done.

Sockets are real and take the time that they take; only sleeps are free. Time
stands still while anything is at work on this loop, so a machine that is slow,
or busy with something else, makes a test take longer and changes no answer.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import anyio.to_thread
import pytest

from mcp_voice.media.talks import Talks

GRACE: Final = 0.0005
"""Real seconds without news after which nothing is on its way between two sockets of this machine."""
MOMENT: Final = 1e-6
"""Seconds that whatever is done takes: a loop that waits for a clock to move must not wait for ever."""


class _Impatient(selectors.DefaultSelector):
    """Waits for what is on its way, and for nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += MOMENT
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(min(timeout, GRACE))
        if not events:
            self.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """What `loop_factory` wants."""

    def __init__(self) -> None:
        self._clockwork = _Impatient()
        super().__init__(self._clockwork)

    def time(self) -> float:
        """Seconds that have passed for whoever lives on this loop."""
        return self._clockwork.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":
        """Do it here: a thread would be overtaken by the clock."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except (OSError, ValueError, LookupError) as error:
            done.set_exception(error)
        return done


async def _here(func: Callable[..., Any], *args: Any, **_: Any) -> Any:
    """Take the place of `anyio.to_thread.run_sync`, for the same reason."""
    return func(*args)


@contextmanager
def virtual_clocks() -> Iterator[None]:
    """Let the program's clocks show the running loop's time."""
    clock: Any = asyncio.get_running_loop().time
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", clock)
        patch.setattr(anyio.to_thread, "run_sync", _here)
        patch.setitem(Talks.__init__.__kwdefaults__, "clock", clock)
        yield
