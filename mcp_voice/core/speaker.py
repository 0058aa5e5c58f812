"""The agent's side of a call: what is said, what was heard of it, what becomes of what was cut.

    Playout    the agent's audio → frames and marks for the wire, what was heard
    Exchange   words both ways → turns for the record, with their timing
    Doubt      a voice that cut playback and says nothing lets it go on
    Fillers    an agent that thinks long is covered
    Lull       nobody says anything after what the agent said

It says what to do and what to write down, and knows nothing of the caller's
audio: whose turn it is and what silence means are the listener's.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from mcp_voice.core.doubt import LONGEST, Doubt, says_something
from mcp_voice.core.events import Effect, Fill, Note, Play, SendAudio
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.exchange import Exchange, told
from mcp_voice.core.fillers import Fillers
from mcp_voice.core.lull import LONG, Lull
from mcp_voice.core.playout import Playout, Utterance
from mcp_voice.core.recital import Recital
from mcp_voice.core.relaying import SendText

_EXPECTED: Final = "answer"


class Speaker:
    """One call's. `expects` is what the caller is to say next; it falls back to any answer once they have.

    What a carrier says that speaks itself is a `Recital`.
    """

    def __init__(
        self, playout: Playout | Recital, turns: Iterator[int], phrases: Sequence[str], *, hears: bool = True
    ) -> None:
        self.playout = playout
        self.exchange = Exchange(turns)
        self.fillers = Fillers(phrases)
        self.lull = Lull()
        self.doubt: Doubt | None = None
        """Whether what has been cut goes on; None while nothing waits for an answer to it."""
        self.expects = _EXPECTED
        self._hears = hears
        self._late = self._over = False

    @property
    def wishes(self) -> list[float]:
        """The times at which it wants to be told the time."""
        wishes = self.playout.wishes
        if self.fillers.wakes_at is not None:
            wishes.append(self.fillers.wakes_at)
        if self.lull.wakes_at is not None:
            wishes.append(self.lull.wakes_at)
        return wishes

    def play(self, play: Play, now: float) -> list[Effect]:
        """Queue what is to be said; `send` gives it to the wire."""
        effects: list[Effect] = []
        if play.filler and not self.fillers.wanted:
            return effects  # the answer was quicker
        if self.doubt is not None and play.tracked and (not play.part or play.part != self.doubt.part):
            effects += self.settle(now, heard=False)
        if play.tracked and not play.filler:
            self.fillers.hush()
        self.lull.over()
        thought = self.exchange.asked(play, now)
        if thought is not None:
            self.fillers.thought(thought)
        self.playout.queue(
            play.audio,
            play.text,
            tracked=play.tracked,
            part=play.part,
            last=play.last,
            guarded=not play.interruptible,
            filler=play.filler,
        )
        return effects

    def send(self, now: float) -> list[Effect]:
        """Return what may be sent now."""
        due = self.playout.due(now)
        if not self.playout.tells and any(isinstance(command, SendAudio | SendText) for command in due):
            self.exchange.sounding(now, answers=self.playout.answering)
        return [*due]

    def overdue(self, now: float) -> list[Effect]:
        """Return what time brings: a filler, and what was played although no mark says so."""
        effects: list[Effect] = []
        if (filler := self.fillers.due(now)) is not None:
            effects.append(Fill(filler))
        for utterance in self.playout.overdue(now):
            effects += self.written(utterance)
        if self.lull.due(now, playing=self.playout.playing(now)):
            effects.append(Note("silence", {"durationMs": round(LONG * 1000)}))
        return effects

    def echoed(self, name: str) -> list[Effect]:
        """Take a mark that the carrier has reached."""
        effects: list[Effect] = []
        for echo in self.playout.reached(name):
            if echo.finished is not None:
                effects += self.written(echo.finished)
            else:
                effects.append(Note("mark", {"name": echo.mark, "cleared": echo.cleared}))
        return effects

    def cut(self, now: float, why: str, *, doubtful: bool = False) -> list[Effect]:
        """Stop talking; say what was heard of what was said.

        A voice that did it may have nothing to say: then the turn is not written yet.
        """
        effects = self.settle(now, heard=False)
        touched = self.playout.cut(now, keep=doubtful)
        cut = [one for one in touched if one.cut and not one.filler] if doubtful else []
        effects += self.playout.clear
        for utterance in touched:
            effects.append(told(utterance, why, doubtful=utterance in cut))
            if utterance not in cut:
                effects += self.exchange.said(utterance)
        if cut:
            self.doubt = Doubt(now, cut[-1].part, cut, answers=self.expects == "yesNo")
        else:
            self.playout.forget()
        return effects

    def caller_speaks(self) -> None:
        """The caller's turn begins: nothing passes the time now, and words are not late any more."""
        self._late = False
        self.fillers.hush()
        self.lull.caller_speaks()

    def heard(self, words: FinalWords, now: float) -> list[Effect]:
        """Take words that count. When they end a turn the agent begins to think."""
        if words.text and words.ends_turn and not self._over:
            self.fillers.ask(now, self.expects)
            self.expects = _EXPECTED
        if words.text:
            self.lull.over()
        return list(self.exchange.heard(words, now))

    def belied(self, words: FinalWords, now: float) -> bool:
        """Whether they show that what went on after a silence was interrupted after all."""
        late, self._late = self._late, False
        return late and says_something(words.text) and self.playout.playing(now)

    def wonder(self, now: float, quiet: float, end_of_turn: float, *, owed: bool) -> list[Effect]:
        """See whether the caller has been `quiet` for so long that they cannot have meant to speak.

        While the ear has yet to say what it heard (`owed`), only that can tell.
        """
        doubt = self.doubt
        if doubt is None:
            return []
        if now >= doubt.cut_at + LONGEST:
            return self.settle(now, heard=False)
        if quiet < doubt.patience(end_of_turn, owed=owed):
            return []
        self._late = True
        return self.go_on(now)

    def go_on(self, now: float) -> list[Effect]:
        """Nothing was said: what was cut goes on."""
        doubt, self.doubt = self.doubt, None
        effects: list[Effect] = []
        for words in doubt.held if doubt else ():
            effects += self.exchange.heard(words, now, sign=True)
        place = self.playout.go_on()
        part = {"part": doubt.part} if doubt and doubt.part else {}
        effects.append(Note("resumed", {"text": place.text, "fromMs": place.from_ms, **part}))
        return effects + self.send(now)

    def settle(self, now: float, *, heard: bool = True) -> list[Effect]:
        """End the doubt: what was cut does not go on. Without words it was not the caller who said so."""
        doubt, self.doubt = self.doubt, None
        self.playout.forget()
        effects: list[Effect] = []
        if doubt is None:
            return effects
        for utterance in doubt.cut:
            effects += self.exchange.said(utterance) if heard else self.written(utterance)
        for words in doubt.held:
            effects += self.heard(words, now)
        return effects

    def end(self, now: float, why: str) -> list[Effect]:
        """The call is over: write down what there is."""
        self._over = True
        effects = self.settle(now)
        for utterance in self.playout.cut(now):
            effects += self.written(utterance, why)
        return effects

    def written(self, utterance: Utterance, why: str = "") -> list[Effect]:
        """Write down an utterance that was played to its end, or cut for good."""
        if self._hears and not utterance.cut and not utterance.filler:
            self.lull.agent_done(utterance.ends_at)
        return [told(utterance, why), *self.exchange.said(utterance)]
