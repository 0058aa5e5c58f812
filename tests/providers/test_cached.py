"""Voices that remember: what is kept, what is not, and what a damaged file does."""

from contextlib import aclosing
from pathlib import Path

import pytest

from mcp_voice.core.counts import Counts
from mcp_voice.errors import ProviderFailed
from mcp_voice.ports import Speaks, VoiceConfig
from mcp_voice.providers import Registry
from mcp_voice.providers.cached import LONGEST_TEXT, Cached, Phrases
from mcp_voice.server.warming import warm
from tests.twins import Speaker

CONFIG = VoiceConfig()


async def said(voice: Speaks, text: str, config: VoiceConfig = CONFIG) -> bytes:
    return b"".join([piece async for piece in voice.speak(text, config)])


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def test_what_was_said_once_is_read_from_disk_by_the_next_process_too(tmp_path: Path) -> None:
    speaker = Speaker()
    first = Cached(speaker, Phrases(tmp_path / "phrases", 1_000_000))
    made = await said(first, "Goodbye.")
    await first.aclose()

    again = await said(Cached(speaker, Phrases(tmp_path / "phrases", 1_000_000)), "Goodbye.")

    assert again == made
    assert len(speaker.said) == 1
    [file] = files(tmp_path / "phrases")
    assert "oodbye" not in file.name
    assert file.stat().st_mode & 0o777 == 0o600


async def test_another_voice_speed_or_language_is_another_sound(tmp_path: Path) -> None:
    speaker = Speaker()
    voice = Cached(speaker, Phrases(tmp_path, 1_000_000))
    for config in (CONFIG, VoiceConfig("b"), VoiceConfig(speed=1.2), VoiceConfig(language="de")):
        await said(voice, "Goodbye.", config)
        await voice.aclose()

    assert len(speaker.said) == len(files(tmp_path)) == 4


async def test_what_failed_was_cut_short_or_is_long_is_not_kept(tmp_path: Path) -> None:
    speaker = Speaker(fails=[ProviderFailed("hoarse")], fails_at=1)
    voice = Cached(speaker, Phrases(tmp_path, 1_000_000))

    with pytest.raises(ProviderFailed):
        await said(voice, "Hello there.")
    async with aclosing(voice.speak("Hello there.", CONFIG)) as pieces:
        await anext(pieces)
    await said(voice, "x" * (LONGEST_TEXT + 1))
    await voice.aclose()

    assert files(tmp_path) == []


async def test_a_damaged_file_is_dropped_and_made_anew(tmp_path: Path) -> None:
    speaker = Speaker()
    voice = Cached(speaker, Phrases(tmp_path, 1_000_000))
    made = await said(voice, "Goodbye.")
    await voice.aclose()
    [file] = files(tmp_path)
    file.write_bytes(file.read_bytes()[:-100])

    again = await said(voice, "Goodbye.")
    await voice.aclose()

    assert again == made
    assert len(speaker.said) == 2
    assert len(file.read_bytes()) == len(made) + 8


async def test_the_least_used_goes_when_the_folder_is_full(tmp_path: Path) -> None:
    speaker = Speaker(ms_per_character=100)
    voice = Cached(speaker, Phrases(tmp_path, 20_000))
    for text in ("one tune", "two tune", "one tune", "six tune", "ten tune"):
        await said(voice, text)
        await voice.aclose()

    known = [text for text in ("one tune", "two tune", "six tune", "ten tune") if voice.knows(text, CONFIG)]

    assert known == ["one tune", "six tune", "ten tune"]
    assert sum(file.stat().st_size for file in files(tmp_path)) <= 20_000


async def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    speaker = Speaker()
    voice = Cached(speaker, Phrases(tmp_path / "file", 1_000_000))

    first = await said(voice, "Goodbye.")
    await voice.aclose()

    assert await said(voice, "Goodbye.") == first
    assert len(speaker.said) == 2


async def test_stock_phrases_are_made_once_by_a_voice_that_remembers(tmp_path: Path) -> None:
    speaker = Speaker(name="espeak", ms_per_character=2)
    phrases = Phrases(tmp_path, 10_000_000)
    for _ in range(2):
        registry = Registry(Counts(), speaks="espeak", also={"espeak": speaker}, phrases=phrases)
        await warm(registry, None, late=0.0)
        await registry.aclose()

    texts = [text for text, _ in speaker.said]
    assert texts[0] == "One moment, please."
    assert len(texts) == len(set(zip(texts, [config.language for _, config in speaker.said], strict=True)))
    assert len(texts) == len(files(tmp_path)) > 20


async def test_a_voice_that_does_not_remember_is_not_made_to_speak() -> None:
    speaker = Speaker(name="espeak")

    await warm(Registry(Counts(), speaks="espeak", also={"espeak": speaker}), None, late=0.0)

    assert speaker.said == []
