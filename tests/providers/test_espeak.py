import os
import signal
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import combinations, pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from mcp_voice.core.counts import Counts
from mcp_voice.core.g711 import MULAW
from mcp_voice.errors import NotConfigured, ProviderFailed
from mcp_voice.ports import VoiceConfig
from mcp_voice.providers.engine import Engine
from mcp_voice.providers.espeak import MODULE, Choir, Espeak, pieces, plain
from mcp_voice.providers.workers.messages import Said, Say, SpeakingReply, Voices
from tests.providers.conftest import skip_unless_installed
from tests.providers.sounds import alike

pytestmark = pytest.mark.anyio

SENTENCE = "Good evening, and welcome to the restaurant."

CHOIR = Choir.of(
    Voices(
        (
            ("gmw/de", ("de",)),
            ("gmw/en", ("en-gb", "en")),
            ("gmw/en-US", ("en-us", "en")),
            ("roa/pt", ("pt", "pt-pt")),
            ("roa/pt-BR", ("pt-br", "pt")),
        ),
        ("f3", "m1"),
    )
)


@pytest.fixture(scope="module")
async def espeak() -> AsyncIterator[Espeak]:
    skip_unless_installed("espeak")
    vendor = Espeak(Counts())
    yield vendor
    await vendor.aclose()


async def sound(espeak: Espeak, text: str, config: VoiceConfig | None = None) -> bytes:
    return b"".join([chunk async for chunk in espeak.speak(text, config or VoiceConfig())])


def hiss(audio: bytes) -> float:
    """How often a sound crosses zero, a sample."""
    samples = array("h", MULAW.decode(audio))
    return sum((one < 0) != (other < 0) for one, other in pairwise(samples)) / len(samples)


async def test_markup_is_read_and_not_obeyed(espeak: Espeak) -> None:
    audio = await sound(espeak, 'one <break time="30s"/> two')

    assert 2 < len(audio) / 8_000 < 10


async def test_a_control_character_neither_ends_the_text_nor_commands_the_engine(espeak: Espeak) -> None:
    clean = await sound(espeak, "one two three 9 9 P four")

    assert alike(await sound(espeak, "one\x00two\x07 three \x019\x01 9 P four"), clean)


async def test_languages_sound_different(espeak: Espeak) -> None:
    languages = ("en-US", "en-GB", "de-DE", "fr-FR", "pt-BR")

    audio = [await sound(espeak, SENTENCE, VoiceConfig(language=language)) for language in languages]

    assert not any(alike(one, other) for one, other in combinations(audio, 2))


async def test_a_variant_of_a_voice_is_another_voice(espeak: Espeak) -> None:
    with capture_logs() as logs:
        plainly, whispered = [
            await sound(espeak, SENTENCE, VoiceConfig(voice=voice)) for voice in ("en-us", "en-us+whisper")
        ]

    assert hiss(whispered) > 1.4 * hiss(plainly)
    assert logs == []


async def test_a_voice_that_is_not_known_gives_way_to_the_language_and_is_noted(espeak: Espeak) -> None:
    german = await sound(espeak, SENTENCE, VoiceConfig(language="de"))

    with capture_logs() as logs:
        audio = await sound(espeak, SENTENCE, VoiceConfig(voice="aura-asteria-en", language="de"))

    assert alike(audio, german)
    assert [(log["event"], log["log_level"], log["voice"]) for log in logs] == [
        ("voice_unknown", "warning", "aura-asteria-en")
    ]


async def test_every_voice_it_names_can_be_had(espeak: Espeak) -> None:
    with capture_logs() as logs:
        for voice in (await espeak.voices())[::10]:
            await sound(espeak, "1", VoiceConfig(voice=voice.name))

    assert logs == []


async def test_a_child_that_was_killed_between_sentences_is_not_missed(espeak: Espeak) -> None:
    expected = await sound(espeak, SENTENCE)

    os.kill(espeak.pids[0], signal.SIGKILL)

    assert alike(await sound(espeak, SENTENCE), expected)


