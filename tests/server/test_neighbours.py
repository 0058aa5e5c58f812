"""Simulated people who are called by the house: over a real socket, with voices and ears that are twins."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.routing import WebSocketRoute

from mcp_voice.carriers.simulated import SimulatedCarrier
from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.session import Entry, Session, SessionConfig, begin
from mcp_voice.errors import NotConfigured, NotFound
from mcp_voice.media.endpoint import Endpoint
from mcp_voice.ports import utc_now
from mcp_voice.server import http
from mcp_voice.server.listeners import Listener, bind, listening, port_of
from mcp_voice.server.neighbours import Neighbours
from tests.server.test_assembly import at_home, settings
from tests.tools.desk import Office, an_office
from tests.twins import Listener as Ears
from tests.twins import Speaker, Vendors

pytestmark = pytest.mark.anyio

BUTCHER = """
description: A butcher.
rings: 0
thinks: 0
remember: {day: '(monday|sunday)'}
states:
  hello:
    say: Hello.
    when:
      - {knows: day, goto: hours}
      - {silence: 9, hang_up: true}
  hours: {say: 'On {day} at nine.', hang_up: true}
"""
ENGAGED = "{description: A., answers: busy, rings: 0, states: {a: {hang_up: true}}}"
AWAY = "{description: A., answers: no_answer, states: {a: {hang_up: true}}}"
SLOW = "{description: A., rings: 3, states: {a: {hang_up: true}}}"


@asynccontextmanager
async def a_street(folder: Path, **how: Any) -> AsyncIterator[tuple[Office, SimulatedCarrier]]:
    """An office with neighbours, and a media socket that they can come to."""
    for name, text in {"butcher": BUTCHER, "engaged": ENGAGED, "away": AWAY, "slow": SLOW}.items():
        (folder / f"{name}.yaml").write_text(text)
    heard = FinalWords("on sunday", confidence=0.9, rejected=False, duration_ms=100, latency_ms=1)
    vendors = Vendors(Ears([heard] * 5), Speaker(ms_per_character=10))
    async with an_office(vendors) as office:
        bound = bind("127.0.0.1", 0, "public_port")
        url = f"http://127.0.0.1:{port_of(bound)}"
        endpoint = Endpoint(office.calls, TwilioWire, office.desk.counts)
        app = http.public_app([WebSocketRoute("/twilio/media", endpoint)], lambda: False)
        neighbours = Neighbours(office.desk, url, folders=[folder], **how)
        async with listening(Listener(app, bound)):
            try:
                yield office, SimulatedCarrier(office.calls, neighbours.ring)
            finally:
                await neighbours.aclose()


async def a_call_to(office: Office, to: str) -> Session:
    session = begin(
        "CApending", SessionConfig(), utc_now(), direction="outbound", to=to, from_="+12025550100"
    )
    await office.desk.store.add(session)
    return session


async def tell(office: Office, session: Session, text: str) -> None:
    """Say something as an agent that does not listen before it speaks."""
    await office.use("telephony.say", sessionId=session.session_id, text=text, ifCallerSpoke="speak")


async def until(office: Office, session: Session, kind: str, times: int = 1) -> Entry:
    """Wait for an entry in the log."""
    with anyio.fail_after(20):
        while True:
            entries = await office.desk.store.entries(session.session_id)
            found = [entry for entry in entries if entry.kind == kind]
            if len(found) >= times:
                return found[-1]
            await anyio.sleep(0.02)


async def closed(office: Office, session: Session) -> Session:
    with anyio.fail_after(20):
        while True:
            found = await office.desk.store.load(session.session_id)
            if found is not None and found.closed:
                return found
            await anyio.sleep(0.02)


async def test_a_person_who_is_called_hears_answers_and_hangs_up(tmp_path: Path) -> None:
    async with a_street(tmp_path, scripted=True) as (office, carrier):
        session = await a_call_to(office, "sim:butcher")

        call_sid = await carrier.dial(session)
        await until(office, session, "final")
        await tell(office, session, "Are you open on monday?")
        record = await closed(office, session)

    assert (record.call_sid, record.direction, record.close_reason) == (call_sid, "outbound", "stop")
    assert [text for text, _ in office.vendors.speaker.said] == [
        "Hello.", "Are you open on monday?", "On monday at nine.",
    ]  # fmt: skip


async def test_a_person_with_an_ear_hears_for_itself(tmp_path: Path) -> None:
    async with a_street(tmp_path) as (office, carrier):
        session = await a_call_to(office, "sim:butcher")
        await carrier.dial(session)
        await until(office, session, "final")

        await tell(office, session, "When are you open?")
        await closed(office, session)

    assert office.vendors.speaker.said[-1][0] == "On sunday at nine."


@pytest.mark.parametrize(
    ("to", "ring_seconds", "reason"),
    [("sim:engaged", 9.0, "busy"), ("sim:away", 0.05, "no-answer"), ("sim:slow", 0.05, "no-answer")],
)
async def test_a_call_that_nobody_takes_closes_its_session(
    tmp_path: Path, to: str, ring_seconds: float, reason: str
) -> None:
    async with a_street(tmp_path, scripted=True) as (office, carrier):
        session = await a_call_to(office, to)

        await carrier.dial(session, ring_seconds=ring_seconds)
        record = await closed(office, session)

    assert record.close_reason == reason
    assert office.desk.counts.calls == 0


async def test_nobody_comes_to_a_call_that_was_given_up(tmp_path: Path) -> None:
    async with a_street(tmp_path, scripted=True) as (office, carrier):
        session = await a_call_to(office, "sim:butcher")
        await carrier.dial(session)
        await office.use("session.close", sessionId=session.session_id, reason="canceled")

        await anyio.sleep(0.3)

        assert (await closed(office, session)).close_reason == "canceled"
        assert len(office.calls) == 0


async def test_a_person_whose_call_cannot_be_connected_leaves_a_closed_session(tmp_path: Path) -> None:
    (tmp_path / "butcher.yaml").write_text(BUTCHER)
    async with an_office() as office:
        neighbours = Neighbours(office.desk, "ws://127.0.0.1:1/x", folders=[tmp_path], scripted=True)
        session = await a_call_to(office, "sim:butcher")

        await SimulatedCarrier(office.calls, neighbours.ring).dial(session)

        assert (await closed(office, session)).close_reason == "failed"
        await neighbours.aclose()


async def test_who_is_not_there_cannot_be_called(tmp_path: Path) -> None:
    async with a_street(tmp_path) as (office, carrier):
        with pytest.raises(NotFound, match=r"no simulated person 'sim:ghost'\. There are away, "):
            await carrier.dial(await a_call_to(office, "sim:ghost"))
        with pytest.raises(NotConfigured, match="no simulated people"):
            await SimulatedCarrier(office.calls).dial(await a_call_to(office, "sim:butcher"))


async def test_a_house_that_closes_lets_everybody_hang_up(tmp_path: Path) -> None:
    async with a_street(tmp_path, scripted=True) as (office, carrier):
        session = await a_call_to(office, "sim:butcher")
        await carrier.dial(session)
        await until(office, session, "answered")

    record = await office.desk.store.load(session.session_id)
    assert record is not None
    assert record.close_reason in {"stop", "connection_lost", "shutdown"}


@pytest.mark.slow
async def test_a_house_calls_its_people_by_its_own_socket_and_signs_their_way_in(tmp_path: Path) -> None:
    (tmp_path / "butcher.yaml").write_text(BUTCHER)
    given = settings(
        twilio__auth_token="secret-of-this-test", public_url="https://voice.example.com",
        simulator__personas=tmp_path, simulator__scripted=True,
    )  # fmt: skip
    async with at_home(given) as (house, _, _):
        session = begin("dial_1", SessionConfig(), utc_now(), direction="outbound", to="sim:butcher")
        await house.store.add(session)

        await house.desk.carriers["simulator"].dial(session)
        with anyio.fail_after(20):
            while not len(house.calls):
                await anyio.lowlevel.checkpoint()

        assert house.calls.call(session_id=session.session_id) is not None
