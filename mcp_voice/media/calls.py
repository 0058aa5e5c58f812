"""The live calls of this process: implements `ports.Switchboard`.

A call is taken on with `open`, whoever holds its socket, and given up with
`close`. Between the two it is found by its session, its call or its stream.
What a call does beside its frames (hearing, writing its record) runs in tasks
of this room; one that fails ends alone.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Final

import anyio
import structlog

from mcp_voice.core import ledger
from mcp_voice.core.audio import TELEPHONE
from mcp_voice.core.call import Call
from mcp_voice.core.counts import Counts
from mcp_voice.core.events import EarFailed, Expect, HangUp, Lost, Note, Play, Started, Stopped, StreamEvent
from mcp_voice.core.listener import Listener
from mcp_voice.core.phrases import fillers
from mcp_voice.core.playout import Lead, Playout
from mcp_voice.core.relay import RelayCall
from mcp_voice.core.session import Session, SessionConfig, begin, carried
from mcp_voice.core.tickets import Pass
from mcp_voice.core.turns import Patience
from mcp_voice.core.voice import Vad
from mcp_voice.errors import BadMessage, NotFound, Refused, SessionClosed, TooMany, VoiceError
from mcp_voice.media import spans
from mcp_voice.media.ear import EarLine, Succession
from mcp_voice.media.pump import Leg, Outlet
from mcp_voice.media.scribe import Scribe
from mcp_voice.media.shelf import Shelf
from mcp_voice.media.talks import Talks
from mcp_voice.ports import EarConfig, Hears, Providers, SessionStore, VoiceConfig, Wire, utc_now

log = structlog.get_logger(__name__)

BACK: Final = 5.0
"""Seconds in which a session that left one socket for another has to be there: until then nobody has left."""


OPEN: Final = Pass()


@dataclass(frozen=True, slots=True)
class Rules:
    """How the calls of this process behave. Times are seconds."""

    patience: Patience = field(default_factory=Patience)
    lead: Lead = field(default_factory=Lead)
    most_calls: int = 500
    fillers: bool = False
    voice: str | None = None
    """Whose voice passes the time when the session does not say."""
    succession: Succession = field(default_factory=Succession)


class HeldOutlet:
    """Collects messages for whoever holds the socket."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def write(self, message: str) -> None:
        """Keep a message until it is fetched."""
        self.messages.append(message)

    def close(self, why: str) -> None:
        """Nothing to close: the socket is not ours."""


class HeldLeg:
    """A call whose socket somebody else holds. Implements `ports.HeldCall`."""

    def __init__(self, leg: Leg, outlet: HeldOutlet) -> None:
        self.leg = leg
        self.session_id, self.call_sid, self.stream_sid = leg.session_id, leg.call_sid, leg.stream_sid
        self.mode = leg.mode
        self.ask, self.recorder = leg.ask, leg.recorder
        self._outlet = outlet

    def hear(self, events: Sequence[StreamEvent]) -> None:
        """Take what the stream said."""
        for event in events:
            self.leg.take(event)

    def garble(self, error: BadMessage) -> None:
        """Count a message that could not be read."""
        self.leg.garble(error)

    def outbound(self) -> list[dict[str, Any]]:
        """Hand over what has gathered."""
        messages, self._outlet.messages = self._outlet.messages, []
        return [json.loads(message) for message in messages]


