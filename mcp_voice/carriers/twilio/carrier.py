"""Twilio beyond the media: placing calls, pressing keys, ending and handing over calls.

Keys go by REST: Twilio takes none on the stream. The call is given other
TwiML, which presses them and connects the stream again, so that the session
finds itself on a new stream a moment later.

The rest needs more of the REST API than this version speaks. A call on our
own socket can still be ended: closing the stream ends `<Connect>`, and with no
TwiML behind it the call.
"""

from collections.abc import Mapping

from mcp_voice.carriers.twilio.calls import Calls
from mcp_voice.carriers.twilio.rest import TwilioRest
from mcp_voice.core.conference import Step
from mcp_voice.core.session import Session
from mcp_voice.core.twiml import stream_twiml
from mcp_voice.errors import Invalid, NotConfigured


class TwilioCarrier:
    """Implements `ports.Carrier`; refuses what it cannot do, and says what to do instead."""

    name = "twilio"

    def __init__(self, rest: TwilioRest | None, media_url: str) -> None:
        self._rest = rest
        self._media_url = media_url

    async def press(self, session: Session, digits: str) -> bool:
        """Let the call play the digits, then come back to us."""
        if self._rest is None:
            raise self._missing("pressed keys in", "Or say what you want.")
        try:
            twiml = stream_twiml(self._media_url, {"sessionId": session.session_id}, press=digits)
        except Invalid as error:
            raise NotConfigured(
                f"The call could not come back to this server: {error}",
                advice="Its public address has to be set to https://….",
            ) from None
        await Calls(self._rest).redirect(session.call_sid, twiml)
        return True

    def vocabulary(self, to: str) -> tuple[str, ...]:
        """Say nothing: who knows what people say."""
        return ()

    def ready(self) -> None:
        """Refuse. Raises `NotConfigured`."""
        raise self._missing("placed", "Call a simulated person instead: sim:restaurant.")

    async def dial(self, session: Session, *, ring_seconds: float = 45.0) -> str:
        """Refuse. Raises `NotConfigured`."""
        raise self._missing("placed", "Call a simulated person instead: sim:restaurant.")

    async def hangup(self, session: Session, reason: str) -> None:
        """Refuse. Raises `NotConfigured`."""
        raise self._missing("ended", "Close the call's media stream instead: session.close ends it.")

    async def transfer(
        self, session: Session, target: str, *, warm: bool, announce: str | None, whisper: str | None = None
    ) -> Mapping[str, str]:
        """Refuse. Raises `NotConfigured`."""
        raise self._missing("transferred", "Answer the call's webhook with `<Dial>` instead.")

    async def conference(self, session: Session, step: Step) -> Mapping[str, str]:
        """Refuse. Raises `NotConfigured`."""
        raise self._missing("made a conference", "Hand the caller over with telephony.transfer instead.")

    def _missing(self, what: str, instead: str) -> NotConfigured:
        if self._rest is not None:
            return NotConfigured(
                f"A Twilio call cannot be {what} by REST in this version of mcp-voice.", advice=instead
            )
        return NotConfigured(
            f"A Twilio call can be {what} only with the account's credentials.",
            advice=f"Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN and start again. {instead}",
        )
