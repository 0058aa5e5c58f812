"""Simulated people on real sockets, with voices and ears that are twins."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mcp_voice.core.dtmf import tones
from mcp_voice.core.events import EarFailed, Heard
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.errors import CarrierFailed, ProviderFailed
from mcp_voice.simulator.people import Encounter, Senses, converse
from mcp_voice.simulator.persona import Persona
from tests.simulator.servers import TONE, Behaviour, Peer, listen, served
from tests.twins import Listener, Speaker

pytestmark = pytest.mark.anyio

SILENT = b64encode(b"\xff" * 160).decode()


def words(text: str, confidence: float = 0.9) -> FinalWords:
    """What an ear heard; it rejects what it is not sure of."""
    return FinalWords(text, confidence=confidence, rejected=confidence < 0.5, duration_ms=100, latency_ms=1)


def a_persona(**fields: Any) -> Persona:
    return Persona.model_validate({"description": "Somebody.", "thinks": 0, "patience": 20, **fields})


async def meet(
    persona: Persona, behaviour: Behaviour, *heard: Heard, speaker: Speaker | None = None, **how: Any
) -> tuple[Encounter, Listener]:
    """Let a person call a server; `heard` is what its ear understands, one for each time it is spoken to."""
    listener = Listener(heard)
    senses = Senses(speaker or Speaker(ms_per_character=10), listener)
    async with served(behaviour, []) as url:
        return await converse(persona, url, senses, pace="fast", **how), listener


def answering_each_silence(*sounds: bytes) -> Behaviour:
    """A server that plays one thing each time the person has spoken and is silent again."""

    async def answer(peer: Peer) -> None:
        left, quiet, spoke = list(sounds), 0, False
        async for message in peer.messages():
            if message["event"] != "media":
                continue
            loud = message["media"]["payload"] != SILENT
            spoke, quiet = spoke or loud, 0 if loud else quiet + 1
            if spoke and quiet == 5 and left:
                spoke = False
                await peer.play(left.pop(0))

    return answer


async def test_a_person_hears_answers_and_hangs_up() -> None:
    states = {
        "asks": {"say": "For how many?", "when": [{"knows": "party", "goto": "thanks"}]},
        "thanks": {"say": "{party}, thank you.", "hang_up": True},
    }
    persona = a_persona(remember={"party": "(four) people"}, phrases=["four people"], states=states)

    met, listener = await meet(persona, answering_each_silence(TONE), words("four people"))

    assert met.states == ("asks", "thanks")
    assert met.facts == {"party": "four"}
    assert [(line.by, line.text) for line in met.lines] == [
        ("person", "For how many?"), ("agent", "four people"), ("person", "four, thank you."),
    ]  # fmt: skip
    assert met.ended_by == "person"
    assert listener.configs[0].phrases == ("four people",)
    assert listener.ears[0].closed
    assert len(met.answers) == 1
    assert 0 < met.answers[0] < 2


async def test_the_ear_gets_what_was_played_and_no_other_sound() -> None:
    states = {"asks": {"say": "Yes?", "when": [{"any": True, "hang_up": True}]}}

    _, listener = await meet(a_persona(states=states), answering_each_silence(TONE), words("hello"))

    assert bytes(listener.ears[0].audio).strip(b"\xff") == TONE


@pytest.mark.parametrize(("confidence", "understood"), [(0.2, ""), (0.3, "no")])
async def test_words_that_were_not_understood_are_still_an_answer(confidence: float, understood: str) -> None:
    states = {"asks": {"say": "Yes?", "when": [{"any": True, "hang_up": True}]}}

    met, _ = await meet(a_persona(states=states), answering_each_silence(TONE), words("no", confidence))

    assert [line.text for line in met.lines] == ["Yes?", understood]


async def test_an_ear_that_fails_leaves_a_person_who_hears_nothing() -> None:
    states = {
        "asks": {"say": "Yes?", "when": [{"any": True, "goto": "asks"}, {"silence": 1, "hang_up": True}]}
    }
    failed = EarFailed("provider_failed", "It broke.", recovered=False)

    met, _ = await meet(a_persona(states=states), answering_each_silence(TONE), failed)

    assert met.states == ("asks",)
    assert met.ended_by == "person"


async def test_keys_are_found_in_the_audio_and_their_tones_are_no_words() -> None:
    rules = [{"digits": "(?P<order>12#)", "goto": "thanks"}, {"any": True, "goto": "menu"}]
    states = {"menu": {"say": "Keys?", "when": rules}, "thanks": {"say": "Thank you.", "hang_up": True}}

    met, _ = await meet(a_persona(states=states), answering_each_silence(tones("12#")), words("you you"))

    assert met.states == ("menu", "thanks")
    assert met.facts == {"order": "12#"}
    assert [line.by for line in met.lines] == ["person", "person"]


async def test_a_person_is_told_words_instead_of_hearing_them() -> None:
    states = {"asks": {"say": "Yes?", "when": [{"words": "table", "hang_up": True}]}}

    async def told() -> AsyncIterator[str]:
        yield "I would like a table."

    met, listener = await meet(a_persona(states=states), listen, told=told())

    assert listener.ears == []
    assert [line.text for line in met.lines] == ["I would like a table.", "Yes?"]


async def test_a_person_presses_keys_beeps_and_plays_music() -> None:
    states = {"all": {"press": "1w2", "beep": 0.2, "music": 1, "hang_up": True}}
    peers: list[Peer] = []

    async with served(listen, peers) as url:
        met = await converse(a_persona(states=states), url, Senses(Speaker()), pace="fast")

    assert [message["dtmf"]["digit"] for message in peers[0].of("dtmf")] == ["1", "2"]
    assert met.report.caller_talks


async def test_a_person_who_is_cut_off_falls_silent() -> None:
    async def interrupt(peer: Peer) -> None:
        async for message in peer.messages():
            if message["event"] == "media" and message["media"]["payload"] != SILENT and not peer.of("spoke"):
                peer.received.append({"event": "spoke"})
                await peer.play(TONE * 20)

    states = {
        "tells": {"say": "A long story. " * 30, "when": [{"any": True, "goto": "stops"}]},
        "stops": {"hang_up": True},
    }
    speaker = Speaker(ms_per_character=60)

    async with served(interrupt, []) as url:
        met = await converse(a_persona(states=states), url, Senses(speaker, Listener([words("stop")])))

    spoken = sum(talk.ended - talk.began for talk in met.report.caller_talks)
    assert 0.8 <= spoken < 5
    assert met.states == ("tells", "stops")


async def test_a_bad_line_loses_frames_and_is_never_silent() -> None:
    peers: list[Peer] = []
    persona = a_persona(noise=-40, packet_loss=0.3, states={"all": {"music": 2, "hang_up": True}})

    async with served(listen, peers) as url:
        met = await converse(persona, url, Senses(Speaker()), pace="fast")

    sent = peers[0].of("media")
    chunks = [int(message["media"]["chunk"]) for message in sent]
    assert 20 < met.report.tally.frames_lost < 60
    assert chunks != list(range(1, len(chunks) + 1))
    assert SILENT not in [message["media"]["payload"] for message in sent]
    assert met.report.faults == ()


async def test_the_last_words_of_an_agent_who_hangs_up_are_remembered() -> None:
    async def leave_a_message(peer: Peer) -> None:
        async for _ in peer.messages():
            if len(peer.of("media")) == 5:
                await peer.play(TONE * 3)
            if len(peer.of("media")) == 60:
                return

    persona = a_persona(
        remember={"message": ".+"}, states={"box": {"when": [{"silence": 9, "hang_up": True}]}}
    )

    met, _ = await meet(persona, leave_a_message, words("it is ready"))

    assert met.ended_by == "agent"
    assert met.facts == {"message": "it is ready"}


async def test_a_voice_that_fails_ends_the_call() -> None:
    states = {"asks": {"say": "Yes?", "when": [{"any": True, "hang_up": True}]}}
    speaker = Speaker(fails=[ProviderFailed("It broke.")])

    with pytest.raises(ProviderFailed):
        await meet(a_persona(states=states), listen, speaker=speaker)


async def test_nobody_to_be_reached_is_the_carriers_failure() -> None:
    with pytest.raises(CarrierFailed, match="31902"):
        await converse(a_persona(states={"a": {"hang_up": True}}), "ws://127.0.0.1:1/x", Senses(Speaker()))
