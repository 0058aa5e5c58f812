from base64 import b64encode
from typing import Any

import anyio
import pytest

from mcp_voice.core.audio import AudioFormat, Encoding, from_telephone
from mcp_voice.core.events import EarFailed, Final
from mcp_voice.errors import BadGrammar, Invalid, NotConfigured, NotFound, ProviderFailed, TooMany
from mcp_voice.tools.connections import IDLE_SECONDS, MOST_CONNECTIONS, Connections
from tests.tools.desk import Office, an_office
from tests.twins import Listener, Vendors, sound, until

SPEECH = sound((False, 200), (True, 600), (False, 800))


def heard_by(*lines: Final | EarFailed, **fields: Any) -> Vendors:
    return Vendors(Listener(lines, **fields))


def b64(audio: bytes) -> str:
    return b64encode(audio).decode()


async def connected(office: Office, **config: Any) -> str:
    answer = await office.use("stt.connect", provider="scripted", config={"sampleRate": 8_000, **config})
    connection_id = answer["connectionId"]
    assert isinstance(connection_id, str)
    return connection_id


async def streamed(
    office: Office, connection_id: str, audio: bytes, timestamp: float = 0
) -> list[dict[str, Any]]:
    answer = await office.use(
        "stt.streamAudio", connectionId=connection_id, chunk=b64(audio), timestamp=timestamp
    )
    utterances = answer["utterances"]
    assert isinstance(utterances, list)
    return utterances


# ─── connect ─────────────────────────────────────────────────────────────────


async def test_a_connection_has_a_name_nobody_can_guess(office: Office) -> None:
    answer = await office.use("stt.connect", provider="scripted", config={"sampleRate": 8_000})

    assert (answer["connected"], answer["provider"]) == (True, "scripted")
    assert len(bytes.fromhex(answer["connectionId"].removeprefix("stt_"))) == 16


async def test_the_default_ear_tells_its_name(office: Office) -> None:
    answer = await office.use("stt.connect", config={"sampleRate": 8_000})

    assert answer["provider"] == "scripted"


async def test_an_ear_is_told_how_to_listen(office: Office) -> None:
    await connected(office, apiKey="k-1", language="de-DE", endpointingMs=300, phrases=["ja", "nein"])

    (config,) = office.vendors.listener.configs
    assert (config.api_key, config.language, config.endpointing_ms) == ("k-1", "de-DE", 300)
    assert config.phrases == ("ja", "nein")


