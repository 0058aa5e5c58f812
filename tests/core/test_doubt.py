"""What tells an interruption from a noise."""

import pytest

from mcp_voice.core.doubt import HALF_HEARD, LONGEST, WORDLESS, Doubt
from mcp_voice.core.events import Final


@pytest.mark.parametrize("sign", ["mhm", "Uh-huh.", "yeah", "okay, okay", "Hm…"])
def test_a_short_sign_of_attention_is_no_interruption(sign: str) -> None:
    assert Doubt(1.0).final(Final(sign), voiced_ms=500) is False


def test_the_same_word_drawn_out_wants_the_floor() -> None:
    assert Doubt(1.0).final(Final("okay"), voiced_ms=900) is True


def test_after_a_question_for_yes_or_no_the_shortest_word_is_an_answer() -> None:
    assert Doubt(1.0, answers=True).final(Final("uh-huh"), voiced_ms=300) is True


def test_a_sound_without_words_is_no_interruption_however_long() -> None:
    assert Doubt(1.0, answers=True).final(Final(""), voiced_ms=2_000) is False


def test_one_real_word_among_the_signs_is_enough() -> None:
    doubt = Doubt(1.0)

    first = doubt.final(Final("uh-huh", ends_turn=False), voiced_ms=300)
    second = doubt.final(Final("stop"), voiced_ms=300)

    assert (first, second) == (None, True)


def test_a_recogniser_that_has_begun_to_make_words_out_is_waited_for() -> None:
    doubt = Doubt(1.0)
    before = doubt.patience(0.5, owed=False)
    doubt.partial("…")
    still = doubt.patience(0.5, owed=False)
    doubt.partial("I wa")

    assert (before, still) == (0.5 + WORDLESS, 0.5 + WORDLESS)
    assert doubt.patience(0.5, owed=False) == 0.5 + HALF_HEARD


def test_one_that_will_answer_is_waited_for_however_slow_it_is() -> None:
    assert Doubt(1.0).patience(0.5, owed=True) == LONGEST
