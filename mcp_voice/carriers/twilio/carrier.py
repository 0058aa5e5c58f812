"""Twilio beyond the media: placing calls, pressing keys, ending and handing over calls.

Keys go by REST: Twilio takes none on the stream. The call is given other
TwiML, which presses them and connects the stream again, so that the session
finds itself on a new stream a moment later. A caller is handed over the same
way, before our stream is closed: TwiML without a way back ends it.
"""

from collections.abc import Mapping
from typing import Final

from mcp_voice.carriers.twilio.calls import Calls
from mcp_voice.carriers.twilio.conferences import Conferences
from mcp_voice.carriers.twilio.line import ENTRY_SECONDS, Line, ours, placing, said
from mcp_voice.carriers.twilio.placing import Placing
from mcp_voice.carriers.twilio.rest import TwilioRest
from mcp_voice.carriers.twilio.warm import Warm
from mcp_voice.core.conference import Step
from mcp_voice.core.session import Session
from mcp_voice.core.twiml import Mode
from mcp_voice.core.twiml.dialling import Dial
from mcp_voice.core.twiml.writing import document
from mcp_voice.errors import CarrierFailed, NotConfigured
from mcp_voice.ports import Sockets

TRANSFER_SECONDS: Final = 30
"""How long a telephone rings that a caller is handed over to."""


class TwilioCarrier:
    """Implements `ports.Carrier`; without an account it says what to set."""

    name = "twilio"

    def __init__(self, rest: TwilioRest | None, sockets: Sockets, line: Line | None = None) -> None:
        self._rest = rest
        self._sockets = sockets
        self._line = line or Line()
        self._placing = None if rest is None else Placing(rest)

    @property
    def number(self) -> str | None:
        """Whom its calls come from."""
        return self._line.number

    def vocabulary(self, to: str) -> tuple[str, ...]:
        """Say nothing: who knows what people say."""
        return ()

    def ready(self) -> None:
        """Raise `NotConfigured` unless there are an account, a number and a public address."""
        self._account("placed", "Or call a simulated person: sim:restaurant.")
        if self._line.number is None:
            raise NotConfigured(
                "A Twilio call has to come from a number of the account.",
                advice="Set MCP_VOICE_TWILIO__NUMBER to it, as +14155550123, and start again.",
            )
        if self._sockets.callback("status") is None:
            raise NotConfigured(
                "Twilio cannot reach this server.",
                advice="Set MCP_VOICE_PUBLIC_URL to the https address that leads here, and start again.",
            )

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
        """Place the call, once; its stream comes back with the session's name."""
        self.ready()
        order = placing(
            self._line, session, self._sockets,
            ring_seconds=ring_seconds, mode=mode, detect=detect, max_minutes=max_minutes, record=record,
        )  # fmt: skip
        return (await self._places("placed").place(order)).sid

    async def hangup(self, session: Session, reason: str) -> None:
        """End the call; one that has ended is as it was wanted."""
        rest = self._account("ended", "Or close its media stream: session.close does, and ends it.")
        if session.unnamed:
            raise CarrierFailed(
                "The call is being placed, and has no name yet.", advice="Try again in a moment."
            )
        await Calls(rest).end(session.call_sid)

    async def transfer(
        self, session: Session, target: str, *, warm: bool, announce: str | None, whisper: str | None = None
    ) -> Mapping[str, str]:
        """Hand the caller over: by `<Dial>`, or, warm or with a whisper, in a conference."""
        rest = self._account("transferred", "Or answer the call's webhook with `<Dial>`.")
        calls = Calls(rest)
        if warm or whisper is not None:
            room = Warm(self._places("transferred"), calls, Conferences(rest), self._line, self._sockets)
            return await room.join(
                session, target, from_=self._shown(session), announce=announce, whisper=whisper
            )
        dial = Dial(
            to=(self._line.noun(target),),
            caller_id=None if session.direction == "inbound" else self._shown(session),
            timeout=TRANSFER_SECONDS,
            answer_on_bridge=True,
            action=self._sockets.callback("dial", session.session_id),
        )
        await calls.redirect(session.call_sid, document(*said(announce, session), dial))
        return {}

    async def press(self, session: Session, digits: str) -> bool:
        """Let the call play the digits, then come back to us."""
        rest = self._account("pressed keys in", "Or say what you want.")
        twiml = ours(session, self._sockets, seconds=ENTRY_SECONDS, press=digits)
        await Calls(rest).redirect(session.call_sid, twiml)
        return True

    async def conference(self, session: Session, step: Step) -> Mapping[str, str]:
        """Refuse: who is in a conference has left our stream. Raises `NotConfigured`."""
        raise NotConfigured(
            "In a conference a Twilio call has no stream, and the agent would be out of it.",
            advice="Hand the caller over with telephony.transfer instead, type warm.",
        )

    def _account(self, what: str, instead: str) -> TwilioRest:
        if self._rest is None:
            raise NotConfigured(
                f"A Twilio call can be {what} only with the account's credentials.",
                advice=f"Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN and start again. {instead}",
            )
        return self._rest

    def _places(self, what: str) -> Placing:
        if self._placing is None:
            self._account(what, "")
        assert self._placing is not None
        return self._placing

    def _shown(self, session: Session) -> str:
        """Return the number of ours in the call, which others are rung up from."""
        mine = session.to if session.direction == "inbound" else session.from_
        number = self._line.number or mine
        if number is None:
            raise NotConfigured(
                "Nobody can be rung up without a number to do it from.",
                advice="Set MCP_VOICE_TWILIO__NUMBER to a number of the account and start again.",
            )
        return number
