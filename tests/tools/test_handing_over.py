from base64 import b64decode
from typing import Any

import anyio
import pytest

from mcp_voice.core.events import Started
from mcp_voice.errors import (
    CarrierFailed,
    Invalid,
    NotConfigured,
    NotFound,
    NotLive,
    ProviderFailed,
    SessionClosed,
    VoiceError,
)
from tests.tools.calls import let_in, on_the_line, outbound, session_of
from tests.tools.desk import Office, an_office
from tests.twins import Network, Speaker, Vendors

# ─── transfer ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("target", "dialled"),
    [
        ("+14155550123", "+14155550123"),
        (" +1 (415) 555-0123 ", "+14155550123"),
        ("+49 30 123456", "+4930123456"),
        ("sip:desk@example.com", "sip:desk@example.com"),
        ("sips:desk@example.com:5061;transport=tls", "sips:desk@example.com:5061;transport=tls"),
        ("client:jane.doe", "client:jane.doe"),
    ],
)
async def test_a_caller_is_handed_over(office: Office, target: str, dialled: str) -> None:
    session_id = await on_the_line(office)

    answer = await office.use("telephony.transfer", callSid="CA1", target=target, type="cold")

    assert (answer["transferred"], answer["target"], answer["conferenceSid"]) == (True, dialled, None)
    assert (answer["sessionId"], answer["status"]) == (session_id, "active")
    assert office.network.transfers == [
        {"call": "CA1", "target": dialled, "warm": False, "announce": None, "whisper": None}
    ]
    assert office.desk.counts.transfers == 1
    log = await office.use("session.get", sessionId=session_id, detail="timeline")
    [noted] = [event for event in log["events"] if event["kind"] == "transfer"]
    assert (noted["seq"], noted["data"]) == (answer["seq"], {"target": dialled, "type": "cold"})


async def test_a_warm_transfer_names_its_conference(office: Office) -> None:
    session_id = await let_in(office)

    answer = await office.use(
        "telephony.transfer",
        sessionId=session_id,
        target="+14155550123",
        type="warm",
        announce="I connect you.",
        whisper="A caller about an invoice.",
    )

    assert answer["conferenceSid"] == "CF1"
    (asked,) = office.network.transfers
    assert (asked["announce"], asked["whisper"]) == ("I connect you.", "A caller about an invoice.")


@pytest.mark.parametrize(
    "target",
    ["911", "4155550123", "+1", "+1415555012345678", "+14155550123x12", "sip:nobody", "sip:a b@c", "client:",
     "client:<script>", "tel:+14155550123x", "javascript:x", "operator", "", "+" * 256, None],
)  # fmt: skip
async def test_a_target_that_cannot_be_dialled_is_not(office: Office, target: object) -> None:
    await let_in(office)

    with pytest.raises(Invalid):
        await office.use("telephony.transfer", callSid="CA1", target=target, type="cold")

    assert office.network.transfers == []


