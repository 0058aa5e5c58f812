"""How this account calls somebody: from which number, and what it tells us of the call."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from mcp_voice.carriers.twilio.placing import EVENTS, Order
from mcp_voice.core.session import Session
from mcp_voice.core.twiml import stream_twiml
from mcp_voice.core.twiml.dialling import Client, Noun, Number, Sip
from mcp_voice.core.twiml.verbs import Say
from mcp_voice.errors import Invalid, NotConfigured
from mcp_voice.ports import Sockets

ENTRY_SECONDS: Final = 60.0
"""How long after the ringing a stream may begin."""

OURS_FIRST: Final = 30
"""Seconds by which Twilio ends a call later than we do: we say goodbye."""

LONGEST_CALL: Final = 14_400
"""Seconds that Twilio lets a call last."""

RINGS: Final = range(5, 601)
"""Seconds that Twilio lets a telephone ring."""


@dataclass(frozen=True, slots=True)
class Line:
    """What calls of ours are placed with."""

    number: str | None = None
    """Whom they come from."""
    byoc: str | None = None
    """The trunk that carries calls to numbers, if it is not Twilio's own."""
    sip_username: str | None = None
    sip_password: str | None = field(default=None, repr=False)

    def noun(self, target: str) -> Noun:
        """Return whom `<Dial>` reaches under a number, a `sip:` or a `client:` address."""
        if target.startswith(("sip:", "sips:")):
            return Sip(uri=target, username=self.sip_username, password=self.sip_password)
        if target.startswith("client:"):
            return Client(identity=target.removeprefix("client:"))
        return Number(number=target, byoc=self.byoc)

    def order(self, target: str, from_: str, *, ring_seconds: float, **more: object) -> Order:
        """Return the order for a call; `more` are fields of it."""
        sip = target.startswith(("sip:", "sips:"))
        return Order(
            to=target,
            from_=from_,
            timeout=max(RINGS[0], min(RINGS[-1], round(ring_seconds))),
            sip_auth_username=self.sip_username if sip else None,
            sip_auth_password=self.sip_password if sip else None,
            byoc=self.byoc if target.startswith("+") else None,
            **more,  # type: ignore[arg-type]  # each is a field, or the order refuses it
        )


def ours(session: Session, sockets: Sockets, *, seconds: float, press: str | None = None) -> str:
    """Return the TwiML that connects a call to its session's stream.

    Raises `NotConfigured` where Twilio could not reach it.
    """
    try:
        return stream_twiml(
            sockets.url(session, seconds=seconds),
            {"sessionId": session.session_id},
            status_callback=sockets.callback("stream-status"),
            action_url=sockets.callback("after", session.session_id),
            press=press,
        )
    except Invalid as error:
        raise NotConfigured(
            f"The call could not come back to this server: {error}",
            advice="Its public address has to be set to https://….",
        ) from None


def placing(
    line: Line, session: Session, sockets: Sockets, *,
    ring_seconds: float, mode: str, detect: bool, max_minutes: int | None, record: bool,
) -> Order:  # fmt: skip
    """Return the order for a session's call."""
    target, from_ = session.to or "", session.from_ or line.number or ""
    amd = sockets.callback("amd") if detect and not target.startswith("client:") else None
    recording = sockets.callback("recording") if record else None
    news = sockets.callback("status")
    relay = sockets.callback("voice/calls", session.session_id) if mode == "relay" else None
    return line.order(
        target,
        from_,
        ring_seconds=ring_seconds,
        twiml=None if relay else ours(session, sockets, seconds=ring_seconds + ENTRY_SECONDS),
        url=relay,
        status_callback=news,
        status_callback_event=EVENTS if news else None,
        time_limit=None if max_minutes is None else min(max_minutes * 60 + OURS_FIRST, LONGEST_CALL),
        machine_detection="Enable" if amd else None,
        async_amd=True if amd else None,
        async_amd_status_callback=amd,
        record=True if record else None,
        recording_channels="dual" if record else None,
        recording_status_callback=recording,
    )


def said(text: str | None, session: Session) -> Sequence[Say]:
    """Return the verb that says something in the call's language, if there is anything to say."""
    return () if text is None else (Say(text=text, language=session.config.language),)
