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


Sound = Enum("Sound", "VOICE SILENCE SPEAK SPOKEN TIMEOUT")
"""What is heard on the line: the caller's edges, the agent's edges, and time passing."""

Cue = Enum("Cue", "TURN_BEGAN TURN_ENDED CUT_PLAYBACK COUGHED")
"""What to do about it. `COUGHED`: a voice during playback that was too short to cut it."""

TABLE: Final[dict[tuple[Floor, Sound], tuple[Floor, tuple[Cue, ...]]]] = {
    (Floor.OPEN, Sound.VOICE): (Floor.CALLER, (Cue.TURN_BEGAN,)),
    (Floor.OPEN, Sound.SPEAK): (Floor.AGENT, ()),
    (Floor.CALLER, Sound.SILENCE): (Floor.PAUSE, ()),
    (Floor.PAUSE, Sound.VOICE): (Floor.CALLER, ()),
    (Floor.PAUSE, Sound.TIMEOUT): (Floor.OPEN, (Cue.TURN_ENDED,)),
    (Floor.PAUSE, Sound.SPEAK): (Floor.AGENT, (Cue.TURN_ENDED,)),
    (Floor.AGENT, Sound.VOICE): (Floor.OVERLAP, ()),
    (Floor.AGENT, Sound.SPOKEN): (Floor.OPEN, ()),
    (Floor.OVERLAP, Sound.SILENCE): (Floor.AGENT, (Cue.COUGHED,)),
    (Floor.OVERLAP, Sound.TIMEOUT): (Floor.CALLER, (Cue.CUT_PLAYBACK, Cue.TURN_BEGAN)),
    (Floor.OVERLAP, Sound.SPOKEN): (Floor.CALLER, (Cue.TURN_BEGAN,)),
}
"""Every move there is. A pair that is absent is late news and changes nothing."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds."""

    end_of_turn: float = 0.5
    barge_in: float = 0.25


class Turns:
    """Turn-taking for one call."""

    def __init__(self, patience: Patience | None = None) -> None:
        patience = patience or Patience()
        self.floor = Floor.OPEN
        self.wakes_at: float | None = None
        self._waits = {Floor.PAUSE: patience.end_of_turn, Floor.OVERLAP: patience.barge_in}

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
