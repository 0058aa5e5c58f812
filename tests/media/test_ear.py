"""Ears that fail, or end, in the middle of a call."""

from typing import Final

import anyio
import pytest

from mcp_voice.core.events import Digit, Play
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.errors import ProviderFailed
from mcp_voice.media.calls import Rules
from mcp_voice.media.ear import Succession
from tests.media.rooms import STARTED, a_room, talk, until

AT_ONCE: Final = Rules(succession=Succession(pauses=(0.0, 0.0, 0.0)))


@pytest.mark.parametrize("breaks", [ProviderFailed("Overload."), RuntimeError("Nobody foresaw this.")])
async def test_a_call_goes_on_deaf_when_no_ear_lasts(breaks: Exception) -> None:
    async with a_room(FinalWords("unheard"), rules=AT_ONCE, breaks=breaks) as room:
        held = await room.calls.hold(STARTED)
        talk(held)
        await until(lambda: len(room.vendors.listener.ears) == 4 and room.vendors.listener.ears[-1].closed)
        talk(held)
        held.ask(Play(b"\x01" * 320, "still here"))
        await until(held.outbound)
        held.hear([Digit("1")])
        with anyio.fail_after(30):
            await room.calls.release("MZ1", "stop")

        errors = await room.errors(held.session_id)
        assert [error["recovered"] for error in errors] == [True, True, True, False]
        assert {error["code"] for error in errors} == {"provider_failed"}
        assert "dtmf" in await room.kinds(held.session_id)
        session = await room.store.load(held.session_id)
        assert session is not None
        assert (session.status, session.close_reason) == ("closed", "stop")
        assert all(one.closed for one in room.vendors.listener.ears)


async def test_a_second_ear_hears_what_the_first_did_not_answer() -> None:
    async with a_room(
        FinalWords("still here"), rules=AT_ONCE, breaks=ProviderFailed("Overload."), broken=1
    ) as room:
        held = await room.calls.hold(STARTED)
        talk(held)
        await until(lambda: len(room.vendors.listener.ears) == 2)
        await room.calls.release("MZ1", "stop")

        assert await room.heard(held.session_id) == ["still here"]
        assert [error["recovered"] for error in await room.errors(held.session_id)] == [True]


async def test_an_ear_that_ends_before_its_call_is_followed_by_another() -> None:
    async with a_room(rules=AT_ONCE) as room:
        held = await room.calls.hold(STARTED)
        await until(lambda: room.vendors.listener.ears)
        talk(held)
        room.vendors.listener.lines = (FinalWords("once only"),)
        await room.vendors.listener.ears[0].aclose()
        await until(lambda: len(room.vendors.listener.ears) == 2)
        await room.calls.release("MZ1", "stop")

        [error] = await room.errors(held.session_id)
        assert (error["recovered"], error["message"]) == (True, "The recogniser ended before the call did.")
        assert await room.heard(held.session_id) == ["once only"]


async def test_what_was_answered_is_not_heard_again_by_the_next_ear() -> None:
    async with a_room(FinalWords("hello"), rules=AT_ONCE) as room:
        held = await room.calls.hold(STARTED)
        talk(held)
        with anyio.fail_after(30):
            while not await room.heard(held.session_id):
                await anyio.lowlevel.checkpoint()
        await room.vendors.listener.ears[0].aclose()
        await until(lambda: len(room.vendors.listener.ears) == 2)
        await room.calls.release("MZ1", "stop")

        assert room.vendors.listener.ears[1].audio == b""
        assert await room.heard(held.session_id) == ["hello"]


async def test_ears_that_worked_have_all_their_successors() -> None:
    lasting = Rules(succession=Succession(pauses=(0.0,), proved=0.0))
    async with a_room(FinalWords("at last"), rules=lasting, breaks=ProviderFailed("Idle."), broken=9) as room:
        held = await room.calls.hold(STARTED)
        talk(held)
        await until(lambda: len(room.vendors.listener.ears) == 10)
        await room.calls.release("MZ1", "stop")

        assert await room.heard(held.session_id) == ["at last"]


async def test_an_ear_that_cannot_be_opened_for_a_moment_is_tried_again() -> None:
    async with a_room(FinalWords("hello"), rules=AT_ONCE, refuses=ProviderFailed("It did not open.")) as room:
        held = await room.calls.hold(STARTED)
        talk(held)
        await until(lambda: room.vendors.listener.configs)
        room.vendors.listener.refuses = None
        await room.calls.release("MZ1", "stop")

        assert await room.heard(held.session_id) == ["hello"]
        assert [error["recovered"] for error in await room.errors(held.session_id)] == [True]
