"""Callers to be heard: the simulator's recordings, as a voice detector would cut them out."""

import json
from array import array
from math import log10
from pathlib import Path
from statistics import correlation, fmean
from typing import Final

import mcp_voice
from mcp_voice.core.audio import SILENCE_FRAME, frames
from mcp_voice.core.g711 import MULAW

_CALLERS: Final = Path(mcp_voice.__file__).parent / "simulator" / "callers"

TEXTS: Final[dict[str, str]] = {
    name: about["text"] for name, about in json.loads((_CALLERS / "manifest.json").read_text()).items()
}
"""What each recording says."""


def recording(name: str) -> bytes:
    """Mu-law, as it was recorded."""
    return (_CALLERS / f"{name}.ulaw").read_bytes()


def utterance(name: str) -> bytes:
    """A recording with 240 ms of the line before it and 500 ms behind it."""
    return SILENCE_FRAME * 12 + recording(name) + SILENCE_FRAME * 25


def envelope(audio: bytes) -> list[float]:
    """How loud each 20 ms are, in bels."""
    return [
        log10(100 + fmean(sample * sample for sample in array("h", MULAW.decode(frame))))
        for frame in frames(audio)
    ]


def alike(one: bytes, other: bytes) -> bool:
    """Whether two sounds are the same speech: as long, within 40 ms, and loud at the same times.

    A synthesiser breathes: two renderings of a text are never the same to the bit.
    """
    if not one or abs(len(one) - len(other)) > 320:
        return False
    both = list(zip(envelope(one), envelope(other), strict=False))
    return correlation([left for left, _ in both], [right for _, right in both]) > 0.7
