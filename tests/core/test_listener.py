"""What the caller's audio means."""

from mcp_voice.core.events import Finalize, Listen
from mcp_voice.core.listener import Listener
from mcp_voice.core.turns import Cue, Floor, Patience
from tests.twins import VOICE_FRAME, loud, sound


def hear(listener: Listener, audio: bytes) -> list[object]:
    return [found for at in range(0, len(audio), 160) for found in listener.hear(audio[at : at + 160])]


def test_a_continuous_ear_gets_everything_silence_too() -> None:
    listener = Listener(loud, continuous=True)
    audio = sound((False, 500), (True, 500), (False, 1_000))

    found = hear(listener, audio)

    assert b"".join(piece.audio for piece in found if isinstance(piece, Listen)) == audio
    assert sum(isinstance(item, Finalize) for item in found) == 1
    assert not any(isinstance(item, Listen) and item.onset for item in found)


def test_the_floor_is_the_callers_while_they_speak() -> None:
    listener = Listener(loud)
    hear(listener, sound((True, 300)))

    assert listener.floor is Floor.CALLER
    assert listener.silent_ms == 0


def test_a_stream_that_is_over_finalises_what_was_being_said() -> None:
    listener = Listener(loud, Patience(end_of_turn=0.5))
    hear(listener, sound((True, 300)))

    found = listener.flush()

    assert isinstance(found[-1], Finalize)
    assert Cue.TURN_ENDED in found
    assert listener.flush() == ()


def test_a_stream_that_is_over_in_the_pause_after_speech_finalises_once() -> None:
    listener = Listener(loud, Patience(end_of_turn=0.5))
    hear(listener, sound((True, 300), (False, 200)))

    found = listener.flush()

    assert sum(isinstance(item, Finalize) for item in found) == 1


def test_time_that_passes_while_nobody_speaks_means_nothing() -> None:
    listener = Listener(loud)
    hear(listener, sound((False, 300)))

    assert listener.elapse(5.0) == ()
    assert not listener.busy


def test_no_frame_reaches_the_ear_twice_when_a_voice_comes_back_within_the_pause() -> None:
    listener = Listener(loud, Patience(end_of_turn=0.5))
    audio = sound((True, 300), (False, 300), (True, 300), (False, 800))

    found = hear(listener, audio)

    heard = b"".join(piece.audio for piece in found if isinstance(piece, Listen))
    assert heard == audio[: len(heard)]
    assert heard.count(VOICE_FRAME) == 30
