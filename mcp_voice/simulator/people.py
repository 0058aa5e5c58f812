"""A simulated person on a real socket: hears, makes up its mind, speaks.

    senses = Senses(voice=espeak, ear=pocketsphinx)
    encounter = await converse(cast("restaurant"), "ws://127.0.0.1:8765/twilio/media", senses)
    encounter.states, encounter.facts

The person is a `Caller`; `Person` decides, and this carries it out. What the
agent says is heard through an ear, as its audio is played, or, where a person
is told (`told`), taken from whoever knows the words: then nothing is misheard.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mcp_voice.core.audio import FRAME_BYTES
from mcp_voice.core.dtmf import Keypad
from mcp_voice.core.events import EarFailed
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.errors import NotLive
from mcp_voice.ports import Ear, EarConfig, Hears, Speaks, VoiceConfig
from mcp_voice.simulator.caller import Caller
from mcp_voice.simulator.line import Happening
from mcp_voice.simulator.noises import BadLine, beep, music
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
    Tick,
    Words,
    phrases_of,
)
from mcp_voice.simulator.person import (
    Speaks as AgentSpeaks,
)
from mcp_voice.simulator.persona import Persona
from mcp_voice.simulator.report import CallReport
from mcp_voice.simulator.track import QUIET, RATE

PREROLL: Final = 0.2
"""Seconds before the agent's first sound that its ear is given."""

LAST_WORDS: Final = 2.0
"""Seconds that an ear has for the agent's last words when the call is over."""

_SILENCE: Final = b"\xff"


