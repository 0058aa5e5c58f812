"""What is queued for the caller, what was sent, and what was heard.

Audio is sent ahead of the time it will be played, by `Lead.most` seconds and
no more: a stall of this process is then inaudible, and an interruption costs
one `clear`, which throws the lead away at the carrier.

What the caller has heard is known from two sides. The clock: a carrier plays
what it gets at once and in order, so the audio sent last ends at `ends_at`.
The marks: one behind every 200 ms of an utterance, echoed by the carrier when
it gets there. A clear makes the carrier echo *every* pending mark, so an echo
that comes after our clear proves nothing and is not counted.

A cut may turn out to have been for nothing. What it dropped is kept, if that
is asked for, and can go on from the clause in which it was cut.

    >>> playout = Playout()
    >>> playout.queue(bytes(800), "hello")
    1
    >>> playout.due(now=0.0)
    [SendAudio(payload=...), SendMark(name='mv:1:100')]
    >>> playout.cut(now=0.04)[0].heard_ms
    40
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from mcp_voice.core.audio import FRAME_BYTES, FRAME_MS, pad
from mcp_voice.core.events import SendAudio, SendClear, SendMark

_BYTES_PER_MS: Final = FRAME_BYTES // FRAME_MS
MARK_MS: Final = 200
"""A mark every so many milliseconds: how exactly we know what was heard."""

PIECE_BYTES: Final = 5 * FRAME_BYTES
"""The longest message to the carrier: 100 ms."""

OURS: Final = "mv:"
"""How names of our own marks begin."""


@dataclass(frozen=True, slots=True)
class Lead:
    """How far ahead of playback to send, in seconds: refill below `least`, up to `most`."""

    least: float = 0.3
    most: float = 0.5


@dataclass(frozen=True, slots=True)
class Span:
    """A clause of an utterance, and where its audio ends."""

    text: str
    ends_ms: int


@dataclass(slots=True)
class Utterance:
    """One thing said to the caller, clause by clause. All counts are milliseconds of its own audio.

    It is `whole` when no more of it will be queued.
    """

    number: int
    part: str = ""
    spans: list[Span] = field(default_factory=list)
    whole: bool = True
    total_ms: int = 0
    sent_ms: int = 0
    confirmed_ms: int = 0
    heard_ms: int = 0
    ends_at: float = 0.0
    cut: bool = False
    filler: bool = False

    @property
    def fraction(self) -> float:
        """How much of it was heard, 0..1."""
        return self.heard_ms / self.total_ms if self.total_ms else 1.0

    @property
    def text(self) -> str | None:
        """Its words; None if nobody said what they are."""
        return " ".join(span.text for span in self.spans) or None

    @property
    def heard_text(self) -> str | None:
        """The words that were heard: whole clauses, and of the one that was cut as many as its time had."""
        if not self.cut or not self.spans:
            return self.text
        kept: list[str] = []
        began = 0
        for span in self.spans:
            if self.heard_ms < span.ends_ms:
                kept += _spoken(span.text, (self.heard_ms - began) / (span.ends_ms - began))
                break
            kept.append(span.text)
            began = span.ends_ms
        return " ".join(kept)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left of it to send, now or later."""
        return self.whole and self.sent_ms == self.total_ms

    def clause_at(self, at_ms: int) -> str | None:
        """Return the words of the clause that plays at a time of it."""
        return next((span.text for span in self.spans if at_ms < span.ends_ms), None)

    def go_on(self, number: int, at_ms: int) -> None:
        """Play it again from there, under another number: the marks of the old one mean nothing now."""
        self.number, self.sent_ms, self.confirmed_ms = number, at_ms, at_ms
        self.ends_at, self.cut = 0.0, False


def _spoken(text: str, fraction: float) -> list[str]:
    """Return the words of a clause of which more than half has been said after a fraction of its time."""
    left = fraction * (len(text) + 1)  # each word with the space behind it
    kept = []
    for word in text.split():
        left -= len(word) + 1
        if left < -(len(word) + 1) / 2:
            break
        kept.append(word)
    return kept


@dataclass(slots=True)
class _Stretch:
    """Audio that waits to be sent. One that is `guarded` is not cut by a voice."""

    audio: bytes
    utterance: Utterance | None
    begins_ms: int = 0
    guarded: bool = False
    at: int = 0
    ends_at: float = 0.0

    @property
    def unheard(self) -> bool:
        """Whether it belongs to an utterance that was cut before the end of it."""
        spoken = self.utterance
        return (
            spoken is not None
            and spoken.cut
            and not spoken.filler
            and spoken.heard_ms < self.begins_ms + len(self.audio) // _BYTES_PER_MS
        )


