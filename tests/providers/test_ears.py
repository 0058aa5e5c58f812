"""What every ear owes the call, whoever made it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from mcp_voice.core.audio import SILENCE_FRAME
from mcp_voice.core.events import Final, Heard, Partial
from mcp_voice.ports import Ear, EarConfig, Hears
from tests.providers.sounds import TEXTS, utterance

pytestmark = pytest.mark.anyio

PHRASES = (TEXTS["yes"], TEXTS["no"], TEXTS["for-four"])


@asynccontextmanager
async def opened(hears: Hears, config: EarConfig | None = None) -> AsyncIterator[Ear]:
    ear = await hears.listen(config or EarConfig(phrases=PHRASES))
    try:
        yield ear
    finally:
        await ear.aclose()


def tell(ear: Ear, audio: bytes, piece: int = 800) -> None:
    """Let an ear hear an utterance, in pieces, and the silence behind it."""
    for at in range(0, len(audio), piece):
        ear.hear(audio[at : at + piece], onset=at == 0)
    ear.finalize()


async def finals(ear: Ear, wanted: int) -> list[Final]:
    """Wait for so many finals."""
    found: list[Final] = []
    with anyio.fail_after(20):
        async for heard in ear.heard():
            if isinstance(heard, Final):
                found.append(heard)
            if len(found) == wanted:
                break
    return found


async def test_an_utterance_becomes_its_words(hears: Hears) -> None:
    async with opened(hears) as ear:
        tell(ear, utterance("yes"))

        (final,) = await finals(ear, 1)

    assert final.text == TEXTS["yes"]
    assert final.duration_ms == len(utterance("yes")) // 8
    assert final.confidence is not None
    assert 0.5 < final.confidence <= 1
    assert not final.rejected


async def test_an_ear_knows_how_late_its_last_words_were(hears: Hears) -> None:
    async with opened(hears) as ear:
        before = ear.latency_ms
        tell(ear, utterance("yes"))

        (final,) = await finals(ear, 1)

        assert before is None
        assert ear.latency_ms == final.latency_ms is not None
        assert ear.errors == 0


@pytest.mark.parametrize("piece", [160, 800, 100_000])
async def test_utterances_become_words_in_the_order_they_were_said(hears: Hears, piece: int) -> None:
    async with opened(hears) as ear:
        for name in ("for-four", "yes", "no"):
            tell(ear, utterance(name), piece)

        found = await finals(ear, 3)

    assert [final.text for final in found] == [TEXTS[name] for name in ("for-four", "yes", "no")]


async def test_words_come_while_the_caller_still_speaks(hears: Hears) -> None:
    async with opened(hears) as ear:
        ear.hear(utterance("for-four"), onset=True)

        with anyio.fail_after(20):
            heard: Heard = await anext(aiter(ear.heard()))

    assert isinstance(heard, Partial)
    assert heard.text


async def test_an_utterance_without_words_has_a_final_too(hears: Hears) -> None:
    async with opened(hears) as ear:
        tell(ear, SILENCE_FRAME * 2)

        (final,) = await finals(ear, 1)

    assert (final.text, final.confidence) == ("", 0.0)


async def test_an_onset_ends_the_utterance_before_it(hears: Hears) -> None:
    async with opened(hears) as ear:
        ear.hear(utterance("yes"), onset=True)
        tell(ear, utterance("no"))

        found = await finals(ear, 2)

    assert [final.text for final in found] == [TEXTS["yes"], TEXTS["no"]]


async def test_silence_that_follows_nothing_is_nothing(hears: Hears) -> None:
    async with opened(hears) as ear:
        ear.finalize()
        tell(ear, utterance("yes"))
        ear.finalize()
        tell(ear, utterance("no"))

        found = await finals(ear, 2)

    assert [final.text for final in found] == [TEXTS["yes"], TEXTS["no"]]


async def test_more_callers_than_engines_are_all_heard(hears: Hears) -> None:
    names = ("yes", "no", "for-four")
    found: dict[int, str] = {}

    async def call(number: int, name: str) -> None:
        async with opened(hears) as ear:
            tell(ear, utterance(name))
            found[number] = (await finals(ear, 1))[0].text

    async with anyio.create_task_group() as group:
        for number, name in enumerate(names):
            group.start_soon(call, number, name)

    assert [found[number] for number in range(len(names))] == [TEXTS[name] for name in names]


async def test_hearing_never_waits(hears: Hears) -> None:
    frames = utterance("for-four")
    seconds: list[float] = []

    async with opened(hears) as ear:
        for at in range(0, len(frames), 160):
            before = time.perf_counter()
            ear.hear(frames[at : at + 160], onset=at == 0)
            seconds.append(time.perf_counter() - before)
        ear.finalize()
        await finals(ear, 1)

    assert sorted(seconds)[len(seconds) // 2] < 0.001
    assert max(seconds) < 0.05  # whoever else has the processor


async def test_an_ear_that_is_closed_hears_nothing_more(hears: Hears) -> None:
    async with opened(hears) as ear:
        ear.hear(utterance("yes"), onset=True)
        await ear.aclose()
        tell(ear, utterance("no"))

        heard = [heard async for heard in ear.heard()]

    assert [each for each in heard if isinstance(each, Final)] == []


async def test_an_ear_closed_in_mid_word_leaves_the_engine_to_others(hears: Hears) -> None:
    async with opened(hears) as abandoned:
        abandoned.hear(utterance("for-four"), onset=True)
        abandoned.finalize()

    async with opened(hears) as ear:
        tell(ear, utterance("yes"))
        (final,) = await finals(ear, 1)

    assert final.text == TEXTS["yes"]
