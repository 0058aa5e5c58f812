"""When to say "One moment." while the agent thinks, and when to say nothing.

A word that only passes the time helps a caller who would wonder whether the
line is dead, and annoys everybody else. So it is said only when this call's
agent has shown that it thinks long and is doing so now; after half the turns
at most, never when a yes or a no was the answer, and not the same twice running.

    >>> fillers = Fillers(("One moment.", "Let me see."))
    >>> fillers.thought(3_000)
    >>> fillers.ask(now=10.0, expect="answer")
    >>> fillers.wakes_at, fillers.due(now=11.2)
    (11.2, 'One moment.')
"""

from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import Final

LONG_MS: Final = 2_500
"""An agent that thinks so long, by the median of its last turns, is worth a filler."""

WAIT: Final = 1.2
"""Seconds of thinking before it is said."""

EVERY: Final = 2
"""At most one in so many turns."""

REMEMBERED: Final = 5
"""Turns by which an agent is judged."""


class Fillers:
    """One call's."""

    def __init__(self, phrases: Sequence[str]) -> None:
        self._phrases = phrases
        self._thoughts: deque[int] = deque(maxlen=REMEMBERED)
        self._turns = EVERY
        self._said = -1
        self.wanted = False
        """Whether what was last due still fits."""
        self.wakes_at: float | None = None
        """When it wants to be told the time; None while nobody thinks, or nothing is to be said."""

    def thought(self, ms: int) -> None:
        """The agent has thought for so long."""
        self._thoughts.append(ms)

    def ask(self, now: float, expect: str) -> None:
        """The caller has answered something of a kind: the agent thinks from now on."""
        self._turns += 1
        slow = bool(self._thoughts) and median(self._thoughts) >= LONG_MS
        wanted = slow and expect != "yesNo" and self._turns >= EVERY and bool(self._phrases)
        self.wakes_at = now + WAIT if wanted else None

    def hush(self) -> None:
        """The agent answers, or the caller speaks on."""
        self.wakes_at, self.wanted = None, False

    def due(self, now: float) -> str | None:
        """Return what to say now, if anything."""
        if self.wakes_at is None or now < self.wakes_at:
            return None
        self.wakes_at, self._turns, self.wanted = None, 0, True
        self._said = (self._said + 1) % len(self._phrases)
        return self._phrases[self._said]
