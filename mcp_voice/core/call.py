"""One call: everything that happens to it goes in, everything to be done comes out.

`take(news, now)` is the only entrance. It moves four machines and returns
effects in the order they must happen:

    Listener   the caller's audio → utterances for the ear, cues about the floor
    Playout    the agent's audio → frames and marks for the wire, what was heard
    Exchange   words both ways → turns for the record, with their timing
    Keys       the caller's keys → the record, or whoever collects them

While it is asked to `Watch`, a fourth: a `Lookout` gets the frames and words too.

A call reads no clock and does no I/O. `wakes_at` is when it wants a `Tick`.
"""

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Final

from mcp_voice.core.audio import FRAME_BYTES, Framer
from mcp_voice.core.events import (
    AnsweredBy,
    Audio,
    Clear,
    Close,
    Collect,
    Connected,
    Digit,
    EarFailed,
    Effect,
    Finalize,
    Garbled,
    HangUp,
    Listen,
    Lost,
    Mark,
    MarkReached,
    News,
    Note,
    Partial,
    Play,
    SendAudio,
    SendClear,
    Started,
    Stopped,
    Tick,
    Watch,
)
from mcp_voice.core.events import (
    Final as FinalWords,
)
from mcp_voice.core.exchange import Exchange
from mcp_voice.core.keys import Keys
from mcp_voice.core.listener import Found, Listener
from mcp_voice.core.playout import Echo, Playout, Utterance
from mcp_voice.core.turns import Cue

if TYPE_CHECKING:
    from mcp_voice.core.watch import Lookout

LAPSE: Final = 0.5
"""Seconds without a frame after which an open utterance is taken as having fallen silent.
Twilio sends fifty frames a second, silence included, but drops audio when a network clogs."""


