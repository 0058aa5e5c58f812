"""`telephony.call`: ring somebody up.

The call belongs to nobody's request: a client that gives up and asks again
joins the call that it began. The guard against a second dialling is the record
itself, so it holds across restarts and processes.
"""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta
from math import ceil
from secrets import token_hex
from typing import Annotated, Any, Final, Literal, TypeVar
from weakref import WeakValueDictionary

from pydantic import Field

from mcp_voice.core import ledger
from mcp_voice.core.asks import Ask, Expect
from mcp_voice.core.events import HangUp
from mcp_voice.core.numbers import Simulated, Unreadable, read
from mcp_voice.core.policy import Wish
from mcp_voice.core.session import UNNAMED, Entry, Session, SessionConfig, begin, carried, change
from mcp_voice.core.twiml import Mode
from mcp_voice.core.usage import Admission
from mcp_voice.errors import Invalid, NotConfigured, Unconfirmed, VoiceError
from mcp_voice.ports import Desk, Talk
from mcp_voice.tools.catalogue import Arguments, tool
from mcp_voice.tools.minding import Minder, put_in
from mcp_voice.tools.mouths import Mouths
from mcp_voice.tools.named import finish
from mcp_voice.tools.openings import OnVoicemail, Opening, open_call
from mcp_voice.tools.recording import may_record
from mcp_voice.tools.talking import voice_of
from mcp_voice.tools.waiting import LONGEST, Reply, wait

T = TypeVar("T")

AGAIN: Final = timedelta(seconds=120)
"""A number is not dialled twice in so long, unless that is asked for."""

LOOKED_AT: Final = 100
"""Newest sessions among which a former call to the number is looked for."""

NOT_PLACED: Final = "failed"
"""The reason for closing the record of a call that the carrier did not place."""

UNSURE: Final = "unconfirmed"
"""The reason for closing the record of a call that may have been placed: it is not dialled again at once."""

TOO_LONG: Final = "max_minutes"
"""The reason for ending a call that has lasted as long as it may."""

FAREWELL: Final = 10.0
"""Seconds that saying goodbye in such a call may take."""

FORGOTTEN: Final = 60.0
"""Seconds after which nobody waits any more for the end of a call that was to be ended."""


class Call(Arguments):
    """Whom to call, and how to begin."""

    to: Annotated[
        str,
        Field(
            min_length=2, max_length=255, examples=["+14155550123", "sim:restaurant"],
            description="E.164, sip:user@host, or sim:<persona> for practice.",
        ),
    ]  # fmt: skip
    opening: Annotated[
        str | None, Field(min_length=1, max_length=2_000, description="Your first words: who, for whom, why.")
    ] = None
    purpose: Annotated[str | None, Field(max_length=500, description="For the record and approval.")] = None
    expect: Annotated[Expect, Field(description="The kind of answer to opening.")] = "answer"
    on_voicemail: Annotated[
        OnVoicemail, Field(description="leave: say opening behind the beep, hang up.")
    ] = "report"
    voice: Annotated[str | None, Field(max_length=100, description="From tts.voices.")] = None
    language: Annotated[str, Field(max_length=35, description="BCP 47, of the callee.")] = "en-US"
    max_minutes: Annotated[int | None, Field(ge=1, le=240, description="Then the call ends.")] = None
    record: Annotated[bool, Field(description="Both sides, if the operator allows it.")] = False
    mode: Literal["stream", "relay"] = "stream"
    force_new: Annotated[bool, Field(description="Dial though it was dialled a moment ago.")] = False
    wait_seconds: Annotated[float, Field(ge=0, le=LONGEST, description="Then `pending`.")] = 20.0


class Called(Reply):
    """What has come of the call."""

    answered_by: Annotated[str | None, Field(description="human, machine, fax or unknown.")] = None
    dialled: Annotated[bool, Field(description="false: this is the call placed a moment ago.")] = True


