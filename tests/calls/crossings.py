"""A call and its carrier in virtual time, with a wire between them that takes its time.

The carrier is the simulator's, which truly plays what it gets; messages take
as long as `lag` says, each way, and keep their order, as on one socket. A
`Voice` knows where each of its words begins and ends, so what the record says
was heard can be held against what was played.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Final

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.audio import SILENCE_FRAME, pad
from mcp_voice.core.call import Call
from mcp_voice.core.clauses import clauses
from mcp_voice.core.events import Finalize, Listen, News, Note, Play, SendAudio, SendClear, SendMark, Tick
from mcp_voice.core.listener import Listener
from mcp_voice.simulator.line import Line, Names
from tests.calls.lines import VOICE, loud

BYTES_PER_MS: Final = 8
FRAME: Final = 0.02
QUIET: Final = 0.2
"""Seconds of the caller's silence that are sent before they speak up: what is before that changes nothing."""

LONGEST_LAG: Final = 0.15
"""Seconds that a message takes at most, one way."""

SENTENCES: Final = (
    "Good evening, this is the Golden Lion, how can I help you?",
    "I have a table for four on Friday at seven, or one by the window at half past eight.",
    "Your appointment with Dr. Okafor is on the third of March at a quarter past nine, "
    "and you should be there ten minutes before.",
    "I am calling on behalf of Mrs. Lindqvist about the invoice that you sent her in October.",
    "The total is one hundred and twenty-four euros and fifty cents, which includes delivery.",
    "Unfortunately the international department is closed; its representatives return on Monday morning.",
    "Yes. We are open until ten. The kitchen closes at nine, so please do not come too late.",
    "Can you tell me whether the refrigerator is still available, and if so, when I could pick it up?",
    "To confirm: two adults, one child, three nights, breakfast included, and a cot in the room.",
    "Thank you very much for your patience, I have found your reservation, it is under the name of Nakamura.",
)
"""What agents say on the telephone."""


@dataclass(frozen=True, slots=True)
class Voice:
    """Says words at a pace: `letter_ms` for each letter and the space behind it, more or less.

    A word is up to `uneven` longer or shorter than that, and a pause follows a comma or a full stop.
    """

    random: Random
    letter_ms: float = 65.0
    uneven: float = 0.5
    pauses: bool = True

    def speak(self, clause: str) -> tuple[bytes, list[tuple[int, int]]]:
        """Return a clause's audio, and from where to where of it each word goes, in milliseconds."""
        at, words = 0, []
        for word in clause.split():
            length = round(
                self.letter_ms * (len(word) + 1) * self.random.uniform(1 - self.uneven, 1 + self.uneven)
            )
            words.append((at, at + length))
            at += length + self._pause(word)
        return pad(b"\x01" * (at * BYTES_PER_MS)), words

    def _pause(self, word: str) -> int:
        if not self.pauses or word[-1] not in ",;:.?!":
            return 0
        return self.random.randint(80, 200) if word[-1] in ",;:" else self.random.randint(150, 350)


@dataclass(slots=True)
class Cut:
    """How an interruption came out: words truly played, and words the record says were heard."""

    played: int
    told: int

    @property
    def off(self) -> int:
        """By how many words the record is wrong; more than zero if it says too many."""
        return self.told - self.played


