"""A simulated person who is told the words and says words: no sound between.

It speaks at the pace of speech, so what it says takes its time, and can be cut
off in the middle.

    >>> from mcp_voice.simulator.casting import cast
    >>> party = Party(cast("restaurant"), now=0.0)
    >>> party.tick(0.6)
    [Begins(text='Golden Lion, good evening. How can I help you?')]
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from mcp_voice.simulator.person import (
    Act,
    Beep,
    Done,
    HangUp,
    Hush,
    Key,
    Music,
    News,
    Person,
    Press,
    Say,
    Silent,
    Speaks,
    Tick,
    Words,
)
from mcp_voice.simulator.persona import Persona

PACE: Final = 15.0
"""Characters of speech in a second, of people and of machines."""
KEY: Final = 0.15
WAIT: Final = 0.5
"""Seconds that a `w` among keys stands for."""


def spoken_in(text: str) -> float:
    """Return how many seconds it takes to say this."""
    return len(text) / PACE


def resumed(persona: Persona, path: Sequence[str], facts: Mapping[str, str]) -> Persona:
    """Return a person who goes on where one left off, and does not say again what was said there."""
    if not path:
        return persona
    here = path[-1]
    done = {"say": (), "press": "", "beep": None, "music": None}
    states = {**persona.states, here: persona.states[here].model_copy(update=done)}
    return persona.model_copy(update={"begin": here, "states": states, "facts": dict(facts)})


@dataclass(frozen=True, slots=True)
class Begins:
    """The person begins to say this."""

    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """The person has said this; less than it began, if it was cut off."""

    text: str


@dataclass(frozen=True, slots=True)
class Pressed:
    """The person has pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class Beeped:
    """There was a tone."""


@dataclass(frozen=True, slots=True)
class Left:
    """The person has hung up."""


Deed: TypeAlias = Begins | Said | Pressed | Beeped | Left


class Party:
    """One person in one call. `wakes_at` is when `tick` has something to do."""

    def __init__(self, persona: Persona, now: float) -> None:
        self.persona = persona
        self.gone = False
        self._person = Person(persona, now)
        self._acts: deque[Act] = deque()
        self._began = now
        self._pressed = 0

    @property
    def saying(self) -> str:
        """What is being said; empty while nothing is."""
        return self._acts[0].text if self._acts and isinstance(self._acts[0], Say) else ""

    @property
    def path(self) -> Sequence[str]:
        """The states that it has been in."""
        return self._person.path

    @property
    def wakes_at(self) -> float | None:
        """When it next wants the time; None once it has left."""
        if self.gone:
            return None
        due = [at for at in (self._person.wakes_at, self._act_ends) if at is not None]
        return min(due) if due else None

    def resumed(self) -> Persona:
        """Return who it is now, for elsewhere: where it is, with what it knows, and said already."""
        back = resumed(self.persona, self.path, self._person.facts)
        if not self.saying or not self.path:
            return back
        here = self.path[-1]  # it was about to say something, and says it there
        return back.model_copy(update={"states": {**back.states, here: self.persona.states[here]}})

    # ─── what is done to it ──────────────────────────────────────────────────

    def spoken_to(self, now: float) -> list[Deed]:
        """Somebody begins to speak."""
        return self._take(Speaks(), now)

    def told(self, text: str, now: float) -> list[Deed]:
        """Somebody has said this, and is silent."""
        deeds = self._take(Silent(now, owed=True), now)
        return deeds + self._take(Words(text), now)

    def key(self, digit: str, now: float) -> list[Deed]:
        """Somebody has pressed a key."""
        return self._take(Key(digit), now)

    def tick(self, now: float) -> list[Deed]:
        """Time has passed."""
        deeds: list[Deed] = []
        while not self.gone and (ends := self._act_ends) is not None and ends <= now:
            deeds += self._finish(ends)
        return deeds if self.gone else deeds + self._take(Tick(), now)

    # ─── what it does ────────────────────────────────────────────────────────

    @property
    def _act_ends(self) -> float | None:
        match self._acts[0] if self._acts else None:
            case Say(text):
                return self._began + spoken_in(text)
            case Press(digits):
                before = digits[: self._pressed + 1]
                return self._began + sum(WAIT if digit == "w" else KEY for digit in before)
            case Beep(seconds) | Music(seconds):
                return self._began + seconds
            case HangUp():
                return self._began
        return None

    def _finish(self, now: float) -> list[Deed]:
        act, deeds = self._acts[0], list[Deed]()
        match act:
            case Press(digits):
                digit = digits[self._pressed]
                self._pressed += 1
                if digit != "w":
                    deeds.append(Pressed(digit))
                if self._pressed < len(digits):
                    return deeds
            case Say(text):
                deeds.append(Said(text))
            case Beep():
                deeds.append(Beeped())
            case HangUp():
                self.gone = True
                self._acts.clear()
                return [Left()]
        self._acts.popleft()
        return deeds + self._begin(now) + self._take(Done(), now)

    def _take(self, news: News, now: float) -> list[Deed]:
        deeds: list[Deed] = []
        for act in [] if self.gone else self._person.take(news, now):
            if isinstance(act, Hush):
                deeds += self._hush(now)
            else:
                self._acts.append(act)
                deeds += self._begin(now) if len(self._acts) == 1 else []
        return deeds

    def _begin(self, now: float) -> list[Deed]:
        self._began, self._pressed = now, 0
        return [Begins(self.saying)] if self.saying else []

    def _hush(self, now: float) -> list[Deed]:
        said = self.saying[: int((now - self._began) * PACE)].rstrip()
        self._acts.clear()
        return [Said(said)] if said else []
