"""Ears, voices and carriers in memory: they implement the ports, with a script instead of an engine."""

from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import anyio

from mcp_voice.core.audio import FRAME_BYTES, SILENCE_FRAME
from mcp_voice.core.conference import Step
from mcp_voice.core.events import EarFailed, Heard, Partial
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.policy import Wish
from mcp_voice.core.relaying import RELAY
from mcp_voice.core.session import Session
from mcp_voice.core.twiml import Mode
from mcp_voice.core.usage import Admission
from mcp_voice.errors import NotConfigured, NotFound, VoiceError
from mcp_voice.ports import Ear, EarConfig, Hears, Speaks, VoiceConfig
from mcp_voice.providers.relayed import Relayed

T = TypeVar("T")

VOICE_FRAME: Final = b"\x00\x80" * (FRAME_BYTES // 2)
"""As loud as mu-law gets, for 20 ms."""


def loud(pcm: bytes, /) -> bool:
    """A voice detector for `VOICE_FRAME` and silence, whatever codec they have been through."""
    return max(array("h", pcm)) > 1_000


def sound(*parts: tuple[bool, int]) -> bytes:
    """Telephone audio: voice or silence, for so many milliseconds each."""
    return b"".join((VOICE_FRAME if voice else SILENCE_FRAME) * (ms // 20) for voice, ms in parts)


async def until(so: Callable[[], bool]) -> None:
    """Let others go on until it is so."""
    with anyio.fail_after(30):
        while not so():
            await anyio.lowlevel.checkpoint()


class Clock:
    """A wall clock that moves when told."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class ScriptedEar:
    """Yields the next line of its script at each `finalize`, and a partial at each onset."""

    def __init__(self, lines: Sequence[Heard], breaks: Exception | None = None) -> None:
        self.latency_ms: int | None = None
        self.errors = 0
        self.audio = bytearray()
        self.closed = False
        self._lines = list(lines)
        self._breaks = breaks
        self._send, self._receive = anyio.create_memory_object_stream[Heard](100)

    def hear(self, audio: bytes, *, onset: bool = False) -> None:
        self.audio += audio
        if onset and self._lines:
            self._send.send_nowait(Partial("…"))

    def finalize(self) -> None:
        if not self._lines:
            return
        line = self._lines.pop(0)
        if isinstance(line, FinalWords):
            self.latency_ms = line.latency_ms
        self.errors += isinstance(line, EarFailed)
        self._send.send_nowait(line)

    async def heard(self) -> AsyncIterator[Heard]:
        if self._breaks is not None:
            raise self._breaks
        with suppress(anyio.ClosedResourceError):  # closed before anybody listened
            async for heard in self._receive:
                yield heard

    async def aclose(self) -> None:
        self.closed = True
        self._send.close()
        self._receive.close()


@dataclass
class Listener:
    """A vendor whose ears follow a script.

    `refuses` is raised instead of opening one, and `breaks` by one that is open; by the first `broken` only.
    """

    lines: Sequence[Heard] = ()
    name: str = "scripted"
    continuous: bool = False
    refuses: VoiceError | None = None
    breaks: Exception | None = None
    broken: int | None = None
    ears: list[ScriptedEar] = field(default_factory=list)
    configs: list[EarConfig] = field(default_factory=list)

    async def listen(self, config: EarConfig) -> Ear:
        self.configs.append(config)
        if self.refuses is not None:
            raise self.refuses
        whole = self.broken is not None and len(self.ears) >= self.broken
        self.ears.append(ScriptedEar(self.lines, None if whole else self.breaks))
        return self.ears[-1]


@dataclass
class Speaker:
    """A vendor that hums: `ms_per_character` of a tone, in pieces of 100 ms.

    `fails` are raised one after the other, each instead of the piece number `fails_at`. While `held` is an
    unset event, it waits behind its first piece.
    """

    name: str = "humming"
    ms_per_character: int = 60
    fails: list[Exception] = field(default_factory=list)
    fails_at: int = 0
    held: anyio.Event | None = None
    said: list[tuple[str, VoiceConfig]] = field(default_factory=list)
    at_work: int = 0

    async def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[bytes, None]:
        self.said.append((text, config))
        left = len(text) * self.ms_per_character * 8
        number = 0
        self.at_work += 1
        try:
            while left > 0:
                if number == self.fails_at and self.fails:
                    raise self.fails.pop(0)
                if number == 1 and self.held is not None:
                    await self.held.wait()
                yield b"\x00\x80" * (min(left, 800) // 2)
                left -= 800
                number += 1
        finally:
            self.at_work -= 1

    async def voices(self) -> Sequence[str]:
        return ("hum",)


@dataclass
class Vendors:
    """The vendors of a test. One without a listener or a speaker has no default of it."""

    listener: Listener = field(default_factory=Listener)
    speaker: Speaker = field(default_factory=Speaker)

    def ear(self, name: str | None = None) -> Hears:
        return self._found(name, self.listener.name, self.listener)

    def voice(self, name: str | None = None) -> Speaks:
        if name == RELAY:
            return Relayed()
        return self._found(name, self.speaker.name, self.speaker)

    @staticmethod
    def _found(name: str | None, known: str, vendor: T) -> T:
        if name == "keyless":
            raise NotConfigured("keyless needs an API key.", advice="Set it, or use local.")
        if name not in (None, known):
            raise NotFound("provider", name or "")
        return vendor

    def names(self) -> Mapping[str, frozenset[str]]:
        return {self.listener.name: frozenset({"hears"}), self.speaker.name: frozenset({"speaks"})}

    async def aclose(self) -> None:
        """Nothing runs."""


@dataclass
class OpenGate:
    """Lets everybody through, and knows what became of it."""

    disclosure: str | None = None
    max_minutes: float = 30
    wishes: list[Wish] = field(default_factory=list)
    given_back: list[float | None] = field(default_factory=list)

    async def admit(self, wish: Wish) -> Admission:
        self.wishes.append(wish)
        return Admission(
            wish.to,
            wish.max_minutes or self.max_minutes,
            disclosure=self.disclosure,
            give_back=self.given_back.append,
        )


@dataclass
class Network:
    """A carrier that notes what it is asked. `refuses` is raised instead."""

    name: str = "twilio"
    number: str | None = None
    refuses: VoiceError | None = None
    limits: list[int | None] = field(default_factory=list)
    dialled: list[tuple[str, str | None, float]] = field(default_factory=list)
    hung_up: list[tuple[str, str]] = field(default_factory=list)
    transfers: list[dict[str, object]] = field(default_factory=list)
    has_keys: bool = False
    pressed: list[tuple[str, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def __getitem__(self, name: str) -> "Network":
        if name != self.name:
            raise NotFound("carrier", name)
        return self

    def vocabulary(self, to: str) -> tuple[str, ...]:
        return ()

    def ready(self) -> None:
        if self.refuses is not None:
            raise self.refuses

    async def dial(
        self,
        session: Session,
        *,
        ring_seconds: float = 45.0,
        mode: Mode = "stream",
        detect: bool = True,
        max_minutes: int | None = None,
        record: bool = False,
    ) -> str:
        self.limits.append(max_minutes)
        if self.refuses is not None:
            raise self.refuses
        self.dialled.append((session.session_id, session.to, ring_seconds))
        return f"CA{len(self.dialled):032d}"

    async def hangup(self, session: Session, reason: str) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.hung_up.append((session.call_sid, reason))

    async def transfer(
        self, session: Session, target: str, *, warm: bool, announce: str | None, whisper: str | None = None
    ) -> Mapping[str, str]:
        if self.refuses is not None:
            raise self.refuses
        self.transfers.append(
            {
                "call": session.call_sid,
                "target": target,
                "warm": warm,
                "announce": announce,
                "whisper": whisper,
            }
        )
        return {"conferenceSid": "CF1"} if warm else {}

    async def press(self, session: Session, digits: str) -> bool:
        if self.refuses is not None:
            raise self.refuses
        if self.has_keys:
            self.pressed.append((session.call_sid, digits))
        return self.has_keys

    async def conference(self, session: Session, step: Step) -> Mapping[str, str]:
        if self.refuses is not None:
            raise self.refuses
        self.steps.append(step)
        return {"conferenceSid": "CF1"}


@dataclass
class Doors:
    """Addresses of ours that carriers reach; `public` is whether there are any for their news."""

    public: bool = True
    issued: list[tuple[str, Mode, float]] = field(default_factory=list)

    def url(self, session: Session, *, mode: Mode = "stream", seconds: float = 60.0) -> str:
        self.issued.append((session.session_id, mode, seconds))
        return f"wss://voice.example.com/twilio/media/ticket{len(self.issued)}"

    def callback(self, name: str, session_id: str | None = None) -> str | None:
        if not self.public:
            return None
        return "/".join(filter(None, ("https://voice.example.com/twilio", name, session_id)))
