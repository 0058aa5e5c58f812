"""What a caller says: bundled recordings, WAV files, raw mu-law.

Everything becomes 8 kHz mu-law. A WAV file may have any rate and any number of
channels, as 16-bit PCM, mu-law or A-law.

    >>> bundled()["yes"].text
    'yes please'
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

from mcp_voice.core.audio import AudioFormat, Encoding, to_telephone
from mcp_voice.errors import BadAudio, NotFound

Sound: TypeAlias = bytes | str | Path
"""Mu-law itself, the name of a bundled recording, or a file."""

_FOLDER: Final = Path(__file__).parent / "callers"
_RAW: Final = frozenset({".ulaw", ".mulaw", ".ul"})
_ENCODINGS: Final = {(1, 16): Encoding.PCM16, (6, 8): Encoding.ALAW, (7, 8): Encoding.MULAW}
"""By format tag and bits a sample (mmreg.h)."""
_EXTENSIBLE: Final = 0xFFFE
_ADVICE: Final = "Convert it: ffmpeg -i in.wav -ac 1 -ar 8000 -c:a pcm_s16le out.wav"


@dataclass(frozen=True, slots=True)
class Recording:
    """A bundled caller; `dictation_ok` says that pocketsphinx transcribes it word for word."""

    name: str
    text: str
    voice: str
    seconds: float
    dictation_ok: bool


@cache
def bundled() -> Mapping[str, Recording]:
    """Return the bundled callers by name."""
    manifest = json.loads((_FOLDER / "manifest.json").read_text())
    return {name: Recording(name, **line) for name, line in manifest.items()}


def load(sound: Sound) -> bytes:
    """Return a sound as 8 kHz mu-law.

    Raises:
        NotFound: there is no such recording or file.
        BadAudio: the file is not audio that can be used.
    """
    if isinstance(sound, bytes):
        return sound
    if isinstance(sound, str):
        if sound not in bundled():
            names = ", ".join(bundled())
            raise NotFound("bundled caller", sound, advice=f"The bundled callers are {names}.")
        return (_FOLDER / f"{sound}.ulaw").read_bytes()
    try:
        data = sound.read_bytes()
    except OSError as error:
        raise NotFound("sound file", str(sound), advice=f"{error.strerror}.") from None
    if sound.suffix.lower() in _RAW and data[:4] != b"RIFF":
        return data
    return from_wav(data)


def from_wav(data: bytes) -> bytes:
    """Convert a WAV file to 8 kHz mu-law; the channels are mixed. Raises `BadAudio`."""
    chunks = _chunks(data)
    if "fmt " not in chunks or "data" not in chunks or len(chunks["fmt "]) < 16:
        raise BadAudio(
            "This is not a WAV file.", advice="Use WAV, or raw mu-law in a file that ends in .ulaw."
        )
    tag, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", chunks["fmt "])
    if tag == _EXTENSIBLE and len(chunks["fmt "]) >= 26:
        (tag,) = struct.unpack_from("<H", chunks["fmt "], 24)
    encoding = _ENCODINGS.get((tag, bits))
    if encoding is None or not channels or align != channels * bits // 8:
        raise BadAudio(f"A WAV file of format {tag} with {bits} bits is not supported.", advice=_ADVICE)
    sound = chunks["data"]
    sound = sound[: len(sound) - len(sound) % align]
    if channels > 1:
        sound, encoding = _mixed(sound, AudioFormat(encoding, 8_000), channels), Encoding.PCM16
    return to_telephone(sound, AudioFormat(encoding, rate))


def _chunks(data: bytes) -> dict[str, bytes]:
    """Take a RIFF file apart. A size beyond the end, as in a streamed file, means all the rest."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return {}
    chunks: dict[str, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        chunks.setdefault(name.decode("latin-1"), data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    return chunks


def _mixed(sound: bytes, format: AudioFormat, channels: int) -> bytes:
    """Return the mean of interleaved channels as PCM."""
    import numpy as np

    from mcp_voice.core.g711 import ALAW, MULAW

    law = {Encoding.ALAW: ALAW, Encoding.MULAW: MULAW}.get(format.encoding)
    samples = np.frombuffer(law.decode(sound) if law else sound, "<i2").reshape(-1, channels)
    mixed: bytes = samples.mean(axis=1).round().astype("<i2").tobytes()
    return mixed