class Calls:
    """The live calls of this process."""

    def __init__(
        self,
        *,
        store: SessionStore,
        providers: Providers,
        counts: Counts,
        make_vad: Callable[[], Vad] | None,
        make_wire: Callable[[], Wire],
        carrier_of: Callable[[Started], str] = lambda _: "twilio",
        rules: Rules | None = None,
        talks: Talks | None = None,
        shelf: Shelf | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._talks = Talks() if talks is None else talks
        self._providers = providers
        self._counts = counts
        self._make_vad = make_vad
        self._make_wire = make_wire
        self._carrier_of = carrier_of
        self._rules = rules or Rules()
        self._shelf = shelf
        self._recorded: dict[str, tuple[datetime, bool]] = {}
        """Sessions whose stream was recorded at its end: until when they may return, and whether paused."""
        self._now = now
        self._legs: dict[str, Leg] = {}
        self._held: dict[str, HeldLeg] = {}
        self._fillers: set[asyncio.Task[None]] = set()
        self._tasks = anyio.create_task_group()
        self.draining = False

    async def __aenter__(self) -> "Calls":
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.move_on_after(5, shield=True):
            for filler in self._fillers:
                filler.cancel()
            for leg in list(self._legs.values()):
                await self.close(leg, Lost("shutdown"))
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(kind, error, trace)

    # ─── finding ─────────────────────────────────────────────────────────────

    def __len__(self) -> int:
        return len(self._legs)

    @property
    def full(self) -> bool:
        """Whether no more calls are taken on."""
        return self.draining or len(self._legs) >= self._rules.most_calls

    def call(
        self, *, session_id: str | None = None, call_sid: str | None = None, stream_sid: str | None = None
    ) -> Leg | None:
        """Return the live call of that name, or None."""
        if stream_sid is not None:
            return self._legs.get(stream_sid)
        for leg in self._legs.values():
            if leg.session_id == session_id or (call_sid is not None and leg.call_sid == call_sid):
                return leg
        return None

    def all(self) -> list[Leg]:
        """Return every live call."""
        return list(self._legs.values())

    # ─── taking on and giving up ─────────────────────────────────────────────

    async def open(self, started: Started, wire: Wire, outlet: Outlet, shown: Pass = OPEN) -> Leg:
        """Take on a stream: join its session, or start one. `shown` is what it has shown at the door.

        Raises:
            TooMany: there is no room for another call.
            Refused: the call has a live stream already, or a format we do not speak, or is not the session's.
            SessionClosed: the session it names is over.
        """
        if self.full:
            raise TooMany("No more calls are taken on now.", advice="Try again later.")
        if started.mode == "stream" and started.format != TELEPHONE:
            raise Refused(f"The stream carries {started.format}.", advice="Send mu-law, 8 kHz, one channel.")
        before = self.call(call_sid=started.call_sid)
        if before is not None and started.mode == "relay" and before.stream_sid == started.stream_sid:
            before.talk.conversation.send_round(time.monotonic() + BACK)  # it is back on another socket
            await self.close(before, Lost("connection_lost"))
        if before is not None and before.ended is not None:
            await before.done.wait()  # its record is being written: the session goes on from there
        if self.call(call_sid=started.call_sid) or started.stream_sid in self._legs:
            raise Refused(f"Call {started.call_sid} has a live stream already.")
        session = await self._session(started, shown)
        leg = self._leg(session, started, wire, outlet)
        self._legs[started.stream_sid] = leg
        self._counts.calls += 1
        self._counts.calls_active = self._counts.live = len(self._legs)
        leg.take(started)
        if leg.talk.conversation.collecting is not None:
            leg.take(leg.talk.conversation.collecting)
        for ask in leg.talk.conversation.waiting[-1:]:
            leg.take(Expect(ask.expect))
        self._tasks.start_soon(self._attend, leg, name=f"call {started.call_sid}")
        spans.span("twilio.call.start", leg.began_ns, _identity(started))
        log.info("call_started", session=leg.session_id, call=leg.call_sid, carrier=session.carrier)
        return leg

    async def _session(self, started: Started, shown: Pass) -> Session:
        """Join the session that the ticket, the stream's parameter or its call names, or start one."""
        now = self._now()
        wanted = shown.session_id or started.parameters.get("sessionId")
        known = await self._store.load(wanted) if wanted else await self._store.named(started.call_sid)
        if not shown.suits(known, started.call_sid):
            raise Refused(f"Call {started.call_sid} is not that of session {wanted}.")
        if known is None or (wanted is None and known.closed and not _returns(known, now)):
            known = await self._begin(started)
        joined = await self._store.amend(
            known.session_id,
            lambda s: s.reopened(started.stream_sid, now).model_copy(update=self._facts(s, started)),
        )
        if known.closed:
            ledger.returned(self._counts)
        return joined

    async def _begin(self, started: Started) -> Session:
        session = begin(started.call_sid, SessionConfig(), self._now())
        await self._store.add(session)
        ledger.opened(self._counts, session)
        return session

    def _facts(self, session: Session, started: Started) -> dict[str, object]:
        """What a stream tells about its call."""
        told = started.parameters
        return {
            "call_sid": started.call_sid,
            "carrier": self._carrier_of(started),
            "from_": session.from_ or told.get("from"),
            "to": session.to or told.get("to"),
            **carried(session, started.mode),
        }

    def _leg(self, session: Session, started: Started, wire: Wire, outlet: Outlet) -> Leg:
        scribe = Scribe(self._store, session.session_id, self._now)
        talk = self._talks.of(session.session_id)
        phrases = fillers(session.config.language) if self._rules.fillers else ()
        first_turn = len(session.turns) + 1
        if started.mode == "relay":
            relayed = RelayCall(first_turn=first_turn, fillers=phrases)
            leg = Leg(session.session_id, started, relayed, wire, outlet, scribe, talk, self._counts)
            leg.fill = partial(self._fill, leg, session)
            return leg
        hears, deaf = self._hears(session)
        listener = None
        if self._make_vad is not None:
            continuous = hears is not None and hears.continuous
            listener = Listener(self._make_vad(), self._rules.patience, continuous=continuous)
        call = Call(listener, Playout(self._rules.lead), first_turn=first_turn, fillers=phrases)
        leg = Leg(session.session_id, started, call, wire, outlet, scribe, talk, self._counts, self._shelf)
        leg.fill = partial(self._fill, leg, session)
        if hears is not None and listener is not None:
            config = EarConfig(language=session.config.language, phrases=session.config.phrases)
            leg.ear = EarLine(partial(hears.listen, config), leg.take, self._rules.succession)
        if deaf is not None:
            leg.take(EarFailed(deaf.code, str(deaf)))
        return leg

    def _fill(self, leg: Leg, session: Session, text: str) -> None:
        task = asyncio.create_task(self._pass_time(leg, session, text), name="filler")
        self._fillers.add(task)
        task.add_done_callback(self._fillers.discard)

    async def _pass_time(self, leg: Leg, session: Session, text: str) -> None:
        """Say something short while the agent thinks; a voice that cannot leaves it at silence."""
        config = VoiceConfig(session.config.voice or self._rules.voice, session.config.language)
        try:
            async with aclosing(self._providers.voice(session.tts_provider).speak(text, config)) as pieces:
                audio = b"".join([piece async for piece in pieces])
        except VoiceError:
            return
        leg.take(Play(audio, text, filler=True))

    def _hears(self, session: Session) -> tuple[Hears | None, VoiceError | None]:
        """Return the vendor that hears this call, or why there is none."""
        try:
            return self._providers.ear(session.stt_provider), None
        except VoiceError as error:
            return None, error

    async def _attend(self, leg: Leg) -> None:
        """See a call through: hear, write, and when it is over, finish its record."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(leg.scribe.run)
                tasks.start_soon(self._record_on, leg)
                async with anyio.create_task_group() as hearing:
                    if leg.ear is not None:
                        hearing.start_soon(leg.ear.run)
                    await leg.over.wait()
                    if leg.ear is not None:
                        await leg.ear.settled()
                    hearing.cancel_scope.cancel()
                await leg.recorder.stop()
                leg.scribe.close()
            await self._end_record(leg)
        except Exception:  # the task ends here; other calls go on
            log.exception("call_failed", session=leg.session_id)
        finally:
            self._forget(leg)
            leg.done.set()

    async def _record_on(self, leg: Leg) -> None:
        """Go on recording a call that has come back."""
        now = self._now()
        self._recorded = {name: was for name, was in self._recorded.items() if was[0] >= now}
        was = self._recorded.pop(leg.session_id, None)
        if was is None:
            return
        try:
            await leg.recorder.start(paused=was[1])
        except VoiceError as error:
            leg.scribe.put(Note("error", {"code": error.code, "message": str(error), "recovered": False}))

    async def _end_record(self, leg: Leg) -> None:
        reason = leg.ended or "stop"
        try:
            session = await self._store.amend(leg.session_id, lambda s: s.ended(reason, self._now()))
        except (SessionClosed, NotFound):
            return
        ledger.closed(self._counts, session)
        if session.returns_until is not None and leg.recorder.left in ("recording", "paused"):
            self._recorded[leg.session_id] = session.returns_until, leg.recorder.left == "paused"
        log.info("call_ended", session=leg.session_id, reason=reason, ms=session.duration_ms, **leg.sums)

    def _forget(self, leg: Leg) -> None:
        leg.let_go()
        leg.trace()
        self._talks.forget(leg.session_id)
        self._legs.pop(leg.stream_sid, None)
        self._held.pop(leg.stream_sid, None)
        self._counts.calls_active = self._counts.live = len(self._legs)

    async def close(self, leg: Leg, news: Stopped | Lost) -> None:
        """Give up a stream, and wait until its record is written."""
        leg.take(news)
        leg.over.set()
        await leg.done.wait()

    async def end(self, session_id: str, reason: str) -> None:
        """Close a session's stream, if it has one, and wait until its record is written."""
        leg = self.call(session_id=session_id)
        if leg is not None:
            leg.ask(HangUp(reason))
            await leg.done.wait()

    # ─── calls whose socket somebody else holds ──────────────────────────────

    async def hold(self, started: Started) -> HeldLeg:
        """Take on a call whose socket somebody else holds. Raises as `open` does."""
        outlet, wire = HeldOutlet(), self._make_wire()
        wire.name(started.stream_sid)
        held = HeldLeg(await self.open(started, wire, outlet), outlet)
        self._held[started.stream_sid] = held
        return held

    def held(self, stream_sid: str) -> HeldLeg:
        """Return a call taken on by `hold`. Raises `NotFound`."""
        found = self._held.get(stream_sid)
        if found is None:
            raise NotFound("held stream", stream_sid, advice="Begin it with twilio.handleStart.")
        return found

    async def release(self, stream_sid: str, reason: str) -> str:
        """End a held call's leg; return its session's id. Raises `NotFound`."""
        leg = self.held(stream_sid).leg
        await self.close(leg, Stopped() if reason == "stop" else Lost(reason))
        return leg.session_id


def _identity(started: Started) -> dict[str, str]:
    return {
        "call_sid": spans.hashed(started.call_sid),
        "stream_sid": started.stream_sid,
        "format": str(started.format),
    }


def _returns(session: Session, now: datetime) -> bool:
    return session.returns_until is not None and now <= session.returns_until
