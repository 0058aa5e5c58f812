"""Formats and frames: where bytes and milliseconds meet.

On the line everything is 8 kHz mu-law in frames of 20 ms, 160 bytes. Other
formats are met at the edges, and `to_telephone` and `from_telephone` are the
way in and out for a whole clip.

    >>> TELEPHONE.duration_ms(800), TELEPHONE.bytes_for(20)
    (100, 160)
    >>> len(to_telephone(bytes(960), AudioFormat(Encoding.PCM16, 24_000)))
    160
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mcp_voice.core.g711 import ALAW, MULAW, Law
from mcp_voice.errors import BadAudio


class Encoding(StrEnum):
    """How a sample is spelled. PCM is little-endian, also where it is called L16."""

    MULAW = "mulaw"
    ALAW = "alaw"
    PCM16 = "pcm16"

    @classmethod
    def parse(cls, text: str) -> "Encoding":
        """Read a carrier's, a vendor's or a person's name for an encoding.

        >>> Encoding.parse("audio/x-mulaw;rate=8000")
        <Encoding.MULAW: 'mulaw'>
        """
        name = text.partition(";")[0].strip().lower().removeprefix("audio/").removeprefix("x-")
        try:
            return _SPELLINGS[name.replace("-", "_")]
        except KeyError:
            raise BadAudio(
                f"The encoding {text!r} is not known.", advice=f"Use one of {', '.join(cls)}."
            ) from None


_SPELLINGS: Final = {
    spelling: encoding
    for encoding, spellings in {
        Encoding.MULAW: "mulaw ulaw mu_law u_law pcmu g711_ulaw g711_mulaw g711u pcm_mulaw pcm_ulaw basic",
        Encoding.ALAW: "alaw a_law pcma g711_alaw g711a pcm_alaw",
        Encoding.PCM16: "pcm16 pcm pcm_16 pcm_s16le s16le s16 linear16 lin16 l16 lpcm",
    }.items()
    for spelling in spellings.split()
}


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """What raw bytes of audio mean; `sample_rate` is in hertz."""

    encoding: Encoding
    sample_rate: int
    channels: int = 1

    @property
    def bytes_per_sample(self) -> int:
        """The size of one sample of every channel: audio is cut only there."""
        return self.channels * (2 if self.encoding is Encoding.PCM16 else 1)

    @property
    def bytes_per_ms(self) -> float:
        """The size of a millisecond; not whole at 22 050 Hz."""
        return self.bytes_per_sample * self.sample_rate / 1000

    def duration_ms(self, nbytes: int) -> int:
        """Return how many whole milliseconds so many bytes last."""
        return nbytes * 1000 // (self.bytes_per_sample * self.sample_rate)

    def bytes_for(self, ms: int) -> int:
        """Return the size of so many milliseconds, in whole samples."""
        return ms * self.sample_rate // 1000 * self.bytes_per_sample


TELEPHONE: Final = AudioFormat(Encoding.MULAW, 8_000)
"""What a telephone network carries (G.711 mu-law), and every core module means by audio."""

FRAME_MS: Final = 20
FRAME_BYTES: Final = 160
SILENCE_FRAME: Final = b"\xff" * FRAME_BYTES
"""20 ms of nothing: 0xFF is mu-law's zero."""


def pad(audio: bytes) -> bytes:
    """Fill the last frame with silence."""
    return audio + SILENCE_FRAME[: -len(audio) % FRAME_BYTES]


def frames(audio: bytes) -> Iterator[bytes]:
    """Cut telephone audio into whole frames, the last one padded."""
    audio = pad(audio)
    return (audio[at : at + FRAME_BYTES] for at in range(0, len(audio), FRAME_BYTES))


class Framer:
    """Whole frames out of telephone audio that comes in pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""

    def push(self, audio: bytes) -> list[bytes]:
        """Take a piece; return the frames it completes."""
        audio = self._rest + audio
        whole = len(audio) - len(audio) % FRAME_BYTES
        self._rest = audio[whole:]
        return [audio[at : at + FRAME_BYTES] for at in range(0, whole, FRAME_BYTES)]

    def flush(self) -> bytes:
        """Return what is left as a padded frame, or nothing; the next piece starts afresh."""
        rest, self._rest = self._rest, b""
        return pad(rest)


def require_whole(audio: bytes, format: AudioFormat) -> None:
    """Check that these bytes can be raw audio of that format.

    Raises:
        BadAudio: there are none, they end within a sample, or they are a WAV file.
    """
    if not audio:
        raise BadAudio("The audio is empty.")
    if audio[:4] == b"RIFF" and audio[8:12] == b"WAVE":
        raise BadAudio("The audio is a WAV file.")
    if len(audio) % format.bytes_per_sample:
        raise BadAudio(
            f"{len(audio)} bytes are not whole samples of {format.bytes_per_sample} bytes "
            f"({format.encoding}, {format.channels} channel{'s' * (format.channels > 1)})."
        )


def to_telephone(audio: bytes, format: AudioFormat) -> bytes:
    """Convert a clip to 8 kHz mu-law.

    Raises:
        BadAudio: it is not whole, not mono, or its rate is out of reach.
    """
    return _convert(audio, format, TELEPHONE)


def from_telephone(audio: bytes, format: AudioFormat) -> bytes:
    """Convert a clip of 8 kHz mu-law to another format. Raises `BadAudio` as `to_telephone` does."""
    return _convert(audio, TELEPHONE, format)


_LAWS: Final[dict[Encoding, Law]] = {Encoding.MULAW: MULAW, Encoding.ALAW: ALAW}


def _convert(audio: bytes, source: AudioFormat, target: AudioFormat) -> bytes:
    require_whole(audio, source)
    if source.channels != 1 or target.channels != 1:
        raise BadAudio("A telephone has one channel.", advice="Send mono audio.")
    if source == target:
        return audio
    law = _LAWS.get(source.encoding)
    pcm = law.decode(audio) if law else audio
    if source.sample_rate != target.sample_rate:
        from mcp_voice.core.resample import resample  # numpy costs a start-up 100 ms

        pcm = resample(pcm, source.sample_rate, target.sample_rate)
    law = _LAWS.get(target.encoding)
    return law.encode(pcm) if law else pcm
