"""What is queued for a carrier that speaks itself, what it was sent, and what was heard.

The same face as `Playout`, with text for audio. Such a carrier takes nothing
back: what it has been sent will be said, unless the caller cuts it off. So it
is sent clause by clause, no more than `AHEAD` seconds before it is said.

How long a text takes is an estimate, `RATE` characters a second. What was
heard is known better where the carrier tells of it: that its voice begins and
ends (`voiced`), the words it has said (`played`), and when the caller cuts in
what they had heard by then (`interrupted`), which is taken word for word.

    >>> recital = Recital()
    >>> recital.queue(b"", "Good evening.")
    1
    >>> recital.due(now=0.0)
    [SendText(token='Good evening.', last=True, language=None, interruptible=None, preemptible=None)]
    >>> recital.interrupted("Good")
    >>> recital.cut(now=0.4)[0].heard_text
    'Good'
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mcp_voice.core.playout import Echo, GoesOn, Span, Utterance
from mcp_voice.core.relaying import RelayCommand, SendDigits, SendText

RATE: Final = 15.0
"""Characters that are said in a second: 150 to 180 English words a minute."""

KEY_MS: Final = 500
"""How long a key takes, or a pause between two."""

AHEAD: Final = 3.0
"""Seconds of talk that the carrier is sent ahead: what of it was not said yet cannot be taken back."""

STARTS: Final = 0.4
"""Seconds before a voice that was silent makes the first sound of a text."""

SETTLES: Final = 0.6
"""Seconds behind the estimated end after which a text counts as said, if the carrier tells of nothing."""

SILENT: Final = 3.0
"""The same where it tells of its voice, beside half the text's own time: then it will tell of the end."""


NEARLY: Final = 0.8
"""The share of a text that has to be known as said when the voice ends: the rest is a full stop, or a word
that the carrier spells otherwise."""


class Telling(Utterance):
    """An utterance that somebody else says. `exactly` is what was heard of it, if that is known."""

    exactly: str | None = None

    @property
    def heard_text(self) -> str | None:
        """The words that were heard."""
        if self.cut and self.exactly is not None:
            return self.exactly
        return super().heard_text

    def position(self, chars: int) -> int:
        """Return the milliseconds by which so many characters have been said."""
        size = len(self.text or "")
        return min(self.total_ms, round(self.total_ms * chars / size)) if size else 0


@dataclass(slots=True)
class _Piece:
    """A clause, or keys, on their way."""

    utterance: Telling
    text: str
    begins_ms: int
    ms: int
    last: bool = True
    guarded: bool = False
    keys: bool = False

    @property
    def unheard(self) -> bool:
        """Whether it belongs to what was cut before the end of it."""
        spoken = self.utterance
        return spoken.cut and not spoken.filler and spoken.heard_ms < self.begins_ms + self.ms


@dataclass(slots=True)
class _Kept:
    """What a cut dropped, while it may yet go on."""

    pieces: list[_Piece]
    cut: list[Telling]


