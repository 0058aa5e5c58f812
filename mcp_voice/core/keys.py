"""Where the caller's keys go: into the record, or to whoever collects them.

While nobody collects, a key is a line of the log. While somebody does, it is
theirs (`Key`), and the line says so. While what is collected is secret, the
line says no more than that a key was pressed. Unless it was whole that stays so
until `LINGER` has passed without a key: who types on types the same secret.
"""

from typing import Final

from mcp_voice.core.events import Collect, Effect, Key, Note

LINGER: Final = 3.0
"""Seconds without a key after which a secret that is collected is over."""


class Keys:
    """The keys of one stream."""

    def __init__(self) -> None:
        self.collecting = False
        self.wakes_at: float | None = None
        """When a secret is over; None while none ends."""
        self._secret = False

    def press(self, digit: str, now: float) -> list[Effect]:
        """Take a key."""
        effects = self.tell(now)
        if self.wakes_at is not None:
            self.wakes_at = now + LINGER
            return [*effects, Note("dtmf", {"secret": True})]
        if not self.collecting:
            return [*effects, Note("dtmf", {"digit": digit})]
        data = {"secret": True} if self._secret else {"digit": digit, "gathered": True}
        return [*effects, Note("dtmf", data), Key(digit)]

    def collect(self, asked: Collect, now: float) -> list[Effect]:
        """Begin to collect, or end it."""
        effects = self.tell(now)
        self.collecting = asked.on
        if asked.on and asked.secret:
            self.wakes_at = None
            if not self._secret:
                self._secret = True
                effects.append(Note("secret", {"state": "began"}))
        elif self._secret and self.wakes_at is None:
            self.wakes_at = now if asked.whole else now + LINGER
        return [*effects, *self.tell(now)]

    def tell(self, now: float) -> list[Effect]:
        """Take the time."""
        if self.wakes_at is None or now < self.wakes_at:
            return []
        self.wakes_at, self._secret = None, False
        return [Note("secret", {"state": "ended"})]