@pytest.mark.parametrize(
    ("provider", "error"),
    [("nobody", NotFound), ("keyless", NotConfigured), ("x" * 65, Invalid), (5, Invalid)],
)
async def test_a_provider_that_is_not_here_is_named(
    office: Office, provider: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await office.use("stt.connect", provider=provider, config={"sampleRate": 8_000})


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"sampleRate": 1},
        {"sampleRate": "high"},
        {"sampleRate": 8_000, "encoding": "mp3"},
        {"sampleRate": 7_919},
        {"sampleRate": 8_000, "endpointingMs": 0},
        {"sampleRate": 8_000, "phrases": ["x"] * 201},
        {"sampleRate": 8_000, "grammar": "x" * 20_001},
        {"sampleRate": 8_000, "model": "best"},
    ],
)
async def test_a_connection_that_cannot_work_is_not_opened(office: Office, config: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await office.use("stt.connect", provider="scripted", config=config)

    assert office.vendors.listener.ears == []


@pytest.mark.parametrize("refusal", [BadGrammar("No such word."), ProviderFailed("It is down.")])
async def test_what_a_vendor_says_against_it_is_passed_on(refusal: Exception) -> None:
    async with an_office(heard_by(refuses=refusal)) as office:
        with pytest.raises(type(refusal)):
            await connected(office)


async def test_a_key_is_in_no_error() -> None:
    async with an_office() as office:
        with pytest.raises(Invalid) as bad:
            await office.use("stt.connect", config={"sampleRate": 1, "apiKey": "k-secret"})

        assert "k-secret" not in str(bad.value)


async def test_a_hundred_connections_are_enough(office: Office) -> None:
    for _ in range(MOST_CONNECTIONS):
        await connected(office)

    with pytest.raises(TooMany, match=r"stt\.close"):
        await connected(office)


async def test_a_connection_that_nobody_uses_is_closed(office: Office) -> None:
    connection_id = await connected(office)
    office.clock.advance(IDLE_SECONDS + 1)

    with pytest.raises(NotFound, match=r"stt\.connect"):
        await office.use("stt.status", connectionId=connection_id)

    assert office.vendors.listener.ears[0].closed


async def test_a_connection_in_use_is_kept(office: Office) -> None:
    connection_id = await connected(office)

    for _ in range(3):
        office.clock.advance(IDLE_SECONDS - 1)
        await streamed(office, connection_id, sound((False, 20)))

    assert await office.desk.drawer(Connections).sweep(office.clock()) == 0


async def test_an_office_that_closes_lets_go_of_its_ears() -> None:
    async with an_office() as office:
        await connected(office)

    assert office.vendors.listener.ears[0].closed


# ─── streamAudio ─────────────────────────────────────────────────────────────


async def test_words_come_when_the_speaker_falls_silent() -> None:
    async with an_office(heard_by(Final("hello", confidence=0.8, duration_ms=600, latency_ms=40))) as office:
        connection_id = await connected(office)

        partial, final = await streamed(office, connection_id, SPEECH, timestamp=1_000)

        assert (partial["isFinal"], partial["transcript"]) == (False, "…")
        assert final == {
            "transcript": "hello",
            "confidence": 0.8,
            "isFinal": True,
            "timestamp": 1_800.0,
            "durationMs": 600,
            "rejected": False,
        }
        assert office.desk.counts.stt_ms.total == 40


async def test_where_the_audio_is_cut_does_not_change_the_words() -> None:
    async with an_office(heard_by(Final("hello"))) as office:
        connection_id = await connected(office)
        found: list[dict[str, Any]] = []

        for at in range(0, len(SPEECH), 999):
            found += await streamed(office, connection_id, SPEECH[at : at + 999], timestamp=at / 8)
        found += (await office.use("stt.close", connectionId=connection_id))["utterances"]

        (final,) = [utterance for utterance in found if utterance["isFinal"]]
        assert final["transcript"] == "hello"
        assert final["timestamp"] == pytest.approx(800, abs=20)


async def test_only_the_newest_partial_is_kept() -> None:
    async with an_office(heard_by(Final("one"), Final(""), Final("two"))) as office:
        connection_id = await connected(office)

        found = await streamed(office, connection_id, SPEECH * 3)

        words = [(utterance["isFinal"], utterance["transcript"]) for utterance in found]
        assert words == [(False, "…"), (True, "one"), (False, "…"), (True, "two")]


@pytest.mark.parametrize(
    ("encoding", "rate"), [(Encoding.PCM16, 16_000), (Encoding.PCM16, 24_000), (Encoding.ALAW, 8_000)]
)
async def test_audio_of_another_format_reaches_the_ear_as_telephone_audio(
    encoding: Encoding, rate: int
) -> None:
    async with an_office(heard_by(Final("hello"))) as office:
        connection_id = await connected(office, encoding=str(encoding), sampleRate=rate)
        audio = from_telephone(sound((True, 600), (False, 800)), AudioFormat(encoding, rate))

        found = await streamed(office, connection_id, audio)

        assert [utterance["transcript"] for utterance in found if utterance["isFinal"]] == ["hello"]
        (ear,) = office.vendors.listener.ears
        assert 600 <= len(ear.audio) / 8 <= 1_400


async def test_a_continuous_ear_hears_the_silence_too() -> None:
    async with an_office(heard_by(continuous=True)) as office:
        connection_id = await connected(office)

        await streamed(office, connection_id, sound((False, 1_000)))

        (ear,) = office.vendors.listener.ears
        assert bytes(ear.audio) == sound((False, 1_000))


async def test_two_pieces_sent_at_once_are_heard_in_their_order() -> None:
    async with an_office(heard_by(continuous=True)) as office:
        connection_id = await connected(office, encoding="pcm16", sampleRate=16_000)
        loud, silent = (
            from_telephone(sound((voice, 400)), AudioFormat(Encoding.PCM16, 16_000))
            for voice in (True, False)
        )

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(streamed, office, connection_id, loud)
            tasks.start_soon(streamed, office, connection_id, silent, 400)

        (ear,) = office.vendors.listener.ears
        assert max(ear.audio[3_300:]) == min(ear.audio[3_300:]) == 0xFF


@pytest.mark.parametrize(
    ("chunk", "says"),
    [
        ("", "empty"),
        ("?", "not base64"),
        ("data:,x", "data URL"),
        (b64(bytes(3)), "whole samples"),
        ("A" * 2_000_000, "pieces of at most 60 seconds"),
    ],
    ids=["empty", "not base64", "data URL", "odd", "endless"],
)
async def test_audio_that_is_none_costs_the_connection_nothing(office: Office, chunk: str, says: str) -> None:
    connection_id = await connected(office, encoding="pcm16")

    with pytest.raises(Invalid, match=says):
        await office.use("stt.streamAudio", connectionId=connection_id, chunk=chunk, timestamp=0)

    assert (await office.use("stt.status", connectionId=connection_id))["connected"] is True


@pytest.mark.parametrize("timestamp", [-1, "soon", None, float("nan")])
async def test_a_timestamp_is_milliseconds(office: Office, timestamp: object) -> None:
    connection_id = await connected(office)

    with pytest.raises(Invalid, match="timestamp"):
        await office.use(
            "stt.streamAudio", connectionId=connection_id, chunk=b64(SPEECH), timestamp=timestamp
        )


async def test_a_recogniser_that_fails_is_an_error_of_the_next_piece() -> None:
    async with an_office(heard_by(EarFailed("provider_failed", "The socket closed."))) as office:
        connection_id = await connected(office)
        await streamed(office, connection_id, SPEECH)

        with pytest.raises(ProviderFailed, match=r"The socket closed.*stt\.close"):
            await streamed(office, connection_id, SPEECH)

        state = await office.use("stt.status", connectionId=connection_id)
        assert state == {"connected": False, "latency": 0, "errorCount": 1}


async def test_a_recogniser_that_breaks_off_is_not_connected() -> None:
    async with an_office(heard_by(breaks=ProviderFailed("Overload."))) as office:
        connection_id = await connected(office)
        connection = await office.desk.drawer(Connections).get(connection_id, office.clock())
        await until(lambda: not connection.connected)

        with pytest.raises(ProviderFailed, match="Overload"):
            await streamed(office, connection_id, SPEECH)
        assert (await office.use("stt.close", connectionId=connection_id))["closed"] is True


async def test_a_recogniser_that_recovers_goes_on() -> None:
    lines = (EarFailed("provider_failed", "Again.", recovered=True), Final("hello"))
    async with an_office(heard_by(*lines)) as office:
        connection_id = await connected(office)
        await streamed(office, connection_id, SPEECH)

        found = await streamed(office, connection_id, SPEECH, timestamp=1_600)

        assert found[-1]["transcript"] == "hello"
        state = await office.use("stt.status", connectionId=connection_id)
        assert (state["connected"], state["errorCount"]) == (True, 1)


async def test_a_recogniser_that_ends_is_not_connected(office: Office) -> None:
    connection_id = await connected(office)
    connection = await office.desk.drawer(Connections).get(connection_id, office.clock())
    await office.vendors.listener.ears[0].aclose()
    await until(lambda: not connection.connected)

    with pytest.raises(ProviderFailed, match="ended"):
        await streamed(office, connection_id, sound((False, 20)))


# ─── close and status ────────────────────────────────────────────────────────


async def test_closing_waits_for_the_last_words() -> None:
    async with an_office(heard_by(Final("good", latency_ms=25))) as office:
        connection_id = await connected(office)
        await streamed(office, connection_id, sound((True, 600)), timestamp=100)

        answer = await office.use("stt.close", connectionId=connection_id)

        assert answer["closed"] is True
        assert answer["utterances"][-1]["transcript"] == "good"
        assert answer["utterances"][-1]["timestamp"] == pytest.approx(700)
        assert office.vendors.listener.ears[0].closed


async def test_a_connection_closes_once(office: Office) -> None:
    connection_id = await connected(office)
    await office.use("stt.close", connectionId=connection_id)

    for tool in ("stt.close", "stt.status"):
        with pytest.raises(NotFound, match=r"stt\.connect"):
            await office.use(tool, connectionId=connection_id)
    with pytest.raises(NotFound):
        await streamed(office, connection_id, SPEECH)


async def test_status_tells_the_newest_delay() -> None:
    async with an_office(heard_by(Final("a", latency_ms=70), Final("b", latency_ms=30))) as office:
        connection_id = await connected(office)
        before = await office.use("stt.status", connectionId=connection_id)
        await streamed(office, connection_id, SPEECH * 2)

        after = await office.use("stt.status", connectionId=connection_id)

        assert before == {"connected": True, "latency": 0, "errorCount": 0}
        assert after == {"connected": True, "latency": 30, "errorCount": 0}