class Crossing:
    """Drives a `Call` as the pump does and a `Line` as Twilio does; `lag` says how long a message takes."""

    def __init__(self, lag: Callable[[], float]) -> None:
        self.call = Call(Listener(loud))
        self.line = Line(Names(call_sid="CA1", stream_sid="MZ1"))
        self.now = 0.0
        self.notes: list[Note] = []
        self.played_ms: int | None = None
        """What the carrier had played when the clear came to it."""
        self._wire = TwilioWire()
        self._lag = lag
        self._ahead: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._there = self._back = 0.0
        self._deliver(*self.line.open(0.0))

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Do something when the time has come."""
        heappush(self._ahead, (when, next(self._order), do))

    def caller(self, begins: float, seconds: float) -> None:
        """Have the caller speak up for so many seconds, out of a silence."""
        before = round(QUIET / FRAME)
        for number in range(-before, round(seconds / FRAME)):
            when = max(0.0, begins + number * FRAME)
            frame = VOICE if number >= 0 else SILENCE_FRAME
            self.at(when, lambda frame=frame: self._deliver(self.line.speak(frame)))  # type: ignore[misc]

    def run(self, until: float) -> None:
        """Let time pass until then, or a clear has come to the carrier; everything happens in its order."""
        while self.played_ms is None:
            wakes = [at for at in (self.call.wakes_at, self.line.wakes_at) if at is not None]
            when = min([*wakes, *[item[0] for item in self._ahead[:1]]], default=until)
            if when >= until:
                self.now = until
                return
            self.now = max(self.now, when)
            if self.line.wakes_at is not None and self.line.wakes_at <= self.now:
                self._deliver(*self.line.play(self.now))
            if self._ahead and self._ahead[0][0] <= self.now:
                heappop(self._ahead)[2]()
            elif (wakes_at := self.call.wakes_at) is not None and wakes_at <= self.now:
                self.take(Tick())

    def take(self, news: News) -> None:
        """Let the call take news now; what it says goes on its way."""
        for effect in self.call.take(news, self.now):
            match effect:
                case Note():
                    self.notes.append(effect)
                case SendAudio() | SendMark() | SendClear():
                    self._send(effect)
                case Listen() | Finalize():
                    pass  # nobody makes out words

    def _send(self, command: SendAudio | SendMark | SendClear) -> None:
        message = self._wire.send(command)
        self._there = max(self._there, self.now + self._lag())
        self.at(self._there, lambda: self._arrive(message, clears=isinstance(command, SendClear)))

    def _arrive(self, message: str, *, clears: bool) -> None:
        self._deliver(*self.line.receive(message, self.now))
        if clears and self.played_ms is None:
            self.played_ms = len(self.line.heard(self.now)) // BYTES_PER_MS

    def _deliver(self, *messages: str) -> None:
        for message in messages:
            event = self._wire.receive(message)
            if event is not None:
                self._back = max(self._back, self.now + self._lag())
                self.at(self._back, lambda event=event: self.take(event))  # type: ignore[misc]


def interrupted(
    text: str, voice: Voice, lag: Callable[[], float], *, when: float, making: Sequence[float] = ()
) -> Cut | None:
    """Say a text clause by clause, and have the caller speak up after a share of it; None if too late.

    `making` is how long the voice needs for each clause, behind the one before it; 0.05 s if it does not say.
    """
    call = Crossing(lag)
    pieces = [(clause, *voice.speak(clause)) for clause in clauses(text)]
    words, begins_ms, ready = [], 0, 0.3
    for number, (clause, audio, places) in enumerate(pieces):
        words += [(begins_ms + start, begins_ms + end) for start, end in places]
        begins_ms += len(audio) // BYTES_PER_MS
        play = Play(audio, clause, part="p", last=number == len(pieces) - 1)
        call.at(ready, lambda play=play: call.take(play))  # type: ignore[misc]
        ready += making[number] if number < len(making) else 0.05
    seconds = begins_ms / 1_000
    call.caller(0.3 + when * seconds, 1.0)
    call.run(seconds + 3.0)
    cuts = [note for note in call.notes if note.kind == "interrupted"]
    if not cuts or call.played_ms is None:
        return None
    played = sum((start + end) / 2 < call.played_ms for start, end in words)
    return Cut(played, len(str(cuts[0].data["heardByCaller"]).split()))


def jitter(random: Random) -> Callable[[], float]:
    """Return a wire that takes its time: as long as it likes, up to `LONGEST_LAG`, for each message."""
    return lambda: random.uniform(0.0, LONGEST_LAG)
