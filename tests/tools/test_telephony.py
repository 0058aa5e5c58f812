from typing import Any, Final
from xml.etree import ElementTree

import anyio
import pytest

from mcp_voice.errors import (
    Invalid,
    NotConfigured,
    SessionClosed,
)
from tests.tools.calls import CALL, let_in, on_the_line, session_of
from tests.tools.desk import Office, an_office
from tests.tools.streams import start_message, stop_message

# ─── generateTwiML ───────────────────────────────────────────────────────────


async def test_twiml_sends_the_session_with_the_stream(office: Office) -> None:
    answer = await office.use(
        "telephony.generateTwiML",
        sessionId="sess-abc123",
        wsUrl="wss://voice.example.com/ws",
        parameters={"campaign": "a & b"},
        greeting="One moment.",
        statusCallback="https://voice.example.com/stream",
        actionUrl="https://voice.example.com/next",
    )

    say, connect = ElementTree.fromstring(answer["twiml"])
    assert say.text == "One moment."
    assert connect.attrib == {"action": "https://voice.example.com/next"}
    parameters = {parameter.attrib["name"]: parameter.attrib["value"] for parameter in connect[0]}
    assert parameters == {"sessionId": "sess-abc123", "campaign": "a & b"}


async def test_twiml_of_a_relay_lets_twilio_hear_and_speak(office: Office) -> None:
    answer = await office.use(
        "telephony.generateTwiML",
        sessionId="s",
        wsUrl="wss://voice.example.com/relay",
        mode="relay",
        language="de-DE",
    )

    (connect,) = ElementTree.fromstring(answer["twiml"])
    assert (connect[0].tag, connect[0].attrib["language"]) == ("ConversationRelay", "de-DE")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"wsUrl": "http://voice.example.com/ws"}, "wss"),
        ({"wsUrl": "ws://voice.example.com/ws"}, "wss"),
        ({"wsUrl": "wss://voice.example.com/ws?a=1"}, "query"),
        ({"wsUrl": "not a url"}, "URL"),
        ({"wsUrl": "wss://" + "x" * 2_000}, "wsUrl"),
        ({"wsUrl": 5}, "wsUrl"),
        ({}, "wsUrl"),
        ({"wsUrl": "wss://a.example", "sessionId": ""}, "sessionId"),
        ({"wsUrl": "wss://a.example", "mode": "fax"}, "mode"),
        ({"wsUrl": "wss://a.example", "parameters": {"sessionId": "other"}}, "sessionId"),
        ({"wsUrl": "wss://a.example", "parameters": {"n": "x" * 500}}, "501 characters"),
        ({"wsUrl": "wss://a.example", "parameters": {"n": 5}}, "parameters"),
        ({"wsUrl": "wss://a.example", "greeting": "x" * 501}, "greeting"),
        ({"wsUrl": "wss://a.example", "actionUrl": "file:///etc/passwd"}, "actionUrl"),
        ({"wsUrl": "wss://a.example", "track": "both"}, "no such argument"),
    ],
)
async def test_twiml_that_would_not_work_is_not_written(
    office: Office, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(Invalid, match=says):
        await office.use("telephony.generateTwiML", **{"sessionId": "s", **arguments})


async def test_verbs_stand_around_the_connection(office: Office) -> None:
    answer = await office.use(
        "telephony.generateTwiML",
        sessionId="s",
        wsUrl="wss://voice.example.com/ws",
        before=[
            {"verb": "say", "text": "Press 1 for <Ada>.", "language": "en-GB"},
            {"verb": "start", "what": {"kind": "recording", "channels": "dual"}},
        ],
        after=[
            {
                "verb": "dial",
                "to": [{"noun": "number", "number": "+14155550123"}, {"noun": "client", "identity": "ada"}],
                "timeout": 20,
                "recordingStatusCallback": "https://voice.example.com/r",
            },
            {"verb": "hangup"},
        ],
    )

    say, start, connect, dial, hangup = ElementTree.fromstring(answer["twiml"])
    assert (say.text, say.attrib) == ("Press 1 for <Ada>.", {"language": "en-GB"})
    assert [node.tag for node in (start[0], connect[0], hangup)] == ["Recording", "Stream", "Hangup"]
    assert [(node.tag, node.text) for node in dial] == [("Number", "+14155550123"), ("Client", "ada")]
    assert dial.attrib == {"timeout": "20", "recordingStatusCallback": "https://voice.example.com/r"}


async def test_twiml_need_not_connect_the_call_to_us(office: Office) -> None:
    menu = {"verb": "gather", "numDigits": 1, "prompts": [{"verb": "say", "text": "Press a key."}]}
    answer = await office.use(
        "telephony.generateTwiML", sessionId="s", wsUrl="wss://a.example", mode="none", before=[menu]
    )

    [gather] = ElementTree.fromstring(answer["twiml"])
    assert (gather.tag, gather.attrib, gather[0].text) == ("Gather", {"numDigits": "1"}, "Press a key.")


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        ({}, "before.*verb"),
        ({"verb": "fly"}, "before.*verb"),
        ({"verb": "connect", "to": {"kind": "stream", "url": "wss://a.example"}}, "before.*verb"),
        ({"verb": "say", "text": "x", "bogus": 1}, r"before: 0\.say\.bogus"),
        ({"verb": "dial", "to": [{"noun": "number", "number": "5"}]}, r"before: 0\.dial\.to"),
        ({"verb": "redirect", "url": "file:///etc/passwd"}, "before: 0: An address"),
        ({"verb": "say", "text": "x", "ssml": "y"}, "text or ssml"),
        ({"verb": "say", "ssml": "<Hangup/>"}, "Say does not take"),
    ],
)
async def test_verbs_that_twilio_would_not_take_are_not_written(
    office: Office, verb: dict[str, Any], says: str
) -> None:
    with pytest.raises(Invalid, match=says):
        await office.use("telephony.generateTwiML", sessionId="s", wsUrl="wss://a.example", before=[verb])