@dataclass(frozen=True, slots=True)
class Senses:
    """What a person speaks with, and hears with; without an ear it has to be told."""

    voice: Speaks
    ear: Hears | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody said; `at` in seconds since the call began, when it was begun or understood."""

    at: float
    by: Literal["person", "agent"]
    text: str


@dataclass(frozen=True, slots=True)
class Encounter:
    """A call with a person, when it is over.

    `answers` are the seconds from the person's last sound to the agent's next first one.
    """

    report: CallReport
    states: tuple[str, ...]
    facts: Mapping[str, str]
    lines: tuple[Line, ...]
    answers: tuple[float, ...]

    @property
    def ended_by(self) -> str:
        """Who hung up: `person`, `agent`, or neither, `lost`."""
        return {"caller": "person", "agent": "agent"}.get(self.report.end.by, "lost")


async def converse(
    persona: Persona, url: str, senses: Senses, *, told: AsyncIterator[str] | None = None, **how: Any
) -> Encounter:
    """Be a person in one call, to its end; `how` are `Caller`'s arguments.

    `told` yields the agent's words as it has said them; they take the place of an ear.

    Raises what the ear and the voice raise, and `CarrierFailed` if nobody could be reached.
    """
    carry = BadLine(noise=persona.noise, loss=persona.packet_loss)
    ear = await senses.ear.listen(_listening(persona)) if senses.ear is not None and told is None else None
    try:
        async with Caller(url, carry=carry, **how) as caller:
            presence = Presence(persona, caller, senses.voice, ear, told)
            await presence.hold()
    finally:
        if ear is not None:
            await ear.aclose()
    return presence.encounter()


def _listening(persona: Persona) -> EarConfig:
    if persona.grammar is not None:
        return EarConfig(language=persona.voice.language, grammar=persona.grammar)
    return EarConfig(language=persona.voice.language, phrases=tuple(phrases_of(persona)))


@dataclass
class Presence:
    """A person in a call that is open."""

    persona: Persona
    caller: Caller
    voice: Speaks
    ear: Ear | None = None
    told: AsyncIterator[str] | None = None
    lines: list[Line] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin."""
        self._person = Person(self.persona, self.caller.now)
        self._acts: deque[Act] = deque()
        self._asked = asyncio.Event()
        self._doing: asyncio.Task[None] | None = None
        self._hushed = 0
        self._seen = 0
        self._given: int | None = None
        self._pressed = False
        self._keyed = 0
        self._keypad = Keypad()
        self._awaited: deque[bool] = deque()
        self._came = asyncio.Event()
        self._fell_silent: float | None = None

    async def hold(self) -> None:
        """Stay in the call until it is over."""
        tasks = [asyncio.create_task(self._act()), asyncio.create_task(self._listen())]
        try:
            while not self.caller.line.over:
                for task in tasks:
                    if task.done():
                        task.result()
                self._perceive()
                await self.caller.news()
            self._perceive()
            self._hear_out(self.caller.now)
            await self._last_words(tasks[1])
        finally:
            for task in [*tasks, *([self._doing] if self._doing else [])]:
                task.cancel()
                with suppress(asyncio.CancelledError, NotLive):
                    await task

    async def _last_words(self, listening: "asyncio.Task[None]") -> None:
        """Wait, not for long, for words of the agent that are still on the way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                if self.told is not None:
                    await asyncio.wait([listening])
                while self._awaited and not listening.done():
                    self._came.clear()
                    await self._came.wait()

    def encounter(self) -> Encounter:
        """Return what has become of it."""
        person = self._person
        return Encounter(
            self.caller.report(),
            tuple(person.path),
            dict(person.facts),
            tuple(self.lines),
            tuple(self.answers),
        )

    # ─── hearing ─────────────────────────────────────────────────────────────

    def _perceive(self) -> None:
        """Take in what has happened on the line since the last time."""
        now, line = self.caller.now, self.caller.line
        for happening in line.happenings[self._seen :]:
            self._notice(happening, now)
        self._seen = len(line.happenings)
        self._pass(now)
        self._find_keys(now)
        wakes_at = self._person.wakes_at
        if wakes_at is not None and now >= wakes_at:
            self._take(Tick())

    def _notice(self, happening: Happening, now: float) -> None:
        match happening.kind:
            case "agent_speaks":
                if self._fell_silent is not None and happening.at >= self._fell_silent:
                    self.answers.append(happening.at - self._fell_silent)
                self._fell_silent = None
                self._given = max(0, round((happening.at - PREROLL) * RATE))
                self._pass(now, onset=True)
                self._take(AgentSpeaks())
            case "agent_silent":
                self._hear_out(now)
                self._take(Silent(happening.at, owed=any(self._awaited)))

    def _pass(self, now: float, *, onset: bool = False) -> None:
        """Let the ear have what has been played of the agent's talk."""
        if self.ear is None or self._given is None:
            return
        until = round(now * RATE)
        sound = bytes(self.caller.line.agent.sound[self._given : until])
        if until > self._given:
            self.ear.hear(sound.ljust(until - self._given, _SILENCE), onset=onset)
            self._given = until

    def _hear_out(self, now: float) -> None:
        """End what the ear is given, if it is given anything: the agent is silent, or gone."""
        if self._given is None:
            return
        self._pass(now)
        self._given = None
        if self.ear is not None:
            self.ear.finalize()
            self._awaited.append(not self._pressed)
        self._pressed = False

    def _find_keys(self, now: float) -> None:
        """Listen for the tones of keys in what has been played."""
        until = round(now * RATE)
        while self._keyed + FRAME_BYTES <= until:
            frame = bytes(self.caller.line.agent.sound[self._keyed : self._keyed + FRAME_BYTES])
            self._keyed += FRAME_BYTES
            key = self._keypad.hear(frame.ljust(FRAME_BYTES, _SILENCE))
            if key is not None:
                self._pressed = True
                self._take(Key(key))

    async def _listen(self) -> None:
        """Take the agent's words, from the ear or from who tells them."""
        if self.told is not None:
            async for text in self.told:
                self._understand(text)
        elif self.ear is not None:
            async for heard in self.ear.heard():
                if isinstance(heard, FinalWords):
                    if self._settle():  # otherwise it was the tones of keys
                        self._understand(heard.text if self._is_sure(heard) else "")
                elif isinstance(heard, EarFailed) and not heard.recovered:
                    self._settle()
                self._came.set()

    def _is_sure(self, heard: FinalWords) -> bool:
        """Whether the ear understood: people make do with less than a recogniser lets pass."""
        return not heard.rejected or (heard.confidence or 0.0) >= self.persona.sure

    def _settle(self) -> bool:
        """Take an utterance as heard; say whether there were words to be expected in it."""
        return self._awaited.popleft() if self._awaited else True

    def _understand(self, text: str) -> None:
        self.lines.append(Line(self.caller.now, "agent", text))
        if self.caller.line.over:
            self._person.overhear(text)
        else:
            self._take(Words(text))

    # ─── acting ──────────────────────────────────────────────────────────────

    def _take(self, news: News) -> None:
        """Let the person take news, and see that what it wants is done."""
        for act in self._person.take(news, self.caller.now):
            if isinstance(act, Hush):
                self._acts.clear()
                self._hushed += 1
                if self._doing is not None:
                    self._doing.cancel()
            else:
                self._acts.append(act)
        self._asked.set()

    async def _act(self) -> None:
        """Do one thing after the other."""
        while True:
            while self._acts:
                hushed = self._hushed
                self._doing = doing = asyncio.create_task(self._do(self._acts.popleft()))
                await asyncio.wait([doing])
                self._doing = None
                if not doing.cancelled():
                    doing.result()
                if hushed == self._hushed:
                    self._take(Done())
            self._asked.clear()
            await self._asked.wait()

    async def _do(self, act: Act) -> None:
        with suppress(NotLive):  # the other side has hung up
            match act:
                case Say(text):
                    await self._say(text)
                case Beep(seconds):
                    await self.caller.say(beep(seconds))
                case Music(seconds):
                    await self.caller.say(music(seconds))
                case Press(digits):
                    await self.caller.press(digits)
                case HangUp():
                    await self.caller.hang_up()

    async def _say(self, text: str) -> None:
        voice = self.persona.voice
        config = VoiceConfig(voice=voice.voice, language=voice.language, speed=voice.speed)
        sound = b"".join([piece async for piece in self.voice.speak(text, config)])
        self.lines.append(Line(self.caller.now, "person", text))
        self._fell_silent = None
        await self.caller.say(sound)
        self._fell_silent = self.caller.now - _quiet_end(sound)


def _quiet_end(sound: bytes) -> float:
    """Return how many seconds of silence a sound ends in."""
    return (len(sound) - len(sound.rstrip(QUIET))) / RATE
