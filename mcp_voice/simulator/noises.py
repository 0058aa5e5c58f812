"""What is heard on a telephone beside words: tones, music while you wait, the noise of a room.

All of it is 8 kHz mu-law, in whole frames, and made by formula: nothing is recorded.
"""

import random
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Final

from mcp_voice.core.audio import FRAME_BYTES, pad
from mcp_voice.core.g711 import MULAW

if TYPE_CHECKING:
    import numpy as np

RATE: Final = 8_000
FULL: Final = 32_767
BEEP_HZ: Final = 1_000.0
LEVEL: Final = 0.25
"""Of full scale: -12 dB."""

_MELODY: Final = (392.0, 493.9, 587.3, 493.9, 440.0, 523.3, 659.3, 523.3)
_NOTE_SECONDS: Final = 0.4
_ROOM_SECONDS: Final = 4


def beep(seconds: float) -> bytes:
    """Return a tone of 1 000 Hz."""
    return _tone(BEEP_HZ, seconds)


def music(seconds: float) -> bytes:
    """Return so much of a tune that goes round and round."""
    tune = b"".join(_tone(hertz, _NOTE_SECONDS, fades=True) for hertz in _MELODY)
    length = round(seconds * RATE)
    return pad((tune * (length // len(tune) + 1))[:length])


class BadLine:
    """What becomes of frames under way: `line(frame)` is the frame as it arrives, or None if it does not.

    `noise` is in dB of full scale, `loss` a share of the frames.
    """

    def __init__(self, *, noise: float | None = None, loss: float = 0.0, seed: int | None = None) -> None:
        self._chance, self._loss = random.Random(seed), loss
        self._room = None if noise is None else _round(noise)

    def __call__(self, frame: bytes) -> bytes | None:
        """Carry one frame."""
        import numpy as np

        if self._loss and self._chance.random() < self._loss:
            return None
        if self._room is None:
            return frame
        pcm = np.frombuffer(MULAW.decode(frame), "<i2").astype(np.int32) + next(self._room)
        return MULAW.encode(np.clip(pcm, -FULL, FULL).astype("<i2").tobytes())


def _round(decibels: float) -> "Iterator[np.ndarray]":
    """Yield a room's noise, 20 ms at a time, for ever."""
    import numpy as np

    room = _room() * (FULL * 10 ** (decibels / 20))
    while True:
        yield from room.astype(np.int32).reshape(-1, FRAME_BYTES)


@cache
def _room() -> "np.ndarray":
    """Return some seconds of noise of power 1, weaker towards the treble, as rooms have it."""
    import numpy as np

    white = np.random.default_rng(1).standard_normal(_ROOM_SECONDS * RATE)
    spectrum = np.fft.rfft(white)
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 100))
    noise = np.fft.irfft(spectrum)
    room: np.ndarray = noise / np.sqrt(np.mean(noise**2))
    return room


def _tone(hertz: float, seconds: float, *, fades: bool = False) -> bytes:
    import numpy as np

    at = np.arange(round(seconds * RATE))
    wave = np.sin(2 * np.pi * hertz * at / RATE) * (FULL * LEVEL)
    if fades:
        wave = wave * np.exp(-3 * at / len(at))
    return pad(MULAW.encode(wave.astype("<i2").tobytes()))
