"""Whole calls, in virtual time: faster than real ones, and the same on every run."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_voice.core.call import LAPSE, Call
from mcp_voice.core.events import (
    AnsweredBy,
    Audio,
    Clear,
    Close,
    Connected,
    Digit,
    EarFailed,
    Finalize,
    Garbled,
    HangUp,
    Listen,
    Lost,
    Mark,
    MarkReached,
    News,
    Note,
    Partial,
    Play,
    SendAudio,
    SendClear,
    Started,
    Stopped,
    Tick,
    TurnDone,
    VoiceFailed,
    Watch,
)
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.listener import Listener
from mcp_voice.core.turns import Patience
from tests.calls.lines import VOICE, VirtualCall, loud, payload

SECOND = 8_000
STARTED = Started("MZ1", "CA1")


def test_what_the_caller_says_becomes_a_turn() -> None:
    call = VirtualCall("a table for two")

    call.caller((False, 0.5), (True, 1.0), (False, 1.0))

    [turn] = call.all(TurnDone)
    assert isinstance(turn, TurnDone)
    assert turn.user_utterance == "a table for two"
    assert turn.agent_response is None
    assert [note.kind for note in call.notes()] == ["speechStarted", "final"]


def test_the_ear_gets_the_utterance_with_what_came_just_before_it() -> None:
    call = VirtualCall("yes")

    call.caller((False, 1.0), (True, 0.5), (False, 1.0))

    pieces = [piece for piece in call.all(Listen) if isinstance(piece, Listen)]
    heard = b"".join(piece.audio for piece in pieces)
    assert [piece.onset for piece in pieces] == [True] + [False] * (len(pieces) - 1)
    assert heard.count(VOICE) == 25
    assert heard.startswith(b"\xff" * 160)
    assert 0.5 * SECOND < len(heard) <= 1.3 * SECOND


def test_an_utterance_ends_half_a_second_after_the_last_voice() -> None:
    call = VirtualCall(patience=Patience(end_of_turn=0.5))
    call.caller((True, 1.0))
    silent_at = call.now

    call.caller((False, 1.0))

    assert call.when(Finalize) - silent_at == pytest.approx(0.5, abs=0.021)


def test_an_answer_completes_the_turn_with_its_timing() -> None:
    call = VirtualCall("a table for two", stt=0.1)
    call.caller((True, 1.0), (False, 0.8))

    call.take(Play(b"\x01" * SECOND, "For which day?"))
    call.caller((False, 1.2))

    turn = list(call.all(TurnDone))[-1]
    assert isinstance(turn, TurnDone)
    assert (turn.user_utterance, turn.agent_response) == ("a table for two", "For which day?")
    assert turn.heard_by_caller is None
    assert (turn.heard_fraction, turn.cut_at_ms) == (1.0, None)
    assert turn.timing_ms["endpoint"] == pytest.approx(500, abs=21)
    assert turn.timing_ms["stt"] == pytest.approx(100, abs=1)
    assert turn.timing_ms["agentThink"] == pytest.approx(200, abs=21)
    assert turn.timing_ms["out"] == 0
    assert turn.timing_ms["latency"] == pytest.approx(800, abs=21)
    assert call.notes("agentSaid")[0].data["text"] == "For which day?"


def test_a_voice_during_playback_cuts_it_and_the_record_keeps_what_was_heard() -> None:
    call = VirtualCall("stop")
    call.take(Play(b"\x01" * 4 * SECOND, "one two three four five six seven eight"))
    call.caller((False, 2.0))

    call.caller((True, 0.6), (False, 1.0))

    [interrupted] = call.notes("interrupted")
    assert interrupted.data["heardMs"] == pytest.approx(2_290, abs=60)
    assert interrupted.data["heardByCaller"] == "one two three four five"
    assert call.when(SendClear) - 102.0 <= 0.25 + 0.06
    said = next(turn for turn in call.all(TurnDone) if isinstance(turn, TurnDone) and turn.agent_response)
    assert said.interrupted
    assert said.heard_by_caller == "one two three four five"
    assert said.cut_at_ms == interrupted.data["heardMs"]
    assert said.heard_fraction == interrupted.data["heardFraction"] == pytest.approx(0.57, abs=0.02)


def test_a_cough_during_playback_does_not_cut_it() -> None:
    call = VirtualCall("")
    call.take(Play(b"\x01" * 2 * SECOND, "a long sentence"))
    call.caller((False, 0.5), (True, 0.16), (False, 2.0))

    assert not list(call.all(SendClear))
    assert payload(call.all(SendAudio)) == b"\x01" * 2 * SECOND
    assert [note.kind for note in call.notes("backchannel", "agentSaid")] == ["backchannel", "agentSaid"]


def test_a_disclosure_is_not_interrupted() -> None:
    call = VirtualCall("hello")

    call.take(Play(b"\x01" * 2 * SECOND, "This call is recorded.", interruptible=False))
    call.caller((False, 0.5), (True, 1.0), (False, 1.5))

    assert not list(call.all(SendClear))
    assert call.notes("final")[0].data["text"] == "hello"


def test_an_answer_that_begins_while_the_caller_speaks_can_be_interrupted_by_their_next_words() -> None:
    call = VirtualCall("first", "second")
    call.caller((True, 1.0))
    call.take(Play(b"\x01" * 6 * SECOND, "a very long answer"))
    call.caller((True, 0.3), (False, 1.0))

    call.caller((True, 0.5))

    assert len(list(call.all(SendClear))) == 1


def test_a_stream_that_falls_silent_by_sending_nothing_ends_the_turn_all_the_same() -> None:
    call = VirtualCall("hello")
    call.caller((True, 1.0))

    call.pass_time(2 * LAPSE)

    assert call.notes("final")[0].data["text"] == "hello"


def test_audio_that_comes_all_at_once_is_heard_as_if_it_came_in_its_time() -> None:
    slow, fast = VirtualCall("hello"), VirtualCall("hello")
    frames = [VOICE] * 50 + [b"\xff" * 160] * 50

    for frame in frames:
        slow.pass_time(0.02)
        slow.take(Audio(frame))
    for frame in frames:
        fast.take(Audio(frame))
    fast.pass_time(0.2)

    def ear(call: VirtualCall) -> list[object]:
        return [e for _, e in call.effects if isinstance(e, Listen | Finalize)]

    assert ear(slow) == ear(fast)
    assert slow.notes("final")[0].data["text"] == fast.notes("final")[0].data["text"]


def test_a_goodbye_is_said_to_its_end_before_the_call_is_closed() -> None:
    call = VirtualCall()
    call.take(Play(b"\x01" * SECOND, "Goodbye."))

    call.take(HangUp("done", after_playout=True))
    call.pass_time(3.0)

    assert call.when(Close) - 100.0 == pytest.approx(1.0, abs=0.01)
    assert [note.kind for note in call.notes()] == ["agentSaid", "ended"]


def test_a_hang_up_in_the_middle_of_a_sentence_keeps_what_was_heard_and_the_last_words() -> None:
    call = VirtualCall("i have to go")
    call.take(Play(b"\x01" * 4 * SECOND, "one two three four"))
    call.caller((False, 2.0), (True, 0.2))

    call.take(Stopped("CA1"))
    call.pass_time(1.0)

    assert call.notes("agentCut")[0].data["heardByCaller"] == "one two"
    assert call.notes("ended")[0].data == {"reason": "stop"}
    assert call.notes("final")[0].data["text"] == "i have to go"


def test_keys_marks_and_unreadable_messages_are_written_down() -> None:
    call = VirtualCall()

    call.take(STARTED)
    call.take(Digit("5"))
    call.take(Mark("here"))
    call.take(Garbled("not_json", "A message came that is not JSON."))
    call.pass_time(0.1)

    assert [note.kind for note in call.notes()] == ["answered", "dtmf", "error", "mark"]
    assert call.notes("mark")[0].data == {"name": "here", "cleared": False}


def test_a_call_that_is_over_takes_no_more_news() -> None:
    call = VirtualCall()
    call.take(Lost("connection_lost"))
    before = len(call.effects)

    call.take(Play(b"\x01" * 160))
    call.take(Digit("1"))

    assert len(call.effects) == before
    assert call.call.wakes_at is None


news = st.one_of(
    st.sampled_from(
        [
            Audio(VOICE),
            Audio(b"\xff" * 160),
            Audio(b"\xff" * 77),
            Audio(b""),
            Audio(VOICE, track="outbound"),
            Digit("1"),
            Mark("m"),
            MarkReached("m"),
            MarkReached("mv:1:200"),
            Clear(),
            VoiceFailed("p", "provider_failed", "it died", "the rest"),
            Partial("so far"),
            FinalWords("hello"),
            FinalWords(""),
            HangUp("bye", after_playout=True),
            HangUp("now"),
            Connected(),
            EarFailed("provider_failed", "it died"),
            Stopped(),
            Lost("gone"),
            Garbled("bad", "bad"),
            Watch(frozenset({"beep", "machine", "human"})),
            Watch(frozenset()),
            AnsweredBy("machine_start"),
            Tick(),
        ]
    ),
    st.builds(
        Play, st.binary(max_size=4_000), st.none() | st.just("a few words"), st.booleans(), st.booleans()
    ),
)


@settings(max_examples=200)
@given(st.lists(st.tuples(news, st.integers(0, 400)), max_size=60))
def test_whatever_happens_a_call_ends_once_and_says_nothing_after(plan: list[tuple[News, int]]) -> None:
    call, now, ended = Call(Listener(loud)), 0.0, 0

    for item, wait in plan:
        now += wait / 1000
        for effect in call.take(item, now):
            assert not (ended and not isinstance(effect, Note | TurnDone))
            ended += isinstance(effect, Close)
        assert ended == call.closed
    assert ended <= 1


@settings(max_examples=100)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 80)), max_size=12))
def test_every_utterance_of_the_caller_is_finalised_exactly_once(sounds: list[tuple[bool, int]]) -> None:
    call = VirtualCall(*["word"] * 50)

    call.caller(*[(speaks, frames * 0.02) for speaks, frames in sounds], (False, 1.0))
    call.pass_time(1.0)

    onsets = sum(isinstance(e, Listen) and e.onset for _, e in call.effects)
    assert onsets == len(list(call.all(Finalize))) == len(call.notes("final"))


def test_frames_of_another_size_are_cut_to_twenty_milliseconds() -> None:
    whole, pieces = VirtualCall("hello"), VirtualCall("hello")
    audio = VOICE * 40 + b"\xff" * 160 * 50

    for at in range(0, len(audio), 160):
        whole.pass_time(0.02)
        whole.take(Audio(audio[at : at + 160]))
    for at in range(0, len(audio), 400):
        pieces.pass_time(0.05)
        pieces.take(Audio(audio[at : at + 400]))

    def ear(call: VirtualCall) -> bytes:
        return b"".join(e.audio for _, e in call.effects if isinstance(e, Listen))

    assert ear(whole) == ear(pieces)


def test_a_turn_of_several_finals_is_written_when_the_last_of_them_ends_it() -> None:
    call = VirtualCall()

    call.take(FinalWords("a table", ends_turn=False))
    before = list(call.all(TurnDone))
    call.take(FinalWords("for two", ends_turn=True))

    assert before == []
    [turn] = call.all(TurnDone)
    assert isinstance(turn, TurnDone)
    assert turn.user_utterance == "a table for two"


def test_a_deaf_call_speaks_and_ends_like_any_other() -> None:
    call = Call(None)
    effects = [
        *call.take(STARTED, 0.0),
        *call.take(Audio(VOICE), 0.1),
        *call.take(Play(b"\x01" * 160, "hello"), 0.2),
        *call.take(Tick(), 3.0),
        *call.take(Stopped(), 4.0),
    ]

    kinds = [effect.kind if isinstance(effect, Note) else type(effect).__name__ for effect in effects]
    assert kinds == ["answered", "SendAudio", "SendMark", "agentSaid", "TurnDone", "ended", "Close"]


def test_a_sentence_whose_voice_fails_is_over_where_it_failed_and_the_log_says_so() -> None:
    call = VirtualCall()
    call.take(Play(b"\x01" * SECOND, "One.", part="p", last=False))
    call.caller((False, 0.5))

    call.take(VoiceFailed("p", "provider_failed", "It died.", "Two."))
    call.caller((False, 2.0))

    failed, said = call.notes()
    assert (failed.kind, said.kind) == ("error", "agentSaid")
    assert failed.data == {"code": "provider_failed", "message": "It died.", "part": "p", "unsaid": "Two."}
    assert (said.data["text"], said.data["part"]) == ("One.", "p")
    [turn] = call.all(TurnDone)
    assert isinstance(turn, TurnDone)
    assert (turn.agent_response, turn.interrupted) == ("One.", False)


def test_a_clear_that_a_tool_asks_for_is_not_the_callers_doing() -> None:
    call = VirtualCall()
    call.take(Play(b"\x01" * 2 * SECOND, "one two three four"))
    call.pass_time(1.0)

    call.take(Clear())

    assert not call.notes("interrupted")
    assert call.notes("agentCut")[0].data["heardByCaller"] == "one two"


def test_a_process_that_was_held_up_reads_what_came_before_it_takes_the_caller_for_silent() -> None:
    call = VirtualCall("hello there")
    call.caller((True, 0.5))

    call.now += 0.8  # held up: then it is told the time before it reads
    call.take(Tick())
    for _ in range(40):
        call.take(Audio(VOICE))
    call.caller((True, 0.5))

    assert list(call.all(Finalize)) == []
    call.caller((False, 1.0))
    assert len(list(call.all(Finalize))) == 1
