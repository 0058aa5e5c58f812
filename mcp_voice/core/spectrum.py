"""What telephone audio is made of: levels, spectra and what stands out of them.

Two views. `Gaze` looks at the last 40 ms, a frame at a time, and says whether a
single tone is all there is. `tonality` looks at a stretch of a second or so and
says how much of it is notes that are held.

    >>> from mcp_voice.core.audio import SILENCE_FRAME
    >>> Gaze().hear(SILENCE_FRAME) is None, tonality(SILENCE_FRAME * 50)
    (True, 0.0)
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mcp_voice.core.audio import FRAME_BYTES
from mcp_voice.core.g711 import MULAW

RATE: Final = 8_000
_SAMPLES: Final = np.frombuffer(MULAW.decode(bytes(range(256))), "<i2").astype(np.float64)

_FAINT: Final = 180.0
"""Root mean square of a sample, of 32 768, below which nothing is looked at: -45 dB."""

# 40 ms resolve 25 Hz; a Hann window spreads a tone over 50 Hz on either side of it, and 3 % of it further.
_WINDOW: Final = np.hanning(2 * FRAME_BYTES)
_POINTS: Final = 512
_HERTZ: Final = RATE / _POINTS
_LOBE: Final = 4  # bins, 62 Hz
_LOWEST, _HIGHEST = round(300 / _HERTZ), round(2_300 / _HERTZ)
_BAND: Final = slice(round(200 / _HERTZ), round(3_800 / _HERTZ))

_SHARE: Final = 0.5  # of the power between 200 and 3 800 Hz: a tone as loud as the noise around it
_SECOND: Final = (
    0.04  # of the strongest peak, the next: -14 dB. A key's two tones differ by 8 dB at most (ITU-T Q.24)
)
_BEAT: Final = 3.0  # loudest to softest 10 ms, as power: 440 and 480 Hz together beat by 7


def samples(audio: bytes) -> NDArray[np.float64]:
    """Return mu-law as samples of 16 bits' size."""
    return _SAMPLES[np.frombuffer(audio, np.uint8)]


@dataclass(frozen=True, slots=True)
class Pure:
    """A single tone: its frequency, and its power (a sample's mean square)."""

    hz: float
    power: float


class Gaze:
    """The last 40 ms of a line."""

    def __init__(self) -> None:
        self._sound = np.zeros(2 * FRAME_BYTES)

    def hear(self, frame: bytes) -> Pure | None:
        """Take 160 bytes of mu-law; return the tone that fills the last 320, if one does."""
        sound = self._sound
        sound[:FRAME_BYTES] = sound[FRAME_BYTES:]
        sound[FRAME_BYTES:] = samples(frame)
        blocks = np.square(sound).reshape(4, -1).mean(axis=1)
        softest = blocks.min()
        if softest < _FAINT**2 or blocks.max() > _BEAT * softest:
            return None
        power = np.square(np.abs(np.fft.rfft(sound * _WINDOW, _POINTS)))
        peak = int(power[_LOWEST:_HIGHEST].argmax()) + _LOWEST
        lobe = slice(peak - _LOBE, peak + _LOBE + 1)
        total, of_tone = power[_BAND].sum(), power[lobe].sum()
        if of_tone < _SHARE * total:
            return None
        left, top, right = np.log(power[peak - 1 : peak + 2])
        power[lobe] = 0.0
        if power[_BAND].max() > _SECOND * np.exp(top):
            return None
        offset = (left - right) / (2 * (left - 2 * top + right))  # the top of the parabola through the three
        return Pure(float((peak + offset) * _HERTZ), float(blocks.mean()))


# 128 ms resolve 8 Hz: the partials of a voice move further than that, those of a note do not.
_LONG: Final = 1_024
_HOP: Final = 256
_APART: Final = _LONG // _HOP  # frames that share no sample
_LONG_WINDOW: Final = np.hanning(_LONG)
_LONG_BAND: Final = slice(round(250 * _LONG / RATE) - 1, round(3_600 * _LONG / RATE) + 2)
_STANDS_OUT: Final = 1e-2  # of a frame's strongest partial: 20 dB below it, and 40 dB below the stretch's


TONAL: Final = 0.5
"""`tonality` between speech's and music's."""


def loud_share(audio: bytes) -> float:
    """Return how much of whole frames is loud enough to be looked at, 0..1."""
    power = np.square(samples(audio)).reshape(-1, FRAME_BYTES).mean(axis=1)
    return float((power > max(_FAINT**2, power.max() * 1e-3)).mean())


def tonality(audio: bytes, *, partials: int = 3) -> float:
    """Return how much of the sound is held: partials found again 128 ms later, beyond chance.

    About 0 for noise, below 0.35 for speech, from 0.6 to 1 for music; 0 for
    what is faint, shorter than 300 ms, or has fewer partials than asked for: a
    network's tones have one or two, a chord three.
    """
    sound = samples(audio)
    count = (len(sound) - _LONG) // _HOP + 1
    if count <= _APART or np.square(sound).mean() < _FAINT**2:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(sound, _LONG)[::_HOP] * _LONG_WINDOW
    power = np.square(np.abs(np.fft.rfft(windows, axis=1)))[:, _LONG_BAND]
    middle = power[:, 1:-1]
    least = np.maximum(power.max() * _STANDS_OUT**2, middle.max(axis=1, keepdims=True) * _STANDS_OUT)
    peaks = (middle > power[:, :-2]) & (middle >= power[:, 2:]) & (middle > least)
    near = peaks.copy()
    near[:, 1:] |= peaks[:, :-1]
    near[:, :-1] |= peaks[:, 1:]
    weights = np.sqrt(middle[:-_APART]) * peaks[:-_APART]
    again = near[_APART:]
    bins = np.flatnonzero((weights * again).any(axis=0))
    if (np.diff(bins, prepend=-9) > 2).sum() < partials:
        return 0.0
    found, chance = (weights * again).sum() / weights.sum(), again.mean()
    return max(0.0, float((found - chance) / (1.0 - chance)))
