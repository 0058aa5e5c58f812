"""Sample rates, converted the same however the sound is cut.

A polyphase filter. An output sample falls between input samples, at one of a
few fractions; each fraction (a phase) has its own row of taps, and the sample
is the product of that row and a window of the input. Samples and taps are whole
numbers, and doubles add those exactly below 2**53, in any order: a stream cut
anywhere comes out, bit for bit, as the whole.

    >>> wide = Resampler(8_000, 16_000)
    >>> len(wide.push(bytes(320))), len(wide.flush())
    (576, 64)

Nothing is delayed: the sound starts with the first sample out. The last 16
samples of the lower rate wait for what follows them (2 ms at 8 kHz), or for
`flush`.
"""

from functools import lru_cache
from math import ceil, gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mcp_voice.errors import BadAudio

_RATES: Final = range(4_000, 96_001)
_SIMPLE: Final = 3_840  # any two rates in use share 25 Hz; the taps of a ratio stay below 1 MiB
_ADVICE: Final = "Use a usual rate: 8000, 16000, 22050, 24000, 44100 or 48000."
_BLOCK: Final = 2 * 1_024  # bytes filtered at once: a long clip needs no more memory than a short one

# At 8 kHz, 300-3400 Hz passes within 0.3 dB; what would alias into it, or mirror out of it, is 80 dB down.
_REACH: Final = 16  # samples of the lower rate on either side of an output sample
_KAISER: Final = 8.0  # the window's beta
_CUTOFF: Final = 0.95  # of half the lower rate
_ONE: Final = 2.0**24  # a tap's unit


@lru_cache(maxsize=16)
def _taps(up: int, down: int) -> NDArray[np.float64]:
    """Return the taps of each phase for a ratio in lowest terms.

    A row sums to `_ONE`, near enough for a constant to come out as itself.
    """
    if up == down:
        return np.full((1, 1), _ONE)
    stretch = max(1.0, down / up)
    half = ceil(_REACH * stretch)
    distance = np.arange(1 - half, half + 1) - np.arange(up)[:, None] / up
    window = np.i0(_KAISER * np.sqrt(np.maximum(0.0, 1.0 - (distance / half) ** 2)))
    shape = np.sinc(_CUTOFF / stretch * distance) * window
    taps: NDArray[np.float64] = np.rint(shape * (_ONE / shape.sum(axis=1, keepdims=True)))
    return taps


class Resampler:
    """A stream of 16-bit little-endian mono PCM, at another rate.

    Raises:
        BadAudio: a rate is not from 4 to 96 kHz, or the two have no simple ratio.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        for rate in (source_rate, target_rate):
            if rate not in _RATES:
                raise BadAudio(f"A sample rate of {rate} Hz is not from 4000 to 96000 Hz.", advice=_ADVICE)
        common = gcd(source_rate, target_rate)
        self._up, self._down = target_rate // common, source_rate // common
        if max(self._up, self._down) > _SIMPLE:
            raise BadAudio(f"{source_rate} Hz to {target_rate} Hz is no simple ratio.", advice=_ADVICE)
        self._taps = _taps(self._up, self._down)
        self._reset()

    def _reset(self) -> None:
        self._held = np.zeros((self._taps.shape[1] - 1) // 2, "<i2")
        self._at = 0  # where the next output sample's window begins in `_held`, in 1/up samples
        self._odd = b""
        self._taken = self._given = 0  # bytes

    def push(self, pcm: bytes) -> bytes:
        """Take a piece of any size, half a sample even; return what it completes."""
        pcm = self._odd + pcm
        whole = len(pcm) & ~1
        self._odd = pcm[whole:]
        out = b"".join(
            self._filter(np.frombuffer(pcm, "<i2", min(_BLOCK, whole - at) // 2, at))
            for at in range(0, whole, _BLOCK)
        )
        self._taken += whole
        self._given += len(out)
        return out

    def flush(self) -> bytes:
        """Return the tail; the next piece starts afresh.

        What came out is then as long as what went in, to the nearest sample.
        """
        samples = (self._taken * self._up + self._down) // (2 * self._down)
        tail = self._filter(np.zeros(self._taps.shape[1] // 2, "<i2"))[: 2 * samples - self._given]
        self._reset()
        return tail

    def _filter(self, samples: NDArray[np.int16]) -> bytes:
        sound = np.concatenate((self._held, samples))
        width = self._taps.shape[1]
        windows = len(sound) - width + 1
        count = -((self._at - windows * self._up) // self._down)
        if count <= 0:
            self._held = sound
            return b""
        end = self._at + count * self._down
        first, phase = np.divmod(np.arange(self._at, end, self._down), self._up)
        window = np.ndarray((windows, width), "<i2", sound, strides=(2, 2))
        sums = np.einsum("ij,ij->i", window[first], self._taps[phase])
        out: NDArray[np.float64] = np.minimum(np.maximum(np.rint(sums / _ONE), -32_768), 32_767)
        used = end // self._up
        self._held, self._at = sound[used:], end - used * self._up
        return out.astype("<i2").tobytes()


def resample(pcm: bytes, source_rate: int, target_rate: int) -> bytes:
    """Convert a clip of whole samples; it keeps its duration, to the nearest sample. Raises `BadAudio`."""
    stream = Resampler(source_rate, target_rate)
    return stream.push(pcm) + stream.flush()
