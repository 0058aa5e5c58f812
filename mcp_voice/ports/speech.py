"""What a carrier says on its socket, who hears and who speaks: a vendor is one file of `providers/`."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mcp_voice.core.events import Command, Heard, Lost, Stopped, StreamEvent
from mcp_voice.core.relaying import RelayEvent


class Wire(Protocol):
    """A carrier's media protocol on one socket: pure, no I/O, remembers its stream's name."""

    def name(self, stream_sid: str) -> None:
        """Take the stream's name, where no `start` is received to learn it from."""

    def receive(self, message: str | bytes) -> StreamEvent | RelayEvent | Heard | None:
        """Read one message; None for one that is none of our business.

        Raises:
            BadMessage: it cannot be read. The stream goes on.
        """

    def send(self, command: Command) -> str:
        """Spell one command as the carrier wants it. One that it has no word for is a `TypeError`."""

    def left(self, code: int) -> Stopped | Lost:
        """Say what it means that the carrier has closed the socket, with this code."""


@dataclass(frozen=True, slots=True)
class EarConfig:
    """How to listen. `phrases` or a JSGF `grammar` narrow what can be heard."""

    language: str = "en-US"
    endpointing_ms: int = 500
    phrases: tuple[str, ...] = ()
    grammar: str | None = None
    api_key: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


class Ear(Protocol):
    """A recogniser at work on one stream of 8 kHz mu-law.

    `hear` and `finalize` return at once, whatever the engine does: an ear that
    cannot follow drops its oldest audio and says so with `EarFailed`.
    """

    latency_ms: int | None
    """The newest final's delay behind `finalize`; None before the first."""
    errors: int

    def hear(self, audio: bytes, *, onset: bool = False) -> None:
        """Take audio; `onset` marks an utterance's first piece, pre-roll included."""

    def finalize(self) -> None:
        """The caller fell silent: make the words final.

        An ear that is not `continuous` answers each time, with a `Final` (empty, if there were no words)
        or with `EarFailed`: an interruption is not judged before.
        """

    def heard(self) -> AsyncIterator[Heard]:
        """Yield words as they come, until `aclose`."""

    async def aclose(self) -> None:
        """Let go of the engine; `heard` ends."""


class Hears(Protocol):
    """A vendor that hears."""

    name: str
    continuous: bool
    """Whether its ears want silence too (they find the end of a turn themselves)."""

    async def listen(self, config: EarConfig) -> Ear:
        """Open an ear.

        Raises:
            NotConfigured: its engine or its key is missing.
            BadGrammar: it cannot use the phrases or the grammar.
            ProviderFailed: it did not open.
        """


@dataclass(frozen=True, slots=True)
class VoiceConfig:
    """How to speak. `speed` is a factor, 1.0 as the voice was made."""

    voice: str | None = None
    language: str = "en-US"
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of a vendor: its name, the language it is best at (BCP 47), and its gender, if known."""

    name: str
    language: str | None = None
    gender: str | None = None


class Speaks(Protocol):
    """A vendor that speaks."""

    name: str

    def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[bytes, None]:
        """Yield 8 kHz mu-law as it is made; closing the generator cancels it.

        Raises:
            NotConfigured: its engine or its key is missing.
            ProviderFailed: it failed, perhaps half-way.
        """

    async def voices(self) -> Sequence[Voice | str]:
        """Name the voices it has, or describe them; the first is its default."""


class Providers(Protocol):
    """The vendors this process can use, by name; imported when first asked for."""

    def ear(self, name: str | None = None) -> Hears:
        """Return a vendor that hears, or the default. Raises `NotFound`, `NotConfigured`."""

    def voice(self, name: str | None = None) -> Speaks:
        """Return a vendor that speaks, or the default. Raises `NotFound`, `NotConfigured`."""

    def names(self) -> Mapping[str, frozenset[str]]:
        """Map each vendor's name to what it does: `hears`, `speaks`."""

    async def aclose(self) -> None:
        """End every engine."""
