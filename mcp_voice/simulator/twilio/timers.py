"""Things to do at a time, in the order of their times.

>>> timers, done = Timers(), list[str]()
>>> _ = timers.at(2.0, lambda: done.append("b")), timers.at(1.0, lambda: done.append("a"))
>>> timers.wakes_at, timers.run(3.0), done
(1.0, None, ['a', 'b'])
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Timer:
    """Something that is done once, unless it is called off."""

    do: Callable[[], None] | None

    def cancel(self) -> None:
        """Call it off."""
        self.do = None


class Timers:
    """The clockwork of a machine: `now` goes from one due time to the next."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0

    def at(self, when: float, do: Callable[[], None]) -> Timer:
        """Do something at a time; in what is past, as soon as time goes on."""
        self._count += 1
        timer = Timer(do)
        heapq.heappush(self._heap, (max(when, self.now), self._count, timer))
        return timer

    def after(self, seconds: float, do: Callable[[], None]) -> Timer:
        """Do something in so many seconds."""
        return self.at(self.now + seconds, do)

    def run(self, now: float) -> None:
        """Go on to `now`, and do what is due until then."""
        while self._heap and self._heap[0][0] <= now:
            due, _, timer = heapq.heappop(self._heap)
            self.now = max(self.now, due)
            if timer.do is not None:
                timer.do()
        self.now = max(self.now, now)

    @property
    def wakes_at(self) -> float | None:
        """When something is due next."""
        while self._heap and self._heap[0][2].do is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None
