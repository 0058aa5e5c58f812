"""One stream at work: the clock, the ear and the wire around a `core.Call`.

`Leg.take` is synchronous. News goes into the call, and its effects come out
and are carried out in order: audio and marks to the outlet, pieces to the ear,
lines to the scribe. No frame waits for an engine, a disk or another call; the
only await on the way of a frame is its own socket's.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

import anyio

from mcp_voice.core.call import Call
from mcp_voice.core.counts import Counts
from mcp_voice.core.events import (
    Audio,
    Close,
    Effect,
    Fill,
    Finalize,
    Garbled,
    Key,
    Listen,
    News,
    Note,
    Play,
    Request,
    SendAudio,
    SendClear,
    Started,
    Tick,
    TurnDone,
)
from mcp_voice.core.relay import RelayCall
from mcp_voice.core.twiml import Mode
from mcp_voice.errors import BadMessage
from mcp_voice.media import spans
from mcp_voice.media.ear import EarLine
from mcp_voice.media.recorder import Recorder
from mcp_voice.media.scribe import Scribe
from mcp_voice.media.shelf import Shelf
from mcp_voice.media.talks import Talk
from mcp_voice.ports import Wire

LOGGED_ERRORS: Final = 10
"""Unreadable messages a call's log shows; all are counted."""


TICK: Final = Tick()


def _nothing(_: str) -> None:
    """Nobody says it."""


class Outlet(Protocol):
    """Where a leg's messages go."""

    def write(self, message: str) -> None:
        """Take a message; returns at once."""

    def close(self, why: str) -> None:
        """Send what was written, then close."""


