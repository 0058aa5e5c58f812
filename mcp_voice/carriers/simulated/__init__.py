"""The carrier of simulated calls: the simulator at the other end of the socket.

It has no REST side. A call ends when its stream is closed, as a Twilio call
does that has no more TwiML to run, and the close frame's reason says where the
caller goes: `transfer +15551230100`. Who can be called is simulated as well:
`sim:restaurant` is rung by whoever `ring` is.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from mcp_voice.core.conference import Step
from mcp_voice.core.events import HangUp
from mcp_voice.core.session import Session
from mcp_voice.core.twiml import Mode
from mcp_voice.errors import NotConfigured, NotLive
from mcp_voice.ports import LiveCall, Switchboard

LONGEST_REASON: Final = 120
"""Bytes: a close frame takes 123 (RFC 6455, 5.5)."""


Ring: TypeAlias = Callable[[Session, str, float], Awaitable[None]]
"""Lets somebody's telephone ring: for a session, under a call's name, for so many seconds."""


class SimulatedCarrier:
    """Implements `ports.Carrier` on the live stream itself."""

    name = "simulator"
    number: str | None = None

    def __init__(
        self,
        switchboard: Switchboard,
        ring: Ring | None = None,
        vocabulary: Callable[[str], tuple[str, ...]] = lambda to: (),
    ) -> None:
        self._switchboard = switchboard
        self._ring = ring
        self.vocabulary = vocabulary

    def ready(self) -> None:
        """Raise `NotConfigured` if nobody lives here."""
        if self._ring is None:
            raise NotConfigured("There are no simulated people here to be called.", advice="")

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
        """Let a simulated person's telephone ring; return the call's SID at once."""
        if self._ring is None:
            raise NotConfigured("There are no simulated people here to be called.", advice="")
        call_sid = "CA" + secrets.token_hex(16)
        await self._ring(session, call_sid, ring_seconds)
        return call_sid

    async def hangup(self, session: Session, reason: str) -> None:
        """End the call when everything queued has been said."""
        self._leg(session).ask(HangUp(reason, after_playout=True))

    async def transfer(
        self, session: Session, target: str, *, warm: bool, announce: str | None, whisper: str | None = None
    ) -> Mapping[str, str]:
        """Hand the caller over: the stream ends and its reason names the target."""
        self._leg(session).ask(HangUp(f"transfer {target}"[:LONGEST_REASON], after_playout=True))
        return {}

    async def press(self, session: Session, digits: str) -> bool:
        """Leave it to the audio: whoever is at the other end hears the tones."""
        return False

    async def conference(self, session: Session, step: Step) -> Mapping[str, str]:
        """Refuse: there is one caller, and nobody to join them. Raises `NotConfigured`."""
        raise NotConfigured(
            "A simulated call has one line, and cannot be made a conference.",
            advice="Hand the caller over with telephony.transfer instead.",
        )

    def _leg(self, session: Session) -> LiveCall:
        leg = self._switchboard.call(session_id=session.session_id)
        if leg is None:
            raise NotLive(f"Call {session.call_sid} has no open stream.")
        return leg
