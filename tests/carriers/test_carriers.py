"""What a carrier does beyond the media."""

import re
from datetime import UTC, datetime

import pytest

from mcp_voice.carriers import Exchange
from mcp_voice.carriers.simulated import SimulatedCarrier
from mcp_voice.carriers.twilio.carrier import TwilioCarrier
from mcp_voice.core.events import HangUp
from mcp_voice.core.session import Session, SessionConfig, begin
from mcp_voice.errors import NotFound, NotLive
from mcp_voice.ports import Bare
from tests.media.rooms import STARTED, Room, a_room


def a_session() -> Session:
    return begin("CA9", SessionConfig(), datetime(2026, 1, 1, tzinfo=UTC))


async def of_the_held_call(room: Room) -> tuple[Session, SimulatedCarrier]:
    held = await room.calls.hold(STARTED)
    session = await room.store.load(held.session_id)
    assert session is not None
    return session, SimulatedCarrier(room.calls)


async def test_a_simulated_call_is_hung_up_on_its_own_stream() -> None:
    async with a_room() as room:
        session, carrier = await of_the_held_call(room)

        await carrier.hangup(session, "booked")
        await room.calls.end(session.session_id, HangUp().why)

        record = await room.store.load(session.session_id)
        assert record is not None
        assert record.close_reason == "booked"


async def test_a_simulated_call_is_handed_over_by_the_reason_its_stream_ends_with() -> None:
    async with a_room() as room:
        session, carrier = await of_the_held_call(room)
        leg = room.calls.call(session_id=session.session_id)
        assert leg is not None

        await carrier.transfer(session, "+12025550111", warm=False, announce=None)
        await leg.done.wait()

        assert leg.ended == "transfer +12025550111"


async def test_a_simulated_call_has_its_keys_in_its_audio() -> None:
    async with a_room() as room:
        session, carrier = await of_the_held_call(room)

        assert await carrier.press(session, "12") is False


async def test_a_simulated_call_without_a_stream_cannot_be_hung_up() -> None:
    async with a_room() as room:
        with pytest.raises(NotLive):
            await SimulatedCarrier(room.calls).hangup(a_session(), "done")


async def test_a_simulated_call_is_placed_under_a_name_of_its_own() -> None:
    rung: list[tuple[str, str, float]] = []

    async def ring(session: Session, call_sid: str, seconds: float) -> None:
        rung.append((session.session_id, call_sid, seconds))

    session = a_session()
    async with a_room() as room:
        call_sid = await SimulatedCarrier(room.calls, ring).dial(session, ring_seconds=7)

    assert re.fullmatch(r"CA[0-9a-f]{32}", call_sid)
    assert rung == [(session.session_id, call_sid, 7)]


def test_a_carrier_nobody_knows_is_not_found() -> None:
    carriers = Exchange({"twilio": TwilioCarrier(None, Bare("wss://voice.example.com/twilio/media"))})

    assert carriers["twilio"].name == "twilio"
    with pytest.raises(NotFound, match="twilio"):
        carriers["semaphore"]
