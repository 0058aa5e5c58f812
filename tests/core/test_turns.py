"""The floor, move by move."""

from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.turns import Cue, Floor, Patience, Sound, Turns


def test_a_caller_who_speaks_and_falls_silent_has_had_a_turn() -> None:
    turns = Turns(Patience(end_of_turn=0.5))

    cues = (
        *turns.hear(Sound.VOICE, now=0.0),
        *turns.hear(Sound.SILENCE, now=1.0),
        *turns.hear(Sound.TIMEOUT, now=1.5),
    )

    assert cues == (Cue.TURN_BEGAN, Cue.TURN_ENDED)
    assert turns.floor is Floor.OPEN


def test_a_breath_does_not_end_a_turn() -> None:
    turns = Turns(Patience(end_of_turn=0.5))
    turns.hear(Sound.VOICE, now=0.0)
    turns.hear(Sound.SILENCE, now=1.0)

    cues = turns.hear(Sound.TIMEOUT, now=1.4) + turns.hear(Sound.VOICE, now=1.45)

    assert cues == ()
    assert turns.floor is Floor.CALLER
    assert turns.wakes_at is None


def test_a_cough_does_not_cut_the_agent_off() -> None:
    turns = Turns(Patience(barge_in=0.25))
    turns.hear(Sound.SPEAK, now=0.0)

    cues = turns.hear(Sound.VOICE, now=1.0) + turns.hear(Sound.SILENCE, now=1.2)

    assert cues == (Cue.COUGHED,)
    assert turns.floor is Floor.AGENT


def test_a_voice_that_goes_on_cuts_the_agent_off() -> None:
    turns = Turns(Patience(barge_in=0.25))
    turns.hear(Sound.SPEAK, now=0.0)
    turns.hear(Sound.VOICE, now=1.0)

    cues = turns.hear(Sound.TIMEOUT, now=1.25)

    assert cues == (Cue.CUT_PLAYBACK, Cue.TURN_BEGAN)
    assert turns.floor is Floor.CALLER


def test_an_answer_in_the_callers_pause_ends_their_turn_at_once() -> None:
    turns = Turns()
    turns.hear(Sound.VOICE, now=0.0)
    turns.hear(Sound.SILENCE, now=1.0)

    cues = turns.hear(Sound.SPEAK, now=1.1)

    assert cues == (Cue.TURN_ENDED,)
    assert turns.floor is Floor.AGENT


@given(st.lists(st.tuples(st.sampled_from(Sound), st.floats(0.0, 2.0))))
def test_no_turn_ends_that_has_not_begun(news: list[tuple[Sound, float]]) -> None:
    turns, now, open_turns = Turns(), 0.0, 0

    for sound, wait in news:
        now += wait
        for cue in turns.hear(sound, now):
            open_turns += (cue is Cue.TURN_BEGAN) - (cue is Cue.TURN_ENDED)
            assert open_turns in (0, 1)


@given(st.lists(st.tuples(st.sampled_from(Sound), st.floats(0.0, 2.0))))
def test_playback_is_cut_only_while_both_speak(news: list[tuple[Sound, float]]) -> None:
    turns, now = Turns(), 0.0

    for sound, wait in news:
        now += wait
        before = turns.floor
        if Cue.CUT_PLAYBACK in turns.hear(sound, now):
            assert before is Floor.OVERLAP