class Call:
    """One call's conversation on one stream.

    Without a `listener` the caller's audio is not listened to. `first_turn`
    numbers the turns on from a former stream of the same call.
    """

    def __init__(
        self, listener: Listener | None, playout: Playout | None = None, *, first_turn: int = 1
    ) -> None:
        self._listener = listener
        self._playout = playout or Playout()
        self._exchange = Exchange(count(first_turn))
        self._keys = Keys()
        self._framer = Framer()
        self._framed_at = 0.0
        self._speaking = False
        self._interruptible = True
        self._leaving: str | None = None
        self._lookout: Lookout | None = None
        self._answered_by = ""
        self.closed = False

    @property
    def wakes_at(self) -> float | None:
        """When it next wants to be told the time, in seconds of the caller's `now`."""
        if self.closed:
            return None
        playout, listener = self._playout, self._listener
        wishes = playout.wishes
        if self._speaking or self._leaving:
            wishes.append(playout.ends_at)
        if self._lookout is not None or (listener is not None and listener.busy):
            wishes.append(self._framed_at + LAPSE)
        if self._keys.wakes_at is not None:
            wishes.append(self._keys.wakes_at)
        return min(wishes) if wishes else None

    @property
    def plays_until(self) -> float:
        """When all audio sent so far will have been played."""
        return self._playout.ends_at

    def take(self, news: News, now: float) -> Sequence[Effect]:
        """Take one piece of news; return what to do about it, in order."""
        if self.closed and not isinstance(news, Partial | FinalWords | EarFailed):  # last words come late
            return ()
        match news:
            case Audio():
                return self._audio(news, now)
            case Play() | Mark() | Tick():
                return self._speak(news, now)
            case MarkReached():
                return self._echoed(self._playout.reached(news.name), now) + self._leave(now)
            case Partial():
                return (Note("partial", {"text": news.text}), *self._words(news))
            case FinalWords():
                return (*self._exchange.heard(news, now), *self._words(news))
            case Digit():
                return self._pressed(news, now)
            case Collect():
                return self._keys.collect(news, now)
            case Clear():
                return self._cut(now, news.why)
            case HangUp():
                return self._hang_up(news, now)
            case Watch():
                return self._watch(news, now)
            case AnsweredBy():
                return self._answered(news)
            case Started():
                return (Note("answered", {"streamSid": news.stream_sid, "tracks": list(news.tracks)}),)
            case Stopped():
                return self._close("stop", now)
            case Lost():
                return self._close(news.why, now)
            case Garbled():
                return (Note("error", {"code": news.code, "message": news.why}),)
            case EarFailed():
                return (Note("error", {"code": news.code, "message": news.why, "recovered": news.recovered}),)
            case Connected():
                return ()

    # ─── the caller's side ───────────────────────────────────────────────────

    def _audio(self, heard: Audio, now: float) -> Sequence[Effect]:
        listener = self._listener
        if listener is None or heard.track != "inbound":
            return ()
        self._framed_at = now
        if self._lookout is not None:
            return self._watched(heard, listener, now)
        if len(heard.payload) == FRAME_BYTES:
            found = listener.hear(heard.payload)
            return self._act(found, now) if found else ()
        effects: list[Effect] = []
        for frame in self._framer.push(heard.payload):
            effects += self._act(listener.hear(frame), now)
        return effects

    def _act(self, found: Sequence[Found], now: float) -> list[Effect]:
        """Turn what the listener found into effects."""
        effects: list[Effect] = []
        for item in found:
            match item:
                case Listen():
                    effects.append(item)
                case Finalize():
                    self._exchange.finalizing(now)
                    effects.append(item)
                case _:
                    effects += self._cue(item, now)
        return effects

    def _cue(self, cue: Cue, now: float) -> Sequence[Effect]:
        match cue:
            case Cue.TURN_BEGAN:
                return (Note("speechStarted"),)
            case Cue.CUT_PLAYBACK:
                return self._cut(now, "interrupted")
            case Cue.COUGHED:
                return (Note("backchannel"),)
        self._exchange.caller_silent(now, self._listener.silent_ms if self._listener else 0)
        return ()

    def _pressed(self, key: Digit, now: float) -> Sequence[Effect]:
        cut = self._keys.collecting and self._playout.playing(now)
        return [*(self._cut(now, "pressed") if cut else ()), *self._keys.press(key.digit, now)]

    # ─── what it is asked to watch for ───────────────────────────────────────

    def _watch(self, asked: Watch, now: float) -> Sequence[Effect]:
        what = asked.what - {"machine"} if self._answered_by not in ("", "unknown") else asked.what
        if self._listener is None or not what:
            self._lookout = None
        elif self._lookout is not None:
            self._lookout.watch(what)
        else:
            from mcp_voice.core.watch import Lookout  # numpy costs a start-up 100 ms

            self._lookout = Lookout(what)
            self._framed_at = now
        return ()

    def _watched(self, heard: Audio, listener: Listener, now: float) -> list[Effect]:
        """Take the caller's audio while somebody watches."""
        whole = len(heard.payload) == FRAME_BYTES
        effects: list[Effect] = []
        for frame in (heard.payload,) if whole else self._framer.push(heard.payload):
            effects += self._act(listener.hear(frame), now)
            if self._lookout is not None:
                effects += self._seen(self._lookout.hear(frame, speaks=listener.speaking))
        return effects

    def _words(self, news: Partial | FinalWords) -> list[Note]:
        if self._lookout is None:
            return []
        return self._seen(self._lookout.words(news.text, final=isinstance(news, FinalWords)))

    def _seen(self, notes: list[Note]) -> list[Note]:
        """Keep who answered; give the lookout up when it has nothing left to watch for."""
        for note in notes:
            if note.kind == "amd":
                self._answered_by = note.data["answeredBy"]
        if notes and self._lookout is not None and self._lookout.done:
            self._lookout = None
        return notes

    def _answered(self, news: AnsweredBy) -> Sequence[Effect]:
        """Take the carrier's verdict: the first stands, unless it was `unknown`."""
        who = news.verdict
        if self._answered_by not in ("", "unknown") or self._answered_by == who:
            return ()
        self._answered_by = who
        if self._lookout is not None and who != "unknown":
            self._lookout.answered(who)
        data = {"answeredBy": who, "by": "carrier", "why": news.who, "afterMs": news.after_ms}
        return self._seen([Note("amd", data)])

    # ─── the agent's side ────────────────────────────────────────────────────

    def _speak(self, news: Play | Mark | Tick, now: float) -> Sequence[Effect]:
        effects: list[Effect] = []
        match news:
            case Play():
                self._exchange.asked(now)
                self._interruptible = news.interruptible
                self._playout.queue(
                    news.audio, news.text, tracked=news.tracked, part=news.part, last=news.last
                )
            case Mark():
                self._playout.mark(news.name)
            case Tick():
                effects += self._lapse(now) + self._keys.tell(now)
                for utterance in self._playout.overdue(now):
                    effects += self._said(utterance)
        return effects + self._send(now) + self._leave(now)

    def _send(self, now: float) -> list[Effect]:
        due = self._playout.due(now)
        effects: list[Effect] = [*due]
        if any(isinstance(command, SendAudio) for command in due):
            self._exchange.speaking(now)
        effects += self._floor(now)
        return effects

    def _floor(self, now: float) -> list[Effect]:
        """Tell the turn machine when the agent's audio begins and ends."""
        playing = self._playout.playing(now) and self._interruptible
        if self._listener is None or playing == self._speaking:
            return []
        self._speaking = playing
        return self._act(self._listener.agent(speaks=playing), now)

    def _lapse(self, now: float) -> list[Effect]:
        """Take a stream that stopped sending in mid-speech as silent."""
        listener = self._listener
        if listener is None or now < self._framed_at + LAPSE:
            return []
        if self._lookout is None and not listener.busy:
            return []
        self._framed_at = now
        effects = self._act(listener.elapse(LAPSE), now) if listener.busy else []
        if self._lookout is not None:
            effects += self._seen(self._lookout.elapse(LAPSE))
        return effects

    def _cut(self, now: float, why: str) -> list[Effect]:
        """Stop talking; say what was heard of what was said."""
        touched = self._playout.cut(now)
        effects: list[Effect] = [SendClear()]
        for utterance in touched:
            effects += self._said(utterance, why)
        return effects + self._floor(now)

    def _echoed(self, echoes: Sequence[Echo], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for echo in echoes:
            if echo.finished is not None:
                effects += self._said(echo.finished)
            else:
                effects.append(Note("mark", {"name": echo.mark, "cleared": echo.cleared}))
        return effects + self._floor(now)

    def _said(self, utterance: Utterance, why: str = "") -> list[Effect]:
        """Write down an utterance that was played to its end, or cut."""
        part = {"part": utterance.part} if utterance.part else {}
        if not utterance.cut:
            note = Note("agentSaid", {"text": utterance.text, "durationMs": utterance.total_ms, **part})
        else:
            note = Note(
                "interrupted" if why == "interrupted" else "agentCut",
                {
                    "text": utterance.text,
                    "heardByCaller": utterance.heard_text,
                    "heardMs": utterance.heard_ms,
                    "heardFraction": round(utterance.fraction, 3),
                    **part,
                },
            )
        return [note, *self._exchange.said(utterance)]

    # ─── the end ─────────────────────────────────────────────────────────────

    def _hang_up(self, asked: HangUp, now: float) -> Sequence[Effect]:
        if not asked.after_playout:
            return self._close(asked.why, now)
        self._leaving = asked.why
        return self._leave(now)

    def _leave(self, now: float) -> list[Effect]:
        """Close, if that was asked for and everything has been said."""
        if self._leaving is None or self._playout.playing(now):
            return []
        return list(self._close(self._leaving, now))

    def _close(self, why: str, now: float) -> Sequence[Effect]:
        self.closed = True
        self._lookout = None
        effects: list[Effect] = []
        if self._listener is not None:
            effects += [item for item in self._listener.flush() if isinstance(item, Listen | Finalize)]
        for utterance in self._playout.cut(now):
            effects += self._said(utterance, why)
        return [*effects, Note("ended", {"reason": why}), Close(why)]
