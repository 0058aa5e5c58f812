"""A call with a simulated person in virtual time: nothing waits, everything takes as long as it would."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

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

A_CHARACTER = 0.06
"""Seconds."""
HUSH = 0.5
"""Seconds until silence is known to be one."""


@dataclass(order=True)
class _Event:
    at: float
    number: int
    news: News | None = field(compare=False)
    generation: int | None = field(default=None, compare=False)
    then: Callable[[], None] | None = field(default=None, compare=False)


class Dialogue:
    """Drives a `Person`; `agent` is told each thing that has been said to it and answers, with words or keys.

    An answer that begins with `#:` is keys. What the agent says is heard by an
    ear that takes 0.2 s longer than the silence behind it.
    """

    def __init__(self, persona: Persona, agent: Callable[[str], str | None] = lambda _: None) -> None:
        self.person = Person(persona, 0.0)
        self.now = 0.0
        self.said: list[str] = []
        self.log: list[tuple[float, Act]] = []
        self.over = False
        self._agent = agent
        self._events: list[_Event] = []
        self._numbers = count()
        self._free_at = 0.0
        self._generation = 0

    def at(self, when: float, news: News | None = None, **how: object) -> None:
        heapq.heappush(self._events, _Event(when, next(self._numbers), news, **how))  # type: ignore[arg-type]

    def speak(self, when: float, text: str) -> None:
        """Let the agent say something."""
        ends = when + len(text) * A_CHARACTER
        self.at(when, Speaks())
        self.at(ends + HUSH, Silent(ends, owed=True))
        self.at(ends + HUSH + 0.2, Words(text))

    def press(self, when: float, digits: str) -> None:
        """Let the agent press keys."""
        for number, digit in enumerate(digits):
            self.at(when + 0.2 * number, Key(digit))

    def play(self, seconds: float = 400.0) -> "Dialogue":
        """Go on until the person hangs up, or for so long."""
        while not self.over and self.now < seconds:
            wakes_at = self.person.wakes_at
            event = self._events[0] if self._events else None
            if event is None or (wakes_at is not None and wakes_at < event.at):
                if wakes_at is None:
                    break
                assert wakes_at > self.now or not self.log or self.now == 0.0, "time stands still"
                self.now = max(self.now, wakes_at)
                self._take(Tick())
                assert self.person.wakes_at is None or self.person.wakes_at > self.now, "it wakes in vain"
                continue
            heapq.heappop(self._events)
            self.now = max(self.now, event.at)
            if event.generation not in (None, self._generation):
                continue  # it was cut off
            if event.then is not None:
                event.then()
            if event.news is not None:
                self._take(event.news)
        return self

    def _take(self, news: News) -> None:
        for act in self.person.take(news, self.now):
            self.log.append((self.now, act))
            if isinstance(act, Hush):
                self._generation += 1
                self._free_at = self.now
            else:
                begins = max(self.now, self._free_at)
                self._free_at = begins + _lasts(act)
                self.at(
                    self._free_at, Done(), generation=self._generation, then=lambda act=act: self._end(act)
                )

    def _end(self, act: Act) -> None:
        if isinstance(act, HangUp):
            self.over = True
        if isinstance(act, Say):
            self.said.append(act.text)
            answer = self._agent(act.text)
            if answer is not None and answer.startswith("#:"):
                self.press(self.now + 0.5, answer[2:])
            elif answer is not None:
                self.speak(self.now + 0.8, answer)


def _lasts(act: Act) -> float:
    match act:
        case Say(text):
            return len(text) * A_CHARACTER
        case Beep(seconds) | Music(seconds):
            return seconds
        case Press(digits):
            return 0.15 * len(digits)
        case _:
            return 0.0


def answering(**answers: str) -> Callable[[str], str | None]:
    """An agent that answers by the first of these words that is in what it is told; `_` is any."""

    def agent(words: str) -> str | None:
        for word, answer in answers.items():
            if word.replace("_", " ").strip() in words.lower():
                return answer or None
        return None

    return agent