@pytest.mark.parametrize(
    "fields", [{"type": "hot"}, {"announce": "x" * 501}, {"sessionId": "s"}, {"whisper": ""}]
)
async def test_a_transfer_is_asked_for_in_one_way(office: Office, fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await office.use("telephony.transfer", **{"callSid": "CA1", "target": "+14155550123", **fields})


async def test_a_transfer_that_fails_leaves_the_call_up() -> None:
    async with an_office(network=Network(refuses=CarrierFailed("21220: not in progress."))) as office:
        session_id = await on_the_line(office)

        with pytest.raises(CarrierFailed, match="21220"):
            await office.use("telephony.transfer", callSid="CA1", target="+14155550123")

        assert (await session_of(office, session_id))["status"] == "active"
        assert len(office.calls) == 1
        assert office.desk.counts.transfers == 0


# ─── hangup ──────────────────────────────────────────────────────────────────


async def test_a_call_is_hung_up_at_its_carrier_and_closed(office: Office) -> None:
    session_id = await on_the_line(office)

    answer = await office.use("telephony.hangup", callSid="CA1", reason="done")

    assert (answer["hungup"], answer["goodbye"]) == (True, None)
    assert (answer["sessionId"], answer["status"]) == (session_id, "closed")
    assert office.network.hung_up == [("CA1", "done")]
    assert len(office.calls) == 0
    assert (await session_of(office, session_id))["closeReason"] == "done"


async def test_a_call_that_only_rings_can_be_hung_up(office: Office) -> None:
    session_id = await let_in(office)

    await office.use("telephony.hangup", sessionId=session_id)

    assert office.network.hung_up == [("CA1", "hangup")]
    assert (await session_of(office, session_id))["status"] == "closed"


async def test_a_goodbye_is_said_before_the_call_ends() -> None:
    async with an_office(Vendors(speaker=Speaker(ms_per_character=10))) as office:
        session_id = await on_the_line(office)
        leg = office.calls.call(session_id=session_id)
        assert leg is not None

        answer = await office.use("telephony.hangup", sessionId=session_id, reason="done", goodbye="Goodbye!")
        still_up = len(office.calls)
        out = await outbound(office)
        await office.use("twilio.handleMedia", messages=[m for m in out if m["event"] == "mark"])
        with anyio.fail_after(30):
            await leg.done.wait()

        assert (answer["hungup"], answer["goodbye"], answer["status"]) == (True, "saying", "active")
        assert still_up == 1
        audio = [message["media"]["payload"] for message in out if message["event"] == "media"]
        assert len(b"".join(b64decode(payload) for payload in audio)) == 80 * 8
        session = await session_of(office, session_id)
        assert (session["status"], session["closeReason"]) == ("closed", "done")
        assert session["turns"][-1]["agentResponse"] == "Goodbye!"


async def test_a_call_ends_though_no_voice_says_goodbye() -> None:
    fails = [ProviderFailed("Busy."), ProviderFailed("Still busy.")]
    async with an_office(Vendors(speaker=Speaker(fails=[*fails]))) as office:
        await on_the_line(office)

        answer = await office.use("telephony.hangup", callSid="CA1", goodbye="Goodbye!")

        assert (answer["hungup"], answer["goodbye"]) == (True, "not said")
        assert office.network.hung_up == [("CA1", "hangup")]


async def test_closing_our_stream_ends_a_call_that_its_carrier_will_not() -> None:
    async with an_office(network=Network(refuses=NotConfigured("No credentials."))) as office:
        session_id = await on_the_line(office)

        answer = await office.use("telephony.hangup", callSid="CA1")

        assert answer["hungup"] is True
        assert len(office.calls) == 0
        assert (await session_of(office, session_id))["status"] == "closed"


@pytest.mark.parametrize("refusal", [CarrierFailed("It is down."), NotConfigured("No credentials.")])
async def test_a_call_without_a_stream_needs_its_carrier(refusal: VoiceError) -> None:
    async with an_office(network=Network(refuses=refusal)) as office:
        session_id = await let_in(office)

        with pytest.raises(type(refusal)):
            await office.use("telephony.hangup", callSid="CA1")

        assert (await session_of(office, session_id))["status"] == "ringing"


@pytest.mark.parametrize("tool", ["telephony.hangup", "telephony.transfer"])
async def test_a_call_that_is_over_cannot_be_ended_or_handed_over(office: Office, tool: str) -> None:
    session_id = await let_in(office)
    await office.use("telephony.hangup", callSid="CA1")
    more = {"target": "+14155550123"} if tool == "telephony.transfer" else {}

    with pytest.raises(SessionClosed):
        await office.use(tool, sessionId=session_id, **more)

    assert (len(office.network.hung_up), office.network.transfers) == (1, [])


@pytest.mark.parametrize("tool", ["telephony.hangup", "telephony.transfer"])
async def test_an_unknown_call_is_not_found(office: Office, tool: str) -> None:
    more = {"target": "+14155550123"} if tool == "telephony.transfer" else {}

    with pytest.raises(NotFound):
        await office.use(tool, callSid="CA9", **more)
    with pytest.raises(Invalid, match="either sessionId or callSid"):
        await office.use(tool, sessionId="sess_9", callSid="CA9", **more)
    with pytest.raises(NotLive, match="No call is live"):
        await office.use(tool, **more)


async def test_the_only_live_call_is_handed_over_or_ended_without_its_name(office: Office) -> None:
    session_id = await on_the_line(office)

    await office.use("telephony.transfer", target="+14155550123")
    await office.use("telephony.hangup", reason="done")

    assert [asked["call"] for asked in office.network.transfers] == ["CA1"]
    assert (await session_of(office, session_id))["closeReason"] == "done"


async def test_one_of_several_calls_has_to_be_named_to_be_ended(office: Office) -> None:
    one = await office.calls.hold(Started("MZ1", "CA1"))
    await office.calls.hold(Started("MZ2", "CA2"))

    with pytest.raises(Invalid, match=one.session_id):
        await office.use("telephony.hangup")

    assert len(office.calls) == 2
