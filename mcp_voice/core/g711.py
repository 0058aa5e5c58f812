"""G.711, both laws, by table.

A law is a staircase: 128 steps up from silence, sixteen to a segment, each
segment's steps twice as wide as those of the one before. A code names a sign
and a step, and stands for the middle of that step. So three numbers make a law,
and the tables for both directions are read off the stairs.

Decoding is two 256-byte translations (low bytes, high bytes) interleaved by
slice assignment; encoding is one look-up a sample. No dependency: `audioop`
left the standard library in Python 3.13.

    >>> MULAW.decode(bytes.fromhex("ff80")).hex(" ", 2)
    '0000 7c7d'
    >>> ALAW.encode(bytes.fromhex("08007c7d")).hex(" ")
    'd5 aa'
"""

from itertools import accumulate
from struct import pack, unpack
from typing import Final

_STEPS: Final = range(128)
_NEGATIVE: Final = 0x80


class Law:
    """One law: a code is a byte, a sample 16 bits, little-endian.

    `line` is what step 0 above zero looks like on the line (every code is turned
    over by it), `fine` the last segment as fine as the first, and `offset` how
    far below zero the stairs begin.
    """

    def __init__(self, *, line: int, fine: int, offset: int) -> None:
        widths = [8 << max(step >> 4, fine) for step in _STEPS]
        samples = [0] * 256
        for step, width, start in zip(_STEPS, widths, accumulate(widths, initial=-offset), strict=False):
            samples[step ^ line] = start + width // 2
            samples[step ^ line ^ _NEGATIVE] = -start - width // 2
        pcm = pack("<256h", *samples)
        self._low, self._high = pcm[0::2], pcm[1::2]

        stairs = b"".join(bytes([step ^ line]) * width for step, width in zip(_STEPS, widths, strict=True))
        turned = stairs.translate(bytes(code ^ _NEGATIVE for code in range(256)))
        above = stairs[offset:].ljust(0x8000, stairs[-1:])
        # The reference drops low bits before it takes the magnitude, so -1 is already a whole offset down.
        below = turned[2 * offset :].ljust(0x8000, turned[-1:])
        self._codes = above + below[::-1]

    def decode(self, codes: bytes) -> bytes:
        """Expand codes to PCM, two bytes for each one."""
        pcm = bytearray(2 * len(codes))
        pcm[0::2] = codes.translate(self._low)
        pcm[1::2] = codes.translate(self._high)
        return bytes(pcm)

    def encode(self, pcm: bytes) -> bytes:
        """Compress PCM, whole samples, to one code for each."""
        codes = self._codes
        return bytes([codes[sample] for sample in unpack(f"<{len(pcm) // 2}H", pcm)])


MULAW: Final = Law(line=0xFF, fine=0, offset=4)
"""North America and Japan, and every carrier's media stream (ITU-T G.711, tables 2a and 2b)."""

ALAW: Final = Law(line=0xD5, fine=1, offset=0)
"""The rest of the world (ITU-T G.711, tables 1a and 1b)."""
