"""What the inside asks of the outside.

Each port is a small protocol; the rooms around the core implement them and
`server/assembly.py` plugs them together. `Desk` is what a tool gets to work
with: the ports, and nothing else.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import anyio

from mcp_voice.core.ability import Ability
from mcp_voice.core.attendance import Attendance, Duty
from mcp_voice.core.audio import TELEPHONE, AudioFormat
from mcp_voice.core.conference import Step
from mcp_voice.core.conversation import LONGEST_WAIT, Ask, Conversation, Outcome
from mcp_voice.core.counts import Counts
from mcp_voice.core.events import Heard, Request, Started, StreamEvent, WireCommand
from mcp_voice.core.finding import Found, Place
from mcp_voice.core.numbers import simulated
from mcp_voice.core.policy import Wish
from mcp_voice.core.session import Change, Entry, Session, change
from mcp_voice.core.usage import Admission
from mcp_voice.core.voice import Vad
from mcp_voice.errors import BadMessage, NotAllowed, NotFound, StaleVersion

T = TypeVar("T")

# ─── the wire ────────────────────────────────────────────────────────────────


class Wire(Protocol):
    """A carrier's media protocol on one socket: pure, no I/O, remembers its stream's name."""

    def name(self, stream_sid: str) -> None:
        """Take the stream's name, where no `start` is received to learn it from."""

    def receive(self, message: str | bytes) -> StreamEvent | None:
        """Read one message; None for one that is none of our business.

        Raises:
            BadMessage: it cannot be read. The stream goes on.
        """

    def send(self, command: WireCommand) -> str:
        """Spell one command as the carrier wants it."""


# ─── ears and voices ─────────────────────────────────────────────────────────


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
        """The caller fell silent: make the words final."""

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


# ─── the record ──────────────────────────────────────────────────────────────


class SessionStore(ABC):
    """Where sessions are kept. Every verb returns after the data is safe.

    The other verbs are abstract. `amend` is the rule built on them: read, move,
    swap, and try again when somebody else was quicker.
    """

    @abstractmethod
    async def add(self, session: Session) -> None:
        """Keep a new session. Raises `Refused` if its id is taken, `StoreFailed`."""

    @abstractmethod
    async def load(self, session_id: str) -> Session | None:
        """Return a session with all its turns, or None."""

    @abstractmethod
    async def named(self, call_sid: str) -> Session | None:
        """Return the newest session of a call, or None."""

    @abstractmethod
    async def commit(self, new: Change, expected: int) -> None:
        """Swap in a change if the stored version is `expected`.

        Raises:
            StaleVersion: it is another.
            NotFound: the session is gone.
            StoreFailed: it could not be written; nothing changed.
        """

    @abstractmethod
    async def entries(self, session_id: str, after: int = 0, limit: int = 1_000) -> Sequence[Entry]:
        """Return the event log behind `after`, in order of `seq`."""

    @abstractmethod
    async def find(
        self, *, idle_before: datetime | None = None, live: bool | None = None, limit: int = 1_000
    ) -> Sequence[Session]:
        """List sessions without their turns, newest first: live or closed ones,
        or those whose last activity is before a time.
        """

    @abstractmethod
    async def search(
        self,
        query: str = "",
        *,
        live: bool | None = None,
        party: str = "",
        before: Place | None = None,
        limit: int = 20,
    ) -> Sequence[Found]:
        """List sessions in which each word of `query` begins a word, newest first, behind `before`:
        live or closed ones, or those with this `party` at either end (words: `core.finding`).
        """

    @abstractmethod
    async def remove(self, session_ids: Sequence[str]) -> int:
        """Forget sessions, their turns and logs; return how many there were."""

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of the storage."""

    async def amend(
        self, session_id: str, move: Callable[[Session], Session | Change], *, tries: int = 20
    ) -> Session:
        """Read, move and swap until it fits; return what is stored now (turns as they were read).

        Raises what `move` raises, `NotFound`, `StoreFailed`, and `StaleVersion` after `tries`.
        """
        while True:
            old = await self.load(session_id)
            if old is None:
                raise NotFound("session", session_id, advice="Start one with session.create.")
            new = move(old)
            new = new if isinstance(new, Change) else change(new)
            try:
                await self.commit(new, old.version)
            except StaleVersion:
                tries -= 1
                if tries <= 0:
                    raise
            else:
                return new.session


# ─── live calls ──────────────────────────────────────────────────────────────


RecordingState: TypeAlias = Literal["off", "announcing", "recording", "paused", "stopped"]


@dataclass(frozen=True, slots=True)
class Recording:
    """How a call's recording stands, and how long its file is."""

    state: RecordingState = "off"
    seconds: float = 0.0


