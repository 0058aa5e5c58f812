"""One call whose carrier hears and speaks itself: words go in and out, and no audio.

The same face as `Call`: `take(news, now)` is the only entrance, effects come
out in the order they must happen, and `wakes_at` is when it wants a `Tick`.
What it says is a `Recital`; what becomes of it, turns, fillers, doubts and the
caller's keys are the machines of any call.

The carrier decides when the caller has finished, and when a voice cuts us off.
What is left to decide is what that means: a voice over ours that cuts nothing
is a sign of attention, one that cuts and says nothing lets us go on, and a
voice that has ended without words was none.
"""

from collections.abc import Sequence
from itertools import count
from typing import Final

from msgspec.json import encode

from mcp_voice.core.doubt import says_something
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
    Garbled,
    HangUp,
    Lost,
    Mark,
    MarkReached,
    News,
    Note,
    Partial,
    Play,
    Started,
    Stopped,
    Tick,
    VoiceFailed,
    Watch,
)
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.keys import Keys
from mcp_voice.core.post import Post
from mcp_voice.core.recital import RATE, Recital
from mcp_voice.core.relaying import (
    Complained,
    Interrupted,
    Played,
    Press,
    SendEnd,
    SendLanguage,
    Switch,
    Voiced,
)
from mcp_voice.core.speaker import Speaker

OWED: Final = 3.0
"""Seconds in which the words of a voice that has ended still come."""

LOST: Final = 10.0
"""Seconds in which words that were begun are finished, or another word of them comes."""

END_OF_TURN: Final = 1.0
"""Seconds of silence by which the carrier takes a turn for ended, and makes its words final."""

KEY: Final = 1.0
"""Seconds within which an interruption is a key's."""

_LEAST: Final = 1e-6
"""Seconds that a sum of times may be wrong by."""


