"""Digits that nobody may see: gathered, pressed and forgotten."""

import pytest

from mcp_voice.core.events import Started, Stopped
from mcp_voice.errors import NotFound
from mcp_voice.tools.hidden import Secrets
from tests.tools.desk import an_office
from tests.tools.lines import Ear, a_call, gathered, press_keys

PIN = "8642"


async def test_a_secret_is_a_handle_that_only_press_can_use() -> None:
    async with an_office() as office:
        held = await a_call(office)

        answer = await gathered(office, held, PIN, secret=True, maxDigits=4)
        ear = Ear(held)
        pressed = await office.use("telephony.press", secret=answer["handle"], digits="#", waitSeconds=0)
        await ear.hears(PIN + "#")

        assert (answer["digits"], answer["count"], answer["luhn"]) == (None, 4, False)
        assert answer["handle"].startswith("dtmf_")
        assert len(answer["handle"]) == len("dtmf_") + 32
        entries = [(e.kind, e.data) for e in await office.desk.store.entries(held.session_id)]
        assert entries[1:6] == [("secret", {"state": "began"}), *[("dtmf", {"secret": True})] * 4]
        assert ("pressed", {"secret": True}) in entries
        assert pressed["digits"] == ""


async def test_a_secret_is_forgotten_after_ten_minutes() -> None:
    async with an_office() as office:
        held = await a_call(office)
        answer = await gathered(office, held, PIN + "#", secret=True)
        assert len(office.desk.drawer(Secrets)) == 1

        office.clock.advance(599)
        await office.desk.sweep()
        assert len(office.desk.drawer(Secrets)) == 1
        office.clock.advance(1)
        with pytest.raises(NotFound, match="ten minutes"):
            await office.use("telephony.press", secret=answer["handle"])

        assert len(office.desk.drawer(Secrets)) == 0


async def test_a_secret_is_forgotten_with_its_call() -> None:
    async with an_office() as office:
        held = await a_call(office)
        answer = await gathered(office, held, PIN + "#", secret=True)

        await office.calls.close(held.leg, Stopped())
        other = await office.calls.hold(Started("MZ9", "CA9"))
        with pytest.raises(NotFound, match="while its call lasts"):
            await office.use("telephony.press", secret=answer["handle"], sessionId=other.session_id)

        assert len(office.desk.drawer(Secrets)) == 0


async def test_what_is_typed_beyond_a_secret_stays_secret() -> None:
    async with an_office() as office:
        held = await a_call(office)

        await gathered(office, held, PIN, secret=True, maxDigits=4)
        press_keys(held, "97")
        reply = await office.use("telephony.listen", waitSeconds=0.05)

        assert (reply["outcome"], reply["digits"]) == ("pending", "")
        assert "97" not in str([e.data for e in await office.desk.store.entries(held.session_id)])
