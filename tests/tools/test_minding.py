"""Calls whose agent has gone, in time that passes for free."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from mcp_voice.core.attendance import Absence
from mcp_voice.core.events import Started
from mcp_voice.errors import NotConfigured
from mcp_voice.media.calls import HeldLeg
from tests.e2e.virtual import VirtualLoop, virtual_clocks
from tests.tools.desk import Office, an_office
from tests.twins import Speaker, Vendors

SHORT = Absence(moment=0.2, leave=1.5)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture(autouse=True)
async def free_time() -> AsyncIterator[None]:
    with virtual_clocks():
        yield


@asynccontextmanager
async def a_call_that_was_held(vendors: Vendors) -> AsyncIterator[tuple[Office, HeldLeg]]:
    async with an_office(vendors, absence=SHORT) as office:
        held = await office.calls.hold(Started("MZ1", "CA1"))
        await office.use("telephony.listen", waitSeconds=0)
        yield office, held


async def test_a_caller_whose_agent_has_gone_is_asked_to_wait_and_left_with_an_apology() -> None:
    speaker = Speaker(ms_per_character=2)
    async with a_call_that_was_held(Vendors(speaker=speaker)) as (office, held):
        with anyio.fail_after(30):
            await held.leg.over.wait()
        await held.leg.done.wait()

        assert speaker.said[0][0] == "One moment, please."
        assert "I am sorry" in speaker.said[1][0]
        got = await office.use("session.get", sessionId=held.session_id)
        assert got["session"]["closeReason"] == "agent_left"


async def test_an_agent_who_waits_is_there() -> None:
    speaker = Speaker(ms_per_character=2)
    async with a_call_that_was_held(Vendors(speaker=speaker)) as (office, held):
        await office.use("telephony.listen", waitSeconds=1)

        assert speaker.said == []
        assert not held.leg.over.is_set()


async def test_an_agent_who_waits_for_news_of_its_call_is_there() -> None:
    speaker = Speaker(ms_per_character=2)
    async with a_call_that_was_held(Vendors(speaker=speaker)) as (office, _):
        news = await office.use("telephony.wait", **{"for": "call", "after": 99, "waitSeconds": 1})

        assert news["events"] == []
        assert speaker.said == []


async def test_waiting_for_news_of_a_call_does_not_take_it() -> None:
    async with an_office(absence=SHORT) as office:
        held = await office.calls.hold(Started("MZ1", "CA1"))
        await office.use("telephony.wait", after=99, waitSeconds=0.1)
        waiting = await office.use("telephony.wait", **{"for": "incoming", "waitSeconds": 0})

        assert [each["sessionId"] for each in waiting["incoming"]] == [held.session_id]


async def test_a_call_ends_without_an_apology_where_there_is_no_voice() -> None:
    class Mute(Vendors):
        def voice(self, name: str | None = None) -> Speaker:
            raise NotConfigured("There is no voice here.")

    async with a_call_that_was_held(Mute()) as (_, held):
        with anyio.fail_after(30):
            await held.leg.over.wait()


async def test_a_call_that_only_the_plumbing_has_touched_is_nobodys_to_end() -> None:
    async with an_office(absence=SHORT) as office:
        held = await office.calls.hold(Started("MZ1", "CA1"))
        await office.use("session.get", sessionId=held.session_id)
        await anyio.sleep(0.4)

        assert not held.leg.over.is_set()
