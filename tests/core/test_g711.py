import importlib
import warnings
from math import hypot, sqrt
from struct import pack, unpack

import pytest

from mcp_voice.core.g711 import ALAW, MULAW, Law

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    audioop = importlib.import_module("audioop")  # or audioop-lts, since Python 3.13

EVERY_CODE = bytes(range(256))
EVERY_SAMPLE = pack("<65536H", *range(65536))

# ITU-T G.711 (11/88): character signals and the values at the decoder's output, positive half.
TABLE_2A = {
    0b1000_0000: 8031,
    0b1000_1111: 4191,
    0b1001_1111: 2079,
    0b1010_1111: 1023,
    0b1011_1111: 495,
    0b1100_1111: 231,
    0b1101_1111: 99,
    0b1110_1111: 33,
    0b1111_1110: 2,
    0b1111_1111: 0,
}
TABLE_1A = {  # before the even bits are inverted, as the table has them
    0b1111_1111: 4032,
    0b1111_0000: 2112,
    0b1110_0000: 1056,
    0b1101_0000: 528,
    0b1100_0000: 264,
    0b1011_0000: 132,
    0b1010_0000: 66,
    0b1000_0001: 3,
    0b1000_0000: 1,
}


def sample(law: Law, code: int) -> int:
    (value,) = unpack("<h", law.decode(bytes([code])))
    return int(value)


@pytest.mark.parametrize(("code", "value"), TABLE_2A.items())
def test_mulaw_codes_stand_for_what_the_standard_says(code: int, value: int) -> None:
    assert sample(MULAW, code) == 4 * value
    assert sample(MULAW, code ^ 0x80) == -4 * value


@pytest.mark.parametrize(("code", "value"), TABLE_1A.items())
def test_alaw_codes_stand_for_what_the_standard_says(code: int, value: int) -> None:
    assert sample(ALAW, code ^ 0x55) == 8 * value
    assert sample(ALAW, code ^ 0x55 ^ 0x80) == -8 * value


@pytest.mark.parametrize(
    ("law", "milliwatt", "overload", "decibels"),
    [(MULAW, "1e0b0b1e9e8b8b9e", 4 * 8159, 3.17), (ALAW, "342121 34b4a1a1b4", 8 * 4096, 3.14)],
    ids=["mulaw", "alaw"],
)
def test_the_digital_milliwatt_is_a_sine_at_reference_level(
    law: Law, milliwatt: str, overload: int, decibels: float
) -> None:
    pcm = unpack("<8h", law.decode(bytes.fromhex(milliwatt)))

    peak = hypot(*pcm) / sqrt(8) * sqrt(2)

    assert peak == pytest.approx(overload * 10 ** (-decibels / 20), rel=0.002)


def test_decoding_every_code_agrees_with_the_reference() -> None:
    assert MULAW.decode(EVERY_CODE) == audioop.ulaw2lin(EVERY_CODE, 2)
    assert ALAW.decode(EVERY_CODE) == audioop.alaw2lin(EVERY_CODE, 2)


def test_encoding_every_sample_agrees_with_the_reference() -> None:
    assert MULAW.encode(EVERY_SAMPLE) == audioop.lin2ulaw(EVERY_SAMPLE, 2)
    assert ALAW.encode(EVERY_SAMPLE) == audioop.lin2alaw(EVERY_SAMPLE, 2)


def test_silence_and_the_loudest_samples_have_their_codes() -> None:
    extremes = pack("<3h", 0, 32_767, -32_768)

    assert MULAW.encode(extremes).hex() == "ff8000"
    assert ALAW.encode(extremes).hex() == "d5aa2a"


def test_nothing_becomes_nothing() -> None:
    assert MULAW.encode(b"") == MULAW.decode(b"") == b""
