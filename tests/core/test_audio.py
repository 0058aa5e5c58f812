import subprocess
import sys
from struct import pack

import pytest

from mcp_voice.core.audio import (
    FRAME_BYTES,
    SILENCE_FRAME,
    TELEPHONE,
    AudioFormat,
    Encoding,
    Framer,
    frames,
    from_telephone,
    pad,
    require_whole,
    to_telephone,
)
from mcp_voice.core.g711 import ALAW, MULAW
from mcp_voice.errors import BadAudio

PCM8 = AudioFormat(Encoding.PCM16, 8_000)
PCM24 = AudioFormat(Encoding.PCM16, 24_000)
ALAW8 = AudioFormat(Encoding.ALAW, 8_000)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *(
            (text, Encoding.MULAW)
            for text in ("audio/x-mulaw", "mulaw", "ulaw", "PCMU", "g711_ulaw", "pcm_mulaw")
        ),
        *((text, Encoding.ALAW) for text in ("alaw", "pcma", "audio/x-alaw", "audio/PCMA", "g711_alaw")),
        *((text, Encoding.PCM16) for text in ("pcm16", "linear16", "l16", "audio/l16", "pcm_s16le", "s16le")),
        ("audio/x-mulaw;rate=8000", Encoding.MULAW),
        ("audio/x-L16; rate=16000", Encoding.PCM16),
        (" mu-law ", Encoding.MULAW),
    ],
)
def test_an_encoding_goes_by_many_names(text: str, encoding: Encoding) -> None:
    assert Encoding.parse(text) is encoding


def test_an_unknown_encoding_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadAudio, match=r"'opus' is not known\. Use one of mulaw, alaw, pcm16\."):
        Encoding.parse("opus")


def test_twenty_milliseconds_of_telephone_are_a_frame() -> None:
    assert TELEPHONE.bytes_for(20) == FRAME_BYTES == len(SILENCE_FRAME)
    assert TELEPHONE.duration_ms(FRAME_BYTES) == 20
    assert TELEPHONE.bytes_per_ms == 8


def test_bytes_are_counted_in_whole_samples_of_all_channels() -> None:
    stereo = AudioFormat(Encoding.PCM16, 22_050, channels=2)

    assert stereo.bytes_per_ms == pytest.approx(88.2)
    assert stereo.bytes_for(1) == 88
    assert stereo.duration_ms(88_200) == 1_000


def test_the_silence_we_pad_with_is_silent() -> None:
    assert MULAW.decode(SILENCE_FRAME) == bytes(320)


def test_the_last_frame_is_padded_with_silence() -> None:
    assert list(frames(b"\x01" * 200)) == [b"\x01" * 160, b"\x01" * 40 + b"\xff" * 120]
    assert pad(b"\x01" * 160) == b"\x01" * 160
    assert list(frames(b"")) == []


def test_a_framer_gives_frames_as_they_become_whole() -> None:
    framer = Framer()

    assert framer.push(b"\x01" * 100) == []
    assert framer.push(b"\x02" * 100) == [b"\x01" * 100 + b"\x02" * 60]
    assert framer.flush() == b"\x02" * 40 + b"\xff" * 120
    assert framer.flush() == b""


@pytest.mark.parametrize(
    ("audio", "format", "why"),
    [
        (b"", TELEPHONE, "is empty"),
        (b"\0" * 3, PCM8, "3 bytes are not whole samples of 2 bytes"),
        (b"\0" * 6, AudioFormat(Encoding.PCM16, 8_000, channels=2), "samples of 4 bytes .*2 channels"),
        (b"RIFF\x24\0\0\0WAVEfmt ", TELEPHONE, "is a WAV file"),
    ],
)
def test_bytes_that_cannot_be_the_audio_they_claim_are_refused(
    audio: bytes, format: AudioFormat, why: str
) -> None:
    with pytest.raises(BadAudio, match=why):
        require_whole(audio, format)


def test_whole_samples_are_accepted() -> None:
    require_whole(b"\0" * 4, PCM8)
    require_whole(b"\0", TELEPHONE)


def test_telephone_audio_passes_unchanged() -> None:
    assert to_telephone(b"\x12\x34", TELEPHONE) == b"\x12\x34"
    assert from_telephone(b"\x12\x34", TELEPHONE) == b"\x12\x34"


def test_each_encoding_reaches_the_telephone_and_comes_back() -> None:
    pcm = pack("<3h", 0, 8, -32_124)

    assert from_telephone(to_telephone(pcm, PCM8), PCM8) == pcm
    assert to_telephone(ALAW.encode(pcm), ALAW8) == MULAW.encode(ALAW.decode(ALAW.encode(pcm)))
    assert from_telephone(MULAW.encode(pcm), ALAW8) == ALAW.encode(pcm)


def test_another_rate_keeps_its_duration() -> None:
    clip = to_telephone(bytes(PCM24.bytes_for(100)), PCM24)

    assert TELEPHONE.duration_ms(len(clip)) == 100
    assert PCM24.duration_ms(len(from_telephone(clip, PCM24))) == 100


def test_a_telephone_hears_no_stereo() -> None:
    stereo = AudioFormat(Encoding.PCM16, 8_000, channels=2)

    with pytest.raises(BadAudio, match=r"one channel\. Send mono"):
        to_telephone(bytes(4), stereo)
    with pytest.raises(BadAudio, match="one channel"):
        from_telephone(bytes(4), stereo)


def test_formats_and_codecs_are_known_without_numpy() -> None:
    program = "import sys, mcp_voice.core.audio, mcp_voice.core.voice; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
