"""How long nobody has said anything, in the call's log."""

import pytest

from mcp_voice.core.call import Call
from mcp_voice.core.events import Digit, MarkReached, Note, Play, SendMark, Tick
from mcp_voice.core.listener import Listener
from mcp_voice.core.lull import LONG
from tests.calls.lines import VirtualCall, loud

SECOND = b"\x01" * 8_000


def said(call: VirtualCall) -> None:
    """Say something for a second."""
    call.take(Play(SECOND, "For how many?"))
    call.caller((False, 1.2))


def times(call: VirtualCall, kind: str) -> list[float]:
    return [at for at, effect in call.effects if isinstance(effect, Note) and effect.kind == kind]


def silences(call: VirtualCall) -> list[float]:
    return times(call, "silence")


def test_a_silence_after_what_the_agent_said_is_told_once() -> None:
    call = VirtualCall()
    said(call)

    call.caller((False, 30.0))

    assert silences(call) == [pytest.approx(call.when("agentSaid") + LONG, abs=0.03)]
    assert call.notes("silence")[0].data == {"durationMs": 8_000}
    assert call.call.wakes_at is None


def test_every_silence_is_told() -> None:
    call = VirtualCall()
    for _ in range(2):
        said(call)
        call.caller((False, 10.0))

    assert [note.kind for note in call.notes("agentSaid", "silence")] == ["agentSaid", "silence"] * 2


def test_a_caller_who_answers_is_not_silent_however_long_the_agent_thinks() -> None:
    call = VirtualCall("four")
    said(call)

    call.caller((False, 5.0), (True, 0.6), (False, 30.0))

    assert silences(call) == []


def test_a_caller_who_talks_for_long_is_not_silent() -> None:
    call = VirtualCall("a long story")
    said(call)

    call.caller((False, 5.0), (True, 10.0), (False, 0.5))

    assert silences(call) == []


def test_a_voice_without_words_only_begins_the_silence_anew() -> None:
    call = VirtualCall("")
    said(call)

    call.caller((False, 5.0), (True, 0.6))
    coughed_at = call.now
    call.caller((False, 12.0))

    assert silences(call) == [pytest.approx(coughed_at + 0.5 + LONG, abs=0.1)]


def test_a_caller_who_presses_keys_is_not_silent() -> None:
    call = VirtualCall()
    said(call)

    call.take(Digit("4"))
    call.caller((False, 30.0))

    assert silences(call) == []


def test_an_agent_who_goes_on_is_not_silent() -> None:
    call = VirtualCall()
    said(call)

    call.caller((False, 7.0))
    call.take(Play(SECOND * 12, "a long story"))
    call.caller((False, 12.0))
    between = silences(call)
    call.caller((False, 10.0))

    assert between == []
    assert silences(call) == [pytest.approx(times(call, "agentSaid")[-1] + LONG, abs=0.1)]


def test_what_waits_behind_what_was_said_is_no_silence() -> None:
    call = VirtualCall()
    call.take(Play(SECOND, "one"))
    call.take(Play(SECOND * 12, "two"))

    call.caller((False, 14.0))

    assert [note.data["text"] for note in call.notes("agentSaid")] == ["one", "two"]
    assert silences(call) == []


def test_what_passes_the_time_does_not_ask_for_an_answer() -> None:
    call = VirtualCall("first", "second")
    call.call = Call(Listener(loud), fillers=("One moment.",))
    call.caller((True, 0.5), (False, 3.6))
    call.take(Play(SECOND, "An answer."))
    call.caller((False, 1.5), (True, 0.5), (False, 2.0))

    call.take(Play(SECOND, "One moment.", filler=True))
    call.caller((False, 20.0))

    assert [note.data["text"] for note in call.notes("agentSaid")] == ["An answer.", "One moment."]
    assert silences(call) == []


def test_who_does_not_listen_cannot_tell_that_nobody_speaks() -> None:
    call = Call(None)
    marks = [
        effect.name for effect in call.take(Play(b"\x01" * 800, "one"), 0.0) if isinstance(effect, SendMark)
    ]

    heard = call.take(MarkReached(marks[-1]), 0.1)
    later = call.take(Tick(), 60.0)

    assert [effect.kind for effect in heard if isinstance(effect, Note)] == ["agentSaid"]
    assert (list(later), call.wakes_at) == ([], None)
