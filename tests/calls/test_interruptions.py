"""What becomes of interruptions: those that are meant, and those that are not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_voice.core.audio import SILENCE_FRAME
from mcp_voice.core.events import (
    Audio,
    Clear,
    Close,
    EarFailed,
    Expect,
    HangUp,
    Partial,
    Play,
    SendAudio,
    SendClear,
    TurnDone,
    Watch,
)
from mcp_voice.core.events import Final as FinalWords
from tests.calls.lines import VirtualCall, payload

SECOND = 8_000
ONE, TWO, THREE = b"\x01" * SECOND, b"\x02" * SECOND, b"\x03" * SECOND


def speak(call: VirtualCall, *, interruptible: bool = True) -> None:
    """Say three clauses of a second each."""
    for audio, text in ((ONE, "One of three."), (TWO, "Two of three."), (THREE, "Three of three.")):
        call.take(Play(audio, text, part="p", last=audio is THREE, interruptible=interruptible))


def the_turn(call: VirtualCall) -> TurnDone:
    return [turn for turn in call.all(TurnDone) if isinstance(turn, TurnDone) and turn.agent_response][-1]


def test_a_noise_that_cut_the_agent_off_lets_it_go_on_from_the_clause_that_was_cut() -> None:
    call = VirtualCall("")
    speak(call)

    call.caller((False, 1.2), (True, 0.6), (False, 5.0))

    [resumed] = call.notes("resumed")
    assert dict(resumed.data) == {"text": "Two of three.", "fromMs": 1_000, "part": "p"}
    assert len(list(call.all(SendClear))) == 1
    sent = payload(call.all(SendAudio))
    assert sent.endswith(TWO + THREE)
    assert call.notes("agentSaid")[0].data["text"] == "One of three. Two of three. Three of three."
    turn = the_turn(call)
    assert not turn.interrupted
    assert turn.agent_response == "One of three. Two of three. Three of three."


def test_a_short_sign_of_attention_does_not_take_the_rest_away() -> None:
    call = VirtualCall("Mhm.")
    speak(call)

    call.caller((False, 1.2), (True, 0.5), (False, 5.0))

    [final] = call.notes("final")
    assert final.data["backchannel"] is True
    assert [note.kind for note in call.notes("resumed", "agentSaid")] == ["resumed", "agentSaid"]
    assert the_turn(call).user_utterance is None


def test_words_that_cut_the_agent_off_keep_the_floor() -> None:
    call = VirtualCall("no on Friday")
    speak(call)

    call.caller((False, 1.2), (True, 0.6), (False, 5.0))

    assert not call.notes("resumed")
    assert the_turn(call).heard_by_caller == "One of three. Two of"
    assert the_turn(call).interrupted
    assert [turn.user_utterance for turn in call.all(TurnDone) if isinstance(turn, TurnDone)][-1] == (
        "no on Friday"
    )


def test_when_no_words_come_for_a_second_and_a_half_the_agent_goes_on() -> None:
    call = VirtualCall(continuous=True)
    speak(call)
    call.caller((False, 1.2), (True, 0.6))
    silent_at = call.now

    call.caller((False, 2.0))

    assert 1.4 < call.when("resumed") - silent_at < 1.6


def test_on_a_watched_line_the_agent_goes_on_as_soon() -> None:
    call = VirtualCall(continuous=True)
    call.take(Watch(frozenset({"human"})))
    speak(call)
    call.caller((False, 1.2), (True, 0.6))
    silent_at = call.now

    call.caller((False, 2.0))

    assert 1.4 < call.when("resumed") - silent_at < 1.6


def test_frames_of_another_size_leave_no_doubt_behind() -> None:
    call = VirtualCall(continuous=True)
    speak(call)
    call.caller((False, 1.2), (True, 0.6))
    silent_at = call.now

    for _ in range(40):
        call.pass_time(0.05)
        call.take(Audio(SILENCE_FRAME[:80] * 5))

    assert 1.4 < call.when("resumed") - silent_at < 1.6


def test_a_stream_that_stops_sending_leaves_no_doubt_behind() -> None:
    call = VirtualCall(continuous=True)
    speak(call)
    call.caller((False, 1.2), (True, 0.6))

    call.pass_time(10.0)

    assert [note.kind for note in call.notes("resumed", "agentSaid")] == ["resumed", "agentSaid"]


def test_words_that_come_after_all_cut_the_agent_off_again_and_for_good() -> None:
    call = VirtualCall("wait a moment", stt=1.5, continuous=True)
    speak(call)

    call.caller((False, 1.2), (True, 0.6), (False, 5.0))

    assert [note.kind for note in call.notes("interrupted", "resumed", "agentSaid")] == [
        "interrupted", "resumed", "interrupted"
    ]  # fmt: skip
    assert len(list(call.all(SendClear))) == 2
    assert the_turn(call).interrupted


@pytest.mark.parametrize(("words", "kinds"), [("wait a moment", []), ("", ["resumed"])])
def test_a_slow_ear_that_always_answers_is_waited_for(words: str, kinds: list[str]) -> None:
    call = VirtualCall(words, stt=6.0)
    speak(call)

    call.caller((False, 1.2), (True, 0.6), (False, 6.0))
    before = call.notes("resumed")
    call.caller((False, 1.0))

    assert not before
    assert [note.kind for note in call.notes("resumed")] == kinds
    assert len(list(call.all(SendClear))) == 1


def test_an_ear_that_fails_owes_nothing_any_more() -> None:
    call = VirtualCall()
    speak(call)
    call.caller((False, 1.2), (True, 0.6), (False, 1.0))

    call.take(EarFailed("provider_failed", "gone", recovered=False))
    call.caller((False, 1.0))

    assert len(call.notes("resumed")) == 1


def test_the_heard_words_span_a_resume() -> None:
    call = VirtualCall("", "stop it")
    speak(call)

    call.caller((False, 1.6), (True, 0.4), (False, 0.8), (True, 0.6), (False, 2.0))

    [first, second] = call.notes("interrupted")
    assert second.data["heardMs"] >= first.data["heardMs"]
    assert str(second.data["heardByCaller"]).startswith(str(first.data["heardByCaller"]))
    assert the_turn(call).heard_by_caller == second.data["heardByCaller"]


def test_what_is_made_while_it_is_in_doubt_is_said_when_it_goes_on() -> None:
    call = VirtualCall("")
    call.take(Play(ONE, "One.", part="p", last=False))
    call.caller((False, 0.3), (True, 0.5))

    call.take(Play(TWO, "Two.", part="p", last=True))
    call.caller((False, 4.0))

    assert payload(call.all(SendAudio)).endswith(ONE + TWO)
    assert call.notes("agentSaid")[0].data["text"] == "One. Two."


def test_an_agent_that_says_something_else_has_moved_on() -> None:
    call = VirtualCall()
    speak(call)
    call.caller((False, 1.2), (True, 0.6), (False, 0.2))

    call.take(Play(b"\x09" * SECOND, "Never mind.", part="q"))
    call.caller((False, 4.0))

    assert not call.notes("resumed")
    assert [note.data["text"] for note in call.notes("agentSaid")] == ["Never mind."]
    assert call.notes("agentCut")[0].data["part"] == "p"


def test_what_a_tool_clears_in_doubt_stays_cleared() -> None:
    call = VirtualCall("")
    speak(call)
    call.caller((False, 1.2), (True, 0.6))

    call.take(Clear())
    call.caller((False, 4.0))

    assert not call.notes("resumed")
    assert call.notes("agentCut")[0].data["part"] == "p"


def test_after_a_question_for_yes_or_no_the_shortest_word_is_the_answer() -> None:
    call = VirtualCall("uh-huh")
    call.take(Expect("yesNo"))
    speak(call)

    call.caller((False, 1.2), (True, 0.5), (False, 4.0))

    assert not call.notes("resumed")
    assert "backchannel" not in call.notes("final")[0].data


def test_a_noise_during_a_goodbye_does_not_end_the_call_before_it_is_said() -> None:
    call = VirtualCall("")
    speak(call)
    call.take(HangUp("done", after_playout=True))

    call.caller((False, 1.2), (True, 0.6), (False, 5.0))

    assert call.notes("agentSaid")
    assert call.when(Close) > call.when("agentSaid") - 0.1


def test_a_goodbye_that_the_caller_answers_does_not_end_the_call() -> None:
    call = VirtualCall("wait one more thing")
    speak(call)
    call.take(HangUp("done", after_playout=True))

    call.caller((False, 1.2), (True, 0.6), (False, 5.0))

    assert not list(call.all(Close))


def test_no_clause_of_what_must_be_heard_whole_is_cut_and_the_caller_is_heard_all_the_same() -> None:
    call = VirtualCall("but i want to")
    speak(call, interruptible=False)

    call.caller((False, 1.3), (True, 1.0), (False, 3.0))

    assert not list(call.all(SendClear))
    assert payload(call.all(SendAudio)) == ONE + TWO + THREE
    assert call.notes("final")[0].data["text"] == "but i want to"


def test_what_may_be_cut_does_not_take_what_must_be_heard_whole_with_it() -> None:
    call = VirtualCall("hello")
    call.take(Play(ONE, "This call is recorded.", interruptible=False))
    call.take(Play(TWO, "How can I help?"))

    call.caller((False, 0.2), (True, 0.6), (False, 0.4), (True, 0.6), (False, 1.0))

    sent = payload(call.all(SendAudio))
    assert sent.startswith(ONE)
    assert len(list(call.all(SendClear))) == 1
    assert call.notes("agentSaid")[0].data["text"] == "This call is recorded."


def test_half_made_out_words_are_waited_for() -> None:
    call = VirtualCall()
    speak(call)
    call.caller((False, 1.2), (True, 0.6))
    call.take(Partial("I would"))
    call.caller((False, 2.5))
    before = call.notes("resumed")

    call.take(FinalWords("I would rather not"))

    assert before == []
    assert the_turn(call).interrupted


SOUNDS = st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=12)
WORDS = st.lists(st.sampled_from(["", "mhm", "stop that now"]), max_size=8)


@settings(max_examples=100, deadline=None)
@given(SOUNDS, WORDS, st.sampled_from([0.05, 0.4, 1.4]), st.integers(1, 3))
def test_whatever_the_interruptions_nothing_is_said_twice_but_the_clause_that_was_cut(
    sounds: list[tuple[bool, int]], words: list[str], stt: float, clauses: int
) -> None:
    call = VirtualCall(*words, stt=stt)
    texts = ["first clause here.", "second clause here.", "third clause here."][:clauses]
    for number, text in enumerate(texts, 1):
        call.take(Play(bytes([number]) * SECOND, text, part="p", last=number == clauses))

    call.caller(*[(speaks, frames * 0.02) for speaks, frames in sounds], (False, 8.0))

    whole = " ".join(texts)
    heard = [str(note.data.get("heardByCaller", note.data["text"])) for note in call.notes()
             if note.kind in ("interrupted", "agentSaid", "agentCut")]  # fmt: skip
    assert all(whole.startswith(text) for text in heard)
    assert [len(text) for text in heard] == sorted(len(text) for text in heard)
    assert len(call.notes("agentSaid")) <= 1
    resumed = [note.data["text"] for note in call.notes("resumed")]
    played = _clauses_begun(call)
    for number, text in enumerate(texts, 1):
        assert played.count(number) <= 1 + resumed.count(text)
    assert not (call.notes("agentSaid") and the_turn(call).interrupted)


def _clauses_begun(call: VirtualCall) -> list[int]:
    """The clauses of which the caller heard something, in order, as often as each began."""
    frames: list[tuple[float, int]] = []
    ends = 0.0
    for at, effect in call.effects:
        if isinstance(effect, SendClear):
            frames, ends = [frame for frame in frames if frame[0] < at], at
        elif isinstance(effect, SendAudio):
            for code in effect.payload[::160]:
                ends = max(ends, at)
                frames.append((ends, code))
                ends += 0.02
    begun: list[int] = []
    left = 0
    for number, (start, code) in enumerate(frames):
        gap = number > 0 and start > frames[number - 1][0] + 0.1
        if left == 0 or gap or code != begun[-1]:
            begun.append(code)
            left = SECOND // 160
        left -= 1
    return begun