class Leg:
    """One stream of one call. Implements `ports.LiveCall`."""

    def __init__(
        self,
        session_id: str,
        started: Started,
        call: Call | RelayCall,
        wire: Wire,
        outlet: Outlet,
        scribe: Scribe,
        talk: Talk,
        counts: Counts,
        shelf: Shelf | None = None,
    ) -> None:
        self.session_id = session_id
        self.call_sid, self.stream_sid = started.call_sid, started.stream_sid
        self.mode: Mode = started.mode
        self.scribe = scribe
        self.talk = talk
        self.ear: EarLine | None = None
        self.ended: str | None = None
        self.over = anyio.Event()
        self.done = anyio.Event()
        self.fill: Callable[[str], None] = _nothing
        """How to have something said that passes the time."""
        self.began_ns = time.time_ns()
        self.frames = self.bytes = self.sent = self.garbled = 0
        self._call = call
        self._wire = wire
        self._outlet = outlet
        self._counts = counts
        self._timer: asyncio.Handle | None = None  # uvloop makes no timer of a time that has come
        self._armed_for = 0.0
        self._clock = time.monotonic
        self._answered = ""
        self.recorder = Recorder(shelf, session_id, scribe.put, lambda: call.plays_until)

    def receive(self, message: str | bytes, *, echo: bool = False) -> None:
        """Take one message of the carrier; one that cannot be read is counted and skipped."""
        try:
            event = self._wire.receive(message)
        except BadMessage as error:
            self.garble(error)
            return
        if event is None:
            return
        self.take(event)
        if echo and isinstance(event, Audio):
            self.take(Play(event.payload, interruptible=False, tracked=False))

    def garble(self, error: BadMessage) -> None:
        """Count a message that could not be read; the first few go into the call's log."""
        kind = str(error.details.get("kind", error.code))
        self._counts.errors[kind] += 1
        self.garbled += 1
        if self.garbled <= LOGGED_ERRORS:
            self.take(Garbled(kind, str(error)))

    def take(self, news: News) -> None:
        """Let the call take news, and carry out what it wants done."""
        now = self._clock()
        if isinstance(news, Audio):
            if self.recorder.tap is not None and news.track == "inbound":
                self.recorder.tap.caller(news.payload, now, news.timestamp_ms)
            self.frames += 1
            self.bytes += len(news.payload)
            self._counts.media_chunks += 1
            self._counts.media_bytes += len(news.payload)
        elif isinstance(news, Play) and news.first_byte_ms is not None:
            self._counts.tts_first_byte_ms.observe(news.first_byte_ms)
        for effect in self._call.take(news, now):
            self._do(effect, now)
        self._arm()

    def ask(self, request: Request) -> None:
        """Ask something of the call."""
        self.take(request)

    def _do(self, effect: Effect, now: float) -> None:
        match effect:
            case SendAudio():
                if self.recorder.tap is not None:
                    self.recorder.tap.agent(effect.payload, now)
                self.sent += len(effect.payload)
                self._counts.sent_bytes += len(effect.payload)
                self._outlet.write(self._wire.send(effect))
            case Listen() | Finalize():
                if self.ear is not None:
                    self.ear.take(effect)
            case Note(kind="secret"):
                self.scribe.put(effect)
                self.recorder.secret(effect.data.get("state") == "began")
            case Note() | TurnDone():
                self._count(effect)
                self.scribe.put(effect)
            case Key():
                self.talk.press(effect.digit)
            case Fill():
                self.fill(effect.text)
            case Close():
                self.ended = effect.why
                self.recorder.leave(now)
                self._outlet.close(effect.why)
                self.over.set()
            case SendClear():
                if self.recorder.tap is not None:
                    self.recorder.tap.clear(now)
                self._outlet.write(self._wire.send(effect))
            case _:
                self._outlet.write(self._wire.send(effect))

    def _count(self, effect: Note | TurnDone) -> None:
        counts = self._counts
        match effect:
            case Note(kind="interrupted", data={"heardMs": int(ms)}):
                counts.barge_ins += 1
                spans.spoke(self.stream_sid, ms)
            case Note(kind="agentSaid", data={"durationMs": int(ms)}):
                spans.spoke(self.stream_sid, ms)
            case Note(kind="backchannel" | "resumed"):
                counts.false_barge_ins += 1
            case Note(kind="final", data={"sttMs": int(ms)}):
                counts.stt_ms.observe(ms)
            case TurnDone(timing_ms={"latency": int(ms)}) if effect.turn_id != self._answered:
                self._answered = effect.turn_id
                counts.turn_ms.observe(ms)
                counts.gap_ms.observe(effect.timing_ms.get("filler", ms))
                if "agentThink" in effect.timing_ms:
                    counts.think_ms.observe(effect.timing_ms["agentThink"])
                spans.turn(effect.turn_id, effect.timing_ms)

    def _arm(self) -> None:
        """See that the call is told the time when it wants it; a timer that is early is left alone."""
        wakes_at = self._call.wakes_at
        if wakes_at is None or self.ended is not None:
            return
        if self._timer is not None:
            if self._armed_for <= wakes_at:
                return
            self._timer.cancel()
        self._armed_for = wakes_at
        self._timer = asyncio.get_running_loop().call_at(wakes_at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.take(TICK)

    @property
    def sums(self) -> dict[str, int]:
        """What went through, for the line that a call leaves in the log: messages, and bytes of audio."""
        return {"frames": self.frames, "bytes": self.bytes, "sent": self.sent, "garbled": self.garbled}

    def trace(self) -> None:
        """Leave the call's spans behind."""
        facts = {"call_sid": spans.hashed(self.call_sid), "stream_sid": self.stream_sid}
        milliseconds = (time.time_ns() - self.began_ns) // 1_000_000
        spans.span("twilio.media.process", self.began_ns, {**facts, **self.sums})
        spans.span("twilio.call.end", time.time_ns(), {**facts, "duration_ms": milliseconds})

    def let_go(self) -> None:
        """Stop the clock, and part from the ear, which knows this leg: a circle waits for the collector."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.ear = None
        self.fill = _nothing
