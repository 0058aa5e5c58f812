"""Relayed calls: keys, marks, endings, who answered, and whatever else may happen."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.events import (
    AnsweredBy,
    Clear,
    Close,
    Collect,
    Digit,
    Expect,
    HangUp,
    Key,
    Lost,
    Mark,
    Note,
    Partial,
    Play,
    Started,
    Stopped,
    VoiceFailed,
    Watch,
)
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.relay import RelayCall
from mcp_voice.core.relaying import (
    Complained,
    Interrupted,
    Press,
    SendDigits,
    SendEnd,
    SendLanguage,
    SendText,
    Switch,
    Voiced,
)
from tests.calls.relays import Mouth, VirtualRelay

LONG = ("I have a table for four at seven,", "and another one at half past eight,", "by the window.")
WHOLE = " ".join(LONG)


def test_keys_are_told_or_collected_and_of_a_secret_none_is_written_down() -> None:
    line = VirtualRelay()

    line.take(Digit("5"), Collect(secret=True), Digit("7"), Collect(on=False, whole=True), Digit("8"))

    assert [note.data for note in line.notes("dtmf")] == [{"digit": "5"}, {"secret": True}, {"digit": "8"}]
    assert line.all(Key) == [Key("7")]


def test_a_key_that_is_collected_stops_what_has_not_been_sent() -> None:
    line = VirtualRelay()
    line.say(*(f"Press {n} for the department number {n}." for n in range(9)))
    line.take(Collect())
    line.pass_time(1)
    sent = line.sent()

    line.take(Digit("3"))
    line.take(Interrupted("Press 0 for"))  # the key has cut the carrier off, too
    line.pass_time(10)

    assert line.sent() == sent
    assert "speechStarted" not in line.kinds()
    assert line.kinds().count("agentCut") == 1


def test_what_the_carrier_has_cannot_be_taken_back_and_counts_as_heard() -> None:
    line = VirtualRelay()
    line.say(*(f"This is sentence number {n}." for n in range(9)))
    line.pass_time(1)
    sent = line.sent().strip()

    line.take(Clear("answered"))
    line.pass_time(10)

    (cut,) = line.notes("agentCut")
    assert cut.data["heardByCaller"] == sent
    assert line.all(SendText)[-1] == SendText("", last=True)


def test_keys_are_pressed_behind_what_is_said_and_before_what_comes_then() -> None:
    line = VirtualRelay()
    line.say("One moment, please.", part="a")
    line.take(Press("12#", "keys"))
    line.say("I am through.", part="b")

    line.pass_time(20)

    order = [e for _, e in line.effects if isinstance(e, SendText | SendDigits)]
    assert order == [
        SendText("One moment, please.", True),
        SendDigits("12#"),
        SendText("I am through.", True),
    ]
    assert [note.data.get("part") for note in line.notes("agentSaid")] == ["a", "keys", "b"]
    assert line.when(SendDigits) > line.when("agentSaid") - 0.01


def test_a_goodbye_is_said_to_its_end_before_the_call_ends() -> None:
    line = VirtualRelay()
    line.say(*LONG)
    line.take(HangUp("completed", after_playout=True))

    line.pass_time(30)

    assert [kind for kind in line.kinds() if kind != "silence"] == ["agentSaid", "ended"]
    (end,) = line.all(SendEnd)
    assert isinstance(end, SendEnd)
    assert json.loads(end.handoff or "") == {"reason": "completed"}
    assert line.all(Close) == [Close("completed")]
    assert line.when(SendEnd) >= 100.3 + len(WHOLE) / 17


def test_a_goodbye_that_is_answered_does_not_end_the_call() -> None:
    line = VirtualRelay()
    line.say(*LONG)
    line.take(HangUp("completed", after_playout=True))
    line.pass_time(2)

    line.cut_in()
    line.caller("Wait, one more thing!")
    line.pass_time(30)

    assert not line.call.closed


def test_a_caller_who_leaves_has_heard_what_the_clock_says() -> None:
    line = VirtualRelay(tells=False)
    line.say(*LONG)
    line.pass_time(2.4)

    line.take(Stopped())

    (cut,) = line.notes("agentCut")
    assert cut.data["heardFraction"] == pytest.approx(2.0 * 15 / len(WHOLE), abs=0.1)
    assert not line.all(SendEnd)
    assert line.notes("ended")[0].data == {"reason": "stop"}


def test_last_words_are_kept_though_they_come_late() -> None:
    line = VirtualRelay()
    line.take(Lost("connection_lost"), FinalWords("Goodbye."))

    assert line.notes("final")[0].data["text"] == "Goodbye."
    assert line.call.take(Digit("1"), line.now) == ()


def test_a_mark_is_reached_when_what_is_before_it_has_been_said() -> None:
    line = VirtualRelay()
    line.take(Mark("at once"))
    line.say("Good evening.")
    line.take(Mark("behind"))
    line.say(*LONG, part="b")
    line.take(Mark("never"))
    line.pass_time(3)

    line.take(Clear())

    assert [(note.data["name"], note.data["cleared"]) for note in line.notes("mark")] == [
        ("at once", False), ("behind", False), ("never", True),
    ]  # fmt: skip


def test_what_goes_wrong_is_in_the_log() -> None:
    line = VirtualRelay()

    line.take(Complained("Invalid message received"), Play(b"\xff" * 160, part="x"))
    line.take(Play(b"", "It is", part="y", last=False), VoiceFailed("y", "broken", "It broke.", "late."))
    line.pass_time(5)

    assert [note.data["code"] for note in line.notes("error")] == ["relay", "no_text", "broken"]
    assert line.notes("agentSaid")[0].data["text"] == "It is"


def test_a_session_of_the_relay_is_an_answer_and_languages_can_be_switched() -> None:
    line = VirtualRelay()

    line.take(Started("VX1", "CA1", mode="relay"), Switch("de-DE", "de-DE"), Expect("yesNo"))

    assert line.notes() == [Note("answered", {"streamSid": "VX1", "tracks": [], "mode": "relay"})]
    assert line.all(SendLanguage) == [SendLanguage("de-DE", "de-DE")]


def test_after_a_question_for_yes_or_no_the_shortest_word_is_an_answer() -> None:
    line = VirtualRelay()
    line.take(Expect("yesNo"))
    line.say(*LONG)
    line.pass_time(3)
    line.cut_in()

    line.caller("yeah", seconds=0.3)

    assert "resumed" not in line.kinds()
    assert "backchannel" not in line.notes("final")[0].data


@pytest.mark.parametrize(
    ("said", "tells", "who"),
    [
        ([("Hello?", 0.6)], True, "human"),
        ([("Hello?", 0.6)], False, "human"),
        ([("You have reached Bob. Please leave a message after the tone.", 4.0)], True, "machine"),
        ([("You have reached Bob. Please leave a message after the tone.", 4.0)], False, "machine"),
        ([], True, "unknown"),
    ],
)
def test_who_answered_is_told_from_words_and_from_when_a_voice_begins_and_ends(
    said: list[tuple[str, float]], tells: bool, who: str
) -> None:
    line = VirtualRelay(tells=tells)
    line.take(Watch(frozenset({"machine", "beep"})))

    for text, seconds in said:
        line.caller(text, seconds=seconds)
    line.pass_time(10)

    assert [note.data["answeredBy"] for note in line.notes("amd")] == [who]


def test_the_carriers_word_on_who_answered_stands() -> None:
    line = VirtualRelay()
    line.take(Watch(frozenset({"machine"})), AnsweredBy("machine_end_beep"))

    line.caller("Hello?")
    line.pass_time(10)

    assert [note.data["answeredBy"] for note in line.notes("amd")] == ["machine"]


def test_a_slow_agent_has_the_time_passed() -> None:
    line = VirtualRelay(call=RelayCall(fillers=("One moment.",)))
    line.say("Good evening.")
    line.pass_time(4)
    line.caller("A table for two.")
    line.pass_time(4)
    line.say("For when?", part="b")
    line.pass_time(4)
    line.caller("For tonight.")
    line.pass_time(2)

    line.take(Play(b"", "One moment.", filler=True))
    line.pass_time(3)

    assert line.notes("agentSaid")[-1].data["filler"] is True


NEWS = st.one_of(
    st.sampled_from(["Yes.", "mhm", "I want a table for four.", ""]).map(FinalWords),
    st.sampled_from(["a", "a table"]).map(Partial),
    st.builds(Voiced, st.sampled_from(["agent", "caller"]), st.booleans()),
    st.sampled_from(["", "I have", "I have a table for four at seven,", "nonsense"]).map(Interrupted),
    st.sampled_from(
        [Clear(), Mark("m"), Digit("1"), Collect(), Collect(on=False), Press("12"), Expect("yesNo")]
    ),
    st.sampled_from([Play(b"", text, part="p", last=last) for text in LONG for last in (True, False)]),
    st.just(HangUp("bye", after_playout=True)),
)


@given(st.lists(st.tuples(NEWS, st.floats(0, 6))), st.floats(8, 30), st.booleans())
def test_whatever_happens_the_clock_stands_still_in_the_end_and_no_turn_says_more_than_was_sent(
    news: list[tuple[object, float]], rate: float, tells: bool
) -> None:
    line = VirtualRelay(tells=tells, mouth=Mouth(rate=rate))

    for each, wait in news:
        line.take(each)  # type: ignore[arg-type]  # a union that strategies cannot tell
        line.pass_time(wait)
    line.pass_time(100)
    line.take(Voiced("caller", False))
    line.pass_time(100)
    line.take(Stopped())

    assert line.call.closed
    assert line.call.wakes_at is None
    for cut in line.notes("interrupted", "agentCut"):
        assert 0 <= cut.data["heardFraction"] <= 1
    assert line.kinds().count("ended") == 1
