"""Moving windows in this process's memory.

The `limits` library's own memory storage looks through every key it knows at
every take, and asks a thread for each: 125 µs with one key, a millisecond with
a hundred. Here a window is a row of times, oldest first, and only the one that
is asked about is looked at; idle ones go once in a window's length.
"""

from collections import deque
from collections.abc import Callable

from limits.aio.storage import MemoryStorage


class Windows(MemoryStorage):
    """Storage for `limits`' moving window; `clock` counts seconds."""

    STORAGE_SCHEME = ["async+windows"]  # noqa: RUF012 - the library's metaclass reads a plain list

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._taken: dict[str, deque[float]] = {}
        self._looked_at = clock()

    def __len__(self) -> int:
        """How many keys are kept."""
        return len(self._taken)

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Take `amount` of `limit` if the window has room."""
        now = self._clock()
        taken = self._within(key, now, expiry)
        if len(taken) + amount > limit:
            return False
        taken.extend([now] * amount)
        self._taken[key] = taken
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return when the oldest entry was taken, and how many there are."""
        now = self._clock()
        taken = self._within(key, now, expiry)
        return (taken[0], len(taken)) if taken else (now, 0)

    def _within(self, key: str, now: float, expiry: int) -> deque[float]:
        """The key's times that still count; the keys that have none go, once in a window's length."""
        if now - self._looked_at >= expiry:
            self._looked_at = now
            self._taken = {name: times for name, times in self._taken.items() if times[-1] > now - expiry}
        taken = self._taken.get(key, deque())
        while taken and taken[0] <= now - expiry:
            taken.popleft()
        return taken