# ─── handleConnect ───────────────────────────────────────────────────────────


PARTIES: Final = {"from": CALL["from"], "to": CALL["to"]}


async def log_of(office: Office, session_id: str) -> list[tuple[str, dict[str, Any]]]:
    return [(entry.kind, entry.data) for entry in await office.desk.store.entries(session_id)]


async def test_a_call_that_comes_in_has_a_session_and_is_told_where_to_go(office: Office) -> None:
    answer = await office.use("telephony.handleConnect", **CALL)

    session = await session_of(office, answer["sessionId"])
    assert (session["status"], session["direction"]) == ("ringing", "inbound")
    assert (session["from"], session["to"]) == ("+14155550123", "+14155550199")
    (connect,) = ElementTree.fromstring(answer["twiml"])
    assert connect[0].attrib["url"] == "wss://voice.example.com/ws"
    assert connect[0][0].attrib == {"name": "sessionId", "value": answer["sessionId"]}
    assert office.desk.counts.sessions_created == 1


async def test_a_webhook_sent_again_gets_the_same_answer(office: Office) -> None:
    answers: list[dict[str, Any]] = []

    async def connect() -> None:
        answers.append(await office.use("telephony.handleConnect", **CALL))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(connect)

    assert answers == [answers[0]] * 5
    assert office.desk.counts.sessions_created == 1
    assert await log_of(office, answers[0]["sessionId"]) == [("ringing", PARTIES)]


async def test_a_session_made_before_the_call_rings_when_it_comes(office: Office) -> None:
    made = await office.use("session.create", callSid="CA1")

    session_id = await let_in(office)

    assert session_id == made["sessionId"]
    session = await session_of(office, session_id)
    assert (session["status"], session["from"]) == ("ringing", "+14155550123")
    assert await log_of(office, session_id) == [("ringing", PARTIES)]


async def test_a_new_call_under_a_name_that_was_closed_is_a_new_session(office: Office) -> None:
    first = await let_in(office)
    await office.use("session.close", sessionId=first)

    second = await let_in(office)

    assert second != first


