import pytest

from mcp_voice.core.audio import SILENCE_FRAME
from mcp_voice.core.spectrum import loud_share, tonality
from tests.sounds import MUSIC, RECORDINGS, mulaw, noise, quiet, tone

SECOND = 8_000


def each_second(audio: bytes) -> list[float]:
    return [tonality(audio[at : at + SECOND]) for at in range(0, len(audio) - SECOND + 1, SECOND)]


@pytest.mark.parametrize("name", MUSIC)
def test_every_second_of_music_is_held(name: str) -> None:
    assert min(each_second(mulaw(MUSIC[name]))) >= 0.58


@pytest.mark.parametrize("name", RECORDINGS)
def test_nothing_anybody_says_is_held(name: str) -> None:
    assert tonality(RECORDINGS[name], partials=1) <= 0.35


def test_speech_without_a_pause_is_not_held_wherever_it_is_cut_into_seconds() -> None:
    everything = b"".join(RECORDINGS.values())

    assert max(each_second(everything) + each_second(everything[4_000:])) <= 0.4


def test_noise_is_held_by_chance_only() -> None:
    assert max(each_second(mulaw(noise(5, 2_000)))) <= 0.1


def test_a_networks_tones_are_held_but_no_chord() -> None:
    ringing = mulaw(tone(440, 1) + tone(480, 1))

    assert tonality(ringing) == 0.0
    assert tonality(ringing, partials=1) >= 0.9


def test_what_is_faint_or_short_is_not_held() -> None:
    assert tonality(SILENCE_FRAME * 50) == 0.0
    assert tonality(mulaw(tone(440, 0.2)), partials=1) == 0.0
    assert tonality(b"") == 0.0


def test_half_a_second_of_sound_is_half_of_a_second() -> None:
    assert loud_share(mulaw(tone(440, 0.5)) + quiet(0.5)) == pytest.approx(0.5)
