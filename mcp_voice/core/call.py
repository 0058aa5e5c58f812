"""One call: everything that happens to it goes in, everything to be done comes out.

`take(news, now)` is the only entrance. It moves four machines and returns
effects in the order they must happen:

    Listener   the caller's audio → utterances for the ear, cues about the floor
    Speaker    the agent's audio → the wire; what was heard of it → turns for the record
    Keys       the caller's keys → the record, or whoever collects them
    Post       frames and words → what the call was asked to watch for

What a cue of the listener means to the speaker, and what the speaker does to
the floor, is said here and nowhere else.

A call reads no clock and does no I/O. `wakes_at` is when it wants a `Tick`.
"""

from collections.abc import Sequence
from itertools import count
from typing import Final

from mcp_voice.core.audio import FRAME_BYTES, Framer
from mcp_voice.core.dtmf import tones
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
    Started,
    Stopped,
    Tick,
    VoiceFailed,
    Watch,
)
from mcp_voice.core.events import (
    Final as FinalWords,
)
from mcp_voice.core.keys import Keys
from mcp_voice.core.listener import Found, Listener
from mcp_voice.core.playout import Playout
from mcp_voice.core.post import Post
from mcp_voice.core.relaying import Complained, Interrupted, Played, Press, Switch, Voiced
from mcp_voice.core.speaker import Speaker
from mcp_voice.core.turns import Cue, Floor

LAPSE: Final = 2.0
"""Seconds without a frame after which an open utterance is taken as having fallen silent.
Twilio sends fifty frames a second, silence included, so a gap is a network that clogs: what was said
meanwhile may yet come, all at once, and words that were cut in two are not understood."""

LATE: Final = 0.1
"""Seconds by which a look for missing frames may come late and still prove something. A process that was
held up is told the time before it has read what came meanwhile: it reads first, and looks again."""

