"""What an agent is told when a voice or an ear fails in a call, or what it asks for cannot be."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from mcp_voice.core.events import EarFailed, Started
from mcp_voice.errors import Invalid, NotConfigured, NotFound, NotLive, ProviderFailed, SessionClosed
from mcp_voice.ports import Hears, VoiceConfig
from tests.tools.desk import an_office
from tests.tools.test_talking import a_call, a_caller, talk
from tests.twins import Listener, Speaker, Vendors, until

pytestmark = pytest.mark.anyio


class Hoarse(Speaker):
    """Says one thing, and no more."""

    async def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[bytes, None]:
        if self.said:
            raise ProviderFailed("The voice is gone.")
        async for piece in super().speak(text, config):
            yield piece


async def test_a_voice_that_fails_later_has_said_what_it_has_said_and_the_agent_is_told_of_the_rest() -> None:
    async with an_office(a_caller(speaker=Hoarse(ms_per_character=2))) as office:
        held = await a_call(office)
        text = "This is the first sentence. And this is the second one."

        reply = await office.use("telephony.say", text=text, then="return")
        later = await office.use("telephony.listen", waitSeconds=0)

        assert (reply["outcome"], later["problem"]) == ("spoken", None)
        assert reply["problem"].startswith("The voice is gone.")
        assert reply["problem"].endswith("Not said: And this is the second one.")
        assert reply["spoken"] == {
            "text": text,
            "heardByCaller": "This is the first sentence.",
            "interrupted": False,
            "heardFraction": round(27 / len(text), 3),
            "cutAtMs": None,
        }
        entries = await office.desk.store.entries(held.session_id)
        [error] = [entry.data for entry in entries if entry.kind == "error"]
        [said] = [entry.data for entry in entries if entry.kind == "agentSaid"]
        assert (error["code"], error["part"]) == ("provider_failed", said["part"])
        assert error["message"].startswith("The voice is gone.")


async def test_a_call_whose_ears_all_fail_still_says_presses_and_closes() -> None:
    vendors = Vendors(Listener(breaks=ProviderFailed("Overload.")), Speaker(ms_per_character=2))
    async with an_office(vendors) as office:
        held = await a_call(office)
        talk(held)
        await until(lambda: office.talk(held).conversation.deaf)

        spoken = await office.use("telephony.say", text="Are you there?", then="return")
        pressed = await office.use("telephony.press", digits="1", waitSeconds=0)
        await office.use("telephony.hangup", sessionId=held.session_id, reason="done")

        got = await office.use("session.get", sessionId=held.session_id)
        assert (spoken["outcome"], pressed["outcome"]) == ("spoken", "pending")
        assert (got["session"]["status"], got["session"]["closeReason"]) == ("closed", "done")


@pytest.mark.slow
async def test_what_the_recogniser_has_given_up_is_told_once_and_not_waited_for() -> None:
    ear = Listener([EarFailed("provider_failed", "The recogniser broke.")])
    async with an_office(Vendors(ear, Speaker(ms_per_character=2))) as office:
        held = await a_call(office)
        await office.use("telephony.say", text="Is that right?", then="return")
        talk(held)
        await until(lambda: office.talk(held).conversation.problems.unheard)

        told = await office.use("telephony.listen", waitSeconds=0)
        silent = await office.use("telephony.listen", expect="yesNo")

        assert (told["outcome"], silent["outcome"]) == ("pending", "noReply")
        assert told["problem"] == "The caller could not be understood: The recogniser broke."
        assert told["nextStep"].startswith("What they said was not understood")
        assert (silent["problem"], told["heard"]) == (None, [])
        assert silent["nextStep"].startswith("The caller is silent")


NO_EAR = NotConfigured("No recogniser is here.")


class Earless(Vendors):
    """Vendors none of which hears."""

    def ear(self, name: str | None = None) -> Hears:
        raise NO_EAR


@pytest.mark.parametrize("vendors", [Vendors(Listener(refuses=NO_EAR)), Earless()])
async def test_a_call_that_nobody_hears_says_so_once_and_waits_for_no_words(vendors: Vendors) -> None:
    async with an_office(vendors) as office:
        held = await a_call(office)
        await until(lambda: office.talk(held).conversation.problems.unheard)

        first = await office.use("telephony.listen", waitSeconds=0)
        talk(held)
        quiet = await office.use("telephony.listen", until="quiet")

        assert first["problem"] == "The caller could not be understood: " + str(NO_EAR)
        assert (quiet["problem"], quiet["outcome"]) == (None, "quiet")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"text": "  "}, Invalid),
        ({"text": "x" * 40_001}, Invalid),
        ({"text": "hello", "waitSeconds": 601}, Invalid),
        ({"text": "hello", "expect": "poetry"}, Invalid),
        ({"text": "hello", "sessionId": "sess_nobody"}, NotFound),
        ({"text": "hello"}, NotLive),
    ],
)
async def test_bad_asks_are_named(arguments: dict[str, Any], error: type[Exception]) -> None:
    async with an_office() as office:
        with pytest.raises(error):
            await office.use("telephony.say", **arguments)


async def test_a_voice_that_fails_before_its_first_word_is_the_tools_error() -> None:
    speaker = Speaker(fails=[ProviderFailed("The voice is hoarse.")] * 2)
    async with an_office(a_caller(speaker=speaker)) as office:
        await a_call(office)

        with pytest.raises(ProviderFailed, match="hoarse"):
            await office.use("telephony.say", text="Hello.")


async def test_a_voice_that_fails_once_is_asked_again() -> None:
    speaker = Speaker(fails=[ProviderFailed("The voice is hoarse.")], ms_per_character=2)
    async with an_office(a_caller(speaker=speaker)) as office:
        await a_call(office)

        spoken = await office.use("telephony.say", text="Hello.", then="return")

        assert spoken["spoken"]["text"] == "Hello."


async def test_one_of_several_calls_has_to_be_named_and_one_that_is_over_or_not_yet_there_says_so() -> None:
    async with an_office() as office:
        one = await office.calls.hold(Started("MZ1", "CA1"))
        await office.calls.hold(Started("MZ2", "CA2"))
        waiting = await office.use("session.create", callSid="CA3", config={})

        with pytest.raises(Invalid, match=one.session_id):
            await office.use("telephony.listen")
        with pytest.raises(NotLive):
            await office.use("telephony.listen", sessionId=waiting["sessionId"])
        await office.calls.end(one.session_id, "done")
        with pytest.raises(SessionClosed):
            await office.use("telephony.listen", sessionId=one.session_id)


async def test_there_is_nothing_to_listen_to_without_a_call() -> None:
    async with an_office() as office:
        with pytest.raises(NotLive, match=r"telephony\.call"):
            await office.use("telephony.listen")
