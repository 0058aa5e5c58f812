"""Keys, as the line carries them: two tones at once, one for the row and one for the column.

`tones` makes them (ITU-T Q.23) and `Keypad` finds them in what comes, frame by
frame. A window of 20 ms is looked at every 10 ms; the share of its energy that
the best row and the best column hold is the share of the window that a press
fills. So three windows in a row are a press of 40 ms wherever it begins, and
never one of 20; four without are a pause (Q.24). Speech holds a few windows
of two pure tones at best, with overtones beside them.

    >>> from mcp_voice.core.audio import frames
    >>> keypad = Keypad()
    >>> "".join(keypad.hear(frame) or "" for frame in frames(tones("4w2#")))
    '42#'
"""

import re
from functools import cache
from math import cos, pi, sin
from struct import pack
from typing import TYPE_CHECKING, Final, TypeAlias

from mcp_voice.core.audio import FRAME_BYTES, TELEPHONE
from mcp_voice.core.g711 import MULAW
from mcp_voice.errors import Invalid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]

ROWS: Final = (697, 770, 852, 941)
COLUMNS: Final = (1209, 1336, 1477, 1633)
KEYS: Final = "123A456B789C*0#D"
"""Row by row (ITU-T Q.23, 6)."""

PAUSE: Final = "w"
PAUSE_MS: Final = 500
"""What a pause between keys is written as, and how long it is: as Twilio has it."""

_PRESSABLE: Final = re.compile(rf"[{re.escape(KEYS)}{PAUSE}]+")
_ROW_LEVEL: Final = 8_000
_COLUMN_LEVEL: Final = 10_000
"""Amplitudes: -9 and -7 dBm0, the column 2 dB above the row for what lines take from it."""


def pressable(digits: str) -> str:
    """Return digits that can be pressed, as they are. Raises `Invalid`."""
    if not _PRESSABLE.fullmatch(digits):
        strange = sorted(set(digits) - {*KEYS, PAUSE})
        raise Invalid(
            f"There is no key {strange[0]!r}." if strange else "There are no digits to press.",
            advice=f"Press 0-9 * # A-D; {PAUSE} waits half a second.",
        )
    return digits


def tones(digits: str, *, on_ms: int = 100, off_ms: int = 100) -> bytes:
    """Return telephone audio that presses these keys, silence behind each.

    Raises `Invalid` for what is not on a keypad.
    """
    quiet = b"\xff" * TELEPHONE.bytes_for(off_ms)
    pause = b"\xff" * TELEPHONE.bytes_for(PAUSE_MS)
    return b"".join(pause if digit == PAUSE else _tone(digit, on_ms) + quiet for digit in pressable(digits))


@cache
def _tone(key: str, ms: int) -> bytes:
    row, column = divmod(KEYS.index(key), 4)
    low, high = (2 * pi * hertz / TELEPHONE.sample_rate for hertz in (ROWS[row], COLUMNS[column]))
    times = range(TELEPHONE.bytes_for(ms))
    samples = [round(_ROW_LEVEL * sin(low * t) + _COLUMN_LEVEL * sin(high * t)) for t in times]
    return MULAW.encode(pack(f"<{len(samples)}h", *samples))


# ─── hearing them ────────────────────────────────────────────────────────────

HOP: Final = FRAME_BYTES // 2
SHARE: Final = 0.65
"""Of a window's energy, what a row and a column have to hold."""

PRESSED: Final = 3
RELEASED: Final = 4
"""Windows in a row that are a press, and that are none."""

DETUNED: Final = (0.99, 1.0, 1.01)
"""Tones are taken up to 1.5 % beside where they belong (Q.24), so each is looked for at three places."""

FAINTEST: Final = (300 * FRAME_BYTES / 2) ** 2
"""The power of an amplitude of 300, -37 dBm0: less is no press (Q.24 wants -25 dBm taken)."""

COLUMN_OVER_ROW: Final = 10 ** (6 / 10)
ROW_OVER_COLUMN: Final = 10 ** (10 / 10)
"""Twist: +4 dB and -8 dB have to be taken (Q.24, AT&T), and 2 dB for our own measuring."""

OVERTONE: Final = 1 / 8
"""Of both tones' power, what may be found an octave above one of them: a voice has more."""


class Keypad:
    """Finds keys in one stream of telephone audio, in frames of 20 ms."""

    def __init__(self) -> None:
        self._levels, self._waves = _tables()
        self._heard = self._levels[[0xFF] * FRAME_BYTES]
        self._run = ("", 0)
        self._pressed = ""
        self._misses = 0

    def hear(self, frame: bytes) -> str | None:
        """Take a frame; return the key whose press it completes, once a press."""
        import numpy as np

        now = self._levels[np.frombuffer(frame, np.uint8)]
        half = np.concatenate((self._heard[HOP:], now[:HOP]))
        self._heard = now
        windows = np.stack((half, now))
        energies = np.einsum("ij,ij->i", windows, windows).tolist()
        if max(energies) * FRAME_BYTES < 4 * FAINTEST:
            self._step("")
            self._step("")
            return None
        parts = windows @ self._waves
        powers = (parts * parts).reshape(2, 2, -1).sum(axis=1)
        found = powers[:, :24].reshape(2, len(DETUNED), 8).max(axis=1).tolist()
        overtones = powers[:, 24:].tolist()
        keys = [self._step(_key(*window)) for window in zip(found, overtones, energies, strict=True)]
        return keys[0] or keys[1]

    def _step(self, key: str) -> str | None:
        """Take what one window holds; return a key that has now been held long enough."""
        self._run = (key, self._run[1] + 1 if key == self._run[0] else 1)
        self._misses = 0 if key == self._pressed else self._misses + 1
        if self._misses >= RELEASED:
            self._pressed = ""
        if key and key != self._pressed and self._run[1] >= PRESSED:
            self._pressed, self._misses = key, 0
            return key
        return None


def _key(powers: list[float], overtones: list[float], energy: float) -> str:
    """Return the key that a window holds, or nothing."""
    row = max(range(4), key=powers.__getitem__)
    column = max(range(4, 8), key=powers.__getitem__)
    low, high = powers[row], powers[column]
    both = low + high
    fits = (
        both * 2 / FRAME_BYTES >= SHARE * energy
        and min(low, high) >= FAINTEST
        and high <= COLUMN_OVER_ROW * low
        and low <= ROW_OVER_COLUMN * high
        and max(overtones[row], overtones[column]) <= OVERTONE * both
    )
    return KEYS[4 * row + column - 4] if fits else ""


@cache
def _tables() -> "tuple[Floats, Floats]":
    """Return what each code stands for, and the waves that a window is held against: cosines, then sines.

    One product with them is Goertzel's sum for every tone at once.
    """
    import numpy as np

    levels = np.frombuffer(MULAW.decode(bytes(range(256))), "<i2").astype(np.float32)
    tuned = [hertz * factor for factor in DETUNED for hertz in (*ROWS, *COLUMNS)]
    sought = [
        2 * pi * hertz / TELEPHONE.sample_rate for hertz in (*tuned, *(2 * f for f in (*ROWS, *COLUMNS)))
    ]
    waves = [[wave(angle * t) for wave in (cos, sin) for angle in sought] for t in range(FRAME_BYTES)]
    return levels, np.array(waves, np.float32)