async def test_a_call_that_is_redirected_keeps_its_session(office: Office) -> None:
    session_id = await on_the_line(office)
    await office.use("twilio.handleStop", message=stop_message())

    assert await let_in(office) == session_id
    again = await office.use("twilio.handleStart", message=start_message("MZ2", sessionId=session_id))
    assert again["sessionId"] == session_id
    assert (await session_of(office, session_id))["status"] == "active"


@pytest.mark.parametrize("media_url", ["", "ws://voice.example.com/ws", "https://voice.example.com"])
async def test_a_server_without_a_public_address_says_so(media_url: str) -> None:
    async with an_office(media_url=media_url) as office:
        with pytest.raises(NotConfigured, match="public address"):
            await let_in(office)


@pytest.mark.parametrize(
    "fields",
    [
        {"callSid": ""},
        {"callSid": "C" * 65},
        {"from": "+" * 257},
        {"to": None},
        {"direction": "sideways"},
        {"hi": 1},
    ],
)
async def test_a_call_that_cannot_be_named_is_not_let_in(office: Office, fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await office.use("telephony.handleConnect", **{**CALL, **fields})

    assert office.desk.counts.sessions_created == 0


# ─── handleDisconnect ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "meant"),
    [("completed", "completed"), ("answered", "completed"), ("fail", "failed"), ("rejected", "rejected"),
     ("busy", "busy"), ("no-answer", "no-answer"), ("canceled", "canceled"), ("failed", "failed")],
)  # fmt: skip
async def test_a_call_that_has_ended_is_closed_for_its_reason(office: Office, said: str, meant: str) -> None:
    session_id = await let_in(office)
    office.clock.advance(125)

    answer = await office.use("telephony.handleDisconnect", callSid="CA1", disconnectReason=said)

    assert answer == {"cleaned": True, "sessionDuration": 125_000}
    assert (await session_of(office, session_id))["closeReason"] == meant
    assert office.desk.counts.disconnect_reasons == {meant: 1}


async def test_the_end_of_a_call_ends_its_stream(office: Office) -> None:
    session_id = await on_the_line(office)

    await office.use("telephony.handleDisconnect", callSid="CA1", disconnectReason="completed")

    assert len(office.calls) == 0
    assert (await session_of(office, session_id))["closeReason"] == "completed"


async def test_a_call_whose_stream_ended_before_is_over_for_good(office: Office) -> None:
    session_id = await on_the_line(office)
    await office.use("twilio.handleStop", message=stop_message())

    first = await office.use("telephony.handleDisconnect", callSid="CA1", disconnectReason="completed")
    second = await office.use("telephony.handleDisconnect", callSid="CA1", disconnectReason="completed")

    assert first == second
    assert first["cleaned"] is True
    assert (await session_of(office, session_id))["closeReason"] == "completed"
    with pytest.raises(SessionClosed):
        await office.use("twilio.handleStart", message=start_message("MZ2", sessionId=session_id))
    assert office.desk.counts.sessions_closed == 1


@pytest.mark.parametrize("status", ["queued", "ringing", "in-progress"])
async def test_a_call_that_goes_on_is_not_closed(office: Office, status: str) -> None:
    session_id = await on_the_line(office)

    answer = await office.use("telephony.handleDisconnect", callSid="CA1", disconnectReason=status)

    assert answer["cleaned"] is False
    assert (await session_of(office, session_id))["status"] == "active"


async def test_the_end_of_an_unknown_call_is_no_error(office: Office) -> None:
    answer = await office.use("telephony.handleDisconnect", callSid="CA9", disconnectReason="completed")

    assert answer == {"cleaned": False, "sessionDuration": 0}


@pytest.mark.parametrize("reason", ["tired", "", None, 5])
async def test_an_end_has_a_known_reason(office: Office, reason: object) -> None:
    with pytest.raises(Invalid, match="disconnectReason"):
        await office.use("telephony.handleDisconnect", callSid="CA1", disconnectReason=reason)