class RelayCall:
    """One call's conversation in one session of a relay.

    `first_turn` numbers the turns on from a former session of the same call. `fillers` are what may be said
    while the agent thinks.
    """

    def __init__(
        self, recital: Recital | None = None, *, first_turn: int = 1, fillers: Sequence[str] = ()
    ) -> None:
        self._recital = recital or Recital()
        self._speaker = Speaker(self._recital, count(first_turn), fillers)
        self._keys = Keys()
        self._post = Post()
        self._leaving: str | None = None
        self._tells = self._voice = self._over = self._speech = False
        self._voice_at = 0.0
        self._silent_at: float | None = None
        self._voiced_ms = 0
        self._key_at: float | None = None
        self._words_by: float | None = None
        self.closed = False

    @property
    def wakes_at(self) -> float | None:
        """When it next wants to be told the time, in seconds of the caller's `now`."""
        if self.closed:
            return None
        wishes = self._speaker.wishes
        leaves = self._recital.quiet_at if self._leaving and self._speaker.doubt is None else None
        others = (leaves, self._words_by, self._keys.wakes_at, self._post.wakes_at)
        wishes += [at for at in others if at is not None]
        if (doubt := self._speaker.doubt) is not None:
            wishes.append(doubt.cut_at + doubt.patience(END_OF_TURN, owed=True))
            if self._silent_at is not None:
                wishes.append(self._silent_at + doubt.patience(END_OF_TURN, owed=False))
        return min(wishes) if wishes else None

    @property
    def plays_until(self) -> float:
        """When all words sent so far will have been said."""
        return self._recital.ends_at

    def take(self, news: News, now: float) -> Sequence[Effect]:
        """Take one piece of news; return what to do about it, in order."""
        if self.closed and not isinstance(news, Partial | FinalWords):  # last words come late
            return ()
        match news:
            case Partial() | FinalWords() | Voiced() | Interrupted() | Played():
                return self._heard(news, now)
            case Play() | Press() | Mark() | Tick() | VoiceFailed():
                return self._speak(news, now)
            case Digit():
                return self._pressed(news, now)
            case Collect():
                return self._keys.collect(news, now)
            case Clear():
                return self._cut(now, news.why)
            case HangUp():
                return self._hang_up(news, now)
            case Expect():
                self._speaker.expects = news.kind
                return ()
            case Switch():
                return (SendLanguage(news.speaks, news.hears),)
            case Watch():
                self._post.wait_for(news, now)
                return ()
            case AnsweredBy():
                return self._post.answered(news)
            case Started():
                return (Note("answered", {"streamSid": news.stream_sid, "tracks": [], "mode": news.mode}),)
            case Stopped():
                return self._close("stop", now)
            case Lost():
                return self._close(news.why, now)
            case Garbled():
                return (Note("error", {"code": news.code, "message": news.why}),)
            case Complained():
                return (Note("error", {"code": "relay", "message": news.what[:200]}),)
            case Connected() | Audio() | MarkReached() | EarFailed():
                return ()

    # ─── the caller's side ───────────────────────────────────────────────────

    def _heard(self, news: Partial | FinalWords | Voiced | Interrupted | Played, now: float) -> list[Effect]:
        match news:
            case Partial():
                return self._partial(news, now)
            case FinalWords():
                return self._words(news, now) + self._leave(now)
            case Interrupted():
                return self._interrupted(news, now)
            case Played():
                self._recital.played(news.text, now)
                return self._done(now)
            case Voiced(who="agent"):
                self._recital.voiced(now, on=news.on)
                if news.on:
                    self._speaker.exchange.sounding(now, answers=not self._recital.filling)
                return self._done(now)
        return self._began(now) if news.on else self._fell_silent(now)

    def _began(self, now: float) -> list[Effect]:
        """The caller's voice begins; over ours it may be no more than a sign of attention."""
        self._tells = self._voice = True
        self._voice_at, self._silent_at = now, None
        self._over = self._recital.playing(now)
        return [*self._post.voice(now, on=True), *(() if self._over else self._turn())]

    def _fell_silent(self, now: float) -> list[Effect]:
        self._voice, self._silent_at = False, now
        self._voiced_ms = round((now - self._voice_at) * 1000)
        effects: list[Effect] = [*self._post.voice(now, on=False)]
        if self._over:
            self._over = False
            return [*effects, Note("backchannel")]
        if self._speech:
            self._speaker.lull.caller_silent(now)
            self._speaker.exchange.caller_silent(now, 0)
            self._words_by = now + OWED
        return effects

    def _turn(self) -> list[Effect]:
        """The caller's turn begins, if it has not."""
        self._speaker.caller_speaks()
        if self._speech:
            return []
        self._speech = True
        return [Note("speechStarted")]

    def _interrupted(self, news: Interrupted, now: float) -> list[Effect]:
        """The caller has cut us off: with their voice, or with a key."""
        key = self._key_at is not None and now < self._key_at + KEY and not self._voice
        if self._speaker.doubt is None:
            self._recital.interrupted(news.heard)
        effects = self._cut(now, "pressed" if key else "interrupted", doubtful=not key)
        self._over = False
        if key:
            return effects
        self._words_by = self._words_by or now + LOST
        return effects + self._turn()

    def _partial(self, words: Partial, now: float) -> list[Effect]:
        if self._speaker.doubt is not None:
            self._speaker.doubt.partial(words.text)
        effects: list[Effect] = [] if self.closed or self._recital.playing(now) else self._turn()
        self._words_by = now + LOST
        return [*effects, Note("partial", {"text": words.text}), *self._post.said(words, now)]

    def _words(self, words: FinalWords, now: float) -> list[Effect]:
        """Take final words: they end the caller's turn, and a doubt."""
        self._speech, self._words_by = self._voice, None
        speaker = self._speaker
        effects: list[Effect] = [*self._post.said(words, now)]
        if speaker.doubt is not None:
            said_ms = self._voiced_ms if self._tells else round(1000 * len(words.text) / RATE)
            if speaker.doubt.final(words, said_ms) is False:
                return effects + speaker.go_on(now)
            self._leaving = None  # a goodbye that was answered does not end the call
            return effects + speaker.settle(now)
        if self._recital.playing(now) and not says_something(words.text):
            return [*effects, *speaker.exchange.heard(words, now, sign=True)]
        if speaker.belied(words, now):
            effects += self._cut(now, "interrupted")
        return effects + speaker.heard(words, now)

    def _pressed(self, key: Digit, now: float) -> list[Effect]:
        self._speaker.lull.over()
        self._key_at = now
        cut = self._keys.collecting and self._recital.playing(now)
        return [*(self._cut(now, "pressed") if cut else ()), *self._keys.press(key.digit, now)]

    def _time(self, now: float) -> list[Effect]:
        """See what the time alone decides."""
        effects: list[Effect] = [*self._post.time(now)]
        if self._words_by is not None and now >= self._words_by:
            self._words_by = None
            if self._speech and not self._voice:  # there was a voice, and no words: whoever waits may go on
                self._speech = False
                effects += self._speaker.exchange.heard(FinalWords(""), now)
        if self._speaker.doubt is not None:
            quiet = 0.0 if self._silent_at is None else now - self._silent_at + _LEAST
            effects += self._speaker.wonder(now + _LEAST, quiet, END_OF_TURN, owed=self._silent_at is None)
        return effects + self._keys.tell(now)

    # ─── the agent's side ────────────────────────────────────────────────────

    def _speak(self, news: Play | Press | Mark | Tick | VoiceFailed, now: float) -> list[Effect]:
        effects: list[Effect] = []
        match news:
            case Play(audio=audio, text=None) if audio:
                what = "The carrier speaks itself in this call, and plays no audio of ours."
                effects.append(Note("error", {"code": "no_text", "message": what, "part": news.part}))
            case Play():
                effects += self._speaker.play(news, now)
            case Press():
                self._speaker.lull.over()
                self._recital.press(news.digits, news.part)
            case Mark():
                self._recital.mark(news.name)
            case Tick():
                effects += self._time(now) + self._speaker.overdue(now)
            case VoiceFailed():
                told = {"code": news.code, "message": news.why, "part": news.part, "unsaid": news.unsaid}
                effects += [Note("error", told), *self._speaker.play(Play(b"", part=news.part), now)]
        return effects + self._send(now) + self._leave(now)

    def _send(self, now: float) -> list[Effect]:
        """Send what may be sent now, and tell of the marks that have been passed."""
        effects = self._speaker.send(now)
        if effects and self._recital.speaking:
            self._speaker.exchange.sounding(now, answers=self._recital.answering)
        return effects + self._marks(cleared=False)

    def _marks(self, *, cleared: bool) -> list[Effect]:
        passed, self._recital.passed = self._recital.passed, []
        return [Note("mark", {"name": name, "cleared": cleared}) for name in passed]

    def _done(self, now: float) -> list[Effect]:
        """Write down what has been said to its end, and go on with what waits for that."""
        effects: list[Effect] = []
        for utterance in self._recital.done(now):
            self._speaker.exchange.sounding(now, answers=not utterance.filler)
            effects += self._speaker.written(utterance)
        return effects + self._send(now) + self._leave(now)

    def _cut(self, now: float, why: str, *, doubtful: bool = False) -> list[Effect]:
        effects = self._marks(cleared=False) + self._speaker.cut(now, why, doubtful=doubtful)
        return effects + self._marks(cleared=True) + self._leave(now)

    # ─── the end ─────────────────────────────────────────────────────────────

    def _hang_up(self, asked: HangUp, now: float) -> list[Effect]:
        if not asked.after_playout:
            return self._end(asked.why, now)
        self._leaving = asked.why
        return self._leave(now)

    def _leave(self, now: float) -> list[Effect]:
        """End the session, if that was asked for and everything has been said."""
        waits = self._speaker.doubt is not None or self._recital.playing(now)
        if self._leaving is None or waits or self.closed:
            return []
        return self._end(self._leaving, now)

    def _end(self, why: str, now: float) -> list[Effect]:
        """Let go of the call: who decides what becomes of it is told why."""
        *effects, close = self._close(why, now)
        return [*effects, SendEnd(encode({"reason": why}).decode()), close]

    def _close(self, why: str, now: float) -> list[Effect]:
        self.closed = True
        self._post.leave()
        self._recital.left(now)
        effects = self._speaker.end(now, why) + self._marks(cleared=True)
        return [*effects, Note("ended", {"reason": why}), Close(why)]
