"""One call: everything that happens to it goes in, everything to be done comes out.

`take(news, now)` is the only entrance. It moves four machines and returns
effects in the order they must happen:

    Listener   the caller's audio → utterances for the ear, cues about the floor
    Playout    the agent's audio → frames and marks for the wire, what was heard
    Exchange   words both ways → turns for the record, with their timing
    Keys       the caller's keys → the record, or whoever collects them

While it is asked to `Watch`, a fourth: a `Lookout` gets the frames and words too.

Two more rules are kept beside them: a voice that cut playback and said nothing
lets it go on (`Doubt`), and an agent that thinks long is covered (`Fillers`).

A call reads no clock and does no I/O. `wakes_at` is when it wants a `Tick`.
"""

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Final

from mcp_voice.core.audio import FRAME_BYTES, Framer
from mcp_voice.core.doubt import LONGEST, Doubt, says_something
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
    Expect,
    Fill,
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
from mcp_voice.core.exchange import Exchange, told
from mcp_voice.core.fillers import Fillers
from mcp_voice.core.keys import Keys
from mcp_voice.core.listener import Found, Listener
from mcp_voice.core.playout import Echo, Playout, Utterance
from mcp_voice.core.turns import Cue, Floor

if TYPE_CHECKING:
    from mcp_voice.core.watch import Lookout

LAPSE: Final = 0.5
"""Seconds without a frame after which an open utterance is taken as having fallen silent.
Twilio sends fifty frames a second, silence included, but drops audio when a network clogs."""

OWED: Final = 2.0
"""Seconds in which words may still be the answer to our `Finalize`, and no endpoint of the ear's own."""

_EXPECTED: Final = "answer"
_LEAST: Final = 1e-6
"""Seconds that a sum of times may be wrong by."""


