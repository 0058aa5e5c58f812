"""When a word may pass the time."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.fillers import EVERY, LONG_MS, WAIT, Fillers
from mcp_voice.core.phrases import FILLERS, PHRASES, fillers


def slow(*said: str) -> Fillers:
    fillers = Fillers(said or ("One moment.", "Let me see."))
    fillers.thought(LONG_MS)
    return fillers


def test_a_slow_agent_is_covered_after_a_while() -> None:
    fillers = slow()

    fillers.ask(10.0, "answer")

    assert fillers.due(10.0 + WAIT - 0.01) is None
    assert fillers.due(10.0 + WAIT) == "One moment."
    assert fillers.due(99.0) is None


def test_an_agent_that_was_never_measured_or_is_quick_is_not() -> None:
    quick, unknown = Fillers(("One moment.",)), Fillers(("One moment.",))
    for ms in (LONG_MS * 2, 300, 200):
        quick.thought(ms)

    quick.ask(0.0, "answer")
    unknown.ask(0.0, "answer")

    assert (quick.wakes_at, unknown.wakes_at) == (None, None)


def test_nothing_is_said_after_a_yes_or_a_no() -> None:
    fillers = slow()

    fillers.ask(0.0, "yesNo")

    assert fillers.wakes_at is None


def test_an_answer_in_time_makes_it_unnecessary() -> None:
    fillers = slow()
    fillers.ask(0.0, "answer")

    fillers.hush()

    assert fillers.due(9.0) is None


@given(st.lists(st.sampled_from(["answer", "yesNo", "digits"]), max_size=20))
def test_at_most_one_turn_in_two_has_one_and_never_the_same_twice_running(turns: list[str]) -> None:
    fillers = slow()
    said = []

    for turn, expect in enumerate(turns):
        fillers.ask(turn * 10.0, expect)
        if (filler := fillers.due(turn * 10.0 + 5)) is not None:
            assert expect != "yesNo"
            said.append((turn, filler))

    for (earlier, one), (later, other) in pairwise(said):
        assert later - earlier >= EVERY
        assert one != other


def test_every_language_we_speak_of_our_own_accord_has_several_fillers_and_another_none() -> None:
    assert set(FILLERS) == set(PHRASES)
    assert fillers("de-AT") == FILLERS["de"]
    assert fillers("xx") == ()
    assert all(len(set(phrases)) > 1 for phrases in FILLERS.values())
