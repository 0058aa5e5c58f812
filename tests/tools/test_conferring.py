"""Others in a live call, through `telephony.conference`."""

from typing import Any

import anyio
import pytest

from mcp_voice.carriers.simulated import SimulatedCarrier
from mcp_voice.carriers.twilio.carrier import TwilioCarrier
from mcp_voice.carriers.twilio.rest import TwilioRest
from mcp_voice.core.conference import Step
from mcp_voice.errors import CarrierFailed, Invalid, NotConfigured, NotFound, NotLive, Refused
from tests.tools.calls import let_in, on_the_line, session_of
from tests.tools.desk import Office, an_office
from tests.twins import Doors, Network

ADA = "+14155550177"


async def confer(office: Office, action: str, **more: Any) -> list[dict[str, Any]]:
    answer = await office.use("telephony.conference", action=action, **more)
    people: list[dict[str, Any]] = answer["participants"]
    return people


def seen(people: list[dict[str, Any]]) -> list[tuple[str, bool, bool, bool]]:
    return [(one["name"], one["muted"], one["onHold"], one["coaching"]) for one in people]


async def test_a_call_begins_with_its_caller(office: Office) -> None:
    session_id = await on_the_line(office)

    answer = await office.use("telephony.conference", action="list")

    assert answer["sessionId"] == session_id
    assert [(one["name"], one["target"], one["role"]) for one in answer["participants"]] == [
        ("caller", "+14155550123", "caller")
    ]
    assert office.network.steps == []


async def test_somebody_is_added_and_what_is_done_to_them_is_remembered(office: Office) -> None:
    session_id = await on_the_line(office)

    added = await office.use(
        "telephony.conference", action="add", participant="Ada", target=" +1 (415) 555-0177 "
    )
    await confer(office, "coach", participant="Ada")
    await confer(office, "hold", participant="caller", sessionId=session_id)

    assert added["conferenceSid"] == "CF1"
    assert added["participants"][1]["target"] == ADA
    assert seen(await confer(office, "list")) == [
        ("caller", False, True, False), ("Ada", False, False, True),
    ]  # fmt: skip
    assert office.network.steps == [Step("add", "Ada", ADA), Step("coach", "Ada"), Step("hold", "caller")]
    log = await office.use("session.get", sessionId=session_id, detail="timeline")
    assert [event["data"] for event in log["events"] if event["kind"] == "conference"] == [
        {"action": "add", "participant": "Ada", "target": ADA},
        {"action": "coach", "participant": "Ada"},
        {"action": "hold", "participant": "caller"},
    ]


async def test_a_caller_on_hold_is_a_session_on_hold(office: Office) -> None:
    session_id = await on_the_line(office)

    await confer(office, "hold", target="+14155550123")
    held = (await session_of(office, session_id))["status"]
    await confer(office, "unhold", participant="caller")

    assert held == "held"
    assert (await session_of(office, session_id))["status"] == "active"


async def test_guests_are_sent_away_and_the_caller_stays(office: Office) -> None:
    await on_the_line(office)
    await confer(office, "add", target=ADA)
    await confer(office, "add", target="client:bo", participant="Bo")

    removed = await confer(office, "remove", participant=ADA)
    ended = await confer(office, "end")

    assert [one["name"] for one in removed] == ["caller", "Bo"]
    assert [one["name"] for one in ended] == ["caller"]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"action": "add", "target": "911"}, Invalid),
        ({"action": "add", "participant": "Ada"}, Invalid),
        ({"action": "dance"}, Invalid),
        ({"action": "hold", "participant": "Ada", "target": ADA}, Invalid),
        ({"action": "mute"}, Invalid),
        ({"action": "mute", "participant": "Ada"}, NotFound),
        ({"action": "remove", "participant": "caller"}, Refused),
        ({"action": "unmute", "participant": "caller"}, Refused),
        ({"action": "list", "sessionId": "sess_none"}, NotFound),
    ],
)
async def test_what_cannot_be_done_is_not_asked_of_the_carrier(
    office: Office, asked: dict[str, Any], error: type[Exception]
) -> None:
    await on_the_line(office)

    with pytest.raises(error):
        await office.use("telephony.conference", **asked)

    assert office.network.steps == []


async def test_a_call_without_a_stream_has_no_conference(office: Office) -> None:
    session_id = await let_in(office)

    with pytest.raises(NotLive):
        await confer(office, "list", sessionId=session_id)


async def test_what_the_carrier_refuses_has_not_happened() -> None:
    async with an_office(network=Network(refuses=CarrierFailed("It is down."))) as office:
        await on_the_line(office)

        with pytest.raises(CarrierFailed):
            await confer(office, "add", target=ADA)

        assert len(await confer(office, "list")) == 1


async def test_of_two_who_add_the_same_person_one_is_refused(office: Office) -> None:
    await on_the_line(office)
    refusals = []

    async def add() -> None:
        try:
            await confer(office, "add", target=ADA)
        except Refused as error:
            refusals.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(add)
        tasks.start_soon(add)

    assert (len(refusals), len(office.network.steps)) == (1, 1)


async def test_carriers_that_cannot_say_what_to_do_instead(office: Office) -> None:
    session = await office.desk.store.load(await on_the_line(office))
    assert session is not None

    for carrier in (
        TwilioCarrier(TwilioRest("AC0", "token"), Doors()),
        TwilioCarrier(None, Doors()),
        SimulatedCarrier(office.calls),
    ):
        with pytest.raises(NotConfigured, match=r"conference.*telephony\.transfer"):
            await carrier.conference(session, Step("add", "Ada", ADA))
