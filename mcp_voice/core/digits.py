"""Digits, as they are typed: until a terminator, until there are enough, or until no more come.

A `Collector` takes keys and the time. It waits for the first digit from when
it is `open`ed, since nobody types while the question is still being asked, and
from each key for the next; whoever knows it all types ahead.

    >>> collector = Collector(Plan(maximum=6, terminator="#"))
    >>> for second, key in enumerate("42#"):
    ...     collector.press(key, now=float(second))
    >>> collector.digits, collector.ended
    ('42', 'terminator')
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Ending: TypeAlias = Literal["terminator", "maximum", "timeout"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to collect. `terminator` is one key, or empty; times are seconds."""

    maximum: int = 32
    terminator: str = "#"
    first: float = 8.0
    """From the end of the question to the first digit."""
    between: float = 3.0
    """From each digit to the next."""


class Collector:
    """The digits of one answer; `ended` says what ended them."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.plan = plan or Plan()
        self.digits = ""
        self.ended: Ending | None = None
        self.wakes_at: float | None = None
        """When it wants to be told the time; None while only a key can change anything."""

    def open(self, now: float) -> None:
        """The question has been asked: begin to wait."""
        if self.wakes_at is None and self.ended is None:
            self.wakes_at = now + self.plan.first

    def press(self, key: str, now: float) -> None:
        """Take a key; one that comes when it is over is nobody's."""
        self.tell(now)
        if self.ended is not None:
            return
        self.wakes_at = now + self.plan.between
        if key == self.plan.terminator:
            self._end("terminator")
            return
        self.digits += key
        if len(self.digits) >= self.plan.maximum:
            self._end("maximum")

    def tell(self, now: float) -> None:
        """Take the time."""
        if self.wakes_at is not None and now >= self.wakes_at:
            self._end("timeout")

    def _end(self, how: Ending) -> None:
        self.ended, self.wakes_at = how, None


def luhn(digits: str) -> bool:
    """Say whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B).

    >>> luhn("4111111111111111"), luhn("4111111111111112"), luhn("")
    (True, False, False)
    """
    if len(digits) < 2 or not (digits.isascii() and digits.isdigit()):
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0
