"""`telephony.*`: a call as the network sees it: it comes, goes, and is handed over.

`handleConnect` and `handleDisconnect` are for a webhook that somebody else
answers; our own webhooks do the same by the same rules. What is asked of the
network goes through the carrier that has the call.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field

from mcp_voice.core import ledger
from mcp_voice.core.asks import Ask
from mcp_voice.core.events import HangUp
from mcp_voice.core.session import STREAM_ENDS, Direction, Entry, Session, SessionConfig, begin, change
from mcp_voice.core.twiml import stream_twiml
from mcp_voice.errors import (
    CarrierFailed,
    Invalid,
    NotConfigured,
    NotFound,
    SessionClosed,
    StoreFailed,
    VoiceError,
)
from mcp_voice.ports import Desk, LiveCall, VoiceConfig
from mcp_voice.tools.catalogue import Answer, Arguments, tool
from mcp_voice.tools.gates import admitted
from mcp_voice.tools.mouths import Mouths
from mcp_voice.tools.named import CallSid, Named, Reason, find, finish
from mcp_voice.tools.standing import Standing, stands
from mcp_voice.tools.waiting import NEXT_STEP

DisconnectReason: TypeAlias = Literal[
    "queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled",
    "answered", "fail", "rejected",
]  # fmt: skip
"""Twilio's CallStatus, and three words that the tools' documents use beside them."""

SYNONYMS: Final[Mapping[str, str]] = {"answered": "completed", "fail": "failed"}
UNDER_WAY: Final = frozenset({"queued", "initiated", "ringing", "in-progress"})
"""Statuses of a call that is not over: a callback for one of them ends nothing."""

_SIP: Final = re.compile(r"sips?:[^\s@]+@[^\s@]+")
_NUMBER: Final = re.compile(r"\+[0-9][0-9 ().-]{3,40}")
_CLIENT: Final = re.compile(r"client:[\w.+@-]{1,121}")

Party = Annotated[
    str, Field(max_length=256, description="A number, or sip: or client: address.", examples=["+14155550123"])
]


class TwiML(Answer):
    """The document."""

    twiml: Annotated[str, Field(description="XML: answer the carrier's request with it, as text/xml.")]


# ─── telephony.handleConnect ─────────────────────────────────────────────────


class Connect(Arguments):
    """The call that has come."""

    call_sid: CallSid
    from_: Annotated[Party, Field(alias="from")]
    to: Party
    direction: Annotated[Direction, Field(description="outbound if we placed the call.")] = "inbound"


class Connected(TwiML):
    """How to answer, and what the call is called here."""

    session_id: Annotated[str, Field(description="For every other tool, while the call lasts.")]


class Door:
    """Lets one call in at a time: a webhook that is sent twice must not make two sessions."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()


@tool("telephony.handleConnect", title="Let a call in", rpm=100, repeats=True)
async def handle_connect(ask: Connect, desk: Desk) -> Connected:
    """Take a call that a webhook of yours was told of: start its session, and get the TwiML to answer with.

    The call's audio then comes to this server, where the session waits for it. Asking again for a call that
    is known gives the same session.
    """
    session = await let_in(desk, ask)
    try:
        twiml = stream_twiml(desk.sockets.url(session), {"sessionId": session.session_id})
    except Invalid as error:
        raise NotConfigured(
            f"The carrier cannot reach this server: {error}",
            advice="Its public address has to be set to https://….",
        ) from None
    return Connected(twiml=twiml, session_id=session.session_id)


async def let_in(desk: Desk, ask: Connect, route: str | None = None, *, rings: bool = True) -> Session:
    """Return the session of a call that has come: the one it has, or a new one, with the route it takes.

    It `rings` for an agent then, unless it is for somebody else.
    """
    async with desk.drawer(Door).lock:
        return await _session(desk, ask, {"route": route} if route else {}, rings)


