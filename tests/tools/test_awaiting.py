"""What `telephony.listen` may wait for besides an answer: a beep, keys, a person."""

from typing import Any

import anyio
import pytest

from mcp_voice.core.events import AnsweredBy, Started
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.media.calls import HeldLeg
from tests.sounds import MUSIC, RECORDINGS, mulaw, quiet, tone
from tests.tools.desk import Office, an_office
from tests.tools.lines import a_call, eventually, press_keys, talk
from tests.twins import Listener, Speaker, Vendors

NUMBER = "+12125550142"
BEEP = mulaw(tone(1_000, 0.4)) + quiet(1)


def vendors(*words: str) -> Vendors:
    return Vendors(Listener([FinalWords(text, 0.9) for text in words]), Speaker(ms_per_character=2))


async def a_machine(office: Office, **arguments: Any) -> HeldLeg:
    """Call somebody whose machine picks up."""
    await office.use("telephony.call", to=NUMBER, waitSeconds=0, **arguments)
    told = {"sessionId": office.network.dialled[-1][0]}
    held = await office.calls.hold(Started("MZ1", "CA1", parameters=told))
    await eventually(lambda: held.leg._call._post.lookout, 30)
    return held


@pytest.mark.parametrize("opening", [None, "Hello, this is the golden lion."])
async def test_a_beep_that_was_over_before_it_was_asked_for_is_told_at_once(opening: str | None) -> None:
    async with an_office(vendors()) as office:
        held = await a_machine(office, **({"opening": opening} if opening else {}))
        talk(held, quiet(1) + BEEP)
        placed = await office.use("telephony.call", to=NUMBER)
        reply = await office.use("telephony.listen", until="beep")
        again = await office.use("telephony.listen", until="beep", waitSeconds=0.1)

        assert (placed["outcome"], placed["answeredBy"]) == ("voicemail", "machine")
        assert (reply["outcome"], again["outcome"]) == ("beep", "pending")


async def test_a_beep_that_the_carrier_has_heard_is_no_other_one_to_wait_for() -> None:
    async with an_office(vendors()) as office:
        held = await a_machine(office)
        held.leg.take(AnsweredBy("machine_end_beep"))
        reply = await office.use("telephony.listen", until="beep")

        assert reply["outcome"] == "beep"


async def listening(office: Office, until: str, held: HeldLeg, *sounds: bytes) -> dict[str, Any]:
    """Listen for something while this is heard on the line."""
    answers: list[dict[str, Any]] = []

    async def listen() -> None:
        answers.append(await office.use("telephony.listen", until=until))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        await eventually(lambda: office.talk(held).conversation.waiting, 30)
        for sound in sounds:
            talk(held, sound)
    return answers[0]


async def test_a_beep_is_waited_for() -> None:
    async with an_office(vendors()) as office:
        held = await a_call(office)
        reply = await listening(office, "beep", held, RECORDINGS["opening"], quiet(1), BEEP)

        assert reply["outcome"] == "beep"


async def test_keys_are_waited_for_whatever_is_said_meanwhile() -> None:
    async with an_office(vendors("let me see")) as office:
        held = await a_call(office)

        async def press() -> None:
            await eventually(lambda: office.talk(held).conversation.untold, 30)
            press_keys(held, "42")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(press)
            reply = await listening(office, "digits", held, RECORDINGS["hello"], quiet(1))

        assert (reply["outcome"], reply["digits"]) == ("dtmf", "42")
        assert [heard["text"] for heard in reply["heard"]] == ["let me see"]


async def test_a_person_is_waited_for_past_the_music() -> None:
    async with an_office(vendors()) as office:
        held = await a_call(office)
        music = mulaw(MUSIC["band"])
        reply = await listening(office, "human", held, music, quiet(0.3), RECORDINGS["hello"], quiet(2))

        log = await office.desk.store.entries(held.session_id)
        assert reply["outcome"] == "human"
        assert [entry.data["state"] for entry in log if entry.kind == "hold"] == ["began", "ended"]
