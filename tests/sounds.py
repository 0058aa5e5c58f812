"""Sounds of a telephone line, made: tones, noise, music; and the recorded callers that ship."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

import mcp_voice.simulator
from mcp_voice.core.audio import SILENCE_FRAME
from mcp_voice.core.g711 import MULAW

Sound = NDArray[np.float64]

CALLERS: Final = Path(mcp_voice.simulator.__file__).parent / "callers"
RECORDINGS: Final = {path.stem: path.read_bytes() for path in sorted(CALLERS.glob("*.ulaw"))}
"""People, each with a sentence, in mu-law."""

CHORDS: Final = ((60, 64, 67, 72), (57, 60, 64, 69), (53, 57, 60, 65), (55, 59, 62, 67))


def mulaw(*sounds: Sound) -> bytes:
    """Sounds, one after another, as a line carries them."""
    pcm = np.clip(np.rint(np.concatenate(sounds)), -32_768, 32_767).astype("<i2")
    return MULAW.encode(pcm.tobytes())


def quiet(seconds: float) -> bytes:
    return SILENCE_FRAME * round(seconds * 50)


def silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * 8_000))


def tone(hz: float, seconds: float, loudness: float = 6_000.0) -> Sound:
    """A sine; `loudness` is its amplitude, of 32 768."""
    made: Sound = loudness * np.sin(2 * np.pi * hz * np.arange(round(seconds * 8_000)) / 8_000)
    return made


def noise(seconds: float, loudness: float, seed: int = 1) -> Sound:
    """Hiss; `loudness` is its root mean square."""
    return np.random.default_rng(seed).normal(0.0, loudness, round(seconds * 8_000))


def below(sound: Sound, decibels: float) -> Sound:
    """That sound in a hiss so far below a tone of the usual loudness."""
    return sound + noise(len(sound) / 8_000, 6_000 / 2**0.5 / 10 ** (decibels / 20))


def note(midi: int, seconds: float, loudness: float, decay: float) -> Sound:
    """A string, plucked (`decay` a second) or bowed (0): a tone and its harmonics."""
    hz = 440 * 2 ** ((midi - 69) / 12)
    made = sum(
        (tone(hz * n, seconds, loudness / n**1.3) for n in range(1, 6) if hz * n < 3_800), silence(seconds)
    )
    fading: Sound = made * np.exp(-decay * np.arange(len(made)) / 8_000)
    return fading


def held_chords(seconds: int) -> Sound:
    """An organ: a chord every 2 s."""
    chords = (CHORDS[n % 4] for n in range(-(-seconds // 2)))
    return np.concatenate([sum(note(key, 2.0, 1_500, 0) for key in keys) for keys in chords])[
        : seconds * 8_000
    ]


def band(seconds: int, beat: float = 0.25, drums: float = 4_000.0) -> Sound:
    """A guitar that plays chords and single notes, and a drum on every other beat."""
    made = silence(seconds + 2)
    for n in range(int(seconds / beat)):
        at, keys = round(n * beat * 8_000), CHORDS[int(n * beat / 2) % 4]
        for key in (keys[n % 4],) if n % 4 else keys:
            made[at : at + 12_000] += note(key, 1.5, 2_500, 4)
        if n % 2:
            made[at : at + 960] += noise(0.12, drums, seed=n) * np.exp(-40 * np.arange(960) / 8_000)
    return made[: seconds * 8_000]


def melody(seconds: int, beat: float = 0.3) -> Sound:
    """A piano that plays one note after another."""
    keys = np.random.default_rng(4).choice([60, 62, 64, 65, 67, 69, 71, 72], size=int(seconds / beat) + 1)
    played = [np.concatenate((note(int(key), 0.9 * beat, 5_000, 1), silence(0.1 * beat))) for key in keys]
    return np.concatenate(played)[: seconds * 8_000]


MUSIC: Final = {
    "chords": held_chords(6),
    "band": band(6),
    "guitar": band(6, beat=0.4, drums=0.0),
    "melody": melody(6),
    "a poor line": band(6) + noise(6, 300),
}
