import random
from collections.abc import Callable, Iterable
from struct import pack

import pytest

from mcp_voice.core.audio import SILENCE_FRAME
from mcp_voice.core.voice import Edge, EdgeKind, EnergyVad, VoiceEdges

VOICE, QUIET = bytes(160), SILENCE_FRAME
A_SECOND = 50


def hears_sound(frame: bytes) -> bool:
    """A detector that never errs: digital silence is no voice, all else is."""
    return any(frame)


def told(edges: VoiceEdges, frames: Iterable[bytes]) -> list[tuple[int, Edge]]:
    """The edges, each with the number of the frame that told it."""
    heard = [(number, edges.hear(frame)) for number, frame in enumerate(frames, start=1)]
    return [(number, edge) for number, edge in heard if edge]


def room(loudness: float, frames: int) -> list[bytes]:
    """PCM of a room's noise."""
    noise = random.Random(1)
    return [pack("<160h", *(int(noise.gauss(0, loudness)) for _ in range(160))) for _ in range(frames)]


def share(vad: Callable[[bytes], bool], frames: list[bytes]) -> float:
    return sum(map(vad, frames)) / len(frames)


def test_a_voice_is_told_after_three_frames() -> None:
    edges = VoiceEdges(hears_sound)

    assert told(edges, [QUIET] * 5 + [VOICE] * 3) == [(8, Edge(EdgeKind.VOICE, 60, QUIET * 5 + VOICE * 3))]
    assert edges.speaking


def test_three_voiced_frames_of_five_are_a_voice() -> None:
    edges = VoiceEdges(hears_sound, preroll_ms=0)

    assert told(edges, [VOICE, QUIET, VOICE, QUIET, VOICE]) == [(5, Edge(EdgeKind.VOICE, 100))]


def test_a_cough_of_forty_milliseconds_is_no_voice() -> None:
    edges = VoiceEdges(hears_sound)

    assert told(edges, ([VOICE] * 2 + [QUIET] * 4) * 10) == []


def test_silence_is_told_sixty_milliseconds_after_the_last_voice() -> None:
    edges = VoiceEdges(hears_sound)

    (_, (number, edge)) = told(edges, [VOICE] * 10 + [QUIET] * 10)

    assert (number, edge) == (13, Edge(EdgeKind.SILENCE, 60))
    assert not edges.speaking


def test_a_gap_between_words_is_no_silence() -> None:
    edges = VoiceEdges(hears_sound, release_ms=120)

    assert len(told(edges, ([VOICE] * 10 + [QUIET] * 5) * 4)) == 1


def test_a_voice_that_comes_back_may_draw_breath_too() -> None:
    edges = VoiceEdges(hears_sound)
    told(edges, [VOICE] * 3 + [QUIET] * 10 + [VOICE] * 3)

    assert told(edges, [QUIET] * 2 + [VOICE]) == []
    assert edges.speaking


def test_how_long_a_voice_and_a_silence_have_to_last_is_set_in_milliseconds() -> None:
    edges = VoiceEdges(hears_sound, speech_ms=20, release_ms=200)

    found = told(edges, [VOICE] + [QUIET] * 10)

    assert [(number, edge.kind, edge.ago_ms) for number, edge in found] == [
        (1, EdgeKind.VOICE, 20),
        (11, EdgeKind.SILENCE, 200),
    ]


def test_a_voice_comes_with_what_was_heard_before_it() -> None:
    edges = VoiceEdges(hears_sound, preroll_ms=100)

    ((_, edge),) = told(edges, [QUIET] * 20 + [VOICE] * 3)

    assert edge.preroll == QUIET * 2 + VOICE * 3


def test_a_second_voice_does_not_repeat_the_first() -> None:
    edges = VoiceEdges(hears_sound)

    *_, (_, edge) = told(edges, [VOICE] * 20 + [QUIET] * 4 + [VOICE] * 3)

    assert edge.preroll == QUIET + VOICE * 3


def test_an_edge_is_logged_without_its_sound() -> None:
    assert repr(Edge(EdgeKind.VOICE, 60, VOICE)) == "Edge(kind=<EdgeKind.VOICE: 1>, ago_ms=60)"


def test_a_voice_stands_out_from_a_quiet_line() -> None:
    vad = EnergyVad()

    assert share(vad, room(20, A_SECOND)) == 0
    assert share(vad, room(2_000, A_SECOND)) == 1
    assert share(vad, room(20, A_SECOND)) == 0


def test_a_voice_is_heard_to_its_end() -> None:
    vad = EnergyVad()
    list(map(vad, room(20, A_SECOND)))

    assert share(vad, room(2_000, 2 * A_SECOND)) == 1


def test_digital_silence_is_no_reason_to_take_hiss_for_a_voice() -> None:
    vad = EnergyVad()

    assert share(vad, [bytes(320)] * A_SECOND + room(50, A_SECOND)) == 0


@pytest.mark.parametrize("loudness", [100, 1_000, 2_500])
def test_noise_that_lasts_becomes_the_floor(loudness: float) -> None:
    vad = EnergyVad()
    list(map(vad, room(loudness, 4 * A_SECOND)))

    assert share(vad, room(loudness, A_SECOND)) == 0
    assert share(vad, room(3 * loudness, A_SECOND)) == 1


def test_a_room_that_grows_louder_is_known_within_four_seconds() -> None:
    vad = EnergyVad()
    list(map(vad, room(100, 3 * A_SECOND)))

    assert share(vad, room(1_000, A_SECOND)) == 1
    list(map(vad, room(1_000, 3 * A_SECOND)))
    assert share(vad, room(1_000, A_SECOND)) == 0