class Call:
    """One call's conversation on one stream.

    Without a `listener` the caller's audio is not listened to. `first_turn`
    numbers the turns on from a former stream of the same call. `fillers` are
    what may be said while the agent thinks.
    """

    def __init__(
        self,
        listener: Listener | None,
        playout: Playout | None = None,
        *,
        first_turn: int = 1,
        fillers: Sequence[str] = (),
    ) -> None:
        self._listener = listener
        self._playout = playout or Playout()
        self._exchange = Exchange(count(first_turn))
        self._keys = Keys()
        self._fillers = Fillers(fillers)
        self._doubt: Doubt | None = None
        self._deaf = self._late = False
        self._expects = _EXPECTED
        self._finalized_at: float | None = None
        self._framer = Framer()
        self._framed_at = 0.0
        self._speaking = False
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
        if self._speaking or (self._leaving and self._doubt is None):
            wishes.append(playout.ends_at)
        if self._lookout is not None or (listener is not None and listener.busy):
            wishes.append(self._framed_at + LAPSE)
        if self._keys.wakes_at is not None:
            wishes.append(self._keys.wakes_at)
        if listener is not None and self._doubt is not None:
            wishes.append(self._framed_at + self._doubt.patience(listener.end_of_turn))
        if self._fillers.wakes_at is not None:
            wishes.append(self._fillers.wakes_at)
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
                if self._doubt is not None:
                    self._doubt.partial(news.text)
                return (Note("partial", {"text": news.text}), *self._noticed(news))
            case FinalWords():
                return (*self._words(news, now), *self._noticed(news))
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
            case Expect():
                return self._expect(news.kind)
            case EarFailed():
                self._deaf = not news.recovered
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
            if self._doubt is not None:
                return self._act(found, now) + self._wonder(now)
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
                    self._finalized_at = now
                    self._exchange.finalizing(now)
                    effects.append(item)
                case _:
                    effects += self._cue(item, now)
        return effects

    def _cue(self, cue: Cue, now: float) -> Sequence[Effect]:
        match cue:
            case Cue.TURN_BEGAN:
                self._late = False
                self._fillers.hush()
                return (Note("speechStarted"),)
            case Cue.CUT_PLAYBACK:
                return self._cut(now, "interrupted", doubtful=not self._deaf)
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

    def _noticed(self, news: Partial | FinalWords) -> list[Note]:
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
                effects += self._play(news, now)
            case Mark():
                self._playout.mark(news.name)
            case Tick():
                effects += self._lapse(now) + self._wonder(now) + self._keys.tell(now)
                if (filler := self._fillers.due(now)) is not None:
                    effects.append(Fill(filler))
                for utterance in self._playout.overdue(now):
                    effects += self._written(utterance)
        return effects + self._send(now) + self._leave(now)

    def _play(self, play: Play, now: float) -> list[Effect]:
        effects: list[Effect] = []
        if play.filler and not self._fillers.wanted:
            return effects  # the answer was quicker
        if self._doubt is not None and play.tracked and (not play.part or play.part != self._doubt.part):
            effects += self._settle(now, heard=False)
        if play.tracked and not play.filler:
            self._fillers.hush()
        thought = self._exchange.asked(play, now)
        if thought is not None:
            self._fillers.thought(thought)
        self._playout.queue(
            play.audio,
            play.text,
            tracked=play.tracked,
            part=play.part,
            last=play.last,
            guarded=not play.interruptible,
            filler=play.filler,
        )
        return effects

    def _send(self, now: float) -> list[Effect]:
        due = self._playout.due(now)
        effects: list[Effect] = [*due]
        if any(isinstance(command, SendAudio) for command in due):
            self._exchange.sounding(now, answers=self._playout.answering)
        effects += self._floor(now)
        return effects

    def _floor(self, now: float) -> list[Effect]:
        """Tell the turn machine when the agent's audio begins and ends."""
        playing = self._playout.yields(now)
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

    def _cut(self, now: float, why: str, *, doubtful: bool = False) -> list[Effect]:
        """Stop talking; say what was heard of what was said.

        A voice that did it may have nothing to say: then the turn is not written yet.
        """
        effects = self._settle(now, heard=False)
        touched = self._playout.cut(now, keep=doubtful)
        cut = [one for one in touched if one.cut and not one.filler] if doubtful else []
        effects.append(SendClear())
        for utterance in touched:
            effects.append(told(utterance, why, doubtful=utterance in cut))
            if utterance not in cut:
                effects += self._exchange.said(utterance)
        if cut:
            self._doubt = Doubt(now, cut[-1].part, cut, answers=self._expects == "yesNo")
        else:
            self._playout.forget()
        return effects + self._floor(now)

    def _echoed(self, echoes: Sequence[Echo], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for echo in echoes:
            if echo.finished is not None:
                effects += self._written(echo.finished)
            else:
                effects.append(Note("mark", {"name": echo.mark, "cleared": echo.cleared}))
        return effects + self._floor(now)

    def _written(self, utterance: Utterance, why: str = "") -> list[Effect]:
        """Write down an utterance that was played to its end, or cut for good."""
        return [told(utterance, why), *self._exchange.said(utterance)]

    # ─── what the ear makes of it ────────────────────────────────────────────

    def _expect(self, kind: str) -> Sequence[Effect]:
        self._expects = kind
        if self._listener is not None:
            self._listener.expect(kind)
        return ()

    def _words(self, words: FinalWords, now: float) -> Sequence[Effect]:
        """Take the ear's final words: they may end the turn, and a doubt."""
        self._deaf = False
        effects = self._endpoint(words, now)
        doubt, listener = self._doubt, self._listener
        if doubt is not None and listener is not None:
            match doubt.final(words, listener.voiced_ms):
                case None:
                    return effects
                case False if listener.floor is Floor.OPEN:
                    return effects + self._go_on(now)
                case False:
                    return effects  # they are speaking again: their next words will tell
            self._leaving = None  # a goodbye that was answered does not end the call
            return effects + self._settle(now)
        late, self._late = self._late, False
        if late and says_something(words.text) and self._playout.playing(now):
            effects += self._cut(now, "interrupted", doubtful=False)
        return effects + self._had(words, now)

    def _had(self, words: FinalWords, now: float) -> list[Effect]:
        """Take words that count. When they end a turn the agent begins to think."""
        if words.text and words.ends_turn and not self.closed:
            self._fillers.ask(now, self._expects)
            self._expect(_EXPECTED)
        return list(self._exchange.heard(words, now))

    def _endpoint(self, words: FinalWords, now: float) -> list[Effect]:
        """End the caller's turn at once if the ear found its end, and was not asked for these words."""
        asked_at, self._finalized_at = self._finalized_at, None
        listener = self._listener
        owed = asked_at is not None and now < asked_at + OWED
        if listener is None or not listener.continuous or owed or self.closed:
            return []
        return self._act(listener.endpoint(), now) if words.ends_turn and words.text else []

    def _wonder(self, now: float) -> list[Effect]:
        """See whether the caller has been silent for so long that they cannot have meant to speak."""
        doubt, listener = self._doubt, self._listener
        if doubt is None or listener is None:
            return []
        if now >= doubt.cut_at + LONGEST:
            return self._settle(now, heard=False)
        quiet = listener.silent_ms / 1000 + (now - self._framed_at) + _LEAST
        if quiet < doubt.patience(listener.end_of_turn):
            return []
        self._late = True
        return self._go_on(now)

    def _go_on(self, now: float) -> list[Effect]:
        """Nothing was said: what was cut goes on."""
        doubt, self._doubt = self._doubt, None
        effects: list[Effect] = []
        for words in doubt.held if doubt else ():
            effects += self._exchange.heard(words, now, sign=True)
        place = self._playout.go_on()
        part = {"part": doubt.part} if doubt and doubt.part else {}
        effects.append(Note("resumed", {"text": place.text, "fromMs": place.from_ms, **part}))
        return effects + self._send(now)

    def _settle(self, now: float, *, heard: bool = True) -> list[Effect]:
        """End the doubt: what was cut does not go on. Without words it was not the caller who said so."""
        doubt, self._doubt = self._doubt, None
        self._playout.forget()
        effects: list[Effect] = []
        if doubt is None:
            return effects
        for utterance in doubt.cut:
            effects += self._exchange.said(utterance) if heard else self._written(utterance, "")
        for words in doubt.held:
            effects += self._had(words, now)
        return effects

    # ─── the end ─────────────────────────────────────────────────────────────

    def _hang_up(self, asked: HangUp, now: float) -> Sequence[Effect]:
        if not asked.after_playout:
            return self._close(asked.why, now)
        self._leaving = asked.why
        return self._leave(now)

    def _leave(self, now: float) -> list[Effect]:
        """Close, if that was asked for and everything has been said."""
        if self._leaving is None or self._doubt is not None or self._playout.playing(now):
            return []
        return list(self._close(self._leaving, now))

    def _close(self, why: str, now: float) -> Sequence[Effect]:
        self.closed = True
        self._lookout = None
        effects: list[Effect] = []
        if self._listener is not None:
            effects += [item for item in self._listener.flush() if isinstance(item, Listen | Finalize)]
        effects += self._settle(now)
        for utterance in self._playout.cut(now):
            effects += self._written(utterance, why)
        return [*effects, Note("ended", {"reason": why}), Close(why)]
