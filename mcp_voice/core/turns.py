"""Who holds the floor.

The machine is a table. It reads no clock and owns no timer: time comes in as
`now`, and `wakes_at` says when it next wants to be told the time. The driver,
the tests and the picture in the README read the same table.

    >>> turns = Turns(Patience(end_of_turn=0.5))
    >>> turns.hear(Sound.VOICE, now=0.0), turns.hear(Sound.SILENCE, now=1.0)
    ((<Cue.TURN_BEGAN: 1>,), ())
    >>> turns.wakes_at, turns.hear(Sound.TIMEOUT, now=1.5)
    (1.5, (<Cue.TURN_ENDED: 2>,))
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Floor(Enum):
    """Who is being listened to."""

    OPEN = auto()  # nobody speaks
    CALLER = auto()  # the caller speaks
    PAUSE = auto()  # the caller stopped, perhaps for breath
    AGENT = auto()  # the agent's audio plays
    OVERLAP = auto()  # both speak: a cough, or a barge-in


Sound = Enum("Sound", "VOICE SILENCE SPEAK SPOKEN TIMEOUT ENDPOINT")
"""What is heard on the line: the caller's edges, the agent's edges, time passing, and a recogniser that
says of itself that the caller has finished."""

Cue = Enum("Cue", "TURN_BEGAN TURN_ENDED CUT_PLAYBACK COUGHED")
"""What to do about it. `COUGHED`: a voice during playback that was too short to cut it."""

TABLE: Final[dict[tuple[Floor, Sound], tuple[Floor, tuple[Cue, ...]]]] = {
    (Floor.OPEN, Sound.VOICE): (Floor.CALLER, (Cue.TURN_BEGAN,)),
    (Floor.OPEN, Sound.SPEAK): (Floor.AGENT, ()),
    (Floor.CALLER, Sound.SILENCE): (Floor.PAUSE, ()),
    (Floor.CALLER, Sound.ENDPOINT): (Floor.OPEN, (Cue.TURN_ENDED,)),
    (Floor.PAUSE, Sound.VOICE): (Floor.CALLER, ()),
    (Floor.PAUSE, Sound.TIMEOUT): (Floor.OPEN, (Cue.TURN_ENDED,)),
    (Floor.PAUSE, Sound.ENDPOINT): (Floor.OPEN, (Cue.TURN_ENDED,)),
    (Floor.PAUSE, Sound.SPEAK): (Floor.AGENT, (Cue.TURN_ENDED,)),
    (Floor.AGENT, Sound.VOICE): (Floor.OVERLAP, ()),
    (Floor.AGENT, Sound.SPOKEN): (Floor.OPEN, ()),
    (Floor.OVERLAP, Sound.SILENCE): (Floor.AGENT, (Cue.COUGHED,)),
    (Floor.OVERLAP, Sound.TIMEOUT): (Floor.CALLER, (Cue.CUT_PLAYBACK, Cue.TURN_BEGAN)),
    (Floor.OVERLAP, Sound.SPOKEN): (Floor.CALLER, (Cue.TURN_BEGAN,)),
}
"""Every move there is. A pair that is absent is late news and changes nothing."""

PAUSES: Final[Mapping[str, float]] = {
    "answer": 1.0, "yesNo": 0.7, "digits": 2.4, "name": 2.0, "spelling": 2.4, "long": 3.0,
}  # fmt: skip
"""How long a pause may be, by what the caller is to say, in multiples of `Patience.end_of_turn`:
with half a second, 0.35 s after a yes, and 1.2 s between the digits of a number."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds."""

    end_of_turn: float = 0.5
    barge_in: float = 0.25


class Turns:
    """Turn-taking for one call."""

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self.floor = Floor.OPEN
        self.wakes_at: float | None = None
        self._waits = {Floor.PAUSE: self._patience.end_of_turn, Floor.OVERLAP: self._patience.barge_in}

    @property
    def end_of_turn(self) -> float:
        """How long a silence ends the caller's turn now, in seconds."""
        return self._waits[Floor.PAUSE]

    def expect(self, kind: str) -> None:
        """Wait as long as an answer of this kind wants (`PAUSES`), in the pause at hand too."""
        before = self.end_of_turn
        self._waits[Floor.PAUSE] = self._patience.end_of_turn * PAUSES.get(kind, 1.0)
        if self.floor is Floor.PAUSE and self.wakes_at is not None:
            self.wakes_at += self.end_of_turn - before

    def hear(self, sound: Sound, now: float) -> tuple[Cue, ...]:
        """Take one piece of news; return what to do about it, in order."""
        if sound is Sound.TIMEOUT and (self.wakes_at is None or now < self.wakes_at):
            return ()
        floor, cues = TABLE.get((self.floor, sound), (self.floor, ()))
        if floor is not self.floor:
            wait = self._waits.get(floor)
            self.wakes_at = None if wait is None else now + wait
            self.floor = floor
        return cues
