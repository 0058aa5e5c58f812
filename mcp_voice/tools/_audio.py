"""Audio in JSON: base64 at the tools' doors.

What comes in is raw audio in a stated format; what goes out is 8 kHz mu-law in
chunks, as the `AudioChunk` of the five namespaces.
"""

from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import Annotated, Final, Literal

from anyio.to_thread import run_sync
from pydantic import Field

from mcp_voice.core.audio import TELEPHONE, AudioFormat, Encoding, Framer, require_whole
from mcp_voice.core.g711 import ALAW, MULAW
from mcp_voice.errors import BadAudio, Invalid
from mcp_voice.tools.catalogue import Answer

LONGEST_SECONDS: Final = 60
"""Audio taken in one tool call."""

_RATES = Field(ge=4_000, le=96_000, description="Hertz.", examples=[8_000, 16_000, 24_000])
_ENCODINGS = Field(max_length=40, description="mulaw, alaw or pcm16 (little-endian).", examples=["pcm16"])
SampleRate = Annotated[int, _RATES]
MaybeSampleRate = Annotated[int | None, _RATES]
EncodingName = Annotated[str, _ENCODINGS]
MaybeEncodingName = Annotated[str | None, _ENCODINGS]


class AudioChunk(Answer):
    """A piece of telephone audio."""

    buffer: Annotated[str, Field(description="Base64 of raw mu-law.")]
    sample_rate: Literal[8_000] = 8_000
    encoding: Literal["mulaw"] = "mulaw"
    channels: Literal[1] = 1
    timestamp: Annotated[int, Field(description="Milliseconds; the tool says since when.")]


def chunk(audio: bytes, timestamp: int) -> AudioChunk:
    """Wrap telephone audio."""
    return AudioChunk(buffer=b64encode(audio).decode(), timestamp=timestamp)


def format_of(encoding: str, sample_rate: int) -> AudioFormat:
    """Return the mono format of these names. Raises `BadAudio`."""
    return AudioFormat(Encoding.parse(encoding), sample_rate)


def decode(text: str, format: AudioFormat = TELEPHONE) -> bytes:
    """Return the raw audio that a tool was sent.

    Raises:
        BadAudio: it is no base64, empty, a data URL or a WAV file, or ends within a sample.
        Invalid: it is longer than `LONGEST_SECONDS`.
    """
    if text[:5].lower() == "data:":
        raise BadAudio("The audio is a data URL.", advice="Send only what follows the comma, as raw audio.")
    # Before decoding, so that a megabyte too much costs nothing; four characters are three bytes.
    seconds = len(text) * 3 / 4 / format.bytes_per_ms / 1000
    if seconds > LONGEST_SECONDS + 1:
        raise Invalid(
            f"{seconds:.0f} seconds of audio are too much for one call.",
            advice=f"Send it in pieces of at most {LONGEST_SECONDS} seconds.",
        )
    try:
        audio = a2b_base64(text, strict_mode=True)
    except (Base64Error, ValueError):
        raise BadAudio("The audio is not base64.") from None
    require_whole(audio, format)
    return audio


class Intake:
    """Telephone frames out of a stream in another format. Raises `BadAudio` for a rate out of reach."""

    def __init__(self, format: AudioFormat) -> None:
        self.format = format
        self._framer = Framer()
        self._resampler = None
        if format.sample_rate != TELEPHONE.sample_rate:
            from mcp_voice.core.resample import Resampler  # numpy costs a start-up 100 ms

            self._resampler = Resampler(format.sample_rate, TELEPHONE.sample_rate)

    async def push(self, audio: bytes) -> list[bytes]:
        """Take a piece of whole samples; return the frames it completes."""
        if self._resampler is None:
            return self._framer.push(self._convert(audio))
        return self._framer.push(await run_sync(self._convert, audio))

    def _convert(self, audio: bytes) -> bytes:
        if self.format == TELEPHONE:
            return audio
        law = {Encoding.MULAW: MULAW, Encoding.ALAW: ALAW}.get(self.format.encoding)
        pcm = law.decode(audio) if law else audio
        return MULAW.encode(self._resampler.push(pcm) if self._resampler else pcm)
