"""When the caller's turn ends: by silence, by what they were asked for, and by the recogniser's own word."""

import pytest

from mcp_voice.core.call import Call
from mcp_voice.core.events import Audio, Expect, Finalize, Note, TurnDone
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.listener import Listener
from mcp_voice.core.turns import PAUSES, Floor, Patience
from tests.calls.lines import VOICE, VirtualCall, loud


def finalized_after(call: VirtualCall) -> float:
    """Let the caller speak and fall silent; return how long it takes until their turn is over."""
    before = len(list(call.all(Finalize)))
    call.caller((True, 0.6))
    silent_at = call.now
    call.caller((False, 2.0))
    ends = [at for at, effect in call.effects if isinstance(effect, Finalize)]
    assert len(ends) == before + 1
    return ends[-1] - silent_at


@pytest.mark.parametrize(
    ("kind", "seconds"), [("yesNo", 0.35), ("answer", 0.5), ("name", 1.0), ("digits", 1.2), ("long", 1.5)]
)
def test_what_was_asked_for_says_how_long_the_caller_may_pause(kind: str, seconds: float) -> None:
    call = VirtualCall("one", patience=Patience(end_of_turn=0.5))

    call.take(Expect(kind))

    assert finalized_after(call) == pytest.approx(seconds, abs=0.021)


def test_after_the_answer_the_next_turn_is_as_any_other() -> None:
    call = VirtualCall("five five five", "thanks", patience=Patience(end_of_turn=0.5))
    call.take(Expect("digits"))
    finalized_after(call)

    assert finalized_after(call) == pytest.approx(0.5, abs=0.021)


def test_a_noise_is_no_answer_and_the_caller_may_still_pause_in_theirs() -> None:
    call = VirtualCall("", "five five five", patience=Patience(end_of_turn=0.5))
    call.take(Expect("digits"))
    finalized_after(call)

    assert finalized_after(call) == pytest.approx(1.2, abs=0.021)


def test_every_kind_of_answer_has_its_pause_and_another_waits_as_usual() -> None:
    call = VirtualCall("one")

    call.take(Expect("a song"))

    assert set(PAUSES) == {"answer", "yesNo", "digits", "name", "spelling", "long"}
    assert finalized_after(call) == pytest.approx(0.5, abs=0.021)


def continuous() -> tuple[Call, Listener]:
    listener = Listener(loud, Patience(end_of_turn=0.5), continuous=True)
    return Call(listener), listener


def hear(call: Call, now: float, *sounds: tuple[bool, float]) -> float:
    for speaks, seconds in sounds:
        for _ in range(round(seconds / 0.02)):
            now += 0.02
            call.take(Audio(VOICE if speaks else b"\xff" * 160), now)
    return now


def test_a_recogniser_that_finds_the_end_itself_ends_the_turn_at_once() -> None:
    call, listener = continuous()
    now = hear(call, 0.0, (True, 1.0), (False, 0.2))

    effects = call.take(FinalWords("a table for two", ends_turn=True), now)
    after = [effect for _ in range(40) for effect in call.take(Audio(b"\xff" * 160), now + 0.1)]

    [turn] = [effect for effect in effects if isinstance(effect, TurnDone)]
    assert turn.timing_ms["endpoint"] == pytest.approx(200, abs=41)
    assert listener.floor is Floor.OPEN
    assert not any(isinstance(effect, Finalize) for effect in after)


def test_words_that_do_not_end_the_turn_leave_it_open() -> None:
    call, listener = continuous()
    now = hear(call, 0.0, (True, 1.0), (False, 0.2))

    call.take(FinalWords("a table", ends_turn=False), now)

    assert listener.floor is Floor.PAUSE


def test_the_answer_to_our_finalize_does_not_end_the_turn_that_has_begun_since() -> None:
    call, listener = continuous()
    now = hear(call, 0.0, (True, 1.0), (False, 0.6), (True, 0.3))

    call.take(FinalWords("a table for two", ends_turn=True), now)

    assert listener.floor is Floor.CALLER


def test_the_end_that_an_ear_of_utterances_finds_is_ours_already() -> None:
    call = VirtualCall()
    call.caller((True, 1.0))

    call.take(FinalWords("hello"))

    assert [note.kind for note in call.notes()] == ["speechStarted", "final"]
    call.caller((False, 1.0))
    assert len(list(call.all(Finalize))) == 1
    assert isinstance(call.notes()[0], Note)
