"""The words of a call, turn by turn, and how long each step took.

A turn is what the caller said and what was said in answer. It is written
whenever it grows: when the caller's words are final, and when an answer has
been played or cut. Times go in as they happen and come out as `timing_ms`:

    caller silent ─ endpoint ─ stt ─ agentThink ─ ttsFirstByte ─ out ─ first audio of the answer
                  └──────────────────────── latency ────────────────┘

A filler is no answer: `filler` is when the caller heard it, counted as `latency` is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp_voice.core.events import Effect, Final, Note, Play, TurnDone
from mcp_voice.core.playout import Utterance


@dataclass(slots=True)
class _Open:
    """The turn at hand. Times are seconds of the call's clock."""

    number: int
    words: list[str] = field(default_factory=list)
    confidence: float | None = None
    rejected: bool = False
    said: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    said_ms: int = 0
    heard_ms: int = 0
    cut_at_ms: int | None = None
    answered: bool = False
    timing: dict[str, int] = field(default_factory=dict)


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _share(heard_ms: int, said_ms: int) -> float:
    return round(heard_ms / said_ms, 3) if said_ms else 1.0


def told(utterance: Utterance, why: str, *, doubtful: bool = False) -> Note:
    """Tell of an utterance that was played to its end, or cut; a `doubtful` one may go on."""
    data: dict[str, Any] = {"text": utterance.text}
    if not utterance.cut:
        data["durationMs"] = utterance.total_ms
    else:
        data["heardByCaller"] = utterance.heard_text
        data["heardMs"] = utterance.heard_ms
        data["heardFraction"] = round(utterance.fraction, 3)
    data |= {"part": utterance.part} if utterance.part else {}
    data |= {"filler": True} if utterance.filler else {}
    data |= {"doubtful": True} if doubtful else {}
    cut = "interrupted" if why == "interrupted" else "agentCut"
    return Note(cut if utterance.cut else "agentSaid", data)


class Exchange:
    """Who said what, in turns."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._turn = _Open(next(numbers))
        self._silent_at: float | None = None
        self._final_at: float | None = None
        self._asked_at: float | None = None
        self._finalized_at: float | None = None

    def finalizing(self, now: float) -> None:
        """The ear was asked for its final words."""
        self._finalized_at = now

    def caller_silent(self, now: float, ago_ms: int) -> None:
        """The caller's turn has ended; their last voice was `ago_ms` ago."""
        self._silent_at = now - ago_ms / 1000
        self._finalized_at = self._finalized_at or now

    def heard(self, words: Final, now: float, *, sign: bool = False) -> Sequence[Effect]:
        """Take the ear's final words: a line for the log, and a turn if they end one.

        A mere `sign` of attention ends none.
        """
        stt = words.latency_ms
        if stt is None and self._finalized_at is not None:
            stt = _ms(now - self._finalized_at)
        note = Note(
            "final",
            {
                "text": words.text,
                "confidence": words.confidence,
                "rejected": words.rejected,
                "durationMs": words.duration_ms,
                "sttMs": stt,
                **({"backchannel": True} if sign else {}),
            },
        )
        if sign or not words.text:
            self._finalized_at = None
            return (note,)
        if self._turn.answered:
            self._turn = _Open(next(self._numbers))
        turn = self._turn
        turn.words.append(words.text)
        turn.confidence, turn.rejected = words.confidence, words.rejected
        if not words.ends_turn:
            return (note,)
        if self._silent_at is not None:
            ended = self._finalized_at if self._finalized_at is not None else now
            turn.timing = {"endpoint": _ms(ended - self._silent_at), "stt": stt or 0}
        self._final_at, self._finalized_at, self._asked_at = now, None, None
        return (note, self._done())

    def asked(self, play: Play, now: float) -> int | None:
        """Something is to be said; return how long the agent thought (ms), if it answers words."""
        if self._asked_at is not None or self._turn.answered or play.filler:
            return None
        self._asked_at = now - play.asked_ms / 1000
        if play.first_byte_ms is not None:
            self._turn.timing["ttsFirstByte"] = play.first_byte_ms
        if self._final_at is None:
            return None
        thought = self._turn.timing["agentThink"] = _ms(self._asked_at - self._final_at)
        return thought

    def sounding(self, now: float, *, answers: bool = True) -> None:
        """Audio goes out: of an answer, or only to pass the time."""
        turn, timing = self._turn, self._turn.timing
        if turn.answered:
            return
        if not answers:
            if self._silent_at is not None and turn.words:
                timing.setdefault("filler", _ms(now - self._silent_at))
            return
        turn.answered = True
        if self._asked_at is not None:
            timing["out"] = max(0, _ms(now - self._asked_at) - timing.get("ttsFirstByte", 0))
        if self._silent_at is not None and turn.words:
            timing["latency"] = _ms(now - self._silent_at)

    def said(self, utterance: Utterance) -> Sequence[Effect]:
        """Take an utterance that was played, or cut; only an answer whose words are known is written."""
        if utterance.text is None or utterance.filler:
            return ()
        turn = self._turn
        turn.said.append(utterance.text)
        turn.heard.append(utterance.heard_text or "")
        turn.said_ms += utterance.total_ms
        turn.heard_ms += utterance.heard_ms
        turn.cut_at_ms = turn.heard_ms if utterance.cut else turn.cut_at_ms
        return (self._done(),)

    def _done(self) -> TurnDone:
        turn = self._turn
        interrupted = turn.cut_at_ms is not None
        return TurnDone(
            turn_id=f"turn-{turn.number}",
            user_utterance=" ".join(turn.words) or None,
            agent_response=" ".join(turn.said) or None,
            heard_by_caller=" ".join(filter(None, turn.heard)) if interrupted else None,
            interrupted=interrupted,
            heard_fraction=_share(turn.heard_ms, turn.said_ms) if turn.said else None,
            cut_at_ms=turn.cut_at_ms,
            timing_ms=dict(turn.timing),
            confidence=turn.confidence,
            rejected=turn.rejected,
        )
