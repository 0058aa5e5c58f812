"""What Twilio is asked for when somebody is called, pressed keys to, hung up on or handed over."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from xml.etree import ElementTree

import pytest

from mcp_voice.carriers.twilio.carrier import TwilioCarrier
from mcp_voice.carriers.twilio.line import Line
from mcp_voice.carriers.twilio.rest import Patience, TwilioRest
from mcp_voice.core.session import UNNAMED, Session, SessionConfig, begin
from mcp_voice.errors import CarrierFailed, NotConfigured, NotFound
from mcp_voice.ports import Bare
from tests.carriers.account import ACCOUNT, FROM, TOKEN, Account, Asked, an_account
from tests.carriers.rooms import ROOM
from tests.twins import Doors

TO: Final = "+14155550123"
DESK: Final = "+14155550199"
LINE: Final = Line(FROM, "BY" + "3" * 32, "me", "canary-sip")
HASTE: Final = Patience(tries=2, first=0.01, most=0.01)


def a_session(call_sid: str = "CA1", **fields: Any) -> Session:
    return begin(call_sid, SessionConfig(), datetime(2026, 1, 1, tzinfo=UTC), **fields)


def calling(to: str = TO) -> Session:
    return a_session(f"{UNNAMED}1", direction="outbound", to=to, from_=FROM)


@dataclass
class Office:
    """A carrier, and what a test sees of its surroundings."""

    carrier: TwilioCarrier
    account: Account
    doors: Doors

    def last(self, *path: str) -> Asked:
        """The newest request to a place."""
        return [one for one in self.account.asked if one.path.split("/")[: len(path)] == list(path)][-1]


@asynccontextmanager
async def an_office(*calls: str, line: Line = LINE) -> AsyncIterator[Office]:
    doors = Doors()
    async with (
        an_account(*calls) as account,
        aclosing(TwilioRest(ACCOUNT, TOKEN, account.url, patience=HASTE)) as rest,
    ):
        yield Office(TwilioCarrier(rest, doors, line), account, doors)


def read(twiml: str) -> Any:
    return ElementTree.fromstring(twiml)


# ─── dial ────────────────────────────────────────────────────────────────────


async def test_a_call_is_dialled_with_everything_that_is_told_of_it() -> None:
    session = calling()
    async with an_office() as office:
        call_sid = await office.carrier.dial(session, ring_seconds=30, max_minutes=10)

    form = {
        name: values if len(values) > 1 else values[0]
        for name, values in office.account.asked[0].form.items()
    }
    [connect] = read(form.pop("Twiml"))
    assert list(office.account.calls) == [call_sid]
    assert form == {
        "To": TO,
        "From": FROM,
        "Timeout": "30",
        "TimeLimit": "630",
        "Byoc": LINE.byoc,
        "StatusCallback": "https://voice.example.com/twilio/status",
        "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
        "MachineDetection": "Enable",
        "AsyncAmd": "true",
        "AsyncAmdStatusCallback": "https://voice.example.com/twilio/amd",
    }
    assert office.doors.issued == [(session.session_id, "stream", 90.0)]
    assert connect.attrib == {"action": f"https://voice.example.com/twilio/after/{session.session_id}"}
    assert connect[0].attrib["url"] == "wss://voice.example.com/twilio/media/ticket1"
    assert connect[0][0].attrib == {"name": "sessionId", "value": session.session_id}


async def test_a_sip_address_is_called_with_its_name_and_password() -> None:
    async with an_office() as office:
        await office.carrier.dial(calling("sip:desk@example.com"), detect=False, record=True)

    form = office.account.asked[0].form
    assert (form["SipAuthUsername"], form["SipAuthPassword"]) == (["me"], ["canary-sip"])
    assert (form["Record"], form["RecordingChannels"]) == (["true"], ["dual"])
    assert not {"Byoc", "MachineDetection", "TimeLimit"} & form.keys()
    assert "canary" not in repr(LINE)


async def test_a_call_by_relay_asks_what_to_do_when_it_is_answered() -> None:
    session = calling()
    async with an_office() as office:
        await office.carrier.dial(session, mode="relay")

    form = office.account.asked[0].form
    assert form["Url"] == [f"https://voice.example.com/twilio/voice/calls/{session.session_id}"]
    assert "Twiml" not in form


async def test_without_an_account_a_number_or_an_address_nobody_is_called() -> None:
    with pytest.raises(NotConfigured, match=r"TWILIO_ACCOUNT_SID.*sim:restaurant"):
        await TwilioCarrier(None, Doors(), LINE).dial(calling())

    async with an_office(line=Line()) as office:
        with pytest.raises(NotConfigured, match="MCP_VOICE_TWILIO__NUMBER"):
            office.carrier.ready()

    async with an_office() as office:
        office.doors.public = False
        with pytest.raises(NotConfigured, match="MCP_VOICE_PUBLIC_URL"):
            await office.carrier.dial(calling())

    assert office.account.asked == []


# ─── hangup, press ───────────────────────────────────────────────────────────


async def test_a_call_is_hung_up_on_and_one_that_is_over_as_well() -> None:
    async with an_office("CA1") as office:
        await office.carrier.hangup(a_session(), "done")
        await office.carrier.hangup(a_session(), "done")
        await office.carrier.hangup(a_session("CA404"), "done")

    assert office.account.calls["CA1"]["status"] == "completed"


async def test_a_call_that_has_no_name_yet_cannot_be_hung_up_on() -> None:
    async with an_office() as office:
        with pytest.raises(CarrierFailed, match="in a moment"):
            await office.carrier.hangup(calling(), "done")


async def test_a_call_presses_the_keys_and_comes_back_to_its_session() -> None:
    session = a_session()
    async with an_office("CA1") as office:
        assert await office.carrier.press(session, "1w#")

    [(call_sid, twiml)] = office.account.updates
    play, connect = read(twiml)
    assert (call_sid, play.attrib) == ("CA1", {"digits": "1w#"})
    assert connect[0].attrib["url"] == "wss://voice.example.com/twilio/media/ticket1"
    assert connect[0][0].attrib == {"name": "sessionId", "value": session.session_id}


async def test_without_an_address_to_come_back_to_no_keys_are_pressed() -> None:
    async with an_account("CA1") as account, aclosing(TwilioRest(ACCOUNT, TOKEN, account.url)) as rest:
        with pytest.raises(NotConfigured, match="public address"):
            await TwilioCarrier(rest, Bare("ws://192.0.2.1/media")).press(a_session(), "1")

    assert account.updates == []


# ─── transfer ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("target", "noun", "attributes", "text"),
    [
        (DESK, "Number", {"byoc": LINE.byoc}, DESK),
        ("sip:d@example.com", "Sip", {"username": "me", "password": "canary-sip"}, "sip:d@example.com"),
        ("client:ada", "Client", {}, "ada"),
    ],
)
async def test_a_caller_is_handed_over_by_other_twiml(
    target: str, noun: str, attributes: dict[str, str], text: str
) -> None:
    session = a_session(from_=TO, to=FROM)
    async with an_office("CA1") as office:
        await office.carrier.transfer(session, target, warm=False, announce="One moment.")

    [(call_sid, twiml)] = office.account.updates
    say, dial = read(twiml)
    assert (call_sid, say.text) == ("CA1", "One moment.")
    assert dial.attrib == {
        "timeout": "30",
        "answerOnBridge": "true",
        "action": f"https://voice.example.com/twilio/dial/{session.session_id}",
    }
    assert (dial[0].tag, dial[0].attrib, dial[0].text) == (noun, attributes, text)


async def test_whom_we_called_is_handed_over_under_our_number() -> None:
    async with an_office("CA1") as office:
        session = a_session(direction="outbound", from_=FROM, to=TO)
        await office.carrier.transfer(session, DESK, warm=False, announce=None)

    [dial] = read(office.account.updates[0][1])
    assert dial.attrib["callerId"] == FROM


async def test_a_caller_who_has_gone_is_not_handed_over() -> None:
    async with an_office() as office:
        with pytest.raises(NotFound, match="It is over"):
            await office.carrier.transfer(a_session(), DESK, warm=False, announce=None)


async def test_a_warm_transfer_joins_the_caller_with_a_target_who_has_been_told() -> None:
    session = a_session(from_=TO, to=FROM)
    async with an_office("CA1") as office:
        office.account.becomes = "in-progress"
        told = await office.carrier.transfer(
            session, DESK, warm=True, announce="I connect you.", whisper="A guest with an allergy."
        )

    form = office.last("Calls.json").form
    say, theirs = read(form["Twiml"][0])
    announced, ours = read(office.account.updates[0][1])
    assert (form["To"], form["From"]) == ([DESK], [FROM])
    assert (say.text, announced.text) == ("A guest with an allergy.", "I connect you.")
    assert theirs[0].text == ours[0].text == session.session_id
    assert theirs[0].attrib["participantLabel"] == "target"
    assert sorted(office.account.rooms.people) == ["caller", "target"]
    assert told == {"conferenceSid": ROOM}


@pytest.mark.parametrize("becomes", ["busy", "no-answer", "failed"])
async def test_a_target_who_does_not_answer_leaves_the_caller_with_us(becomes: str) -> None:
    async with an_office("CA1") as office:
        office.account.becomes = becomes

        with pytest.raises(CarrierFailed, match=f"{becomes}.*still with you"):
            await office.carrier.transfer(a_session(to=FROM), DESK, warm=True, announce=None)

    assert office.account.updates == []


async def test_a_target_whom_nobody_joins_is_hung_up_on() -> None:
    async with an_office() as office:
        office.account.becomes = "in-progress"

        with pytest.raises(NotFound):  # the caller had enough
            await office.carrier.transfer(a_session(to=FROM), DESK, warm=True, announce=None)

    [call] = office.account.calls.values()
    assert call["status"] == "completed"
