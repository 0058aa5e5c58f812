"""The calls that are going on: their streams, their conversations, and what records them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import anyio

from mcp_voice.core.asks import Ask, Outcome
from mcp_voice.core.attendance import Attendance, Duty
from mcp_voice.core.conversation import Conversation
from mcp_voice.core.events import Request, Started, StreamEvent
from mcp_voice.core.twiml import Mode
from mcp_voice.errors import BadMessage

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
    mode: Mode
    """stream: its audio comes to us. relay: its words do, and the carrier hears and speaks."""

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