class Recital:
    """The agent's side of one call."""

    def __init__(self) -> None:
        self._queue: deque[_Piece | str] = deque()
        self._sent: list[_Piece] = []
        self._open: list[Telling] = []
        self._numbers = 0
        self._cut_part = ""
        self._kept: _Kept | None = None
        self._heard: str | None = None
        self._counts = self._gone = False
        self.tells = False
        """Whether the carrier tells when its voice begins and ends."""
        self.speaking = False
        """Whether its voice is heard, if it tells."""
        self.ends_at = 0.0
        """When all that was sent will have been said."""
        self.answering = False
        """Whether what was last due was more than a filler."""
        self.passed: list[str] = []
        """Marks before which everything has been said."""
        self.clear: Sequence[RelayCommand] = ()
        """What the carrier has to be told when something was cut: that no more of it comes."""

    # ─── what is to be said ──────────────────────────────────────────────────

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
        """Say this after what is queued; return the utterance's number. As `Playout.queue` of its text."""
        goes_on = part and self._open and self._open[-1].part == part and not self._open[-1].whole
        if (part and part == self._cut_part and self._kept is None) or not (text or goes_on):
            return 0
        kept = self._kept if part and part == self._cut_part else None
        utterance = kept.cut[-1] if kept and kept.cut else self._utterance(part)
        utterance.filler, utterance.whole = filler, last
        piece = _Piece(utterance, text or "", utterance.total_ms, _ms(text or ""), last, guarded)
        self._add(piece)
        if text:
            utterance.spans.append(Span(text, utterance.total_ms))
        (kept.pieces if kept else self._queue).append(piece)
        return utterance.number

    def press(self, keys: str, part: str = "") -> None:
        """Press keys behind what is queued."""
        piece = _Piece(self._utterance(part), keys, 0, KEY_MS * len(keys), guarded=True, keys=True)
        self._add(piece)
        self._queue.append(piece)

    def mark(self, name: str) -> None:
        """Put a tool's mark behind what is queued."""
        self._queue.append(name)

    def _add(self, piece: _Piece) -> None:
        piece.utterance.total_ms += piece.ms

    def _utterance(self, part: str) -> Telling:
        """Return the utterance that this part goes on with, or a new one."""
        if part and self._open and self._open[-1].part == part and not self._open[-1].whole:
            return self._open[-1]
        self._numbers += 1
        self._open.append(Telling(self._numbers, part))
        return self._open[-1]

    # ─── when it is said ─────────────────────────────────────────────────────

    def playing(self, now: float) -> bool:
        """Whether the caller hears something now, or is about to."""
        return bool(self._open) or now < self.ends_at

    def yields(self, now: float) -> bool:
        """Whether a voice may cut what plays."""
        pieces = (piece for piece in (*self._sent, *self._queue) if isinstance(piece, _Piece))
        return self.playing(now) and not any(piece.guarded for piece in pieces)

    @property
    def quiet_at(self) -> float | None:
        """When there will be silence, if only the clock can tell; None while something is on its way."""
        return None if self._open else self.ends_at

    @property
    def filling(self) -> bool:
        """Whether what is said now only passes the time."""
        return bool(self._open) and self._open[0].filler

    @property
    def wishes(self) -> list[float]:
        """The times at which it wants to be asked something: `due`, or `overdue`."""
        wishes = []
        if self._queue and not self._waits(self._queue[0]):
            wishes.append(self.ends_at - AHEAD)
        if self._open and self._open[0].finished:
            wishes.append(self._open[0].ends_at + self._patience(self._open[0]))
        return wishes

    def due(self, now: float) -> list[RelayCommand]:
        """Return what may be sent now, oldest first, and count it as sent."""
        out: list[RelayCommand] = []
        self.answering = False
        while self._queue and not self._waits(head := self._queue[0]):
            if isinstance(head, str):
                self.passed.append(head)
            elif now < self.ends_at - AHEAD:
                break
            else:
                out.append(self._send(head, now))
            self._queue.popleft()
        return out

    def _waits(self, head: _Piece | str) -> bool:
        """Whether what comes before it has to be over first: keys, and marks, are not sent ahead."""
        if isinstance(head, str):
            return any(spoken.sent_ms for spoken in self._open)
        before = self._open[0] is not head.utterance
        return before and (head.keys or any(piece.keys for piece in self._sent))

    def _send(self, piece: _Piece, now: float) -> RelayCommand:
        spoken = piece.utterance
        self.answering |= not spoken.filler
        starts = self.ends_at if self.ends_at > now else now + STARTS
        self.ends_at = spoken.ends_at = starts + piece.ms / 1000
        spoken.sent_ms += piece.ms
        self._sent.append(piece)
        if piece.keys:
            return SendDigits(piece.text)
        token = piece.text if piece.last or not piece.text else f"{piece.text} "
        return SendText(token, piece.last, interruptible=False if piece.guarded else None)

    # ─── what was said ───────────────────────────────────────────────────────

    def reached(self, name: str) -> list[Echo]:
        """Take an echoed mark: such a carrier has none."""
        return []

    def voiced(self, now: float, *, on: bool) -> None:
        """The carrier's voice begins, or has ended."""
        self.tells, self.speaking = True, on
        if not on:
            self.ends_at = min(self.ends_at, now)  # it waits for more, if there is more

    def done(self, now: float) -> list[Utterance]:
        """Return what has been said to its end, by what the carrier has told of it."""
        done: list[Utterance] = []
        while self._open and self._open[0].finished and self._told(self._open[0], now):
            self._open[0].ends_at = min(self._open[0].ends_at, now)
            done.append(self._finish(self._open[0]))
        return done

    def _told(self, spoken: Telling, now: float) -> bool:
        """Whether the carrier has told that this has been said."""
        if self._counts:
            nearly = spoken.confirmed_ms >= NEARLY * spoken.total_ms
            return spoken.confirmed_ms == spoken.total_ms or (nearly and not self.speaking)
        # What has ended too early is what came before.
        return self.tells and not self.speaking and now >= spoken.ends_at - spoken.total_ms / 2000

    def played(self, text: str, now: float) -> None:
        """These words have been said: the newest, or all of what is being said."""
        self._counts = True
        found = self._find(text)
        if found is None:
            return
        for spoken in self._open[: self._open.index(found[0])]:
            spoken.confirmed_ms = spoken.sent_ms
        spoken, chars = found
        spoken.confirmed_ms = max(spoken.confirmed_ms, min(spoken.sent_ms, spoken.position(chars)))
        ends_at = now
        for each in self._open:
            ends_at += (each.sent_ms - each.confirmed_ms) / 1000
            each.ends_at = ends_at if each.sent_ms else each.ends_at
        self.ends_at = ends_at

    def overdue(self, now: float, patience: float = 0.0) -> list[Utterance]:
        """Return what has been said to its end by the clock, although nothing told of it."""
        done: list[Utterance] = []
        while self._open and (spoken := self._open[0]).finished:
            if now < spoken.ends_at + self._patience(spoken):
                break
            done.append(self._finish(spoken))
        return done

    def _patience(self, spoken: Telling) -> float:
        last = self._sent[-1]
        tells = self.tells and last.utterance is spoken and not last.keys  # else its voice goes on
        return SILENT + spoken.total_ms / 2000 if tells else SETTLES

    def _finish(self, spoken: Telling) -> Telling:
        spoken.heard_ms = spoken.total_ms
        self._open.remove(spoken)
        self._sent = [piece for piece in self._sent if piece.utterance is not spoken]
        return spoken

    def _find(self, text: str) -> tuple[Telling, int] | None:
        """Find words among those that were sent: whose they are, and how many characters end with them.

        Of two places the nearest behind what is known to have been said.
        """
        wanted = " ".join(text.split())
        for spoken in self._open if wanted else ():
            whole = spoken.text or ""
            known = round(len(whole) * spoken.confirmed_ms / spoken.total_ms) if spoken.total_ms else 0
            begins = 0 if whole.startswith(wanted) and len(wanted) > known else whole.find(wanted, known)
            if begins < 0:
                begins = whole.find(wanted, max(0, known - len(wanted)))
            if begins >= 0:
                return spoken, begins + len(wanted)
        return None

    # ─── what is cut ─────────────────────────────────────────────────────────

    def interrupted(self, heard: str) -> None:
        """The caller has cut in, and these were the last words they heard: the next `cut` is that."""
        self._heard = " ".join(heard.split())

    def left(self, now: float) -> None:
        """The call is over: the next `cut` goes by the clock, for what was sent is not said any more."""
        self._gone = True
        for spoken in self._open:
            by_clock = spoken.sent_ms - max(0, round((spoken.ends_at - now) * 1000))
            spoken.confirmed_ms = max(spoken.confirmed_ms, by_clock)

    def cut(self, now: float, *, keep: bool = False) -> list[Utterance]:
        """Drop what has not been said; return the utterances it touches, with what was heard.

        Nobody can take back what the carrier has: unless the caller cut in, or left, that is heard.
        With `keep` it can go on (`go_on`) until something else is said (`forget`).
        """
        touched, heard = list(self._open), self._heard
        interrupted, self._heard = heard is not None or self._gone, None
        self._locate(touched, heard, interrupted)
        for spoken in touched:
            spoken.cut = spoken.heard_ms < spoken.total_ms or not spoken.whole
        unsaid = not interrupted and bool(self._sent) and not self._sent[-1].last
        self.clear = (SendText("", last=True),) if unsaid else ()
        self._kept = None
        if keep:
            queued = (piece for piece in self._queue if isinstance(piece, _Piece))
            pieces = [piece for piece in (*self._sent, *queued) if piece.unheard]
            self._kept = _Kept(pieces, [one for one in touched if one.cut and not one.filler])
        self._cut_part = touched[-1].part if touched else ""
        self.passed += [name for name in self._queue if isinstance(name, str)]
        self._queue.clear()
        self._sent.clear()
        self._open.clear()
        self.ends_at = min(self.ends_at, now) if interrupted else self.ends_at
        return [*touched]

    def _locate(self, touched: list[Telling], heard: str | None, interrupted: bool) -> None:
        """Say of each how much was heard of it."""
        found = None if heard is None else self._find(heard)
        for at, spoken in enumerate(touched):
            if not interrupted:
                spoken.heard_ms = spoken.sent_ms
            elif heard is None or (found is None and not heard):
                spoken.heard_ms = spoken.confirmed_ms
            elif found is None:  # spelled otherwise than it was sent: so much of it, then
                spoken.heard_ms = spoken.position(len(heard)) if at == 0 else 0
                spoken.exactly = heard if at == 0 else ""
            elif spoken is found[0]:
                whole, chars = spoken.text or "", found[1]
                spoken.heard_ms, spoken.exactly = spoken.position(chars), whole[:chars]
            else:
                spoken.heard_ms = spoken.total_ms if at < touched.index(found[0]) else 0

    def forget(self) -> None:
        """What was cut does not go on."""
        self._kept = None

    def go_on(self) -> GoesOn:
        """Queue what was cut again, from the beginning of the clause that was, and what came of it since."""
        kept, self._kept, self._cut_part = self._kept or _Kept([], []), None, ""
        place = None
        for spoken in kept.cut:
            first = next((piece for piece in kept.pieces if piece.utterance is spoken), None)
            at_ms = spoken.total_ms if first is None else first.begins_ms
            self._numbers += 1
            spoken.go_on(self._numbers, at_ms)
            spoken.exactly = None
            place = place or GoesOn(spoken.clause_at(at_ms), at_ms)
        self._open.extend(kept.cut)
        self._queue.extend(kept.pieces)
        return place or GoesOn(None, 0)


def _ms(text: str) -> int:
    """Return how long a text takes."""
    return round(1000 * len(text) / RATE)
