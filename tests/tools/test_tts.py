from base64 import b64decode
from typing import Any

import anyio
import pytest

from mcp_voice.errors import Invalid, NotConfigured, NotFound, ProviderFailed, TooMany
from mcp_voice.tools.syntheses import KEPT_SECONDS, MOST_KEPT, Syntheses
from tests.tools.desk import Office, an_office
from tests.twins import Speaker, Vendors, until

TEN = "ten chars."
TEN_MS = 600


def audio_of(chunks: list[dict[str, Any]]) -> bytes:
    return b"".join(b64decode(chunk["buffer"]) for chunk in chunks)


async def over(office: Office, synthesis_id: str) -> None:
    """Wait until a synthesis is over."""
    synthesis = office.desk.drawer(Syntheses).get(synthesis_id, office.clock())
    await until(synthesis.task.done)


# ─── synthesize ──────────────────────────────────────────────────────────────


async def test_a_text_becomes_chunks_of_200_milliseconds(office: Office) -> None:
    answer = await office.use("tts.synthesize", text=TEN, config={"provider": "humming"})

    assert answer["status"] == "done"
    assert [chunk["timestamp"] for chunk in answer["chunks"]] == [0, 200, 400]
    assert len(audio_of(answer["chunks"])) == TEN_MS * 8
    (chunk, *_) = answer["chunks"]
    assert (chunk["sampleRate"], chunk["encoding"], chunk["channels"]) == (8_000, "mulaw", 1)
    assert answer["firstByteMs"] >= 0
    assert sum(office.desk.counts.tts_first_byte_ms.counts) == 1


async def test_the_last_chunk_may_be_short(office: Office) -> None:
    answer = await office.use("tts.synthesize", text="x" * 11)

    assert [len(b64decode(chunk["buffer"])) for chunk in answer["chunks"]] == [1_600, 1_600, 1_600, 480]


async def test_a_voice_is_told_how_to_speak(office: Office) -> None:
    await office.use(
        "tts.synthesize", text="  hello\n", config={"voice": "hum", "speed": 1.5, "language": "de-DE"}
    )

    ((text, config),) = office.vendors.speaker.said
    assert text == "hello"
    assert (config.voice, config.speed, config.language) == ("hum", 1.5, "de-DE")


@pytest.mark.parametrize(
    ("written", "language", "said"),
    [
        ("**Now:** $12.50 at 7:30 pm", "en-US", "Now: twelve dollars and fifty cents at seven thirty p m"),
        ("Am 1/12/2026", "en-GB", "Am the first of December, twenty twenty-six"),
        ("**Um 19:30** <b>hier</b>", "de-DE", "Um 19:30 hier"),
        ("\U0001f44d", "en-US", "\U0001f44d"),
    ],
)
async def test_a_voice_gets_a_text_as_a_person_would_say_it(
    office: Office, written: str, language: str, said: str
) -> None:
    await office.use("tts.synthesize", text=written, config={"language": language})

    assert [text for text, _ in office.vendors.speaker.said] == [said]