@dataclass(slots=True)
class _Kept:
    """What a cut dropped, and what was made of it since, while it may yet go on."""

    items: list["_Stretch | str"]
    cut: list[Utterance]
    late: list[tuple[bytes, str | None, bool, bool]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GoesOn:
    """Where playing goes on: the clause's words, if they are known, and its place in the utterance."""

    text: str | None
    from_ms: int


@dataclass(frozen=True, slots=True)
class Echo:
    """What an echoed mark means: a tool's own mark, or an utterance played to its end."""

    mark: str | None = None
    cleared: bool = False
    finished: Utterance | None = None


class Playout:
    """The agent's side of one stream."""

    def __init__(self, lead: Lead | None = None) -> None:
        self._lead = lead or Lead()
        self._queue: deque[_Stretch | str] = deque()
        self._pending: deque[tuple[str, Utterance | None, int]] = deque()
        self._voided: Counter[str] = Counter()
        self._open: deque[Utterance] = deque()
        self._numbers = 0
        self._cut_part = ""
        self._sent: deque[_Stretch] = deque()
        self._kept: _Kept | None = None
        self._guarded_until = 0.0
        self.ends_at = 0.0
        """When all audio sent so far will have been played."""
        self.answering = False
        """Whether what was last due was more than a filler."""
        self.tells, self.clear = False, (SendClear(),)
        """Whether the carrier tells when its voice begins, and what it has to be told of a cut."""

    def queue(
        self,
        audio: bytes,
        text: str | None = None,
        *,
        tracked: bool = True,
        part: str = "",
        last: bool = True,
        guarded: bool = False,
        filler: bool = False,
    ) -> int:
        """Say this after what is queued; return the utterance's number, 0 if it is not tracked.

        What has the same `part` is one utterance, until its `last` is queued or
        it is cut: what comes of it later is not said.
        """
        audio = pad(audio)
        utterance, begins_ms = None, 0
        if tracked:
            if part and part == self._cut_part:
                if self._kept is not None:
                    self._kept.late.append((audio, text, last, guarded))
                return 0
            utterance = self._utterance(part)
            utterance.filler = filler
            begins_ms = utterance.total_ms
            utterance.total_ms += len(audio) // _BYTES_PER_MS
            utterance.whole = last
            if text is not None:
                utterance.spans.append(Span(text, utterance.total_ms))
        if audio:
            self._queue.append(_Stretch(audio, utterance, begins_ms, guarded))
        return utterance.number if utterance else 0

    def _utterance(self, part: str) -> Utterance:
        """Return the utterance that this part goes on with, or a new one."""
        if part and self._open and self._open[-1].part == part and not self._open[-1].whole:
            return self._open[-1]
        self._numbers += 1
        self._open.append(Utterance(self._numbers, part))
        return self._open[-1]

    def mark(self, name: str) -> None:
        """Put a tool's mark behind what is queued."""
        self._queue.append(name)

    def playing(self, now: float) -> bool:
        """Whether the caller hears something now, or is about to."""
        return now < self.ends_at or any(isinstance(item, _Stretch) for item in self._queue)

    def yields(self, now: float) -> bool:
        """Whether a voice may cut what plays: not while something that must be heard whole waits its turn."""
        guarded = (isinstance(item, _Stretch) and item.guarded for item in self._queue)
        return self.playing(now) and now >= self._guarded_until and not any(guarded)

    @property
    def wakes_at(self) -> float | None:
        """When to ask `due` again; None while nothing waits."""
        return self.ends_at - self._lead.least if self._queue else None

    def due(self, now: float) -> list[SendAudio | SendMark]:
        """Return what may be sent now, oldest first, and count it as sent."""
        out: list[SendAudio | SendMark] = []
        self.answering = False
        while self._queue:
            head = self._queue[0]
            if isinstance(head, str):
                self._queue.popleft()
                self._pending.append((head, None, 0))
                out.append(SendMark(head))
                continue
            room = self._lead.most - max(0.0, self.ends_at - now)
            if room * 1000 < FRAME_MS:
                break
            self._send(head, ceil(room * 1000 / FRAME_MS), now, out)
            if head.at >= len(head.audio):
                self._queue.popleft()
                if head.utterance is not None:
                    self._sent.append(head)
        while self._sent and self._sent[0].ends_at < now - self._lead.most:
            self._sent.popleft()
        return out

    def _send(self, head: _Stretch, frames: int, now: float, out: list[SendAudio | SendMark]) -> None:
        spoken = head.utterance
        self.answering |= spoken is None or not spoken.filler
        size = min(frames * FRAME_BYTES, PIECE_BYTES, len(head.audio) - head.at)
        if spoken is not None:
            size = min(size, (MARK_MS - spoken.sent_ms % MARK_MS) * _BYTES_PER_MS)
        piece = head.audio if size == len(head.audio) else head.audio[head.at : head.at + size]
        head.at += size
        starts = max(now, self.ends_at)
        self.ends_at = head.ends_at = starts + size / (_BYTES_PER_MS * 1000)
        if head.guarded:
            self._guarded_until = self.ends_at
        out.append(SendAudio(piece))
        if spoken is None:
            return
        spoken.sent_ms += size // _BYTES_PER_MS
        spoken.ends_at = self.ends_at
        if spoken.sent_ms % MARK_MS == 0 or spoken.sent_ms == spoken.total_ms:
            name = f"{OURS}{spoken.number}:{spoken.sent_ms}"
            self._pending.append((name, spoken, spoken.sent_ms))
            out.append(SendMark(name))

    def reached(self, name: str) -> list[Echo]:
        """Take an echoed mark; return what it proves. Marks before it count as reached too."""
        if self._voided[name] > 0:
            self._voided[name] -= 1
            return [] if name.startswith(OURS) else [Echo(mark=name, cleared=True)]
        if all(name != pending for pending, _, _ in self._pending):
            return []
        found: list[Echo] = []
        while True:
            mark, utterance, at_ms = self._pending.popleft()
            if utterance is None:
                found.append(Echo(mark=mark))
            else:
                utterance.confirmed_ms = at_ms
                # One that is not open any more was overdue: its mark is late news.
                if utterance.whole and at_ms == utterance.total_ms and utterance in self._open:
                    found.append(Echo(finished=self._finish(utterance)))
            if mark == name:
                return found

    def overdue(self, now: float, patience: float = 1.0) -> list[Utterance]:
        """Return utterances played to the end by the clock whose last mark never came back."""
        late = [u for u in self._open if u.finished and now >= u.ends_at + patience]
        return [self._finish(utterance) for utterance in late]

    @property
    def overdue_at(self) -> float | None:
        """When the oldest utterance would be overdue; None while none waits for its mark."""
        waiting = (u.ends_at for u in self._open if u.finished)
        return next((ends + 1.0 for ends in waiting), None)

    @property
    def wishes(self) -> list[float]:
        """The times at which it wants to be asked something: `due`, or `overdue`."""
        wishes = [self.ends_at - self._lead.least] if self._queue else []
        if self._open and (overdue_at := self.overdue_at) is not None:
            wishes.append(overdue_at)
        return wishes

    def _finish(self, utterance: Utterance) -> Utterance:
        utterance.heard_ms = utterance.total_ms
        self._open.remove(utterance)
        return utterance

    def cut(self, now: float, *, keep: bool = False) -> list[Utterance]:
        """Drop all that has not been played; return the utterances it touches, with what was heard.

        With `keep` it can go on (`go_on`) until something else is said (`forget`). The
        caller of this sends a `clear`. Our clear takes as long to arrive as the
        audio before it took, so the clock's position now is the position then.
        """
        self._voided.update(name for name, _, _ in self._pending)
        self._pending.clear()
        touched = list(self._open)
        self._open.clear()
        self._cut_part = touched[-1].part if touched else ""
        for utterance in touched:
            by_clock = utterance.sent_ms - max(0, round((utterance.ends_at - now) * 1000))
            utterance.heard_ms = max(utterance.heard_ms, by_clock, utterance.confirmed_ms)
            utterance.cut = utterance.heard_ms < utterance.total_ms or not utterance.whole
        self._kept = None
        if keep:
            dropped = [item for item in (*self._sent, *self._queue) if isinstance(item, str) or item.unheard]
            self._kept = _Kept(dropped, [one for one in touched if one.cut and not one.filler])
        self._queue.clear()
        self._sent.clear()
        self.ends_at = min(self.ends_at, now)
        self._guarded_until = min(self._guarded_until, now)
        return touched

    def forget(self) -> None:
        """What was cut does not go on."""
        self._kept = None

    def go_on(self) -> GoesOn:
        """Queue what was cut again, from the beginning of the clause that was, and what came of it since."""
        kept, self._kept = self._kept or _Kept([], []), None
        part, self._cut_part = self._cut_part, ""
        place = None
        for utterance in kept.cut:
            first = next(
                (s for s in kept.items if isinstance(s, _Stretch) and s.utterance is utterance), None
            )
            at_ms = utterance.total_ms if first is None else first.begins_ms
            self._numbers += 1
            utterance.go_on(self._numbers, at_ms)
            place = place or GoesOn(utterance.clause_at(at_ms), at_ms)
        for item in kept.items:
            if isinstance(item, _Stretch):
                item.at = 0
        self._open.extend(kept.cut)
        self._queue.extendleft(reversed(kept.items))
        for audio, text, last, guarded in kept.late:
            self.queue(audio, text, part=part, last=last, guarded=guarded)
        return place or GoesOn(None, 0)
