"""What an agent looks up: calls, voices, recognisers, and how the telephone is."""

import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from mcp_voice.core.ability import Ability
from mcp_voice.core.session import Session, SessionConfig, Turn, begin
from mcp_voice.errors import Invalid, NotConfigured, NotFound, ProviderFailed
from mcp_voice.ports import Voice, VoiceConfig
from mcp_voice.server.limits import Rates
from mcp_voice.server.operator import Operator
from mcp_voice.tools.status import told
from tests.tools.calls import on_the_line
from tests.tools.desk import CATALOGUE, Office, an_office
from tests.twins import Listener, Vendors

# ─── session.find ────────────────────────────────────────────────────────────


async def a_past_call(office: Office, call_sid: str, *said: str, **fields: Any) -> Session:
    now = office.clock()
    turns = tuple(
        Turn(turn_id=f"t{n}", user_utterance=words, agent_response="Certainly.", timestamp=now)
        for n, words in enumerate(said)
    )
    session = begin(call_sid, SessionConfig(), now, **fields).model_copy(update={"turns": turns})
    await office.desk.store.add(session)
    office.clock.advance(1)
    return session


async def test_a_call_is_found_by_what_was_said_in_it(office: Office) -> None:
    session = await a_past_call(office, "CA1", "hello", "I want to book a table", from_="+14155550123")
    await a_past_call(office, "CA2", "wrong number")

    found = await office.use("session.find", query="table book certain")

    assert found["nextCursor"] is None
    [hit] = found["sessions"]
    assert (hit["sessionId"], hit["from"], hit["turns"]) == (session.session_id, "+14155550123", 2)
    assert hit["snippet"] == "I want to book a table"


async def test_pages_hold_every_call_once(office: Office) -> None:
    made = [(await a_past_call(office, f"CA{n}", "tea")).session_id for n in range(5)]
    seen: list[str] = []
    more: dict[str, str] = {}

    for _ in range(3):
        page = await office.use("session.find", query="tea", limit=2, **more)
        seen += [hit["sessionId"] for hit in page["sessions"]]
        await a_past_call(office, "CA9", "tea")
        more = {"cursor": page["nextCursor"]}

    assert seen == made[::-1]
    assert page["nextCursor"] is None


async def test_calls_are_found_by_status_and_number_and_expired_ones_not(office: Office) -> None:
    live = await on_the_line(office)
    office.clock.advance(1)  # of two made at one time, the larger id is the newer
    over = await a_past_call(office, "CA2", "tea", from_="+14155550177", status="closed")
    stale = await a_past_call(office, "CA3", "tea")

    async def found(**asked: Any) -> list[str]:
        return [hit["sessionId"] for hit in (await office.use("session.find", **asked))["sessions"]]

    assert await found() == [stale.session_id, over.session_id, live]
    assert await found(status="closed") == await found(party="+1 415 555 0177") == [over.session_id]
    assert await found(status="live") == [stale.session_id, live]
    office.clock.advance(3_601)
    assert await found(status="any") == [over.session_id, live]


