"""What has been dialled today, and what is set aside for what is being dialled.

Leave to dial is taken before the call, at its dearest: its longest duration,
at the price of a minute. Taking it is one step, so as many calls as fit get
it, however many ask at once. `settle` gives back what the call did not use,
`release` all of it, when nothing was dialled. A day is a day of UTC.

    >>> from datetime import UTC, datetime
    >>> usage, now = Usage(), datetime(2026, 1, 1, tzinfo=UTC)
    >>> leave = usage.reserve("+14155550123", 30, Decimal("0.10"), now)
    >>> usage.live, usage.on(now).spend
    (1, Decimal('3.00'))
    >>> leave.settle(minutes=1.2)
    >>> usage.live, usage.on(now).spend, usage.on(now).calls
    (0, Decimal('0.20'), 1)
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from math import ceil


@dataclass(slots=True)
class Day:
    """What one day has used, with what is set aside for live calls."""

    calls: int = 0
    minutes: int = 0
    spend: Decimal = Decimal(0)
    numbers: Counter[str] = field(default_factory=Counter)
    """Calls by number."""

    def add(self, number: str, calls: int, minutes: int, spend: Decimal) -> None:
        """Count so much more, or less."""
        self.calls += calls
        self.minutes += minutes
        self.spend += spend
        self.numbers[number] += calls


class Admission:
    """Leave to dial. Settle it when the call is over, or release it when none was made; once."""

    def __init__(
        self,
        to: str,
        max_minutes: float,
        *,
        disclosure: str | None = None,
        give_back: Callable[[float | None], None] = lambda minutes: None,
    ) -> None:
        self.to = to
        """What to dial: the number in E.164, or the address."""
        self.max_minutes = max_minutes
        """When to hang up."""
        self.disclosure = disclosure
        """What the callee has to be told first."""
        self._give_back: Callable[[float | None], None] | None = give_back

    def settle(self, minutes: float) -> None:
        """The call is over and lasted so long."""
        self._end(minutes)

    def release(self) -> None:
        """Nothing was dialled."""
        self._end(None)

    def _end(self, minutes: float | None) -> None:
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back(minutes)


class Usage:
    """The books of one process."""

    def __init__(self) -> None:
        self.live = 0
        self._days: dict[date, Day] = {}

    def on(self, now: datetime) -> Day:
        """Return the books of a day."""
        return self._days.get(now.astimezone(UTC).date()) or Day()

    def reserve(
        self, to: str, minutes: int, price: Decimal, now: datetime, disclosure: str | None = None
    ) -> Admission:
        """Set aside one call of so many minutes. Whether it fits has been judged in the same breath."""
        today = now.astimezone(UTC).date()
        if today not in self._days:
            self._days = {today: Day()}
        day = self._days[today]
        day.add(to, 1, minutes, minutes * price)
        self.live += 1

        def give_back(lasted: float | None) -> None:
            self.live -= 1
            if lasted is None:
                day.add(to, -1, -minutes, -minutes * price)
            else:
                unused = ceil(max(0.0, lasted)) - minutes
                day.add(to, 0, unused, unused * price)

        return Admission(to, minutes, disclosure=disclosure, give_back=give_back)
