"""The telephone network: who carries calls, who may be dialled, and how often."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from mcp_voice.core.conference import Step
from mcp_voice.core.numbers import simulated
from mcp_voice.core.policy import Wish
from mcp_voice.core.session import Session
from mcp_voice.core.twiml import Mode
from mcp_voice.core.usage import Admission
from mcp_voice.errors import NotAllowed


class Carrier(Protocol):
    """The network that carries calls, beyond their media."""

    name: str

    @property
    def number(self) -> str | None:
        """Whom its calls come from, if it has a number."""

    def ready(self) -> None:
        """Raise `NotConfigured` if it cannot place calls at all: before a human is asked to approve one."""

    def vocabulary(self, to: str) -> tuple[str, ...]:
        """Return what whoever answers there may say, where that is known: a small recogniser needs it.

        Raises `NotFound` for somebody there is not, `Invalid` for one who cannot be used.
        """

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
        """Call whom the session is to reach (`session.to`); return the call's name with the carrier.

        The callee's stream comes to our media socket with the parameter `sessionId`. A call that nobody
        takes closes the session, with the reason `busy` or `no-answer`. The carrier itself may `detect` a
        machine, end the call after `max_minutes`, and `record` it.

        Raises `NotFound` if there is nobody of that name, `NotConfigured`, `Invalid`, `CarrierFailed`, and
        `Unconfirmed` if it may be ringing all the same.
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


class Sockets(Protocol):
    """Where carriers reach us: a socket for each stream, and addresses for their news."""

    def url(self, session: Session, *, mode: Mode = "stream", seconds: float = 60.0) -> str:
        """Return the address of a socket for this session's call: `wss://…/twilio/media/<ticket>`.

        It is good once, and for so many seconds. Without the account's token it is the bare address.
        """

    def callback(self, name: str, session_id: str | None = None) -> str | None:
        """Return where the carrier tells of something (`status`, `dial`), if need be about one session.

        None without an address that a carrier could reach.
        """


class Bare:
    """One socket for everybody, and nowhere for news: for a desk that has no other."""

    def __init__(self, media_url: str) -> None:
        self._media_url = media_url

    def url(self, session: Session, *, mode: Mode = "stream", seconds: float = 60.0) -> str:
        """Return the only address."""
        return self._media_url

    def callback(self, name: str, session_id: str | None = None) -> str | None:
        """Return nothing."""
        return None


class Limiter(Protocol):
    """Who may do what how often."""

    async def take(self, tool: str, rpm: int, keys: Sequence[str]) -> None:
        """Count one use of `tool` against each key. Raises `TooFast` when one is at its limit."""


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
