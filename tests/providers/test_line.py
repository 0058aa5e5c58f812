import io
import os
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.providers.workers.line import HEAD, pack
from mcp_voice.providers.workers.messages import HearingAsk, HearingReply, SpeakingAsk, SpeakingReply
from tests.providers.parrot import order

encode = msgspec.msgpack.Encoder().encode


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=99), st.binary(max_size=999))))
def test_frames_are_found_without_being_understood(frames: list[tuple[int, bytes, bytes]]) -> None:
    wire = io.BytesIO(b"".join(pack(*frame) for frame in frames))

    found = []
    while head := wire.read(HEAD.size):
        job, message, sound = HEAD.unpack(head)
        found.append((job, wire.read(message), wire.read(sound)))

    assert found == frames


@pytest.mark.parametrize("union", [HearingAsk, HearingReply, SpeakingAsk, SpeakingReply])
def test_no_two_messages_of_a_direction_are_spelled_the_same(union: object) -> None:
    assert msgspec.msgpack.Decoder(union) is not None


@pytest.mark.parametrize(
    "input",
    [b"", b"\x01", pack(1, b"\xc1"), pack(1, encode(order("")), b"cut off")[:-3], HEAD.pack(1, 2**32 - 1, 0)],
    ids=["nothing", "half a head", "no message", "half a sound", "an endless message"],
)
def test_an_engine_ends_when_its_line_does(input: bytes) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.providers.parrot"], input=input, capture_output=True, timeout=20,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip

    assert run.returncode == 0
