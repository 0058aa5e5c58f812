"""What a simulated person makes of a call: rules, and no clock.

`take` is told what happens on the line and when, and returns what the person
does about it, in order; each act is answered with `Done` when it has been done.
`wakes_at` is when the person next wants the time (`Tick`).

A person listens to the end: it speaks `thinks` seconds after the agent has
fallen silent and its words are known, and stops when it is spoken over for
`YIELDS` seconds. Only `barge_in_after` makes it cut in. A machine (`yields:
false`) goes on with its announcement whatever is said. Keys work at any time.
"""

import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from mcp_voice.simulator.persona import PLACE, Doing, Persona, Rule

YIELDS: Final = 0.8
"""Seconds of being spoken over that make a person stop."""
OWED: Final = 4.0
"""Seconds that words the ear still works on are waited for."""
_APOSTROPHE: Final = "\N{RIGHT SINGLE QUOTATION MARK}"


# ─── what happens ────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Words:
    """These are the agent's words; empty when there was speech, and nothing was understood."""

    text: str


@dataclass(frozen=True, slots=True)
class Speaks:
    """The agent begins to speak."""


@dataclass(frozen=True, slots=True)
class Silent:
    """The agent fell silent, at a time that may lie a little back. `owed`: its words are still to come."""

    at: float
    owed: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """The agent pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class Done:
    """The oldest act has been done."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


News: TypeAlias = Words | Speaks | Silent | Key | Done | Tick

# ─── what the person does ────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Say:
    """Say this."""

    text: str


@dataclass(frozen=True, slots=True)
class Press:
    """Press these keys."""

    digits: str


