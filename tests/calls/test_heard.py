"""What the record says was heard is what the carrier played."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.calls.crossings import LONGEST_LAG, SENTENCES, Voice, interrupted, jitter


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SENTENCES), st.floats(0.0, LONGEST_LAG), st.floats(0.0, 1.0))
def test_on_a_steady_wire_an_even_voice_is_cut_within_a_word_of_what_was_played(
    text: str, lag: float, when: float
) -> None:
    voice = Voice(Random(0), uneven=0.0, pauses=False)

    cut = interrupted(text, voice, lambda: lag, when=when)

    assert cut is None or abs(cut.off) <= 1


def test_nineteen_cuts_in_twenty_are_within_a_word_however_the_wire_and_the_voice_vary() -> None:
    chance = Random(7)
    cuts = [
        interrupted(chance.choice(SENTENCES), Voice(chance), jitter(chance), when=chance.random())
        for _ in range(60)
    ]

    found = [cut for cut in cuts if cut is not None]
    assert len(found) > 30
    assert sum(abs(cut.off) <= 1 for cut in found) >= 0.95 * len(found)
