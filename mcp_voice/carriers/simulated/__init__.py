"""The carrier of simulated calls: the simulator at the other end of the socket.

It has no REST side. A call ends when its stream is closed, as a Twilio call
does that has no more TwiML to run, and the close frame's reason says where the
caller goes: `transfer +15551230100`.
"""

from collections.abc import Mapping
from typing import Final

from mcp_voice.core.events import HangUp
from mcp_voice.core.session import Session
from mcp_voice.errors import NotLive
from mcp_voice.ports import LiveCall, Switchboard

LONGEST_REASON: Final = 120
"""Bytes: a close frame takes 123 (RFC 6455, 5.5)."""


class SimulatedCarrier:
    """Implements `ports.Carrier` on the live stream itself."""

    name = "simulator"

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard

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

    def _leg(self, session: Session) -> LiveCall:
        leg = self._switchboard.call(session_id=session.session_id)
        if leg is None:
            raise NotLive(f"Call {session.call_sid} has no open stream.")
        return leg