OWED: Final = 2.0
"""Seconds in which words may still be the answer to our `Finalize`, and no endpoint of the ear's own."""

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
        self._speaker = Speaker(playout or Playout(), count(first_turn), fillers, hears=listener is not None)
        self._keys = Keys()
        self._post = Post()
        self._deaf = False
        self._finalized_at: float | None = None
        self._framer = Framer()
        self._framed_at = 0.0
        self._looks_at = 0.0
        self._speaking = False
        self._leaving: str | None = None
        self.closed = False

    @property
    def wakes_at(self) -> float | None:
        """When it next wants to be told the time, in seconds of the caller's `now`."""
        if self.closed:
            return None
        speaker, listener = self._speaker, self._listener
        wishes = speaker.wishes
        if self._speaking or (self._leaving and speaker.doubt is None):
            wishes.append(self.plays_until)
        if self._post.lookout is not None or (listener is not None and listener.busy):
            wishes.append(max(self._framed_at + LAPSE, self._looks_at))
        if self._keys.wakes_at is not None:
            wishes.append(self._keys.wakes_at)
        if listener is not None and speaker.doubt is not None:
            wishes.append(self._framed_at + speaker.doubt.patience(listener.end_of_turn, owed=self._owed))
        return min(wishes) if wishes else None

    @property
    def plays_until(self) -> float:
        """When all audio sent so far will have been played."""
        return self._speaker.playout.ends_at

    def take(self, news: News, now: float) -> Sequence[Effect]:
        """Take one piece of news; return what to do about it, in order."""
        if self.closed and not isinstance(news, Partial | FinalWords | EarFailed):  # last words come late
            return ()
        match news:
            case Audio():
                return self._audio(news, now)
            case Play() | Mark() | Tick():
                return self._speak(news, now)
            case VoiceFailed():
                return self._voiceless(news, now)
            case MarkReached():
                return self._speaker.echoed(news.name) + self._floor(now) + self._leave(now)
            case Partial():
                if self._speaker.doubt is not None:
                    self._speaker.doubt.partial(news.text)
                return (Note("partial", {"text": news.text}), *self._post.words(news))
            case FinalWords():
                return (*self._words(news, now), *self._post.words(news))
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
                return self._post.answered(news)
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
                if self._deaf:
                    self._finalized_at = None
                told = {"code": news.code, "message": news.why, "recovered": news.recovered, "of": "ear"}
                return (Note("error", told),)
            case Press():  # nobody presses for us: whoever is at the other end hears the tones
                return self._speak(Play(tones(news.digits), interruptible=False, part=news.part), now)
            case Connected() | Switch() | Interrupted() | Voiced() | Played() | Complained():
                return ()

    # ─── the caller's side ───────────────────────────────────────────────────

    def _audio(self, heard: Audio, now: float) -> Sequence[Effect]:
        listener = self._listener
        if listener is None or heard.track != "inbound":
            return ()
        self._framed_at = now
        if self._post.lookout is not None or len(heard.payload) != FRAME_BYTES:
            return self._frames(heard.payload, listener, now)
        found = listener.hear(heard.payload)
        if self._speaker.doubt is not None:
            return self._act(found, now) + self._wonder(now)
        return self._act(found, now) if found else ()

    def _frames(self, payload: bytes, listener: Listener, now: float) -> list[Effect]:
        """Take audio that is watched, or cut into other pieces than frames."""
        effects: list[Effect] = []
        for frame in (payload,) if len(payload) == FRAME_BYTES else self._framer.push(payload):
            effects += self._act(listener.hear(frame), now)
            effects += self._post.hear(frame, speaks=listener.speaking)
        return effects + self._wonder(now)

    def _act(self, found: Sequence[Found], now: float) -> list[Effect]:
        """Turn what the listener found into effects."""
        effects: list[Effect] = []
        for item in found:
            match item:
                case Listen():
                    effects.append(item)
                case Finalize():
                    self._finalized_at = now
                    self._speaker.exchange.finalizing(now)
                    effects.append(item)
                case _:
                    effects += self._cue(item, now)
        return effects

    def _cue(self, cue: Cue, now: float) -> Sequence[Effect]:
        match cue:
            case Cue.TURN_BEGAN:
                self._speaker.caller_speaks()
                return (Note("speechStarted"),)
            case Cue.CUT_PLAYBACK:
                return self._cut(now, "interrupted", doubtful=not self._deaf)
            case Cue.COUGHED:
                return (Note("backchannel"),)
        self._speaker.lull.caller_silent(now)
        self._speaker.exchange.caller_silent(now, self._listener.silent_ms if self._listener else 0)
        return ()

    def _pressed(self, key: Digit, now: float) -> Sequence[Effect]:
        self._speaker.lull.over()
        cut = self._keys.collecting and self._speaker.playout.playing(now)
        return [*(self._cut(now, "pressed") if cut else ()), *self._keys.press(key.digit, now)]

    def _watch(self, asked: Watch, now: float) -> Sequence[Effect]:
        if self._listener is not None and self._post.watch(asked):
            self._framed_at = now
        return ()

    # ─── the agent's side ────────────────────────────────────────────────────

    def _speak(self, news: Play | Mark | Tick, now: float) -> Sequence[Effect]:
        effects: list[Effect] = []
        match news:
            case Play():
                effects += self._speaker.play(news, now)
            case Mark():
                self._speaker.playout.mark(news.name)
            case Tick():
                effects += self._lapse(now) + self._wonder(now) + self._keys.tell(now)
                effects += self._speaker.overdue(now)
        return effects + self._speaker.send(now) + self._floor(now) + self._leave(now)

    def _voiceless(self, failed: VoiceFailed, now: float) -> Sequence[Effect]:
        """Write down that the voice failed; what has been made of its sentence is whole now."""
        note = Note(
            "error",
            {"code": failed.code, "message": failed.why, "part": failed.part, "unsaid": failed.unsaid},
        )
        return (note, *self._speak(Play(b"", part=failed.part), now))

    def _cut(self, now: float, why: str, *, doubtful: bool = False) -> list[Effect]:
        return self._speaker.cut(now, why, doubtful=doubtful) + self._floor(now)

    def _floor(self, now: float) -> list[Effect]:
        """Tell the listener what is expected now, and when the agent's audio begins and ends."""
        if self._listener is None:
            return []
        self._listener.expect(self._speaker.expects)
        playing = self._speaker.playout.yields(now)
        if playing == self._speaking:
            return []
        self._speaking = playing
        return self._act(self._listener.agent(speaks=playing), now)

    def _lapse(self, now: float) -> list[Effect]:
        """Take a stream that stopped sending in mid-speech as silent."""
        listener, look = self._listener, max(self._framed_at + LAPSE, self._looks_at)
        if listener is None or now < look or (self._post.lookout is None and not listener.busy):
            return []
        if now > look + LATE:
            self._looks_at = now + LAPSE
            return []
        self._framed_at = now
        effects = self._act(listener.elapse(LAPSE), now) if listener.busy else []
        return effects + self._post.elapse(LAPSE)

    # ─── what the ear makes of it ────────────────────────────────────────────

    def _expect(self, kind: str) -> Sequence[Effect]:
        self._speaker.expects = kind
        if self._listener is not None:
            self._listener.expect(kind)
        return ()

    def _words(self, words: FinalWords, now: float) -> Sequence[Effect]:
        """Take the ear's final words: they may end the turn, and a doubt."""
        self._deaf = False
        effects = self._endpoint(words, now)
        speaker, listener = self._speaker, self._listener
        if speaker.doubt is not None and listener is not None:
            match speaker.doubt.final(words, listener.voiced_ms):
                case None:
                    return effects
                case False if listener.floor is Floor.OPEN:
                    return effects + speaker.go_on(now) + self._floor(now)
                case False:
                    return effects  # they are speaking again: their next words will tell
            self._leaving = None  # a goodbye that was answered does not end the call
            effects += speaker.settle(now)
        else:
            if speaker.belied(words, now):
                effects += self._cut(now, "interrupted")
            effects += speaker.heard(words, now)
        if listener is not None:
            listener.expect(speaker.expects)
        return effects

    def _endpoint(self, words: FinalWords, now: float) -> list[Effect]:
        """End the caller's turn at once if the ear found its end, and was not asked for these words."""
        asked_at, self._finalized_at = self._finalized_at, None
        listener = self._listener
        owed = asked_at is not None and now < asked_at + OWED
        if listener is None or not listener.continuous or owed or self.closed:
            return []
        return self._act(listener.endpoint(), now) if words.ends_turn and words.text else []

    @property
    def _owed(self) -> bool:
        """Whether the ear has promised words, if only to say that there were none."""
        return self._finalized_at is not None and self._listener is not None and not self._listener.continuous

    def _wonder(self, now: float) -> list[Effect]:
        """See whether a silence is the answer to a doubt."""
        listener = self._listener
        if self._speaker.doubt is None or listener is None:
            return []
        quiet = listener.silent_ms / 1000 + (now - self._framed_at) + _LEAST
        effects = self._speaker.wonder(now, quiet, listener.end_of_turn, owed=self._owed)
        return effects + self._floor(now) if effects else effects

    # ─── the end ─────────────────────────────────────────────────────────────

    def _hang_up(self, asked: HangUp, now: float) -> Sequence[Effect]:
        if not asked.after_playout:
            return self._close(asked.why, now)
        self._leaving = asked.why
        return self._leave(now)

    def _leave(self, now: float) -> list[Effect]:
        """Close, if that was asked for and everything has been said."""
        if self._leaving is None or self._speaker.doubt is not None or self._speaker.playout.playing(now):
            return []
        return list(self._close(self._leaving, now))

    def _close(self, why: str, now: float) -> Sequence[Effect]:
        self.closed = True
        self._post.leave()
        effects: list[Effect] = []
        if self._listener is not None:
            effects += [item for item in self._listener.flush() if isinstance(item, Listen | Finalize)]
        return [*effects, *self._speaker.end(now, why), Note("ended", {"reason": why}), Close(why)]
