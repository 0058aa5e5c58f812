"""Both sides of a call on one time line: the caller on the left, the agent on the right.

What is recorded is what was heard. The agent's audio is sent ahead: it lies
where the carrier plays it, behind what it sent before and not before its
coming, and a clear takes away what was not played yet. The caller's audio lies
where it comes in; a burst after a stall joins on, and a hole becomes silence.

Everything up to `LATE` before now is finished: `take` hands it out, left and
right in turn, and forgets it. A pause is silence, so that a place in the file
stays a time of the call.

    >>> stereo = Stereo(now=0.0)
    >>> stereo.caller(b"C" * 160, now=0.02), stereo.agent(b"A" * 400, now=0.01), stereo.clear(now=0.03)
    (None, None, None)
    >>> whole = stereo.end(now=0.05)
    >>> whole[0::2].count(b"C"), whole[1::2].index(b"A"), whole[1::2].count(b"A")
    (160, 80, 160)

The file is WAV with the line's own mu-law in it (format tag 7): not a sample is
changed, and it has half the size of PCM, 58 MB an hour.
"""

from struct import pack
from typing import Final

RATE: Final = 8_000
SILENCE: Final = b"\xff"

LATE: Final = RATE
"""Samples before now that the caller's audio may still fill: it comes late after a stall."""

STRETCH: Final = 2 * RATE
"""Samples that are worth a visit to the disk."""

AHEAD: Final = 6 * RATE
"""Samples that the caller's audio may be ahead of the clock: who holds a socket may send five seconds."""

JITTER: Final = RATE // 5
"""Samples of lateness that are no hole yet, where no timestamp says so."""

_SHORTEST_HOLE: Final = RATE // 50

HEADER_BYTES: Final = 58
FRAME: Final = 2
"""Bytes of a sample of both sides."""


def header(size: int) -> bytes:
    """Return the head of a WAV file with so many bytes of stereo mu-law in it.

    >>> len(header(0)) == HEADER_BYTES, header(4)[-4:].hex()
    (True, '04000000')
    """
    most = 0xFFFF_FFFF - HEADER_BYTES
    size = min(size, most - most % FRAME)
    return (
        pack("<4sI4s", b"RIFF", HEADER_BYTES - 8 + size, b"WAVE")
        + pack("<4sIHHIIHHH", b"fmt ", 18, 7, 2, RATE, FRAME * RATE, FRAME, 8, 0)
        + pack("<4sII", b"fact", 4, size // FRAME)
        + pack("<4sI", b"data", size)
    )


def seconds_in(size: int) -> float:
    """Return how long the sound in a file of so many bytes is."""
    return max(0, size - HEADER_BYTES) // FRAME / RATE


class Stereo:
    """A stretch of a call being recorded. What was sent before it and `plays_until` then is silence in it."""

    def __init__(self, now: float, plays_until: float = 0.0) -> None:
        self._began = now
        self._done = 0  # samples handed out; both tracks begin there
        self._left = bytearray()
        self._right = bytearray(SILENCE * max(0, self._at(plays_until)))
        self._pauses: list[tuple[int, int]] = []
        self._paused_at: int | None = None
        self._expected: int | None = None
        self.lost = 0
        """Samples of the caller that came too far ahead of their time."""

    @property
    def wakes_at(self) -> float:
        """When there is something worth taking."""
        return self._began + (self._done + STRETCH + LATE) / RATE

    @property
    def held(self) -> int:
        """Bytes kept back."""
        return len(self._left) + len(self._right)

    def seconds(self, now: float) -> float:
        """How long it is."""
        return max(0, self._at(now)) / RATE

    def _at(self, now: float) -> int:
        return round((now - self._began) * RATE)

    # ─── what is heard ───────────────────────────────────────────────────────

    def caller(self, sound: bytes, now: float, timestamp_ms: int = 0) -> None:
        """Take mu-law that has come in."""
        late = self._at(now) - len(sound) - self._done - len(self._left)
        hole = self._hole(timestamp_ms, len(sound), late)
        if hole > 0:
            self._left += SILENCE * hole
        elif late < -AHEAD:
            self.lost += len(sound)
            return
        self._left += sound if self._paused_at is None else SILENCE * len(sound)

    def _hole(self, timestamp_ms: int, size: int, late: int) -> int:
        """Return how much is missing before audio: by its timestamp, as far as the clock agrees."""
        begins = timestamp_ms * RATE // 1_000
        expected, self._expected = self._expected, begins + size
        if expected is None:
            return late
        if begins < expected - size // 2:  # its timestamps say nothing
            return late if late > JITTER else 0
        return min(begins - expected, late) if begins - expected >= _SHORTEST_HOLE else 0

    def agent(self, sound: bytes, now: float) -> None:
        """Take mu-law that goes out: it is played behind what plays, or at once."""
        self._right += SILENCE * (self._at(now) - self._done - len(self._right))
        self._right += sound

    def clear(self, now: float) -> None:
        """What was not played yet never will be."""
        del self._right[max(0, self._at(now) - self._done) :]

    # ─── what nobody may hear ────────────────────────────────────────────────

    @property
    def paused(self) -> bool:
        """Whether silence is kept instead of what is heard."""
        return self._paused_at is not None

    def pause(self, now: float) -> None:
        """Keep nothing of what is heard from now on."""
        if self._paused_at is None:
            self._paused_at = self._at(now)

    def resume(self, now: float) -> None:
        """Keep what is heard from now on."""
        if self._paused_at is not None:
            self._pauses.append((self._paused_at, self._at(now)))
            self._paused_at = None

    # ─── what is finished ────────────────────────────────────────────────────

    def take(self, now: float) -> bytes:
        """Hand out what cannot change any more: left and right in turn."""
        return self._hand_out(self._at(now) - LATE)

    def end(self, now: float) -> bytes:
        """Hand out the rest; what is still to be played never will be."""
        self.clear(now)
        return self._hand_out(max(self._at(now), self._done + len(self._left)))

    def _hand_out(self, until: int) -> bytes:
        size = until - self._done
        if size <= 0:
            return b""
        both = bytearray(FRAME * size)
        for side, track in enumerate((self._left, self._right)):
            piece = track[:size].ljust(size, SILENCE)
            del track[:size]
            for begins, ends in (
                *self._pauses,
                (until if self._paused_at is None else self._paused_at, until),
            ):
                begins, ends = max(0, begins - self._done), min(size, ends - self._done)
                if begins < ends:
                    piece[begins:ends] = SILENCE * (ends - begins)
            both[side::FRAME] = piece
        self._done = until
        self._pauses = [pause for pause in self._pauses if pause[1] > until]
        return bytes(both)
