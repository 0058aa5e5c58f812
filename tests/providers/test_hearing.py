"""The recogniser's own process, without the process."""

import pytest

pytest.importorskip(
    "pocketsphinx", reason="pocketsphinx is not installed: pip install 'mcp-voice[local]' (no wheel for 3.14)"
)

from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.audio import SILENCE_FRAME
from mcp_voice.providers.grammar import Grammar
from mcp_voice.providers.workers.hearing import Recogniser, Utterance, trim
from mcp_voice.providers.workers.messages import Prepare
from tests.providers.sounds import TEXTS, utterance

SHORT = [name for name, text in TEXTS.items() if text]


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


def test_every_recorded_caller_is_understood_among_all_they_might_say(recogniser: Recogniser) -> None:
    search = recogniser.search(Grammar.of_phrases([TEXTS[name] for name in SHORT]).jsgf)
    heard = {}

    for name in SHORT:
        one = Utterance(search)
        one.hear(utterance(name))
        heard[name] = one.decide()

    assert {name: decided.text for name, decided in heard.items()} == {name: TEXTS[name] for name in SHORT}
    assert [name for name in SHORT if (heard[name].score or -99) < -3.25] == []


def test_how_the_sound_is_cut_does_not_change_the_words_or_their_score(recogniser: Recogniser) -> None:
    search = recogniser.search(Grammar.of_phrases([TEXTS["yes"], TEXTS["no"]]).jsgf)
    sound = utterance("yes")
    whole, pieces = Utterance(search), Utterance(search)

    whole.hear(sound)
    expected = whole.decide()
    for at in range(0, len(sound), 777):
        pieces.hear(sound[at : at + 777])
        while pieces.has_step:
            pieces.step()

    assert pieces.decide() == expected


def test_a_new_grammar_is_compiled_once_and_an_old_one_makes_room() -> None:
    recogniser = Recogniser()
    grammars = [Grammar.of_phrases([f"yes {word}"]).jsgf for word in "abcdefghijklmnopqr"]

    searches = {recogniser.search(jsgf).name for jsgf in grammars * 2}

    assert len(searches) == 2 * len(grammars)
    assert recogniser.search(grammars[-1]).name == recogniser.search(grammars[-1]).name


def test_words_are_looked_up_before_the_grammar_is(recogniser: Recogniser) -> None:
    prepared = recogniser.prepare(
        Prepare("#JSGF V1.0;\ngrammar g;\npublic <g> = qwertyx;\n", ("qwertyx", "yes"))
    )

    assert (prepared.missing, prepared.fault) == (("qwertyx",), "")


@pytest.mark.parametrize("frames", [0, 1, 4, 5])
def test_a_sound_too_short_for_a_word_has_none(recogniser: Recogniser, frames: int) -> None:
    one = Utterance(recogniser.search(Grammar.of_phrases(["yes"]).jsgf))

    one.hear(SILENCE_FRAME * frames)

    assert one.decide().score is None


@given(st.integers(0, 100), st.integers(1, 100), st.integers(0, 100))
def test_trimming_leaves_the_voice_and_100_ms_around_it(before: int, voice: int, after: int) -> None:
    quiet, loud = b"\x01\x00" * 320, b"\x00\x40\x00\xc0" * 160

    trimmed = trim(quiet * before + loud * voice + quiet * after)

    expected = quiet * min(before, 5) + loud * voice + quiet * min(after, 5)
    assert trimmed in (expected, quiet * before + loud * voice + quiet * after)
    assert voice > 0.9 * (before + voice + after) or trimmed == expected
