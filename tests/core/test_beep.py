import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_voice.core.audio import frames
from mcp_voice.core.beep import Beeps, Tone
from tests.sounds import MUSIC, RECORDINGS, Sound, below, mulaw, noise, quiet, silence, tone


def told(audio: bytes) -> list[Tone]:
    beeps = Beeps()
    return [beep for frame in frames(audio) if (beep := beeps.hear(frame))]


@pytest.mark.parametrize("decibels", [30, 20, 10, 6, 3])
@pytest.mark.parametrize("hz", [350, 620, 1_000, 1_400, 2_000])
def test_a_beep_is_told_once_through_noise(hz: int, decibels: int) -> None:
    [beep] = told(mulaw(below(np.concatenate((silence(0.3), tone(hz, 0.4), silence(0.5))), decibels)))

    assert beep.hz == pytest.approx(hz, abs=5)
    assert beep.ms == pytest.approx(400, abs=40)


@settings(max_examples=40, deadline=None)
@given(st.integers(460, 1_990), st.integers(160, 1_500), st.integers(0, 159))
def test_wherever_a_beep_is_cut_into_frames_its_length_and_pitch_are_the_same(
    hz: int, ms: int, shift: int
) -> None:
    [beep] = told(mulaw(silence(0.1), silence(shift / 8_000), tone(hz, ms / 1_000), silence(0.3)))

    assert beep.hz == pytest.approx(hz, abs=3)
    assert beep.ms == pytest.approx(ms, abs=21)


def test_a_beep_is_told_a_tenth_of_a_second_after_its_end() -> None:
    beeps, audio = Beeps(), mulaw(tone(1_000, 0.4), silence(0.5))

    [at] = [n * 0.02 for n, frame in enumerate(frames(audio), start=1) if beeps.hear(frame)]

    assert at == pytest.approx(0.5, abs=0.021)


def test_a_tone_is_no_beep_while_it_sounds() -> None:
    beeps = Beeps()

    assert [beeps.hear(frame) for frame in frames(mulaw(tone(1_000, 1.0)))] == [None] * 50
    assert beeps.sounding is not None
    assert beeps.sounding.hz == 1_000


def test_a_beep_right_after_speech_is_told() -> None:
    audio = RECORDINGS["opening"] + mulaw(tone(1_000, 0.5), silence(0.5))

    assert [beep.hz for beep in told(audio)] == [1_000]


@pytest.mark.parametrize("name", RECORDINGS)
def test_speech_does_not_beep(name: str) -> None:
    assert told(RECORDINGS[name] + quiet(1)) == []


@pytest.mark.parametrize("name", MUSIC)
def test_music_does_not_beep(name: str) -> None:
    assert told(mulaw(MUSIC[name], silence(1))) == []


@pytest.mark.parametrize("low", [697, 770, 852, 941])
@pytest.mark.parametrize("high", [1_209, 1_336, 1_477, 1_633])
@pytest.mark.parametrize("twist", [0.4, 1.0, 2.5])
def test_a_key_does_not_beep(low: int, high: int, twist: float) -> None:
    assert told(mulaw(tone(low, 0.3, 3_000 * twist) + tone(high, 0.3, 3_000), silence(0.5))) == []


def cadence(on: float, off: float, *hertz: float) -> Sound:
    one = sum((tone(hz, on, 4_000) for hz in hertz), silence(on))
    return np.concatenate([one, silence(off)] * 4)


@pytest.mark.parametrize(
    ("on", "off", "hertz"),
    [
        (2.0, 4.0, (440, 480)),
        (0.5, 0.5, (480, 620)),
        (4.0, 0.1, (350, 440)),
        (1.0, 4.0, (425,)),
        (0.5, 0.5, (425,)),
        (0.25, 0.25, (425,)),
        (0.4, 0.2, (400, 450)),
    ],
    ids=["ring US", "busy US", "dial US", "ring", "busy", "congestion", "ring UK"],
)
def test_a_networks_tones_do_not_beep(on: float, off: float, hertz: tuple[float, ...]) -> None:
    assert told(mulaw(cadence(on, off, *hertz))[: -round(8_000 * off)]) == []


def test_a_voicemail_whose_beep_sounds_like_the_networks_is_told_when_it_does_not_come_again() -> None:
    assert [beep.hz for beep in told(mulaw(tone(440, 0.3), silence(2)))] == [440]


@pytest.mark.parametrize(
    "sound",
    [
        tone(1_000, 0.09),
        tone(1_000, 1.7),
        tone(300, 0.4),
        tone(2_100, 0.4),
        tone(1_000, 0.4, 100.0),
        tone(1_000, 1.0, 9_000) * np.exp(-4 * np.arange(8_000) / 8_000),
        np.concatenate([tone(hz, 0.33) for hz in (950, 1_400, 1_800)]),
        np.concatenate([np.append(tone(hz, 0.25), silence(0.05)) for hz in (523, 659, 784)]),
        noise(1.0, 3_000),
        tone(500, 0.5) + tone(630, 0.5) + tone(750, 0.5),
    ],
    ids=["short", "long", "low", "high", "faint", "bell", "not-in-service", "melody", "noise", "chord"],
)
def test_what_is_not_shaped_like_a_beep_is_none(sound: Sound) -> None:
    assert told(mulaw(silence(0.1), sound, silence(0.5))) == []


def test_a_tone_that_comes_again_is_told_the_first_time_only() -> None:
    audio = mulaw(*[tone(1_000, 0.4), silence(1.0)] * 3)

    assert told(audio) == [Tone(1_000, 410)]
