import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.answering import Answering, Heard, Thresholds, Verdict
from mcp_voice.core.beep import Tone

VOICE, SILENCE, TIME = Heard.VOICE, Heard.SILENCE, Heard.TIME


def verdict(*news: tuple[Heard, float], until: float = 12.0) -> Verdict | None:
    """Let it hear edges at their times, and the time every 20 ms; return what it says."""
    answering, due = Answering(), list(news)
    for frame in range(1, round(until * 50) + 1):
        now = frame * 0.02
        while due and due[0][1] <= now:
            answering.hear(due.pop(0)[0], now)
        answering.hear(TIME, now)
    return answering.verdict


def who(found: Verdict | None) -> str | None:
    return found and found.who


def test_a_short_greeting_and_then_silence_is_a_person() -> None:
    found = verdict((VOICE, 0.6), (SILENCE, 1.1))

    assert found == Verdict("human", "0.5 s of speech, then silence", after_ms=1_900)


def test_a_greeting_that_goes_on_is_a_machine() -> None:
    found = verdict((VOICE, 0.5))

    assert found == Verdict("machine", "4.5 s of speech without a pause to answer", after_ms=5_000)


def test_a_machine_that_takes_breath_is_a_machine_all_the_same() -> None:
    assert who(verdict((VOICE, 0.2), (SILENCE, 1.5), (VOICE, 2.0), (SILENCE, 5.5))) == "machine"


def test_after_a_greeting_of_two_seconds_it_waits_longer_for_a_person() -> None:
    found = verdict((VOICE, 0.0), (SILENCE, 2.2))

    assert (who(found), found and found.after_ms) == ("human", 3_800)


def test_a_machine_that_pauses_after_its_name_is_not_taken_for_a_person() -> None:
    assert who(verdict((VOICE, 0.0), (SILENCE, 2.0), (VOICE, 3.2), (SILENCE, 5.0))) == "machine"


def test_where_nobody_speaks_nobody_knows() -> None:
    assert verdict() == Verdict("unknown", "no voice for 5 s", after_ms=5_000)


def test_a_click_is_nobody() -> None:
    assert who(verdict((VOICE, 1.0), (SILENCE, 1.08))) == "unknown"


def test_tones_are_nobody() -> None:
    assert who(verdict((VOICE, 1.0), (Heard.TONES, 3.0))) == "unknown"


def test_tones_within_a_greeting_do_not_unsay_it() -> None:
    assert who(verdict((VOICE, 0.0), (SILENCE, 0.5), (VOICE, 0.7), (Heard.TONES, 1.0))) == "human"


def test_a_beep_is_a_machine() -> None:
    assert who(verdict((VOICE, 0.2), (SILENCE, 1.0), (Heard.BEEP, 1.5))) == "machine"


@pytest.mark.parametrize(
    "text", ["please leave a message", "sorry Bob is NOT available", "after the tone, speak", "Voicemail."]
)
def test_a_voicemails_words_are_a_machine(text: str) -> None:
    answering = Answering()
    answering.hear(VOICE, 0.2)

    found = answering.words(text, 1.4)

    assert (who(found), found and found.after_ms) == ("machine", 1_400)
    assert answering.words(text, 1.5) is None


def test_a_persons_words_decide_nothing() -> None:
    assert Answering().words("hello this is bob", 1.0) is None


def test_an_answering_fax_is_known_by_half_a_second_of_its_tone() -> None:
    answering = Answering()

    assert answering.tone(Tone(2_104, 490), 0.8, ended=False) is None
    assert who(answering.tone(Tone(2_104, 510), 0.82, ended=False)) == "fax"
    assert answering.tone(Tone(2_104, 530), 0.84, ended=False) is None


def test_a_calling_fax_is_known_by_its_second_tone() -> None:
    answering = Answering()
    answering.tone(Tone(1_100, 510), 1.6, ended=True)

    assert answering.hear(Heard.BEEP, 1.7) is None
    assert answering.hear(TIME, 5.0) is None
    assert who(answering.tone(Tone(1_110, 490), 5.1, ended=True)) == "fax"


def test_a_tone_of_1100_hertz_that_does_not_come_again_is_no_fax() -> None:
    answering = Answering()
    answering.tone(Tone(1_100, 510), 1.6, ended=True)

    assert who(answering.hear(TIME, 5.7)) == "unknown"


edges = st.lists(st.tuples(st.sampled_from(Heard), st.integers(1, 100)), max_size=30)


@given(edges)
def test_whatever_is_heard_there_is_one_verdict_and_it_comes(plan: list[tuple[Heard, int]]) -> None:
    answering, frame, found = Answering(), 0, []

    for heard, wait in [*plan, *[(TIME, 1)] * 600]:
        frame += wait
        before = answering.wakes_at
        said = answering.hear(heard, frame * 0.02)
        if said is not None:
            found.append(said)
            assert before is not None

    assert found == [answering.verdict]
    assert answering.wakes_at is None


def test_the_thresholds_are_in_order() -> None:
    at = Thresholds()

    assert at.blip < at.settled < at.patience < at.greeting < at.machine < at.nothing
