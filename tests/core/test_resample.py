from itertools import pairwise

import numpy as np
import pytest
import soxr  # type: ignore[import-untyped]  # it has no stubs
from numpy.typing import NDArray

from mcp_voice.core.resample import Resampler, resample
from mcp_voice.errors import BadAudio

Signal = NDArray[np.float64]

RATIOS = [
    (8_000, 16_000),
    (8_000, 24_000),
    (8_000, 48_000),
    (16_000, 8_000),
    (24_000, 8_000),
    (48_000, 8_000),
    (22_050, 8_000),
    (44_100, 8_000),
    (16_000, 24_000),
]


def tone(hertz: float, rate: int, seconds: float = 0.5, peak: float = 20_000) -> bytes:
    angle = 2 * np.pi * hertz / rate * np.arange(round(rate * seconds))
    return bytes(np.rint(peak * np.sin(angle)).astype("<i2").tobytes())


def middle(pcm: bytes, rate: int) -> Signal:
    """The signal without its first and last 20 ms, where it begins and ends suddenly."""
    return np.frombuffer(pcm, "<i2")[rate // 50 : -rate // 50].astype(np.float64)


def decibels(ratio: float) -> float:
    return float(20 * np.log10(max(ratio, 1e-9)))


def snr(pcm: bytes, hertz: float, rate: int) -> float:
    """How far everything but the tone lies below the tone."""
    signal = middle(pcm, rate)
    angle = 2 * np.pi * hertz / rate * np.arange(len(signal))
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    pure = basis @ np.linalg.lstsq(basis, signal, rcond=None)[0]
    return decibels(float(pure.std() / (signal - pure).std()))


@pytest.mark.parametrize(("source", "target"), RATIOS)
def test_tones_of_the_telephone_band_stay_pure(source: int, target: int) -> None:
    purest = [
        snr(resample(tone(hertz, source), source, target), hertz, target) for hertz in (310, 1_010, 3_390)
    ]

    assert min(purest) > 80


@pytest.mark.parametrize(("source", "target"), RATIOS)
def test_the_telephone_band_keeps_its_level(source: int, target: int) -> None:
    peaks = [
        middle(resample(tone(hertz, source), source, target), target).std() * np.sqrt(2)
        for hertz in (310, 1_010, 3_390)
    ]

    assert [decibels(peak / 20_000) for peak in peaks] == pytest.approx([0, 0, 0], abs=0.3)


@pytest.mark.parametrize("source", [16_000, 22_050, 24_000, 44_100, 48_000])
def test_what_would_alias_into_the_telephone_band_is_stopped(source: int) -> None:
    left = [
        middle(resample(tone(hertz, source), source, 8_000), 8_000).std() for hertz in (4_610, 6_010, 7_510)
    ]

    assert max(decibels(level / 14_142) for level in left) < -80


@pytest.mark.parametrize(("source", "target"), RATIOS)
def test_a_constant_comes_out_as_itself(source: int, target: int) -> None:
    constant = np.full(source // 5, 12_345, "<i2").tobytes()

    assert set(middle(resample(constant, source, target), target)) == {12_345}


@pytest.mark.parametrize(("source", "target"), RATIOS)
def test_it_sounds_as_soxr_does(source: int, target: int) -> None:
    noise = np.random.default_rng(1).normal(0, 4_000, source)
    spectrum = np.fft.rfft(noise)
    spectrum[np.fft.rfftfreq(source, 1 / source) > 2_900] = 0  # where neither filter has begun to act
    speech = np.rint(np.fft.irfft(spectrum, source)).astype("<i2")

    ours = middle(resample(speech.tobytes(), source, target), target)
    theirs = middle(soxr.resample(speech, source, target).astype("<i2").tobytes(), target)

    assert decibels(float((ours - theirs).std() / theirs.std())) < -65


@pytest.mark.parametrize(("source", "target"), RATIOS)
def test_no_more_than_five_milliseconds_wait_for_what_follows(source: int, target: int) -> None:
    stream, given = Resampler(source, target), 0

    for frames in range(1, 11):
        given += len(stream.push(bytes(2 * source // 50))) // 2
        assert frames * 20 - given * 1000 / target <= 5


@pytest.mark.parametrize(("source", "target"), RATIOS)
def test_a_clip_keeps_its_duration_and_a_click_its_place(source: int, target: int) -> None:
    click = np.zeros(source, "<i2")
    click[source // 2] = 30_000

    heard = np.abs(np.frombuffer(resample(click.tobytes(), source, target), "<i2"))

    assert len(heard) == target
    assert abs(int(heard.argmax()) - target // 2) <= target // source


@pytest.mark.parametrize(("source", "target"), RATIOS)
def test_a_stream_sounds_bit_for_bit_as_the_clip(source: int, target: int) -> None:
    random = np.random.default_rng(1)
    noise = random.integers(-32_768, 32_768, source, dtype="<i2").tobytes()
    cuts = [0, *sorted(random.integers(0, len(noise), 60)), len(noise)]
    stream = Resampler(source, target)

    heard = b"".join(stream.push(noise[start:end]) for start, end in pairwise(cuts)) + stream.flush()

    assert heard == resample(noise, source, target)


def test_the_loudest_sound_is_clipped_and_not_wrapped() -> None:
    square = np.tile(np.repeat(np.array([32_767, -32_768], "<i2"), 40), 100)

    heard = middle(resample(square.tobytes(), 8_000, 16_000), 16_000)

    assert heard.max() == 32_767
    assert heard.min() == -32_768
    assert np.abs(np.diff(heard)).max() < 50_000


def test_the_same_rate_changes_nothing_and_holds_nothing_back() -> None:
    stream, sound = Resampler(8_000, 8_000), tone(440, 8_000)

    assert stream.push(sound) == sound
    assert stream.flush() == b""


def test_a_stream_begins_afresh_after_its_tail() -> None:
    stream, sound = Resampler(22_050, 8_000), tone(440, 22_050)

    first = stream.push(sound) + stream.flush()

    assert stream.push(sound) + stream.flush() == first


def test_half_a_sample_at_the_end_is_dropped() -> None:
    stream = Resampler(8_000, 16_000)

    assert stream.push(b"\x01") + stream.flush() == b""
    assert len(stream.push(bytes(321)) + stream.flush()) == 640


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        (3_999, 8_000, "3999 Hz is not from 4000"),
        (8_000, 96_001, "96001 Hz is not from 4000"),
        (8_001, 16_000, "no simple ratio. Use a usual rate"),
    ],
)
def test_rates_nobody_uses_are_refused(source: int, target: int, why: str) -> None:
    with pytest.raises(BadAudio, match=why):
        Resampler(source, target)
