"""What every voice owes the call, whoever made it."""

from array import array
from contextlib import aclosing
from math import inf, nan, sqrt

import anyio
import pytest

from mcp_voice.core.audio import FRAME_BYTES
from mcp_voice.core.g711 import MULAW
from mcp_voice.ports import Speaks, VoiceConfig
from tests.providers.sounds import alike

pytestmark = pytest.mark.anyio

SENTENCE = "Good evening, and welcome to the restaurant."
LONG = "The table is booked for four people at seven o'clock, and the kitchen closes at ten. " * 20


async def sound(speaks: Speaks, text: str, config: VoiceConfig | None = None) -> bytes:
    return b"".join([chunk async for chunk in speaks.speak(text, config or VoiceConfig())])


def loudness(audio: bytes) -> float:
    """Root mean square, of 32 768."""
    samples = array("h", MULAW.decode(audio))
    return sqrt(sum(sample * sample for sample in samples) / len(samples))


async def test_a_sentence_lasts_as_long_as_a_person_takes_to_say_it(speaks: Speaks) -> None:
    audio = await sound(speaks, SENTENCE)

    assert 1.5 < len(audio) / 8_000 < 5
    assert 500 < loudness(audio) < 12_000


async def test_sound_comes_in_tenths_of_a_second_and_whole_frames(speaks: Speaks) -> None:
    *chunks, last = [chunk async for chunk in speaks.speak(SENTENCE, VoiceConfig())]

    assert {len(chunk) for chunk in chunks} == {5 * FRAME_BYTES}
    assert 0 < len(last) <= 5 * FRAME_BYTES
    assert len(last) % FRAME_BYTES == 0


async def test_speed_is_a_factor(speaks: Speaks) -> None:
    slow, normal, fast = [
        len(await sound(speaks, SENTENCE, VoiceConfig(speed=speed))) for speed in (0.5, 1.0, 2.0)
    ]

    assert 1.5 < slow / normal < 2.5
    assert 1.5 < normal / fast < 2.5


@pytest.mark.parametrize("speed", [0.0, -1.0, 1e6, inf, nan])
async def test_no_speed_is_too_strange(speaks: Speaks, speed: float) -> None:
    assert 0.5 < len(await sound(speaks, SENTENCE, VoiceConfig(speed=speed))) / 8_000 < 10


@pytest.mark.parametrize("text", ["", "  ", "\x00", "\n\n"])
async def test_nothing_to_say_is_no_sound(speaks: Speaks, text: str) -> None:
    assert await sound(speaks, text) == b""


async def test_the_same_text_sounds_the_same_alone_and_among_others(speaks: Speaks) -> None:
    texts = [f"Your number is {number}. {SENTENCE * number}" for number in range(1, 5)]
    alone = [await sound(speaks, text) for text in texts]
    among: dict[str, bytes] = {}

    async def say(text: str) -> None:
        among[text] = await sound(speaks, text)

    async with anyio.create_task_group() as group:
        for text in texts:
            group.start_soon(say, text)

    assert [text for text, sound in zip(texts, alone, strict=True) if not alike(among[text], sound)] == []
    assert not alike(alone[0], alone[1])


async def test_a_short_answer_does_not_wait_for_a_long_one(speaks: Speaks) -> None:
    done: list[str] = []

    async def say(name: str, text: str) -> None:
        await sound(speaks, text)
        done.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(say, "long", LONG)
        await anyio.lowlevel.checkpoint()
        group.start_soon(say, "short", "Yes.")

    assert done == ["short", "long"]


async def test_whoever_stops_listening_disturbs_nobody(speaks: Speaks) -> None:
    expected = await sound(speaks, SENTENCE)

    async with aclosing(speaks.speak(LONG, VoiceConfig())) as long:
        await anext(long)

    assert alike(await sound(speaks, SENTENCE), expected)


async def test_the_first_voice_is_the_default(speaks: Speaks) -> None:
    names = [getattr(voice, "name", voice) for voice in await speaks.voices()]

    assert len(names) == len(set(names)) > 0
    assert alike(await sound(speaks, SENTENCE, VoiceConfig(voice=names[0])), await sound(speaks, SENTENCE))
