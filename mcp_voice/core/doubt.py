"""Whether a voice that cut the agent off had anything to say.

A cough that lasts, a television, a "mhm": each stops the agent like a real
interruption does, and only what the recogniser makes of it tells them apart.
Until then the call is in doubt. Words make it an interruption; silence, or a
mere sign of attention, does not, and what was cut goes on.

    >>> doubt = Doubt(cut_at=1.0)
    >>> doubt.final(Final("mhm"), voiced_ms=400)
    False
    >>> doubt.final(Final("no, on Friday"), voiced_ms=900)
    True
"""

from dataclasses import dataclass, field
from typing import Final as Constant

from mcp_voice.core.events import Final
from mcp_voice.core.playout import Utterance

WORDLESS: Constant = 1.0
"""Seconds that words may take to come when the caller's turn is over, from a recogniser that may have none
to say; one that has begun to make some out gets `HALF_HEARD`."""

HALF_HEARD: Constant = 3.5
LONGEST: Constant = 10.0
"""Seconds after which nothing goes on: whatever it was, the caller has lost the thread."""

BACKCHANNEL_MS: Constant = 700
"""A sign of attention is shorter than this."""

SIGNS: Constant = frozenset(
    {
        *("mhm", "mm", "mmm", "mmhm", "mmhmm", "hm", "hmm", "uhhuh", "uh", "um", "ah", "aha", "oh"),
        *("yeah", "yep", "ok", "okay", "okey", "right", "sure"),
        *("genau", "ach", "äh", "ähm", "soso", "ajá", "vale", "claro", "ouais", "voilà", "daccord", "euh"),
    }
)
"""Words that say no more than "I am listening". A plain yes is none of them: it may be an answer."""


def says_something(text: str) -> bool:
    """Whether there are words in it beyond signs of attention."""
    letters = ("".join(filter(str.isalnum, word)) for word in text.lower().split())
    return any(word not in SIGNS for word in letters if word)


@dataclass(slots=True)
class Doubt:
    """An interruption of which it is not known yet whether it is one.

    `cut` is what it stopped and `part` how the last of it is called; after a
    question for a yes or a no (`answers`) the shortest word is an answer.
    """

    cut_at: float
    part: str = ""
    cut: list[Utterance] = field(default_factory=list)
    answers: bool = False
    held: list[Final] = field(default_factory=list)
    half_heard: bool = False

    def partial(self, text: str) -> None:
        """Words are being made out."""
        self.half_heard |= any(map(str.isalnum, text))

    def final(self, words: Final, voiced_ms: int) -> bool | None:
        """Take words: True if the caller meant to speak, False if not, None while it may be either."""
        self.held.append(words)
        said = " ".join(final.text for final in self.held)
        if says_something(said) or (
            any(map(str.isalnum, said)) and (self.answers or voiced_ms >= BACKCHANNEL_MS)
        ):
            return True
        return False if words.ends_turn else None

    def patience(self, end_of_turn: float, *, owed: bool) -> float:
        """How long the caller has to have been silent for there to have been nothing; `owed` words tell."""
        if owed:
            return LONGEST
        return end_of_turn + (HALF_HEARD if self.half_heard else WORDLESS)
