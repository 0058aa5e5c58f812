from collections.abc import Callable
from itertools import accumulate, pairwise
from random import Random
from struct import pack, unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.audio import FRAME_BYTES, FRAME_MS, AudioFormat, Encoding, Framer, frames
from mcp_voice.core.g711 import ALAW, MULAW, Law
from mcp_voice.core.resample import Resampler, resample
from mcp_voice.core.voice import Edge, EdgeKind, VoiceEdges

NOISE = Random(1).randbytes(8_000)


def cut(lengths: list[int]) -> list[bytes]:
    """Noise, in pieces of these lengths."""
    ends = list(accumulate(lengths, initial=0))
    return [NOISE[start:end] for start, end in pairwise(ends)]


laws = pytest.mark.parametrize("law", [MULAW, ALAW], ids=["mulaw", "alaw"])
samples = st.integers(-0x8000, 0x7FFF)
sounds = st.lists(samples, max_size=200).map(lambda sound: pack(f"<{len(sound)}h", *sound))
pieces = st.lists(st.integers(0, 1_000), max_size=8).map(cut)
rates = st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
formats = st.builds(AudioFormat, st.sampled_from(Encoding), rates, st.integers(1, 2))
judgements = st.lists(st.tuples(st.booleans(), st.integers(1, 6)), max_size=40).map(
    lambda runs: [voiced for voiced, count in runs for _ in range(count)]
)


def in_pieces(take: Callable[[bytes], bytes], sound: list[bytes]) -> bytes:
    return b"".join(map(take, sound))


def hear(judged: list[bool], preroll_ms: int = 240) -> list[tuple[int, Edge]]:
    """The edges a detector's judgements make; a frame is its number, 160 times."""
    verdicts = iter(judged)
    edges = VoiceEdges(lambda _: next(verdicts), preroll_ms=preroll_ms)
    heard = [(number, edges.hear(bytes([number]) * FRAME_BYTES)) for number in range(len(judged))]
    return [(number, edge) for number, edge in heard if edge]


@laws
@given(codes=st.binary())
def test_a_codec_in_tandem_loses_nothing_more(law: Law, codes: bytes) -> None:
    pcm = law.decode(codes)

    assert law.decode(law.encode(pcm)) == pcm


@laws
@given(sound=st.lists(samples))
def test_a_higher_sample_never_comes_back_lower(law: Law, sound: list[int]) -> None:
    pcm = pack(f"<{len(sound)}h", *sorted(sound))

    heard = unpack(f"<{len(sound)}h", law.decode(law.encode(pcm)))

    assert list(heard) == sorted(heard)


@laws
@given(sample=st.integers(-32_000, 32_000))
def test_a_codec_errs_in_proportion_to_the_sound(law: Law, sample: int) -> None:
    (heard,) = unpack("<h", law.decode(law.encode(pack("<h", sample))))

    assert abs(heard - sample) <= 8 + abs(sample) / 30


@laws
@given(sound=pieces)
def test_where_codes_are_cut_does_not_change_the_sound(law: Law, sound: list[bytes]) -> None:
    assert in_pieces(law.decode, sound) == law.decode(b"".join(sound))


@laws
@given(sound=st.lists(sounds, max_size=8))
def test_where_samples_are_cut_does_not_change_the_codes(law: Law, sound: list[bytes]) -> None:
    assert in_pieces(law.encode, sound) == law.encode(b"".join(sound))


@given(pieces)
def test_where_audio_is_cut_does_not_change_its_frames(sound: list[bytes]) -> None:
    framer = Framer()

    whole = [frame for piece in sound for frame in framer.push(piece)]
    last = framer.flush()

    assert [*whole, *([last] if last else [])] == list(frames(b"".join(sound)))


@given(st.binary(max_size=1_000))
def test_frames_are_whole_and_add_less_than_one_frame_of_silence(audio: bytes) -> None:
    whole = list(frames(audio))

    assert all(len(frame) == FRAME_BYTES for frame in whole)
    added = b"".join(whole).removeprefix(audio)
    assert len(added) < FRAME_BYTES
    assert set(added) <= {0xFF}


@given(rates, rates, pieces)
def test_where_a_stream_is_cut_does_not_change_it_at_another_rate(
    source: int, target: int, sound: list[bytes]
) -> None:
    stream = Resampler(source, target)

    heard = in_pieces(stream.push, sound) + stream.flush()

    assert heard == resample(b"".join(sound), source, target)


@given(rates, rates, st.integers(0, 5_000))
def test_another_rate_keeps_the_duration_to_the_nearest_sample(source: int, target: int, count: int) -> None:
    heard = len(resample(bytes(2 * count), source, target)) // 2

    assert abs(heard - count * target / source) <= 0.5


@given(formats, st.integers(0, 100_000))
def test_milliseconds_of_bytes_fit_in_the_bytes(format: AudioFormat, ms: int) -> None:
    nbytes = format.bytes_for(ms)

    assert nbytes % format.bytes_per_sample == 0
    assert ms - 1 <= format.duration_ms(nbytes) <= ms
    assert nbytes <= ms * format.bytes_per_ms


@given(judgements)
def test_voice_and_silence_take_turns_and_voice_is_first(judged: list[bool]) -> None:
    kinds = [edge.kind for _, edge in hear(judged)]

    assert kinds[:1] in ([], [EdgeKind.VOICE])
    assert all(kind is not after for kind, after in pairwise(kinds))


@given(judgements, st.integers(0, 500))
def test_a_preroll_is_what_was_heard_last_and_never_longer_than_set(judged: list[bool], most: int) -> None:
    for number, edge in hear(judged, most):
        if edge.kind is EdgeKind.VOICE:
            count = len(edge.preroll) // FRAME_BYTES
            assert count <= most // FRAME_MS
            assert list(edge.preroll[::FRAME_BYTES]) == list(range(number + 1 - count, number + 1))
        else:
            assert edge.preroll == b""


@given(judgements)
def test_no_frame_is_handed_over_twice(judged: list[bool]) -> None:
    spoken_until = -1

    for number, edge in hear(judged):
        assert all(frame > spoken_until for frame in edge.preroll)
        spoken_until = number


@given(judgements)
def test_an_edge_says_when_voice_began_or_ended(judged: list[bool]) -> None:
    for number, edge in hear(judged):
        since = number + 1 - edge.ago_ms // FRAME_MS
        assert judged[since] is (edge.kind is EdgeKind.VOICE)
        assert sum(judged[since : number + 1]) == (3 if edge.kind is EdgeKind.VOICE else 0)
        assert edge.kind is EdgeKind.VOICE or judged[since - 1]


@given(st.lists(st.integers(1, 20), max_size=10))
def test_coughs_are_never_a_voice(pauses: list[int]) -> None:
    judged = [verdict for pause in pauses for verdict in [True, True, *[False] * (pause + 2)]]

    assert hear(judged) == []