class Dialling:
    """The calls placed by this process, until their first words are said."""

    def __init__(self) -> None:
        self._doors: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._asks: dict[str, Ask] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def door(self, to: str) -> asyncio.Lock:
        """One at a time may decide whether a number is dialled."""
        return self._doors.setdefault(to, asyncio.Lock())

    def see(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Have something done whether or not whoever asked for it still waits."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def asked(self, session_id: str, ask: Ask) -> None:
        """Remember what the call's first words wait for."""
        self._asks[session_id] = ask

    def first(self, session_id: str) -> Ask | None:
        """Return what the call's first words wait for."""
        return self._asks.get(session_id)

    def done(self, session_id: str) -> None:
        """The call is over."""
        self._asks.pop(session_id, None)

    async def aclose(self) -> None:
        """See nothing through."""
        for task in (tasks := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@tool("telephony.call", title="Call somebody", rpm=10, open_world=True, toolsets=("media", "agent"))
async def call(ask: Call, desk: Desk) -> Called:
    """Dial, say opening when they answer, and return their first reply.

    Confirm number and purpose with your user first. pending: it still rings or they still talk; go on with
    telephony.listen. Asking again within 120 s returns the same call. sim:restaurant and other sim: people
    need no telephone.
    """
    carrier, to = address(ask.to, desk.home)
    if ask.record and ask.mode == "relay":
        raise NotConfigured("A relayed call is not recorded: its audio is with Twilio.", advice="Use stream.")
    if ask.record:
        may_record(desk)
    session, dialled = await _rung(desk, ask, carrier, to)
    talk = desk.talks.of(session.session_id)
    first = desk.drawer(Dialling).first(session.session_id) or Ask(until="answer")
    joined = talk.conversation.join(first, time.monotonic())
    replied = await wait(desk, talk, joined, ask.wait_seconds)
    return Called(**dict(replied), answered_by=talk.conversation.answered_by, dialled=dialled)


def address(to: str, home: str | None = None) -> tuple[str, str]:
    """Return the carrier that reaches somebody, and their address; `home` is whose own spelling is read.

    Raises `Invalid`, `NotConfigured`.
    """
    match read(to.strip(), home):
        case Simulated(dialled="browser"):
            raise NotConfigured("A browser cannot be called in this version.", advice="Call sim:restaurant.")
        case Simulated(dialled=who):
            return "simulator", who
        case Unreadable():
            raise Invalid(
                f"{to!r} cannot be dialled.",
                advice="Give a number with country code, as +14155550123, sip:user@host, or sim:restaurant.",
            )
        case somebody:
            return "twilio", somebody.dialled


async def _rung(desk: Desk, ask: Call, carrier: str, to: str) -> tuple[Session, bool]:
    """Return the call's session, and whether it was dialled for this request."""
    dialling = desk.drawer(Dialling)
    async with dialling.door(to):
        known = None if ask.force_new else await _recent(desk, to)
        if known is not None:
            return known, False
        desk.carriers[carrier].ready()
        phrases = desk.carriers[carrier].vocabulary(to)  # of nobody there is none: that costs no admission
        admission = await desk.gate.admit(Wish(to, ask.purpose or "", ask.max_minutes))
        placing = dialling.see(_place(desk, ask, carrier, admission, phrases))
        return await asyncio.shield(placing), True


async def _recent(desk: Desk, to: str) -> Session | None:
    """Return the call to that address which was placed a moment ago; one that could not be is none."""
    since = desk.now() - AGAIN
    for session in await desk.store.find(limit=LOOKED_AT):
        placed = session.direction == "outbound" and session.close_reason != NOT_PLACED
        if placed and session.to == to and session.created_at >= since:
            return session
    return None


async def _place(
    desk: Desk, ask: Call, carrier: str, admission: Admission, phrases: tuple[str, ...]
) -> Session:
    """Start the call's record, dial, and see to its first words. Raises what `Carrier.dial` raises."""
    session = begin(
        f"{UNNAMED}{token_hex(16)}",
        SessionConfig(language=ask.language, voice=ask.voice, phrases=phrases),
        desk.now(),
        direction="outbound",
        to=admission.to,
        from_=desk.carriers[carrier].number,
        carrier=carrier,
        status="ringing",
    )
    session = session.model_copy(update=carried(session, ask.mode))
    if ask.purpose:
        session = session.model_copy(update={"metadata": {"purpose": ask.purpose}})
    talk = desk.talks.of(session.session_id)
    opening = ask.opening.strip() if ask.opening else None
    first = Ask(
        says=opening or None,
        expect=ask.expect,
        until="reply" if opening else "answer",
        held=opening is not None,
    )
    talk.conversation.begin(first, time.monotonic())
    disclosed = admission.disclosure or ""
    if opening is None:
        talk.conversation.owes = disclosed
    dialling = desk.drawer(Dialling)
    dialling.asked(session.session_id, first)
    placed = False
    try:
        await desk.store.add(session)
        ledger.opened(desk.counts, session)
        with talk.present():  # somebody waits for this call, whether or not they still ask
            await _dialled(desk, session, ask.mode, admission.max_minutes)
        placed = True
    except Unconfirmed:  # it may be ringing: it counts as a call
        admission.settle(0.0)
        raise
    finally:
        if not placed:
            admission.release()
    _make_ready(desk, session, disclosed, opening)
    words = Opening(first, disclosed, ask.on_voicemail, ask.record)
    dialling.see(_through(desk, talk, session, words, admission))
    return session


def _make_ready(desk: Desk, session: Session, *texts: str | None) -> None:
    """Make the first words while it rings; what cannot be made now is an error when it is to be said."""
    with suppress(VoiceError):
        speaks = desk.providers.voice(session.tts_provider)
        for text in filter(None, texts):
            desk.drawer(Mouths).prepare(text, speaks, voice_of(desk, session))


async def _dialled(desk: Desk, session: Session, mode: Mode, minutes: float) -> None:
    """Dial; a call that was not placed, or of which nobody knows, is closed at once."""
    now = desk.now()
    ringing = Entry(at=now, kind="ringing", data={"to": session.to})
    await desk.store.amend(session.session_id, lambda old: change(old.touched(now), entries=[ringing]))
    try:
        call_sid = await desk.carriers[session.carrier].dial(session, mode=mode, max_minutes=ceil(minutes))
    except VoiceError as error:
        with suppress(VoiceError):
            await finish(desk, session.session_id, UNSURE if isinstance(error, Unconfirmed) else NOT_PLACED)
        raise

    def name(old: Session) -> Session:  # its stream may have been quicker, or its end
        return old.model_copy(update={"call_sid": call_sid, "version": old.version + 1})

    await desk.store.amend(session.session_id, name)


async def _through(desk: Desk, talk: Talk, session: Session, opening: Opening, admission: Admission) -> None:
    """See a call through: its first words, its agent's absence, its longest time, and its price."""
    known = talk.conversation
    desk.drawer(Minder).mind(desk, talk)
    try:
        try:
            await open_call(desk, talk, session, opening)
        except VoiceError as error:
            talk.fail(opening.ask, error)
        if not await talk.until(lambda: known.ended, admission.max_minutes * 60):
            await _break_off(desk, talk)
    finally:
        answered = known.answered_at
        admission.settle(0.0 if answered is None else (time.monotonic() - answered) / 60)
        desk.drawer(Dialling).done(talk.session_id)


async def _break_off(desk: Desk, talk: Talk) -> None:
    """End a call that has lasted too long, with a goodbye if that can be said."""
    await put_in(desk, talk, "goodbye", HangUp(TOO_LONG, after_playout=True))
    if await talk.until(lambda: talk.conversation.ended, FAREWELL):
        return
    live = desk.switchboard.call(session_id=talk.session_id)
    if live is not None:
        live.ask(HangUp(TOO_LONG))
    await talk.until(lambda: talk.conversation.ended, FORGOTTEN)
