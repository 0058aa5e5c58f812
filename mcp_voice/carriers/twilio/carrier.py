"""Twilio beyond the media: ending and handing over calls.

Both need Twilio's REST API, which this version does not speak yet. A call on
our own socket can still be ended: closing the stream ends `<Connect>`, and with
no TwiML behind it the call.
"""

from collections.abc import Mapping

from mcp_voice.core.session import Session
from mcp_voice.errors import NotConfigured


class TwilioCarrier:
    """Implements `ports.Carrier`; refuses what it cannot do, and says what to do instead."""

    name = "twilio"

    def __init__(self, *, configured: bool) -> None:
        self._configured = configured

    async def hangup(self, session: Session, reason: str) -> None:
        """Refuse. Raises `NotConfigured`."""
        raise self._missing("ended", "Close the call's media stream instead: session.close ends it.")

    async def transfer(
        self, session: Session, target: str, *, warm: bool, announce: str | None, whisper: str | None = None
    ) -> Mapping[str, str]:
        """Refuse. Raises `NotConfigured`."""
        raise self._missing("transferred", "Answer the call's webhook with `<Dial>` instead.")

    def _missing(self, what: str, instead: str) -> NotConfigured:
        if self._configured:
            return NotConfigured(
                f"A Twilio call cannot be {what} by REST in this version of mcp-voice.", advice=instead
            )
        return NotConfigured(
            f"A Twilio call can be {what} only with the account's credentials.",
            advice=f"Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN and start again. {instead}",
        )
