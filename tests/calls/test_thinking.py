"""What a caller hears while the agent thinks, and how it is counted."""

import pytest

from mcp_voice.core.call import Call
from mcp_voice.core.events import Effect, Fill, Note, Play, TurnDone
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.fillers import WAIT
from mcp_voice.core.listener import Listener
from tests.calls.lines import VirtualCall, loud

SECOND = 8_000


def a_slow_agent(*words: str) -> VirtualCall:
    """A call in which one turn has been answered after three seconds of thinking."""
    call = VirtualCall("first", *words)
    call.call = Call(Listener(loud), fillers=("One moment.", "Let me see."))
    call.caller((True, 0.5), (False, 3.6))
    call.take(Play(b"\x01" * SECOND, "An answer."))
    call.caller((False, 1.5))
    return call


def fills(call: VirtualCall) -> list[tuple[float, Effect]]:
    return [(at, effect) for at, effect in call.effects if isinstance(effect, Fill)]


def test_a_slow_agent_is_covered_and_the_filler_is_no_answer() -> None:
    call = a_slow_agent("second")
    call.caller((True, 0.5), (False, 2.0))
    [(at, filler)] = fills(call)

    assert isinstance(filler, Fill)
    call.take(Play(b"\x02" * SECOND, filler.text, filler=True))
    call.caller((False, 0.5))
    call.take(Play(b"\x03" * SECOND, "The answer.", asked_ms=300, first_byte_ms=200))
    call.caller((False, 2.5))

    finals = [at for at, effect in call.effects if isinstance(effect, Note) and effect.kind == "final"]
    assert at - finals[1] == pytest.approx(WAIT, abs=0.021)
    assert [note.data["text"] for note in call.notes("agentSaid")] == [
        "An answer.", "One moment.", "The answer."
    ]  # fmt: skip
    turn = [turn for turn in call.all(TurnDone) if isinstance(turn, TurnDone)][-1]
    assert turn.agent_response == "The answer."
    assert turn.timing_ms["filler"] < turn.timing_ms["latency"]
    assert turn.timing_ms["ttsFirstByte"] == 200


def test_a_filler_that_comes_after_the_answer_is_not_said() -> None:
    call = a_slow_agent("second")
    call.caller((True, 0.5), (False, 2.0))

    call.take(Play(b"\x03" * SECOND, "The answer."))
    call.take(Play(b"\x02" * SECOND, "One moment.", filler=True))
    call.caller((False, 2.5))

    assert [note.data["text"] for note in call.notes("agentSaid")] == ["An answer.", "The answer."]


def test_the_steps_of_an_answer_make_up_its_latency() -> None:
    call = VirtualCall("hello", stt=0.1)
    call.caller((True, 0.5), (False, 2.0))

    call.take(Play(b"\x03" * SECOND, "The answer.", asked_ms=300, first_byte_ms=200))
    call.caller((False, 1.5))

    timing = [turn for turn in call.all(TurnDone) if isinstance(turn, TurnDone)][-1].timing_ms
    assert set(timing) == {"endpoint", "stt", "agentThink", "ttsFirstByte", "out", "latency"}
    assert sum(ms for step, ms in timing.items() if step != "latency") == pytest.approx(
        timing["latency"], abs=3
    )


def test_words_that_come_while_nobody_was_cut_are_only_words() -> None:
    call = VirtualCall()

    call.take(FinalWords("okay"))

    assert "backchannel" not in call.notes("final")[0].data
