"""Where voice begins, and where it ends.

A detector (`Vad`) judges 20 ms at a time and errs now and then. `VoiceEdges`
asks it about every frame and tells the edges only: voice, once 3 of the last 5
frames have one, so that a cough of 40 ms is none; silence, after 60 ms without.
An edge is known later than it was, by `ago_ms`, and a voice comes with the
audio before it was known, so that its first syllable is not lost.

    >>> from mcp_voice.core.audio import SILENCE_FRAME
    >>> edges = VoiceEdges(any)  # all but digital silence is a voice to `any`
    >>> for frame in [SILENCE_FRAME] * 9 + [bytes(160)] * 3:
    ...     edge = edges.hear(frame)
    >>> edge, len(edge.preroll)
    (Edge(kind=<EdgeKind.VOICE: 1>, ago_ms=60), 1920)
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from math import hypot, inf, sqrt
from struct import Struct
from typing import Final, Protocol

from mcp_voice.core.audio import FRAME_BYTES, FRAME_MS
from mcp_voice.core.g711 import MULAW


class Vad(Protocol):
    """Is there a voice in these 20 ms of 8 kHz 16-bit PCM?"""

    def __call__(self, frame: bytes, /) -> bool:
        """Judge 320 bytes."""


EdgeKind = Enum("EdgeKind", "VOICE SILENCE")


@dataclass(frozen=True, slots=True)
class Edge:
    """The line changed: `ago_ms` before the end of the frame that told it.

    `preroll` is mu-law up to the end of that frame, empty for a silence.
    """

    kind: EdgeKind
    ago_ms: int
    preroll: bytes = field(default=b"", repr=False)


class VoiceEdges:
    """The edges of one caller's voice; VOICE and SILENCE alternate, beginning with VOICE.

    No frame is in two pre-rolls, nor in one when it came while the caller spoke.
    """

    def __init__(self, vad: Vad, *, speech_ms: int = 60, release_ms: int = 60, preroll_ms: int = 240) -> None:
        self.speaking = False
        self._vad = vad
        self._enough = max(1, -(-speech_ms // FRAME_MS))
        self._window = (1 << self._enough + 2) - 1
        self._release = max(1, -(-release_ms // FRAME_MS))
        self._preroll: deque[bytes] = deque(maxlen=preroll_ms // FRAME_MS)
        self._recent = 0  # a bit for each of the last frames, the newest lowest: 1 is voice
        self._quiet = 0  # frames since the last with a voice

    def hear(self, frame: bytes) -> Edge | None:
        """Take 160 bytes of mu-law; return the edge they tell, if any."""
        voiced = self._vad(MULAW.decode(frame))
        return self._fall(voiced) if self.speaking else self._rise(voiced, frame)

    def _rise(self, voiced: bool, frame: bytes) -> Edge | None:
        self._preroll.append(frame)
        self._recent = (self._recent << 1 | voiced) & self._window
        if self._recent.bit_count() < self._enough:
            return None
        edge = Edge(EdgeKind.VOICE, self._recent.bit_length() * FRAME_MS, b"".join(self._preroll))
        self._preroll.clear()
        self.speaking, self._quiet = True, 0
        return edge

    def _fall(self, voiced: bool) -> Edge | None:
        self._quiet = 0 if voiced else self._quiet + 1
        if self._quiet < self._release:
            return None
        self.speaking, self._recent = False, 0
        return Edge(EdgeKind.SILENCE, self._quiet * FRAME_MS)


class EnergyVad:
    """Voice is what is twice as loud as the line at its quietest: no dependency, for quiet lines.

    The quietest is that of the last 2 to 4 s, found by keeping the least of this stretch and the last.
    """

    _UNPACK: Final = Struct(f"<{FRAME_BYTES}h").unpack
    _STRETCH: Final = 2_000 // FRAME_MS
    _FAINT: Final = 100 * sqrt(FRAME_BYTES)  # never voice: 50 dB below the loudest

    def __init__(self) -> None:
        self._least = self._last_least = inf
        self._left = self._STRETCH

    def __call__(self, frame: bytes) -> bool:
        """Judge 320 bytes of PCM."""
        level = hypot(*self._UNPACK(frame))
        if not self._left:
            self._last_least, self._least, self._left = self._least, inf, self._STRETCH
        self._left -= 1
        self._least = min(self._least, level)
        return level > max(2 * min(self._least, self._last_least), self._FAINT)