class Records(Protocol):
    """What records one live call."""

    @property
    def status(self) -> Recording:
        """How it stands."""

    async def start(self, *, paused: bool = False) -> Recording:
        """Begin, or go on behind what is there. Raises `NotConfigured`, `NotLive`, `RecordingFailed`."""

    def pause(self) -> Recording:
        """Keep silence until it is resumed. Raises `Refused` when nothing is recorded."""

    def resume(self) -> Recording:
        """Go on, unless a secret is being typed. Raises `Refused` when nothing is recorded."""

    async def stop(self) -> Recording:
        """End it, and wait until the file is whole."""


class LiveCall(Protocol):
    """A call whose stream is open, as a tool sees it."""

    session_id: str
    call_sid: str
    stream_sid: str

    @property
    def recorder(self) -> Records:
        """What records it."""

    def ask(self, request: Request) -> None:
        """Ask something of it; returns at once."""


class Talk(Protocol):
    """A call's conversation, as its agent has it: before, while and after a stream of it is open."""

    session_id: str
    conversation: Conversation
    """What its agent has been told, and waits for."""
    attendance: Attendance
    """Whether its agent is there."""

    def fail(self, ask: Ask, error: Exception) -> None:
        """Let whoever waits for it know that it cannot be."""

    def settle(self, ask: Ask, outcome: Outcome | None) -> None:
        """Something has come of it that is in no log; or, with None, it is held no longer."""

    def present(self) -> AbstractContextManager[None]:
        """Count a request, while it waits, as its agent's presence in the call."""

    async def duty(self) -> Duty | None:
        """Wait until something has to be done for want of the agent; None once the call has ended."""

    async def outcome(self, ask: Ask, seconds: float) -> Outcome:
        """Wait until something has come of it, so many seconds at most."""

    async def until(self, so: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until it is so; False if it is not after so many seconds."""


class Talks(Protocol):
    """The conversations of this process."""

    def of(self, session_id: str) -> Talk:
        """Return the conversation of a session, made at first asking."""

    def latest(self) -> Talk | None:
        """Return the newest conversation that an agent has held, or None."""

    def known(self, session_id: str) -> Talk | None:
        """Return the conversation of a session that has one, or None."""

    @property
    def bell(self) -> anyio.Event:
        """Set at the next change of any session's record: take it, look, then wait for it."""


class HeldCall(LiveCall, Protocol):
    """A call whose socket somebody else holds: messages come in, and go out, by hand."""

    def hear(self, events: Sequence[StreamEvent]) -> None:
        """Take what the stream said."""

    def garble(self, error: BadMessage) -> None:
        """Count a message that could not be read; the call goes on."""

    def outbound(self) -> list[dict[str, Any]]:
        """Hand over the messages that the holder of the socket has to send, oldest first."""


class Switchboard(Protocol):
    """The live calls."""

    def call(
        self, *, session_id: str | None = None, call_sid: str | None = None, stream_sid: str | None = None
    ) -> LiveCall | None:
        """Return the live call of that name, or None."""

    def all(self) -> Sequence[LiveCall]:
        """Return every live call of this process."""

    async def hold(self, started: Started) -> HeldCall:
        """Take on a call whose socket somebody else holds; its session is joined or made.

        Raises `Refused` when the call already has a live stream.
        """

    def held(self, stream_sid: str) -> HeldCall:
        """Return a call taken on by `hold`. Raises `NotFound`."""

    async def release(self, stream_sid: str, reason: str) -> str:
        """End a held call's leg and return its session's id. Raises `NotFound`."""

    async def end(self, session_id: str, reason: str) -> None:
        """Close the stream of a session, if it has one here, and wait until its record is written."""


class Carrier(Protocol):
    """The network that carries calls, beyond their media."""

    name: str

    def ready(self) -> None:
        """Raise `NotConfigured` if it cannot place calls at all: before a human is asked to approve one."""

    async def dial(self, session: Session, *, ring_seconds: float = 45.0) -> str:
        """Call whom the session is to reach (`session.to`); return the call's name with the carrier.

        The callee's stream comes to our media socket with the parameter `sessionId`. A call that nobody
        takes closes the session, with the reason `busy` or `no-answer`.

        Raises `NotFound` if there is nobody of that name, `NotConfigured`, `CarrierFailed`.
        """

    async def hangup(self, session: Session, reason: str) -> None:
        """End the call. Raises `NotConfigured`, `CarrierFailed`."""

    async def transfer(
        self, session: Session, target: str, *, warm: bool, announce: str | None, whisper: str | None = None
    ) -> Mapping[str, str]:
        """Hand the caller to `target`; return what the carrier calls it (`conferenceSid`…).

        `announce` is said to the caller first, `whisper` to the target before the two are joined.

        Raises `NotConfigured`, `Invalid` for a target it cannot reach, `CarrierFailed`.
        """

    async def press(self, session: Session, digits: str) -> bool:
        """Press keys; False if it has no keys of its own, and their tones have to go with the audio.

        When it has pressed them, the call's stream ends and another begins.

        Raises `NotConfigured`, `NotFound` if the call is over, `CarrierFailed`.
        """

    async def conference(self, session: Session, step: Step) -> Mapping[str, str]:
        """Do a step of a conference; return what the carrier calls it (`conferenceSid`).

        Raises `NotConfigured`, `Invalid` for a target it cannot reach, `CarrierFailed`.
        """


class Carriers(Protocol):
    """The carriers of this process, by the name a session has for its own."""

    def __getitem__(self, name: str) -> Carrier:
        """Return a carrier. Raises `NotFound`."""


@dataclass(frozen=True, slots=True)
class RecordingRules:
    """Whether calls are recorded here, and what is said before it."""

    policy: Literal["off", "announce", "on"] = "off"
    announcement: str = "This call is recorded."
    patience: float = 20.0
    """Seconds a request waits for the announcement, at most."""
    longest_bytes: int = 8 * 1024 * 1024
    """What is handed out of a recording at once, at most."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A recording's file, and its size in bytes."""

    path: Path
    size: int


class Recordings(Protocol):
    """The recordings that are kept, each under its session's id."""

    async def find(self, session_id: str) -> Kept | None:
        """Return a session's recording, if there is one. Raises `NotFound`, `RecordingFailed`."""

    async def read(self, path: Path) -> bytes:
        """Read a recording, as far as it has come. Raises `NotFound`, `RecordingFailed`."""

    async def remove(self, session_ids: Sequence[str]) -> int:
        """Remove sessions' recordings; return how many there were. Raises `RecordingFailed`."""

    async def sweep(self, now: datetime) -> int:
        """Remove what is older than may be kept; return how much there was. Raises `RecordingFailed`."""


class Limiter(Protocol):
    """Who may do what how often."""

    async def take(self, tool: str, rpm: int, keys: Sequence[str]) -> None:
        """Count one use of `tool` against each key. Raises `TooFast` when one is at its limit."""


# ─── the gate ────────────────────────────────────────────────────────────────


class Gate(Protocol):
    """Who may be dialled. Whatever makes a telephone ring asks here first, before it changes anything."""

    async def admit(self, wish: Wish) -> Admission:
        """Give leave to dial; whoever gets it settles or releases it.

        Raises:
            NotAllowed: a rule refuses it.
            ApprovalNeeded: a human has to say yes first. The server asks them, and calls the tool again.
            ApprovalDenied: a human said no.
        """


class Closed:
    """The gate of a desk that has no other: it lets the simulator through, and nobody outside."""

    async def admit(self, wish: Wish) -> Admission:
        """Give leave to what rings no telephone."""
        if simulated(wish.to):
            return Admission(wish.to, wish.max_minutes or 30)
        raise NotAllowed("Nothing outside is dialled from here.", rule="closed")


# ─── the desk ────────────────────────────────────────────────────────────────


def utc_now() -> datetime:
    """Return the time a record is stamped with."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Desk:
    """What a tool gets to work with."""

    store: SessionStore
    switchboard: Switchboard
    talks: Talks
    providers: Providers
    carriers: Carriers
    counts: Counts
    make_vad: Callable[[], Vad]
    media_url: str
    """Where a carrier reaches our media socket: `wss://…/twilio/media`."""
    voice: str | None = None
    """Whose voice speaks when nobody chooses; None is the vendor's default."""
    abilities: Callable[[], Sequence[Ability]] = tuple
    """What this process can do with the telephone network."""
    recording: RecordingRules = field(default_factory=RecordingRules)
    recordings: Recordings | None = None
    """Where recordings are kept; None keeps none."""
    now: Callable[[], datetime] = utc_now
    home: str | None = None
    """The country whose own spelling of a telephone number is read: `US`."""
    longest_wait: float = LONGEST_WAIT
    """Seconds that a tool waits at most."""
    gate: Gate = field(default_factory=Closed)
    """Who may be dialled."""
    audio: AudioFormat = TELEPHONE
    _drawers: dict[type, Any] = field(default_factory=dict)

    def drawer(self, kind: type[T]) -> T:
        """Return this desk's one `kind`, made at first asking: what a namespace keeps between calls."""
        if kind not in self._drawers:
            self._drawers[kind] = kind()
        found: T = self._drawers[kind]
        return found

    async def sweep(self) -> None:
        """Let the drawers forget what nobody has used for long."""
        for kept in list(self._drawers.values()):
            if hasattr(kept, "sweep"):
                await kept.sweep(self.now())

    async def aclose(self) -> None:
        """Empty the drawers that have something to let go of."""
        for kept in self._drawers.values():
            if hasattr(kept, "aclose"):
                await kept.aclose()
