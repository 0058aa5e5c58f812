import pytest

from mcp_voice.core.audio import frames
from mcp_voice.core.holding import Change, Holding
from mcp_voice.core.voice import EnergyVad, VoiceEdges
from tests.sounds import MUSIC, RECORDINGS, mulaw, noise, quiet, tone

IMPORTANT = "your call is important to us"


class Line:
    """Somebody's line, and a holding that hears it; everything loud enough is a voice to it."""

    def __init__(self) -> None:
        self.holding = Holding()
        self._edges = VoiceEdges(EnergyVad())
        self._clock = 0

    def hear(self, *sounds: bytes) -> list[tuple[float, Change]]:
        """Play sounds; return what changed and when, in seconds since the line began."""
        told = []
        for sound in sounds:
            for frame in frames(sound):
                self._clock += 1
                self._edges.hear(frame)
                changes = self.holding.hear(frame, voiced=self._edges.speaking)
                told += [(self._clock * 0.02, change) for change in changes]
        return told

    def kinds(self, *sounds: bytes) -> list[str]:
        return [change.kind for _, change in self.hear(*sounds)]


def without_pauses(*names: str) -> bytes:
    return b"".join(RECORDINGS[name] for name in names)


@pytest.mark.parametrize("name", MUSIC)
def test_three_seconds_of_music_are_hold(name: str) -> None:
    [(at, change)] = Line().hear(mulaw(MUSIC[name]))

    assert change == Change("began", "music")
    assert at == pytest.approx(3.0)


@pytest.mark.parametrize("name", [name for name in RECORDINGS if name != "cough"])
def test_somebody_who_speaks_and_waits_is_a_person(name: str) -> None:
    assert Line().kinds(RECORDINGS[name], quiet(1.5)) == ["human"]


def test_a_cough_is_nobody() -> None:
    assert Line().kinds(RECORDINGS["cough"], quiet(2)) == []


@pytest.mark.parametrize("name", MUSIC)
def test_after_music_a_person_ends_the_hold(name: str) -> None:
    line = Line()
    line.hear(mulaw(MUSIC[name]), quiet(0.3))

    assert line.kinds(RECORDINGS["hello"], quiet(1.5)) == ["ended", "human"]


def test_a_person_is_told_eight_tenths_of_a_second_after_they_fell_silent() -> None:
    line, speech = Line(), RECORDINGS["table"]

    [(at, change)] = line.hear(speech, quiet(1.5))

    assert at - len(speech) / 8_000 == pytest.approx(0.8, abs=0.1)
    assert change.why.endswith("s of speech, then silence")


def test_an_announcement_between_music_is_nobody() -> None:
    line, music = Line(), mulaw(MUSIC["band"])
    line.hear(music)

    assert line.kinds(*[quiet(0.4), RECORDINGS["manager"], quiet(0.4), music] * 3) == []


def test_music_that_stops_is_nobody() -> None:
    line = Line()
    line.hear(mulaw(MUSIC["melody"]))

    assert line.kinds(quiet(5)) == []


@pytest.mark.parametrize("hertz", [(440, 480), (480, 620), (425, 425), (350, 440)])
def test_ringing_is_neither_a_person_nor_music(hertz: tuple[int, int]) -> None:
    ring = mulaw(tone(hertz[0], 2.0, 4_000) + tone(hertz[1], 2.0, 4_000))

    assert Line().kinds(quiet(0.5), *[ring, quiet(4)] * 3) == []


def test_noise_is_neither_a_person_nor_music() -> None:
    assert Line().kinds(mulaw(noise(10, 1_000))) == []


def test_who_speaks_for_more_than_six_seconds_without_a_pause_is_not_known_to_be_a_person() -> None:
    line = Line()
    lecture = without_pauses("opening", "manager", "number", "book-a-table", "that-is-wrong", "repeat")

    assert line.kinds(lecture, quiet(2)) == []


def test_a_person_is_told_once() -> None:
    line = Line()

    assert line.kinds(RECORDINGS["hello"], quiet(2), RECORDINGS["table"], quiet(2)) == ["human"]


def test_an_announcement_of_known_words_is_hold_and_nobody() -> None:
    line = Line()
    line.hear(RECORDINGS["manager"])

    changes = line.holding.words(f"{IMPORTANT} please hold", final=True)

    assert [change.kind for change in changes] == ["began"]
    assert line.kinds(quiet(2)) == []


def test_words_that_come_late_take_the_person_back() -> None:
    line = Line()
    assert line.kinds(RECORDINGS["manager"], quiet(1)) == ["human"]

    changes = line.holding.words(IMPORTANT, final=True)

    assert [change.kind for change in changes] == ["began"]
    assert line.kinds(quiet(2), RECORDINGS["hello"], quiet(1.5)) == ["ended", "human"]


def test_what_is_said_again_word_for_word_is_an_announcement() -> None:
    line = Line()

    first = line.holding.words("all lines to the kingdom are busy at present", final=True)
    again = line.holding.words("all lines to the kitchen are busy at present", final=True)

    assert first == []
    assert again == [Change("began", "it said the same again")]


def test_short_answers_may_be_said_twice() -> None:
    holding = Holding()

    assert holding.words("yes please", final=True) + holding.words("yes please", final=True) == []


@pytest.mark.parametrize(
    "text", ["Good morning, Smith and Sons", "thanks for holding", "hello", "and your name was?"]
)
def test_a_greeting_or_a_question_is_a_person(text: str) -> None:
    holding = Holding()
    holding.words(IMPORTANT, final=True)

    assert holding.words(text, final=False) == []
    assert [change.kind for change in holding.words(text, final=True)] == ["ended", "human"]


def test_a_greeting_in_an_announcement_is_nobody() -> None:
    changes = Holding().words("thank you for holding, our agents are still busy", final=True)

    assert [change.kind for change in changes] == ["began"]


def test_a_voicemail_that_is_known_for_one_is_not_a_person() -> None:
    line = Line()
    line.hear(RECORDINGS["opening"])
    line.holding.disown()

    assert line.kinds(quiet(2)) == []
    assert line.kinds(RECORDINGS["hello"], quiet(1.5)) == ["human"]
