"""Whether a call's agent is still there.

A client vanishes without a word: its window is closed, its model has run out of
tokens. The caller would listen to silence for ever. So a call that an agent has
begun to hold is looked after: when nobody has asked for anything for `moment`
seconds the caller is asked to wait, and after `leave` seconds the call ends with
an apology. A request that waits counts as presence for as long as it waits.

    >>> there = Attendance(Absence(moment=20, leave=60))
    >>> there.come(now=0.0); there.go(now=5.0)
    >>> there.wakes_at, there.due(now=25.0), there.due(now=25.0), there.due(now=65.0)
    (25.0, 'moment', None, 'leave')
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Duty: TypeAlias = Literal["moment", "leave"]

ON_HOLD: Final = 3.0
"""A caller who was told to hold waits so many times as long."""


@dataclass(frozen=True, slots=True)
class Absence:
    """How long an agent may be away, in seconds; 0 is for ever."""

    moment: float = 20.0
    leave: float = 60.0


class Attendance:
    """One call's. `hold` is for a caller who knows that they have to wait."""

    def __init__(self, absence: Absence | None = None) -> None:
        self.hold = False
        self._absence = absence or Absence()
        self._here = 0
        self._gone_at: float | None = None
        self._done: list[Duty] = []

    @property
    def begun(self) -> bool:
        """Whether an agent has ever been there."""
        return self._here > 0 or self._gone_at is not None

    def come(self, now: float) -> None:
        """A request of the agent's begins."""
        self._here += 1
        self._gone_at = now
        self._done.clear()

    def go(self, now: float) -> None:
        """A request is over, or its client has given up."""
        self._here -= 1
        self._gone_at = now

    @property
    def wakes_at(self) -> float | None:
        """When the next duty falls due; None while somebody is there, or nothing is left to do."""
        if self._here > 0 or self._gone_at is None:
            return None
        factor = ON_HOLD if self.hold else 1.0
        waits: dict[Duty, float] = {"moment": self._absence.moment, "leave": self._absence.leave}
        left = [seconds * factor for duty, seconds in waits.items() if seconds and duty not in self._done]
        return self._gone_at + min(left) if left else None

    def due(self, now: float) -> Duty | None:
        """Return what has to be done now, once."""
        if self.wakes_at is None or self._gone_at is None or now < self.wakes_at:
            return None
        factor = ON_HOLD if self.hold else 1.0
        leave = self._absence.leave
        duty: Duty = "leave" if leave and now >= self._gone_at + leave * factor else "moment"
        self._done += ["moment", "leave"] if duty == "leave" else ["moment"]
        return duty