async def test_a_child_that_stops_in_mid_sentence_is_an_error_and_the_next_is_fine() -> None:
    skip_unless_installed("espeak")
    vendor = Espeak(Counts(), patience=0.2)
    expected = await sound(vendor, SENTENCE)

    async with aclosing(vendor.speak(SENTENCE * 200, VoiceConfig())) as speech:
        await anext(speech)
        os.kill(vendor.pids[0], signal.SIGSTOP)
        with pytest.raises(ProviderFailed, match=r"did not answer within 0\.2 s"):
            [chunk async for chunk in speech]

    assert alike(await sound(vendor, SENTENCE), expected)
    await vendor.aclose()


async def test_dropping_a_piece_stops_the_engine_at_once() -> None:
    skip_unless_installed("espeak")
    replies = msgspec.msgpack.Decoder(SpeakingReply)
    engine: Engine[SpeakingReply] = Engine("espeak", MODULE, replies, Counts())
    child = await engine.child()
    minutes = Say(SENTENCE * 25, "gmw/en-US", 175, False)

    async def seconds(job_is_dropped: bool) -> float:
        """How long until the engine is free again."""
        began = time.perf_counter()
        with child.open() as job:
            job.send(minutes)
            await job.receive()
            while not job_is_dropped and not isinstance((await job.receive())[0], Said):
                pass
        with child.open() as job:
            job.send(Say("1", "gmw/en-US", 175, False))
            await job.receive()
        return time.perf_counter() - began

    whole, dropped = await seconds(False), await seconds(True)
    await engine.aclose()

    assert dropped < whole / 3


def test_without_its_package_it_says_how_to_get_it() -> None:
    class Missing(Espeak):
        package = "no_such_synthesiser"

    with pytest.raises(NotConfigured, match=r"'espeak' is not installed.* 'mcp-voice\[local\]'"):
        Missing(Counts())


@pytest.mark.parametrize(
    ("wanted", "language", "chosen"),
    [
        (None, "en-US", ("gmw/en-US", True)),
        (None, "en_GB", ("gmw/en", True)),
        (None, "en-AU", ("gmw/en", True)),
        (None, "PT-br", ("roa/pt-BR", True)),
        (None, "tlh", ("gmw/en-US", False)),
        ("pt-pt", "en-US", ("roa/pt", True)),
        ("gmw/EN-us", "de", ("gmw/en-US", True)),
        ("de+f3", "en-US", ("gmw/de+f3", True)),
        ("de+Elvis", "en-US", ("gmw/de", False)),
        ("nobody", "de", ("gmw/de", False)),
        ("nobody", "tlh", ("gmw/en-US", False)),
    ],
)
def test_a_voice_is_found_by_what_people_call_it(
    wanted: str | None, language: str, chosen: tuple[str, bool]
) -> None:
    assert CHOIR.choose(wanted, language) == chosen


def test_american_english_is_listed_first() -> None:
    assert list(CHOIR.voices) == ["en-us", "de", "en-gb", "pt", "pt-br", "en", "pt-pt"]


@given(st.text(max_size=2_000), st.integers(1, 400))
def test_a_text_in_pieces_loses_nothing_but_the_space_between(text: str, longest: int) -> None:
    cut = list(pieces(plain(text), longest))

    assert "".join("".join(piece for piece, _ in cut).split()) == "".join(plain(text).split())
    assert all(0 < len(piece) <= longest for piece, _ in cut)
    assert [more for _, more in cut] == [True] * (len(cut) - 1) + [False] * bool(cut)


@given(st.text())
def test_plain_text_can_be_read_aloud(text: str) -> None:
    assert not any(ord(char) < 32 for char in plain(text))
    assert plain(plain(text)) == plain(text)
    plain(text).encode()