@pytest.mark.parametrize(
    "asked",
    [{"query": "?!"}, {"query": "x " * 5 + "y" * 600}, {"cursor": "nonsense"}, {"limit": 21}, {"limit": 0}],
)
async def test_what_cannot_be_looked_for_is_refused(office: Office, asked: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await office.use("session.find", **asked)


# ─── tts.voices, stt.providers ───────────────────────────────────────────────


class Chorus:
    """A vendor with many voices, or none that it can name."""

    name = "chorus"

    def __init__(self, *voices: Voice, breaks: ProviderFailed | None = None) -> None:
        self._voices, self._breaks = voices, breaks

    async def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[bytes, None]:
        yield b""

    async def voices(self) -> Sequence[Voice]:
        if self._breaks is not None:
            raise self._breaks
        return self._voices


class Bench(Vendors):
    """Vendors of which some cannot be used."""

    def names(self) -> dict[str, frozenset[str]]:
        return {**super().names(), "keyless": frozenset({"hears", "speaks"})}


def singing(*voices: Voice, breaks: ProviderFailed | None = None) -> Vendors:
    return Bench(speaker=Chorus(*voices, breaks=breaks))  # type: ignore[arg-type]  # it speaks as one does


async def test_voices_are_listed_with_what_is_missing_for_more() -> None:
    async with an_office(singing(Voice("Ada", "en-GB", "female"), Voice("Bo"))) as office:
        answer = await office.use("tts.voices")

    assert answer["voices"] == [
        {"name": "Ada", "language": "en-GB", "gender": "female", "sampleRate": 8000, "provider": "chorus"},
        {"name": "Bo", "language": None, "gender": None, "sampleRate": 8000, "provider": "chorus"},
    ]
    assert answer["default"] == "Ada"
    assert answer["missing"] == [
        {"provider": "keyless", "why": "keyless needs an API key. Set it, or use local."}
    ]
    assert answer["hint"] is None


async def test_voices_are_listed_by_language() -> None:
    tags = ("en-US", "en", "eng", "de", "en_gb")
    async with an_office(singing(*(Voice(tag, tag) for tag in tags))) as office:
        english = await office.use("tts.voices", language="EN", provider="chorus")
        british = await office.use("tts.voices", language="en-GB")

    assert [voice["name"] for voice in english["voices"]] == ["en-US", "en", "en_gb"]
    assert [voice["name"] for voice in british["voices"]] == ["en_gb"]


async def test_of_many_voices_forty_are_told_and_how_to_see_the_others() -> None:
    async with an_office(singing(*(Voice(f"v{n}", "en") for n in range(43)))) as office:
        answer = await office.use("tts.voices")

    assert len(answer["voices"]) == 40
    assert answer["hint"] == "3 more: give a language, or a provider."


async def test_a_vendor_that_cannot_name_its_voices_is_missing_and_no_error() -> None:
    async with an_office(singing(breaks=ProviderFailed("It is ill."))) as office:
        answer = await office.use("tts.voices")

    assert (answer["voices"], answer["default"]) == ([], None)
    assert [lack["provider"] for lack in answer["missing"]] == ["keyless", "chorus"]


async def test_the_voice_that_was_set_is_the_default(office: Office) -> None:
    office.desk.voice = "Ada"

    answer = await office.use("tts.voices")

    assert answer["default"] == "Ada"
    assert [voice["name"] for voice in answer["voices"]] == ["hum"]


@pytest.mark.parametrize(("name", "error"), [("keyless", NotConfigured), ("nobody", NotFound)])
async def test_a_provider_asked_for_by_name_says_why_it_cannot(
    office: Office, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await office.use("tts.voices", provider=name)


async def test_who_hears_and_speaks_is_told_with_the_defaults() -> None:
    async with an_office(Bench(Listener(continuous=True))) as office:
        answer = await office.use("stt.providers")

    assert answer["hears"] == [{"provider": "scripted", "continuous": True}]
    assert (answer["speaks"], answer["defaultEar"], answer["defaultVoice"]) == (
        ["humming"], "scripted", "humming",
    )  # fmt: skip
    assert [lack["provider"] for lack in answer["missing"]] == ["keyless"]


# ─── telephony.status ────────────────────────────────────────────────────────


async def test_the_telephone_says_what_works_and_what_to_tell_the_user(office: Office) -> None:
    await on_the_line(office)
    office.desk.abilities = lambda: [
        Ability("simulated calls", "ok"),
        Ability("incoming calls", "missing", "Set a token."),
        Ability("dialling", "off", "Not yet."),
    ]

    answer = await office.use("telephony.status")

    assert answer["liveCalls"] == 1
    assert [(line["what"], line["state"]) for line in answer["lines"]] == [
        ("hearing by scripted", "ok"), ("speaking by humming", "ok"), ("simulated calls", "ok"),
        ("incoming calls", "missing"), ("dialling", "off"),
    ]  # fmt: skip
    assert answer["tellUser"] == (
        "Working: hearing by scripted, speaking by humming, simulated calls; "
        "missing: incoming calls (Set a token)."
    )


async def test_a_telephone_that_is_deaf_says_why() -> None:
    async with an_office() as office:
        office.desk.providers = Deaf()

        answer = await office.use("telephony.status")

    assert answer["lines"][0] == {"what": "hearing", "state": "missing", "fix": "No ear. Install one."}


class Deaf(Vendors):
    """Vendors of which none hears."""

    def ear(self, name: str | None = None) -> Any:
        raise NotConfigured("No ear.", advice="Install one.")


def test_one_sentence_is_told_whatever_works() -> None:
    assert told([]) == "Nothing works yet."
    assert told([Ability("tea", "ok"), Ability("cake", "off")]) == "Working: tea."
    assert told([Ability("cake", "missing")]) == "Nothing works yet; missing: cake."


# ─── an agent reads less ─────────────────────────────────────────────────────


async def test_an_agents_answers_come_without_what_is_empty(office: Office) -> None:
    session_id = await on_the_line(office)
    arguments = {"sessionId": session_id, "detail": "concise"}

    async def got(toolset: str) -> dict[str, Any]:
        operator = Operator(CATALOGUE.toolset(toolset), office.desk, Rates(), office.desk.counts)
        answer = await operator.call("session.get", arguments, "me")
        assert answer is not None
        assert json.loads(answer["content"][0]["text"]) == answer["structuredContent"]
        found: dict[str, Any] = answer["structuredContent"]
        return found

    lean, whole = await got("agent"), await got("all")

    assert lean["session"] == {
        name: value for name, value in whole["session"].items() if value not in (None, [])
    }
    assert "closedAt" not in lean["session"]
    assert "closedAt" in whole["session"]
    arguments["sessionId"] = "sess_none"
    assert (await got("agent"))["session"] is None
