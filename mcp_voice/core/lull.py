"""How long nobody has said anything.

A lull begins when what the agent said has been played, and is told once. Words,
ours or the caller's, and a key end it; a voice without words only begins it anew.

    >>> lull = Lull()
    >>> lull.agent_done(at=2.0)
    >>> lull.due(now=9.9, playing=False), lull.due(now=10.0, playing=False), lull.wakes_at
    (False, True, None)
"""

from typing import Final

LONG: Final = 8.0
"""Seconds without a word that are worth a line in the log."""


class Lull:
    """One call's."""

    def __init__(self) -> None:
        self._speaks = self._awaited = False
        self.wakes_at: float | None = None
        """When it wants to be told the time; None while nobody is waited for."""

    def agent_done(self, at: float) -> None:
        """What the agent said has been played at that time."""
        self._awaited = True
        self.wakes_at = None if self._speaks else at + LONG

    def over(self) -> None:
        """The agent says something, or the caller has said or pressed something."""
        self._awaited, self.wakes_at = False, None

    def caller_speaks(self) -> None:
        """There is a voice, if not yet words."""
        self._speaks, self.wakes_at = True, None

    def caller_silent(self, now: float) -> None:
        """The voice has ended; if it was words, they come."""
        self._speaks = False
        self.wakes_at = now + LONG if self._awaited else None

    def due(self, now: float, *, playing: bool) -> bool:
        """Whether there is a lull to tell of."""
        if self.wakes_at is None or now < self.wakes_at:
            return False
        self.wakes_at = None
        self._awaited = playing  # there is more, and its end will be told
        return not playing
