"""A call as a stereo file: the caller on the left, the agent on the right.

Both tracks are mu-law on one time line, so that what overlaps in the file
overlapped in the call. 8 kHz, 16-bit PCM.
"""

import wave
from pathlib import Path
from typing import Final

from mcp_voice.core.g711 import MULAW

RATE: Final = 8_000
_SILENCE: Final = b"\xff"


def interleave(left: bytes, right: bytes) -> bytes:
    """Return two mu-law tracks as stereo PCM; the shorter one ends in silence."""
    length = max(len(left), len(right))
    stereo = bytearray(4 * length)
    for first, track in ((0, left), (2, right)):
        pcm = MULAW.decode(track.ljust(length, _SILENCE))
        stereo[first::4], stereo[first + 1 :: 4] = pcm[0::2], pcm[1::2]
    return bytes(stereo)


def write(path: Path, left: bytes, right: bytes) -> None:
    """Write two mu-law tracks as a stereo WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(interleave(left, right))