async def test_a_benchmark_times_what_would_be_said(office: Office) -> None:
    await office.use("tts.benchmark", provider="humming", text="- 5 km")

    assert [text for text, _ in office.vendors.speaker.said] == ["five kilometers"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"text": ""}, "nothing to say"),
        ({"text": " \n"}, "nothing to say"),
        ({"text": "x" * 5_001}, "split it at sentences"),
        ({"text": "x" * 100_000}, "100000 characters"),
        ({"text": None}, "text"),
        ({}, "text"),
        ({"text": "x", "config": {"speed": 0.4}}, "speed"),
        ({"text": "x", "config": {"speed": 2.1}}, "speed"),
        ({"text": "x", "config": {"voice": "v" * 101}}, "voice"),
        ({"text": "x", "config": {"pitch": 1}}, "no such argument"),
        ({"text": "x", "stream": "perhaps"}, "stream"),
    ],
)
async def test_what_cannot_be_said_is_refused(office: Office, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        await office.use("tts.synthesize", **arguments)

    assert office.vendors.speaker.said == []


async def test_5000_characters_are_said(office: Office) -> None:
    answer = await office.use("tts.synthesize", text=f" {'x' * 5_000} ")

    assert len(answer["chunks"]) == 1_500


@pytest.mark.parametrize(("provider", "error"), [("nobody", NotFound), ("keyless", NotConfigured)])
async def test_a_voice_that_is_not_here_is_named(
    office: Office, provider: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await office.use("tts.synthesize", text=TEN, config={"provider": provider})


async def test_a_voice_that_fails_at_first_is_asked_once_more() -> None:
    async with an_office(Vendors(speaker=Speaker(fails=[ProviderFailed("Busy.")]))) as office:
        answer = await office.use("tts.synthesize", text=TEN)

        assert len(audio_of(answer["chunks"])) == TEN_MS * 8
        assert len(office.vendors.speaker.said) == 2


async def test_a_voice_that_fails_twice_has_failed() -> None:
    fails = [ProviderFailed("Busy."), ProviderFailed("Still busy."), ProviderFailed("Never.")]
    async with an_office(Vendors(speaker=Speaker(fails=[*fails]))) as office:
        with pytest.raises(ProviderFailed, match="Still busy"):
            await office.use("tts.synthesize", text=TEN)

        assert len(office.vendors.speaker.said) == 2


async def test_a_voice_that_fails_half_way_is_not_asked_to_begin_again() -> None:
    async with an_office(Vendors(speaker=Speaker(fails=[ProviderFailed("Cut.")], fails_at=3))) as office:
        answer = await office.use("tts.synthesize", text=TEN, stream=True)
        await over(office, answer["synthesisId"])

        state = await office.use("tts.status", synthesisId=answer["synthesisId"], after=0)

        assert (state["status"], state["error"]) == (
            "failed",
            "Cut. Call again; if it persists, choose another provider.",
        )
        assert len(audio_of(state["chunks"])) == 300 * 8
        assert len(office.vendors.speaker.said) == 1


async def test_a_voice_without_a_key_is_not_asked_again() -> None:
    async with an_office(Vendors(speaker=Speaker(fails=[NotConfigured("No key.")]))) as office:
        with pytest.raises(NotConfigured):
            await office.use("tts.synthesize", text=TEN)

        assert len(office.vendors.speaker.said) == 1


async def test_a_voice_that_says_nothing_has_failed() -> None:
    async with an_office(Vendors(speaker=Speaker(ms_per_character=0))) as office:
        with pytest.raises(ProviderFailed, match="made no audio"):
            await office.use("tts.synthesize", text=TEN)


async def test_a_voice_that_stops_in_the_middle_is_not_waited_for_for_ever() -> None:
    async with an_office(Vendors(speaker=Speaker(held=anyio.Event()))) as office:
        office.desk.drawer(Syntheses).patience = 0.02

        with pytest.raises(ProviderFailed, match=r"made no audio for 0\.02 s"):
            await office.use("tts.synthesize", text=TEN)

        assert office.vendors.speaker.at_work == 0


async def test_a_bug_in_a_vendor_is_not_hidden() -> None:
    async with an_office(Vendors(speaker=Speaker(fails=[ZeroDivisionError()], fails_at=2))) as office:
        with pytest.raises(ZeroDivisionError):
            await office.use("tts.synthesize", text=TEN)

        (synthesis_id,) = office.desk.drawer(Syntheses)._kept
        assert (await office.use("tts.status", synthesisId=synthesis_id))["status"] == "failed"


async def test_a_caller_that_gives_up_stops_the_voice() -> None:
    async with an_office(Vendors(speaker=Speaker(held=anyio.Event()))) as office:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(synthesized, office, [])
            await until(lambda: office.vendors.speaker.at_work == 1)
            tasks.cancel_scope.cancel()

        await until(lambda: office.vendors.speaker.at_work == 0)


# ─── stream, status, cancel ──────────────────────────────────────────────────


async def test_a_stream_returns_at_once_and_is_fetched_piece_by_piece() -> None:
    held = anyio.Event()
    async with an_office(Vendors(speaker=Speaker(held=held))) as office:
        answer = await office.use("tts.synthesize", text=TEN, stream=True)
        synthesis_id = answer["synthesisId"]
        begun = await office.use("tts.status", synthesisId=synthesis_id, after=0)
        held.set()
        await over(office, synthesis_id)

        first = await office.use("tts.status", synthesisId=synthesis_id, after=0)
        rest = await office.use("tts.status", synthesisId=synthesis_id, after=2)

        assert (answer["status"], answer["chunks"]) == ("running", [])
        assert (begun["status"], begun["chunks"]) == ("running", [])
        assert begun["progress"] < 1
        assert (first["status"], first["progress"], first["chunksGenerated"]) == ("done", 1.0, 3)
        assert len(audio_of(first["chunks"])) == TEN_MS * 8
        assert rest["chunks"] == first["chunks"][2:]


async def test_status_shows_no_audio_unless_asked(office: Office) -> None:
    synthesis_id = (await office.use("tts.synthesize", text=TEN))["synthesisId"]

    state = await office.use("tts.status", synthesisId=synthesis_id)

    assert state == {"status": "done", "progress": 1.0, "chunksGenerated": 3, "chunks": [], "error": None}


async def test_a_long_speech_is_fetched_half_a_minute_at_a_time(office: Office) -> None:
    synthesis_id = (await office.use("tts.synthesize", text="x" * 1_000))["synthesisId"]

    state = await office.use("tts.status", synthesisId=synthesis_id, after=100)

    assert state["chunksGenerated"] == 300
    assert [chunk["timestamp"] for chunk in state["chunks"]] == list(range(20_000, 50_000, 200))


async def test_progress_is_an_estimate_that_is_one_only_at_the_end() -> None:
    held = anyio.Event()
    async with an_office(Vendors(speaker=Speaker(held=held, ms_per_character=1_000))) as office:
        synthesis_id = (await office.use("tts.synthesize", text="x", stream=True))["synthesisId"]
        while (state := await office.use("tts.status", synthesisId=synthesis_id))["progress"] == 0:
            await anyio.lowlevel.checkpoint()

        assert state["progress"] == 0.99


async def test_a_cancelled_synthesis_stops_and_keeps_what_it_has() -> None:
    held = anyio.Event()
    async with an_office(Vendors(speaker=Speaker(held=held))) as office:
        synthesis_id = (await office.use("tts.synthesize", text=TEN, stream=True))["synthesisId"]
        await until(lambda: office.vendors.speaker.at_work == 1)

        first = await office.use("tts.cancel", synthesisId=synthesis_id)
        second = await office.use("tts.cancel", synthesisId=synthesis_id)
        await over(office, synthesis_id)

        assert first == second == {"cancelled": True}
        assert office.vendors.speaker.at_work == 0
        state = await office.use("tts.status", synthesisId=synthesis_id, after=0)
        assert (state["status"], len(audio_of(state["chunks"]))) == ("cancelled", 800)


async def test_what_is_over_cannot_be_cancelled(office: Office) -> None:
    synthesis_id = (await office.use("tts.synthesize", text=TEN))["synthesisId"]

    answer = await office.use("tts.cancel", synthesisId=synthesis_id)

    assert answer == {"cancelled": False}


async def test_who_waits_for_a_cancelled_synthesis_gets_what_there_is() -> None:
    held = anyio.Event()
    async with an_office(Vendors(speaker=Speaker(held=held))) as office:
        answers: list[dict[str, Any]] = []

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(synthesized, office, answers)
            await until(lambda: office.vendors.speaker.at_work == 1)
            (synthesis_id,) = office.desk.drawer(Syntheses)._kept
            await office.use("tts.cancel", synthesisId=synthesis_id)

        assert answers[0]["status"] == "cancelled"


async def synthesized(office: Office, answers: list[dict[str, Any]]) -> None:
    answers.append(await office.use("tts.synthesize", text=TEN))


async def test_a_synthesis_is_forgotten_after_five_minutes(office: Office) -> None:
    synthesis_id = (await office.use("tts.synthesize", text=TEN))["synthesisId"]
    office.clock.advance(KEPT_SECONDS + 1)

    for tool in ("tts.status", "tts.cancel"):
        with pytest.raises(NotFound, match="synthesize again"):
            await office.use(tool, synthesisId=synthesis_id)


async def test_the_oldest_that_is_over_makes_room(office: Office) -> None:
    names = [(await office.use("tts.synthesize", text="x"))["synthesisId"] for _ in range(MOST_KEPT + 1)]

    with pytest.raises(NotFound):
        await office.use("tts.status", synthesisId=names[0])
    assert (await office.use("tts.status", synthesisId=names[1]))["status"] == "done"


async def test_so_many_at_once_are_enough() -> None:
    async with an_office(Vendors(speaker=Speaker(held=anyio.Event()))) as office:
        for _ in range(MOST_KEPT):
            await office.use("tts.synthesize", text=TEN, stream=True)

        with pytest.raises(TooMany, match=r"tts\.cancel"):
            await office.use("tts.synthesize", text=TEN)


@pytest.mark.parametrize("after", [-1, "first", 100_001])
async def test_a_cursor_is_a_number_of_chunks(office: Office, after: object) -> None:
    synthesis_id = (await office.use("tts.synthesize", text=TEN))["synthesisId"]

    with pytest.raises(Invalid, match="after"):
        await office.use("tts.status", synthesisId=synthesis_id, after=after)


# ─── benchmark ───────────────────────────────────────────────────────────────


async def test_a_benchmark_really_speaks_and_keeps_nothing(office: Office) -> None:
    answer = await office.use("tts.benchmark", provider="humming", text=TEN)

    assert answer["chunkCount"] == 3
    assert 0 <= answer["firstByteMs"] <= answer["totalMs"]
    assert len(office.vendors.speaker.said) == 1
    assert office.desk.drawer(Syntheses)._kept == {}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"provider": "nobody", "text": TEN}, NotFound),
        ({"provider": "keyless", "text": TEN}, NotConfigured),
        ({"provider": "humming", "text": ""}, Invalid),
        ({"text": TEN}, Invalid),
    ],
)
async def test_a_benchmark_of_nothing_is_refused(
    office: Office, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await office.use("tts.benchmark", **arguments)


async def test_a_benchmark_of_a_failing_voice_fails() -> None:
    fails = [ProviderFailed("Busy."), ProviderFailed("Still busy.")]
    async with an_office(Vendors(speaker=Speaker(fails=[*fails]))) as office:
        with pytest.raises(ProviderFailed):
            await office.use("tts.benchmark", provider="humming", text=TEN)
