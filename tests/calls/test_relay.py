"""Whole calls whose carrier hears and speaks itself."""

import pytest

from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.events import (
    Partial,
    Play,
    TurnDone,
)
from mcp_voice.core.relay import LOST
from mcp_voice.core.relaying import (
    SendText,
    Voiced,
)
from tests.calls.relays import VirtualRelay

LONG = ("I have a table for four at seven,", "and another one at half past eight,", "by the window.")
WHOLE = " ".join(LONG)


@pytest.mark.parametrize("tells", [True, False])
def test_words_go_out_clause_by_clause_and_are_written_down_when_they_have_been_said(tells: bool) -> None:
    line = VirtualRelay(tells=tells)

    line.say(*LONG)
    line.pass_time(20)

    assert line.sent() == WHOLE
    assert [effect.last for effect in line.all(SendText)] == [False, False, True]
    (said,) = line.notes("agentSaid")
    assert (said.data["text"], said.data["part"]) == (WHOLE, "p")
    assert line.when("agentSaid") == pytest.approx(100 + 0.3 + len(WHOLE) / 17, abs=0.1 if tells else 1.5)


def test_no_more_is_sent_than_will_be_said_in_a_few_seconds() -> None:
    line = VirtualRelay()

    line.say(*(f"This is the sentence number {n} of a long text." for n in range(20)))

    assert len(line.sent()) < 6 * 15
    line.pass_time(60)
    assert "number 19" in line.sent()


def test_the_first_words_do_not_wait_for_the_second() -> None:
    line = VirtualRelay()

    line.take(Play(b"", "Good evening.", part="p", last=False))

    assert line.sent() == "Good evening. "


@pytest.mark.parametrize("tells", [True, False])
def test_what_the_caller_heard_is_what_the_carrier_says(tells: bool) -> None:
    line = VirtualRelay(tells=tells)
    line.say(*LONG)
    line.pass_time(3)

    line.cut_in("I have a table for four at seven, and")
    line.caller("No, at nine.")

    (cut,) = line.notes("interrupted")
    assert cut.data["heardByCaller"] == "I have a table for four at seven, and"
    assert cut.data["heardFraction"] == pytest.approx(37 / len(WHOLE), abs=0.01)
    turn = line.all(TurnDone)[-1]
    assert isinstance(turn, TurnDone)
    assert [note.kind for note in line.notes()][:2] == ["interrupted", "speechStarted"]
    assert line.notes("final")[-1].data["text"] == "No, at nine."
    written = [e for e in line.all(TurnDone) if isinstance(e, TurnDone) and e.interrupted]
    assert written[0].heard_by_caller == "I have a table for four at seven, and"


def test_an_interruption_before_the_first_word_was_heard_says_so() -> None:
    line = VirtualRelay()
    line.say("Good evening.")

    line.cut_in("")
    line.caller("Hello?")

    (cut,) = line.notes("interrupted")
    assert (cut.data["heardByCaller"], cut.data["heardFraction"]) == ("", 0.0)


def test_words_that_the_carrier_spells_otherwise_are_taken_as_it_says_them() -> None:
    line = VirtualRelay()
    line.say("It costs 25 dollars, all in all, and that is final.")
    line.pass_time(1.5)

    line.cut_in("It costs twenty-five dollars")
    line.caller("That is too much.")

    assert line.notes("interrupted")[0].data["heardByCaller"] == "It costs twenty-five dollars"


def test_of_two_sentences_the_first_was_heard_when_the_second_is_cut() -> None:
    line = VirtualRelay()
    line.say("One moment.", part="a")
    line.say("The kitchen is open until eleven tonight.", part="b")
    line.pass_time(1.6)

    line.cut_in("The kitchen is open")
    line.caller("And tomorrow?")

    (said,) = line.notes("agentSaid")
    (cut,) = line.notes("interrupted")
    assert (said.data["text"], cut.data["heardByCaller"]) == ("One moment.", "The kitchen is open")