@dataclass(frozen=True, slots=True)
class Beep:
    """Sound a tone."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Music:
    """Play music, until it is over or something is to be done."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hush:
    """Stop at once: what was begun and what waits is dropped, and is not answered with `Done`."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""


Act: TypeAlias = Say | Press | Beep | Music | Hush | HangUp


class Person:
    """One persona in one call, which begins `now`."""

    def __init__(self, persona: Persona, now: float) -> None:
        self.persona = persona
        self.facts = dict(persona.facts)
        self.path: list[str] = []
        self.leaving = False
        self._began = now
        self._next: str | None = persona.first
        self._may_begin = now + persona.thinks
        self._acts: deque[Act] = deque()
        self._state = persona.states[persona.first]
        self._followed: Counter[int] = Counter()
        self._visits: Counter[int] = Counter()
        self._entered = self._quiet = now
        self._speaks: float | None = None
        self._owed: float | None = None
        self._heard: list[str] = []
        self._keys = ""
        self._key_pressed = self._insists = False

    def take(self, news: News, now: float) -> list[Act]:
        """Take one piece of news; return what to do about it, in order."""
        match news:
            case Words(text):
                self._owed = None
                self._listen(text)
            case Speaks():
                self._speaks = now
            case Silent(at, owed):
                self._speaks, self._quiet = None, max(self._quiet, at)
                self._owed = now + OWED if owed else None
            case Key(digit):
                self._keys += digit
                self._key_pressed = True
            case Done():
                if self._acts:
                    self._acts.popleft()
                self._quiet = max(self._quiet, now)
            case Tick():
                pass
        return self._go_on(now)

    def overhear(self, text: str) -> None:
        """Take words that come too late to do anything about: what is remembered of them are facts."""
        self._listen(text)

    @property
    def wakes_at(self) -> float | None:
        """When it next wants to be told the time; None once it is leaving."""
        if self.leaving:
            return None
        wishes = [self._began + self.persona.patience, *self._wishes()]
        return min(wishes)

    # ─── what is due ─────────────────────────────────────────────────────────

    def _wishes(self) -> Iterator[float]:
        if self._busy:
            if self._speaks is not None and self._stops:
                yield self._speaks + YIELDS
            return
        if self._next is not None:
            if not self._acts and (self._speaks is None or not self._yields):
                yield self._may_begin
            return
        if self._heard and self._speaks is None:
            yield max(self._quiet + self.persona.thinks, self._owed or 0.0)
        elif self._owed is not None:
            yield self._owed
        for rule in self._open():
            due = self._due_at(rule)
            if due is not None:
                yield due

    def _due_at(self, rule: Rule) -> float | None:
        """When a timed rule holds, as things are now; None if something else has to happen first."""
        if rule.barge_in_after is not None:
            return None if self._speaks is None else self._speaks + rule.barge_in_after
        if rule.after is not None:
            polite = self._speaks is not None and self._yields
            return None if polite else self._entered + rule.after
        if rule.silence is None or self._speaks is not None or self._owed is not None or self._heard:
            return None
        return max(self._quiet, self._entered) + rule.silence

    def _open(self) -> Iterator[Rule]:
        """The rules of this state that may still be followed."""
        for number, rule in enumerate(self._state.when):
            most = rule.times or (None if rule.after is None and rule.barge_in_after is None else 1)
            if (most is None or self._followed[number] < most) and self._allows(rule):
                yield rule

    def _allows(self, rule: Rule) -> bool:
        return self.facts.keys() >= set(rule.knows) and not self.facts.keys() & set(rule.lacks)

    @property
    def _yields(self) -> bool:
        return self.persona.yields if self._state.yields is None else self._state.yields

    @property
    def _stops(self) -> bool:
        """Whether it lets itself be cut off in what it is doing now."""
        return self._yields and not self._insists and not self.leaving

    @property
    def _busy(self) -> bool:
        """Whether something is being done that is not just broken off."""
        return bool(self._acts) and not isinstance(self._acts[0], Music)

    # ─── deciding ────────────────────────────────────────────────────────────

    def _go_on(self, now: float) -> list[Act]:
        """Do all that is due."""
        acts: list[Act] = []
        if not self.leaving and now >= self._began + self.persona.patience:
            return self._leave()
        acts += self._give_way(now)
        while not self.leaving:
            if self._next is not None:
                ready = now >= self._may_begin and (self._speaks is None or not self._yields)
                if self._acts or not ready:
                    break
                acts += self._enter(self._next, now)
                continue
            rule = self._found(now)
            if rule is None:
                break
            acts += self._follow(rule)
        return acts

    def _give_way(self, now: float) -> list[Act]:
        spoken_over = self._speaks is not None and now >= self._speaks + YIELDS
        return self._hush() if self._busy and spoken_over and self._stops else []

    def _found(self, now: float) -> Rule | None:
        """Return the rule that holds now; what was heard counts once."""
        if self._key_pressed:
            self._key_pressed = False
            for rule in self._open():
                found = re.fullmatch(rule.digits, self._keys) if rule.digits is not None else None
                if found is not None:
                    self._know(found)
                    return rule
        if self._busy:
            return None
        if self._turn_is_over(now):
            text, self._heard, self._owed = " ".join(filter(None, self._heard)), [], None
            for rule in self._open():
                if not rule.timed and rule.digits is None and self._holds(rule, text):
                    return rule
        if self._owed is not None and now >= self._owed:
            self._owed = None
        for rule in self._open():
            due = self._due_at(rule) if rule.timed else None
            if due is not None and now >= due:
                return rule
        return None

    def _turn_is_over(self, now: float) -> bool:
        if not self._heard or self._speaks is not None:
            return False
        return now >= max(self._quiet + self.persona.thinks, self._owed or 0.0)

    def _holds(self, rule: Rule, text: str) -> bool:
        if rule.words:
            return any(_word(text, word) for word in rule.words)
        if rule.matches is None:
            return True
        found = re.search(rule.matches, text, re.IGNORECASE)
        if found is not None:
            self._know(found)
        return found is not None

    def _know(self, found: re.Match[str]) -> None:
        self.facts |= {name: value for name, value in found.groupdict().items() if value}

    def _listen(self, text: str) -> None:
        """Take words: facts are remembered at once, the rest is for when the agent has finished."""
        plain = text.replace(_APOSTROPHE, "'").strip()
        self._heard.append(plain)
        for name, pattern in self.persona.remember.items():
            for found in re.finditer(pattern, plain, re.IGNORECASE):
                groups = [group for group in found.groups() if group]
                self.facts[name] = groups[-1] if groups else found[0]

    # ─── doing ───────────────────────────────────────────────────────────────

    def _enter(self, name: str, now: float) -> list[Act]:
        self._state, self._entered, self._next = self.persona.states[name], now, None
        self._followed.clear()
        self._keys, self._key_pressed, self._insists = "", False, False
        self.path.append(name)
        state = self._state
        if state.unless and self.facts.keys() >= set(state.unless):
            self._next = state.goto
            return []
        if not state.when:
            self._next = state.goto
        return self._do(state)

    def _follow(self, rule: Rule) -> list[Act]:
        self._followed[next(n for n, other in enumerate(self._state.when) if other is rule)] += 1
        self._next, self._insists = rule.goto, rule.barge_in_after is not None
        broken_off = self._hush() if self._acts else []
        return broken_off + self._do(rule)

    def _do(self, doing: Doing) -> list[Act]:
        acts: list[Act] = []
        if doing.say:
            text = doing.say[min(self._visits[id(doing)], len(doing.say) - 1)]
            self._visits[id(doing)] += 1
            acts.append(Say(PLACE.sub(lambda place: self.facts.get(place[1], ""), text)))
        if doing.press:
            acts.append(Press(doing.press))
        if doing.beep is not None:
            acts.append(Beep(doing.beep))
        if doing.music is not None:
            acts.append(Music(doing.music))
        if doing.hang_up:
            self.leaving = True
            acts.append(HangUp())
        self._acts.extend(acts)
        return acts

    def _leave(self) -> list[Act]:
        self.leaving = True
        return [*self._hush(), HangUp()]

    def _hush(self) -> list[Act]:
        self._acts.clear()
        return [Hush()]


def phrases_of(persona: Persona) -> Sequence[str]:
    """What an ear can expect to hear: the persona's phrases, or else the words of its rules."""
    if persona.phrases:
        return persona.phrases
    words = [word for state in persona.states.values() for rule in state.when for word in rule.words]
    return tuple(dict.fromkeys(word.lower() for word in words))


def _word(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def lines_of(persona: Persona) -> Sequence[str]:
    """What it may say, whole and by sentence; what depends on what it heard is not known beforehand."""
    said = [_filled(text, persona.facts) for _, doing in persona.doings() for text in doing.say]
    whole = [text for text in said if text is not None]
    parts = [part for text in whole for part in re.split(r"(?<=[.!?])\s+", text)]
    return list(dict.fromkeys(part.strip() for part in (*whole, *parts) if re.search(r"[A-Za-z]", part)))


def _filled(text: str, facts: Mapping[str, str]) -> str | None:
    if any(name not in facts for name in PLACE.findall(text)):
        return None
    return PLACE.sub(lambda found: facts[found[1]], text)