async def _session(desk: Desk, ask: Connect, metadata: dict[str, Any], rings: bool) -> Session:
    now = desk.now()
    parties = {"from_": ask.from_, "to": ask.to}
    known = await desk.store.named(ask.call_sid)
    if known is None or (known.closed and not _returns(known, now)):
        config = SessionConfig(metadata=metadata)
        known = begin(ask.call_sid, config, now, direction=ask.direction, **parties)
        await desk.store.add(known)
        ledger.opened(desk.counts, known)
    if known.status != "pending" or not rings:
        return known
    ringing = Entry(at=now, kind="ringing", data={"from": ask.from_, "to": ask.to})
    return await desk.store.amend(
        known.session_id, lambda old: change(old.moved("ring", now, **parties), entries=[ringing])
    )


def _returns(session: Session, now: datetime) -> bool:
    """Whether it was only its stream that ended, a moment ago: a redirect brings the call back."""
    return session.returns_until is not None and now <= session.returns_until


# ─── telephony.handleDisconnect ──────────────────────────────────────────────


class Disconnect(Arguments):
    """The call that has ended, and how."""

    call_sid: CallSid
    disconnect_reason: Annotated[DisconnectReason, Field(description="Twilio's CallStatus.")]


class Disconnected(Answer):
    """The end of its session."""

    cleaned: Annotated[bool, Field(description="False: the call is not known, or not over yet.")]
    session_duration: Annotated[int, Field(description="Milliseconds; 0 if the call is not known.")]


@tool("telephony.handleDisconnect", title="Note that a call has ended", rpm=100, destroys=True, repeats=True)
async def handle_disconnect(ask: Disconnect, desk: Desk) -> Disconnected:
    """Close the session of a call that a status webhook of yours says has ended.

    Forward every status if you like: queued, ringing and in-progress change nothing. To end a call yourself
    use telephony.hangup.
    """
    reason = SYNONYMS.get(ask.disconnect_reason, ask.disconnect_reason)
    session = await desk.store.named(ask.call_sid)
    if session is None:
        return Disconnected(cleaned=False, session_duration=0)
    if reason in UNDER_WAY:
        return Disconnected(cleaned=session.closed, session_duration=session.duration_ms)
    session = await over(desk, session, reason)
    return Disconnected(cleaned=True, session_duration=session.duration_ms)


async def over(desk: Desk, session: Session, reason: str) -> Session:
    """Close the session of a call that is over; one that was closed with its stream is over for good."""
    if not session.closed:
        with suppress(SessionClosed):  # its stream ended in the meantime
            session = await finish(desk, session.session_id, reason)
    if session.close_reason in STREAM_ENDS or not session.closed:
        session = await desk.store.amend(session.session_id, lambda old: _settled(old, reason))
    return session


def _settled(session: Session, reason: str) -> Session:
    """Say that the call is over, not only its stream: nothing brings it back now."""
    return session.model_copy(update={"close_reason": reason, "version": session.version + 1})


# ─── telephony.transfer ──────────────────────────────────────────────────────


class Transfer(Named):
    """Which call, and to whom."""

    target: Annotated[
        str,
        Field(
            min_length=3, max_length=255, examples=["+14155550123", "sip:desk@example.com"],
            description="A number with country code, or sip:user@host, or client:name.",
        ),
    ]  # fmt: skip
    type: Annotated[
        Literal["warm", "cold"],
        Field(description="cold: we leave. warm: all three are joined, then we leave."),
    ] = "cold"
    announce: Annotated[
        str | None, Field(min_length=1, max_length=500, description="Said to the caller first.")
    ] = None
    whisper: Annotated[
        str | None,
        Field(min_length=1, max_length=500, description="Said to the target before the caller is joined."),
    ] = None


GONE_OVER: Final = "They are connected, and the call leaves you. Report it."


class Transferred(Standing):
    """The caller is on the way."""

    transferred: bool
    target: Annotated[str, Field(description="As it is dialled.")]
    conference_sid: Annotated[str | None, Field(description="With warm: the carrier's conference.")] = None


