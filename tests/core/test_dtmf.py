from math import pi, sin
from pathlib import Path
from random import Random
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mcp_voice.simulator
from mcp_voice.core.audio import FRAME_BYTES, frames
from mcp_voice.core.dtmf import COLUMNS, KEYS, ROWS, Keypad, tones
from mcp_voice.core.g711 import MULAW
from mcp_voice.errors import Invalid

VOICES = sorted((Path(mcp_voice.simulator.__file__).parent / "callers").glob("*.ulaw"))

keys = st.text(KEYS, min_size=1, max_size=8)


def heard(audio: bytes) -> str:
    keypad = Keypad()
    return "".join(keypad.hear(frame) or "" for frame in frames(audio))


def waves(*parts: tuple[float, float], ms: int = 100, noise: float = 0.0) -> bytes:
    """Waves of these frequencies and amplitudes, together, and white noise of that level."""
    hiss = Random(1)
    samples = (
        sum(level * sin(2 * pi * hertz * t / 8_000) for hertz, level in parts) + hiss.gauss(0, noise)
        for t in range(8 * ms)
    )
    whole = [max(-0x8000, min(0x7FFF, round(sample))) for sample in samples]
    return MULAW.encode(pack(f"<{len(whole)}h", *whole))


def pressed(key: str) -> tuple[int, int]:
    row, column = divmod(KEYS.index(key), 4)
    return ROWS[row], COLUMNS[column]


@given(keys, st.integers(40, 200), st.integers(40, 200), st.integers(0, FRAME_BYTES - 1))
def test_what_is_pressed_is_heard_wherever_the_frames_are_cut(
    digits: str, on_ms: int, off_ms: int, late: int
) -> None:
    audio = b"\xff" * late + tones(digits, on_ms=on_ms, off_ms=off_ms)

    assert heard(audio) == digits


@given(keys, st.integers(1, 20), st.integers(0, FRAME_BYTES - 1))
def test_a_click_of_20_ms_is_no_press(digits: str, on_ms: int, late: int) -> None:
    assert heard(b"\xff" * late + tones(digits, on_ms=on_ms, off_ms=100)) == ""


@given(st.sampled_from(KEYS), st.integers(1, 20), st.integers(0, FRAME_BYTES - 1))
def test_a_press_that_is_broken_for_20_ms_is_one_press(key: str, off_ms: int, late: int) -> None:
    assert heard(b"\xff" * late + 2 * tones(key, on_ms=60, off_ms=off_ms)) == key


@given(
    st.sampled_from(KEYS),
    st.floats(0.985, 1.015),
    st.floats(0.985, 1.015),
    st.floats(-4.0, 8.0),
    st.floats(1_000.0, 8_000.0),
)
def test_a_telephone_a_little_out_of_tune_and_out_of_balance_is_heard(
    key: str, low: float, high: float, tilt: float, level: float
) -> None:
    row, column = pressed(key)
    weaker = level * 10 ** (-abs(tilt) / 20)
    levels = (level, weaker) if tilt > 0 else (weaker, level)

    audio = waves((row * low, levels[0]), (column * high, levels[1]))

    assert heard(audio) == key


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_heard_over_a_noisy_line(key: str) -> None:
    row, column = pressed(key)

    assert heard(waves((row, 3_000), (column, 3_000), noise=1_000)) == key


@pytest.mark.parametrize("voice", VOICES, ids=lambda path: path.stem)
def test_speech_presses_no_key(voice: Path) -> None:
    assert heard(voice.read_bytes()) == ""


@pytest.mark.parametrize("hertz", [*ROWS, *COLUMNS, 350, 440, 480, 620, 950, 1_000, 1_400, 1_800, 2_100])
def test_a_single_beep_presses_no_key(hertz: int) -> None:
    assert heard(waves((hertz, 10_000), ms=500)) == ""


@pytest.mark.parametrize("pair", [(350, 440), (440, 480), (480, 620)], ids=["dial", "ringing", "busy"])
def test_the_tones_of_the_network_press_no_key(pair: tuple[int, int]) -> None:
    assert heard(waves(*((hertz, 8_000) for hertz in pair), ms=500)) == ""


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("tilt", [-12, 14])
def test_two_tones_far_out_of_balance_are_no_key(key: str, tilt: int) -> None:
    row, column = pressed(key)
    weaker = 10_000 * 10 ** (-abs(tilt) / 20)
    levels = (10_000, weaker) if tilt > 0 else (weaker, 10_000)

    assert heard(waves((row, levels[0]), (column, levels[1]), ms=200)) == ""


@pytest.mark.parametrize("key", KEYS)
def test_two_tones_with_an_overtone_are_a_voice(key: str) -> None:
    row, column = pressed(key)

    assert heard(waves((row, 7_000), (column, 7_000), (2 * row, 4_500), ms=200)) == ""
    assert heard(waves((row, 7_000), (column, 7_000), (2 * column, 4_500), ms=200)) == ""


def test_noise_presses_no_key() -> None:
    assert heard(waves(ms=10_000, noise=4_000)) == ""


def test_a_key_held_long_is_pressed_once() -> None:
    assert heard(tones("5", on_ms=3_000)) == "5"


def test_a_pause_is_half_a_second_of_silence() -> None:
    assert tones("w") == b"\xff" * 4_000
    assert heard(tones("1w1")) == "11"


@pytest.mark.parametrize(("digits", "why"), [("12x", "There is no key 'x'"), ("", "There are no digits")])
def test_what_is_not_on_a_keypad_is_refused(digits: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        tones(digits)
