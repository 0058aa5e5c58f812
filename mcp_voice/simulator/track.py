"""One side of a call, laid out on the call's time line.

A track is mu-law from the call's first moment on, sample after sample, with
silence where nothing was said: position ÷ 8 000 is the time. What lies beyond
the present is queued and can still be cut off.

    >>> agent = Track()
    >>> agent.lay(bytes(160), at=800), len(agent.sound), agent.cut(880)
    (800, 960, 80)

Listening finds the talks in it: stretches of audible sound with no pause of
`PAUSE` seconds inside. Fewer than 2 ms of sound in 20 are a click, not a talk.
"""

from dataclasses import dataclass
from typing import Final

RATE: Final = 8_000
SILENCE: Final = b"\xff"
PAUSE: Final = 0.5
"""Seconds without an audible sound that part two talks."""

_BLOCK: Final = 160
_ENOUGH: Final = 16  # audible samples in a block, 2 ms of 20
QUIET: Final = bytes(code for code in range(256) if ~code & 0x7F < 0x18)
"""The codes of samples below 260, 42 dB under full scale: in mu-law, the low steps near 0xFF and 0x7F."""


@dataclass(slots=True)
class Talk:
    """A stretch of audible sound, in seconds; `ended` moves on while it lasts."""

    began: float
    ended: float


class Track:
    """What one side said: `sound` is its time line, `talks` what was found in it so far."""

    def __init__(self) -> None:
        self.sound = bytearray()
        self.talks: list[Talk] = []
        self.talking = False
        self._laid: list[tuple[int, int]] = []
        self._listened = 0

    def lay(self, sound: bytes, at: int) -> int:
        """Put sound behind what is there, but not before `at`; return where it begins."""
        self.sound += SILENCE * (at - len(self.sound))
        begins, ends = len(self.sound), len(self.sound) + len(sound)
        if self._laid and self._laid[-1][1] == begins:
            begins = self._laid.pop()[0]
        self._laid.append((begins, ends))
        self.sound += sound
        return ends - len(sound)

    def cut(self, at: int) -> int:
        """Drop what lies beyond `at`; return how many samples that were."""
        dropped = max(0, len(self.sound) - at)
        del self.sound[at:]
        while self._laid and self._laid[-1][1] > at:
            begins, _ = self._laid.pop()
            if begins < at:
                self._laid.append((begins, at))
        return dropped

    def played(self, until: int) -> bytes:
        """Return what was laid before `until`, without the silence filled in between."""
        return b"".join(bytes(self.sound[begins : min(ends, until)]) for begins, ends in self._laid)

    def listen(self, until: int) -> list[tuple[str, float]]:
        """Go on to `until`; return what was found, `speaks` or `silent`, and when that was, in seconds."""
        found: list[tuple[str, float]] = []
        while self._listened + _BLOCK <= until:
            found += self._hear(self._listened + _BLOCK)
            if self.talking and self._listened / RATE - self.talks[-1].ended >= PAUSE:
                found += self._hush()
        return found

    def hush(self, until: int) -> list[tuple[str, float]]:
        """Go on to `until`, to the sample, where the talk is cut off or the call ends."""
        return self.listen(until) + self._hear(until) + self._hush()

    def _hear(self, until: int) -> list[tuple[str, float]]:
        begins, self._listened = self._listened, until
        block = bytes(self.sound[begins:until])
        if len(block.translate(None, QUIET)) < _ENOUGH:
            return []
        first = (begins + len(block) - len(block.lstrip(QUIET))) / RATE
        last = (begins + len(block.rstrip(QUIET))) / RATE
        if self.talking:
            self.talks[-1].ended = last
            return []
        self.talking = True
        self.talks.append(Talk(first, last))
        return [("speaks", first)]

    def _hush(self) -> list[tuple[str, float]]:
        if not self.talking:
            return []
        self.talking = False
        return [("silent", self.talks[-1].ended)]