@tool(
    "telephony.transfer", title="Hand a call over", rpm=10, destroys=True, open_world=True,
    toolsets=("media", "agent"),
)  # fmt: skip
async def transfer(ask: Transfer, desk: Desk) -> Transferred:
    """Hand the caller over to somebody else. Tell the caller first, or use announce.

    If it fails, the caller is still with you: say so, and offer to take a message.
    """
    target = dialable(ask.target)
    session = await find(desk, ask)
    if session.closed:
        raise SessionClosed(session.session_id)
    await admitted(desk, session, target, "transfer")
    told = await desk.carriers[session.carrier].transfer(
        session, target, warm=ask.type == "warm", announce=ask.announce, whisper=ask.whisper
    )
    desk.counts.transfers += 1
    now = desk.now()
    entry = Entry(at=now, kind="transfer", data={"target": target, "type": ask.type})
    # The caller has gone over, whatever becomes of the record: an error here would have it done twice.
    with suppress(NotFound, StoreFailed):
        await desk.store.amend(session.session_id, lambda old: change(old.touched(now), entries=[entry]))
    return Transferred(
        **await stands(desk, session), next_step=GONE_OVER, transferred=True, target=target,
        conference_sid=told.get("conferenceSid"),
    )  # fmt: skip


def dialable(target: str) -> str:
    """Return a number in E.164, or a `sip:` or `client:` address as it is. Raises `Invalid`."""
    target = target.strip()
    if _SIP.fullmatch(target) or _CLIENT.fullmatch(target):
        return target
    import phonenumbers

    with suppress(phonenumbers.NumberParseException):
        number = phonenumbers.parse(target if _NUMBER.fullmatch(target) else "")
        if phonenumbers.is_possible_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    raise Invalid(
        f"{target!r} cannot be dialled.",
        advice="Give a number with its country code, as +14155550123, or sip:user@host, or client:name.",
    )


# ─── telephony.hangup ────────────────────────────────────────────────────────


class Hangup(Named):
    """Which call, and how."""

    reason: Reason = "hangup"
    goodbye: Annotated[
        str | None, Field(min_length=1, max_length=500, description="Said to the end before the call ends.")
    ] = None


Goodbye: TypeAlias = Literal["saying", "not said"]


class HungUp(Standing):
    """The call is over, or is about to be."""

    hungup: bool
    goodbye: Annotated[Goodbye | None, Field(description="saying: the call ends when it has been said.")] = (
        None
    )


@tool(
    "telephony.hangup", title="Hang up", rpm=10, destroys=True, repeats=True, open_world=True,
    toolsets=("media", "agent"),
)  # fmt: skip
async def hangup(ask: Hangup, desk: Desk) -> HungUp:
    """End a call and close its session. With goodbye, that is said first and the call ends after it.

    A call that is over already answers session_closed.
    """
    session = await find(desk, ask)
    if session.closed:
        raise SessionClosed(session.session_id)
    live = desk.switchboard.call(session_id=session.session_id)
    if ask.goodbye and live and await _say(ask, session, live, desk):
        return await _hung_up(desk, session, "saying")
    try:
        await desk.carriers[session.carrier].hangup(session, ask.reason)
    except (NotFound, NotConfigured, CarrierFailed):
        if live is None:
            raise
        # Closing our stream, the next step, ends the call as well: our TwiML has nothing behind it.
    with suppress(SessionClosed):  # the network's own news was quicker
        await finish(desk, session.session_id, ask.reason)
    return await _hung_up(desk, session, "not said" if ask.goodbye else None)


async def _hung_up(desk: Desk, session: Session, goodbye: Goodbye | None) -> HungUp:
    return HungUp(**await stands(desk, session), next_step=NEXT_STEP["hungUp"], hungup=True, goodbye=goodbye)


async def _say(ask: Hangup, session: Session, live: LiveCall, desk: Desk) -> bool:
    """Say goodbye in a call, which ends then; False if there is no voice for it."""
    try:
        speaks = desk.providers.voice(session.tts_provider)
    except VoiceError:
        return False  # a call that is to end does not go on for want of a voice
    config = VoiceConfig(session.config.voice or desk.voice, session.config.language)
    talk, goodbye = desk.talks.of(session.session_id), Ask(says=ask.goodbye, listens=False)
    leave = HangUp(ask.reason, after_playout=True)
    return await desk.drawer(Mouths).say(live, talk, goodbye, speaks, config, interruptible=False, then=leave)
