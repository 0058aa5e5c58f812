"""The beep after which a voicemail records.

A beep is one pure tone that begins, stays as it is, ends, and stands alone. It
is told 100 ms after its end. What is not one, though it is a tone:

    two at once        a key, dial tone, North America's ringing and busy
    one after another  a melody; "the number you have dialled" (three rising tones)
    again and again    ringing and busy elsewhere: 425 Hz at intervals up to 5 s
    too short, too long, fading, or shaped like a voice

A tone of 400 to 450 Hz is the network's in most countries (ITU-T E.180), so
the first of it is told only when the next has not come in its time. Of any
other frequency that repeats, the first is told and the rest are not.

    >>> from math import sin
    >>> from struct import pack
    >>> from mcp_voice.core.audio import SILENCE_FRAME, frames
    >>> from mcp_voice.core.g711 import MULAW
    >>> tone = MULAW.encode(pack("<3200h", *(int(9_000 * sin(0.7854 * n)) for n in range(3_200))))
    >>> beeps = Beeps()
    >>> [beep for frame in frames(tone + SILENCE_FRAME * 9) if (beep := beeps.hear(frame))]
    [Tone(hz=1000, ms=410)]
"""

from dataclasses import dataclass
from typing import Final

from mcp_voice.core.audio import FRAME_MS
from mcp_voice.core.spectrum import Gaze, Pure


@dataclass(frozen=True, slots=True)
class Tone:
    """One tone; its length is right within 20 ms."""

    hz: int
    ms: int


@dataclass(frozen=True, slots=True)
class Shape:
    """What a beep is like."""

    lowest_hz: int = 350
    highest_hz: int = 2_000
    shortest_ms: int = 120
    longest_ms: int = 1_520  # 1 500, and the 20 ms that a length may be off


_DRIFT: Final = 15.0  # hertz that a tone may stray from its mean; a voice glides further in 100 ms
_FADE: Final = 10.0  # loudest to softest, as power: what rings out is a bell
_LEAST: Final = 5  # windows: four are in a tone of less than 120 ms
_SOUNDS: Final = 3  # windows after which a tone is one: a voice has two in a row by chance
_GONE: Final = 2  # windows without it that end a tone: noise spoils one now and then


def _frames(ms: int) -> int:
    return ms // FRAME_MS


_SETTLED: Final = _frames(100)
_MELODY: Final = _frames(300)  # closer than this, two tones are of one piece
_CADENCE: Final = _frames(5_200)  # the longest silence between two rings, E.180 annex: 5 s
_BUSY: Final = _frames(800)  # the longest between two busy tones: 0.75 s
_NETWORK: Final = range(400, 451)  # hertz
_RINGS: Final = 600  # ms from which a network's tone may be ringing, not busy


@dataclass(slots=True)
class _Run:
    """A tone that goes on: the windows of 40 ms that it filled. `first` and `last` count frames."""

    hz: float
    first: int
    last: int
    softest: float
    loudest: float
    windows: int = 1

    def add(self, pure: Pure, at: int) -> None:
        self.windows += 1
        self.hz += (pure.hz - self.hz) / self.windows
        self.last = at
        self.softest, self.loudest = min(self.softest, pure.power), max(self.loudest, pure.power)

    @property
    def tone(self) -> Tone:
        """A tone that fills n windows, 20 ms apart, is between n + 1 and n + 2 frames long."""
        return Tone(round(self.hz), (self.last - self.first + 1) * FRAME_MS + 30)


class Beeps:
    """The beeps of one line, as they end.

    `ended` is the tone that ended with the frame heard last, beep or not.
    """

    def __init__(self, shape: Shape | None = None) -> None:
        self._shape = shape or Shape()
        self._gaze = Gaze()
        self._clock = 0  # frames
        self._run: _Run | None = None
        self._former: _Run | None = None
        self._pending: tuple[Tone, int] | None = None  # and the frame with which it is told
        self.ended: Tone | None = None

    @property
    def sounding(self) -> Tone | None:
        """The tone that sounds now, as long as it is by now."""
        return self._run.tone if self._run is not None and self._run.windows >= _SOUNDS else None

    def hear(self, frame: bytes) -> Tone | None:
        """Take 160 bytes of mu-law; return the beep that is over, if one is."""
        self._clock += 1
        self.ended = None
        self._follow(self._gaze.hear(frame))
        if self._pending is None:
            return None
        beep, due = self._pending
        if self.sounding is not None:
            self._pending = None
        elif self._run is None and self._clock >= due:
            self._pending = None
            return beep
        return None

    def _follow(self, pure: Pure | None) -> None:
        run = self._run
        if pure is not None and run is not None and abs(pure.hz - run.hz) <= _DRIFT:
            run.add(pure, self._clock)
            return
        if run is not None and (pure is not None or self._clock - run.last >= _GONE):
            self._run = None
            if run.windows >= _LEAST:
                self._end(run)
        if pure is not None:
            self._run = _Run(pure.hz, self._clock, self._clock, pure.power, pure.power)

    def _end(self, run: _Run) -> None:
        former, self._former = self._former, run
        self.ended = tone = run.tone
        shape = self._shape
        if (
            shape.lowest_hz <= tone.hz <= shape.highest_hz
            and shape.shortest_ms <= tone.ms <= shape.longest_ms
            and run.loudest <= _FADE * run.softest
            and not (former is not None and _belongs(run, former))
        ):
            wait = _SETTLED
            if tone.hz in _NETWORK:
                wait = _CADENCE if tone.ms >= _RINGS else _BUSY
            self._pending = tone, run.last + wait


def _belongs(run: _Run, former: _Run) -> bool:
    """Whether a tone is a melody's or a cadence's next, after the former one."""
    gap = run.first - former.last
    return gap <= _MELODY or (gap <= _CADENCE and abs(run.hz - former.hz) <= _DRIFT)