def test_a_cut_that_was_a_cough_lets_the_agent_go_on_from_its_clause() -> None:
    line = VirtualRelay()
    line.say(*LONG)
    line.pass_time(3)
    line.take(Voiced("caller", True))
    line.cut_in()
    line.pass_time(0.3)
    line.take(Voiced("caller", False))

    line.pass_time(20)

    (resumed,) = line.notes("resumed")
    assert resumed.data["text"] == LONG[1]
    assert line.sent().endswith(f"{LONG[1]} {LONG[2]}")
    assert line.notes("agentSaid")[-1].data["text"] == WHOLE


def test_a_sign_of_attention_that_cut_the_agent_off_lets_it_go_on() -> None:
    line = VirtualRelay()
    line.say(*LONG)
    line.pass_time(3)
    line.cut_in()

    line.caller("mhm", seconds=0.3)
    line.pass_time(20)

    assert line.notes("final")[0].data["backchannel"] is True
    assert line.notes("agentSaid")[-1].data["text"] == WHOLE


def test_a_voice_over_ours_that_cuts_nothing_is_a_sign_of_attention() -> None:
    line = VirtualRelay()
    line.say(*LONG)
    line.pass_time(2)

    line.take(Voiced("caller", True))
    line.pass_time(0.4)
    line.take(Voiced("caller", False))
    line.pass_time(20)

    assert line.kinds()[:2] == ["backchannel", "agentSaid"]
    assert "speechStarted" not in line.kinds()


def test_words_over_ours_that_cut_nothing_count_if_they_say_something() -> None:
    line = VirtualRelay(tells=False)
    line.say(*LONG, interruptible=False)
    line.pass_time(2)

    line.take(FinalWords("mhm"), FinalWords("I know that already."))

    first, second = line.notes("final")
    assert first.data.get("backchannel") is True
    assert "backchannel" not in second.data
    assert all(isinstance(e, SendText) and e.interruptible is False for e in line.all(SendText))


def test_a_turn_is_a_question_and_its_answer_with_its_timing() -> None:
    line = VirtualRelay()
    line.say("Good evening.")
    line.pass_time(5)

    line.caller("A table for two.", seconds=1.2, stt=0.5)
    line.pass_time(1)
    line.say("For when?", part="q")
    line.pass_time(5)

    turn = line.all(TurnDone)[-1]
    assert isinstance(turn, TurnDone)
    assert (turn.turn_id, turn.user_utterance, turn.agent_response) == (
        "turn-2", "A table for two.", "For when?",
    )  # fmt: skip
    assert turn.timing_ms["stt"] == 500
    assert turn.timing_ms["agentThink"] == 1_000
    assert turn.timing_ms["latency"] == 500 + 1_000 + 300  # to the carrier's first sound


def test_partial_words_are_told_and_begin_a_turn() -> None:
    line = VirtualRelay(tells=False)

    line.take(Partial("a table"), Partial("a table for"), FinalWords("A table for two."))

    assert line.kinds() == ["speechStarted", "partial", "partial", "final"]


@pytest.mark.parametrize("tells", [True, False])
def test_a_voice_without_words_is_told_of_as_nothing_so_that_nobody_waits_for_it(tells: bool) -> None:
    line = VirtualRelay(tells=tells)

    if tells:
        line.take(Voiced("caller", True), Voiced("caller", False))
    else:
        line.take(Partial("eh"))
    line.pass_time(LOST + 1)

    final = line.notes("final")[-1]
    assert final.data["text"] == ""
    assert line.call.wakes_at is None


def test_a_caller_who_talks_for_long_is_waited_for() -> None:
    line = VirtualRelay()

    line.caller("A very long story.", seconds=40)

    assert [note.data["text"] for note in line.notes("final")] == ["A very long story."]


def test_silence_after_what_was_said_is_worth_a_line() -> None:
    line = VirtualRelay()
    line.say("Are you there?")

    line.pass_time(12)

    assert line.kinds() == ["agentSaid", "silence"]
