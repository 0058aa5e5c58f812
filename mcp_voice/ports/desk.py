"""What a tool gets to work with: the ports, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from mcp_voice.core.ability import Ability
from mcp_voice.core.audio import TELEPHONE, AudioFormat
from mcp_voice.core.conversation import LONGEST_WAIT
from mcp_voice.core.counts import Counts
from mcp_voice.core.voice import Vad
from mcp_voice.ports.calls import RecordingRules, Recordings, Switchboard, Talks
from mcp_voice.ports.network import Bare, Carriers, Closed, Gate, Sockets
from mcp_voice.ports.record import SessionStore
from mcp_voice.ports.speech import Providers

T = TypeVar("T")


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
    relay: Mapping[str, str] = field(default_factory=dict)
    """How a carrier that hears and speaks itself is to do it: attributes of its TwiML."""
    home: str | None = None
    """The country whose own spelling of a telephone number is read: `US`."""
    longest_wait: float = LONGEST_WAIT
    """Seconds that a tool waits at most."""
    sockets: Sockets = field(default_factory=lambda: Bare(""))
    """Where carriers come with a call, and with news of it."""
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
