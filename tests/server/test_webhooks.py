"""News of a call, and who may bring it."""

import asyncio
from typing import Any

import anyio
import httpx2
import pytest
from structlog.testing import capture_logs

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.events import Started
from mcp_voice.core.session import UNNAMED, SessionConfig, begin
from mcp_voice.errors import StoreFailed
from mcp_voice.media.calls import HeldOutlet
from mcp_voice.server import http, webhooks
from mcp_voice.server.sockets import Entrance
from mcp_voice.server.webhooks.door import LARGEST, Answers
from mcp_voice.settings.inbound import Inbound
from tests.server.hooks import CALL, FROM, HERE, RECORDING, TO, an_exchange
from tests.tools.desk import an_office

pytestmark = pytest.mark.anyio

STREAM = "MZ" + "3" * 32
CONFERENCE = "CF" + "4" * 32
WORDS = "GT" + "5" * 32
VOICE = {"From": FROM, "To": TO, "CallStatus": "ringing"}


# ─── who may bring it ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"CallSid=" + CALL.encode(), {}, 403),
        (b"CallSid=" + CALL.encode(), {"x-twilio-signature": "bm8="}, 403),
        (b"CallSid=%ff%fe", {"x-twilio-signature": "bm8="}, 403),
        (b"CallSid=\xff", {"x-twilio-signature": "bm8="}, 403),
        (b"&".join([b"a=b"] * 1_001), {"x-twilio-signature": "bm8="}, 403),
        (b"a=" + b"b" * LARGEST, {}, 413),
        (b'{"CallSid": "x"}', {"content-type": "application/json"}, 415),
        (b"a=b", {"content-type": "multipart/form-data; boundary=x"}, 415),
        (b"", {}, 403),
    ],
)
@pytest.mark.parametrize(
    "path", ["/twilio/voice", "/twilio/status", "/twilio/after/sess_1", "/twilio/fallback"]
)
async def test_what_is_not_twilios_is_turned_away_with_a_line_and_without_a_word(
    path: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    async with an_exchange() as twilio:
        form = {"content-type": "application/x-www-form-urlencoded"}
        with capture_logs() as lines:
            answer = await twilio.web.post(HERE + path, content=content, headers=form | headers)
        sessions = await twilio.office.desk.store.find()

    assert (answer.status_code, answer.text) == (status, "")
    assert [line["event"] for line in lines] == ["webhook_refused"]
    assert not sessions


async def test_a_body_that_does_not_say_its_size_is_not_read_to_its_end() -> None:
    sent = 0

    async def body() -> Any:
        nonlocal sent
        for _ in range(100):
            sent += 16_384
            yield b"a" * 16_384

    async with an_exchange() as twilio:
        form = {"content-type": "application/x-www-form-urlencoded"}
        answer = await twilio.web.post(f"{HERE}/twilio/status", content=body(), headers=form)

    assert answer.status_code == 413


async def test_a_form_that_twilio_has_signed_and_nobody_can_read_is_bad() -> None:
    async with an_exchange() as twilio:
        answers = [
            (await twilio.post("/twilio/voice", CallSid="CA1")).status_code,
            (await twilio.post("/twilio/status", CallStatus="")).status_code,
        ]
        sessions = await twilio.office.desk.store.find()

    assert answers == [400, 400]
    assert not sessions


async def test_webhooks_are_posted() -> None:
    async with an_exchange() as twilio:
        assert (await twilio.web.get(f"{HERE}/twilio/voice")).status_code == 405


async def test_without_the_accounts_token_this_machine_may_and_no_web_page() -> None:
    async with an_office() as office:
        entrance = Entrance("http://127.0.0.1:8765", callbacks=False)
        app = http.public_app(webhooks.routes(office.desk, entrance, Inbound()), lambda: False)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as web:
            form = {"CallSid": CALL, **VOICE}
            url = "http://127.0.0.1:8765/twilio/voice"
            page = await web.post(url, data=form, headers={"origin": "https://evil.example"})
            unreadable = await web.post(
                url, content=b"%ff", headers={"content-type": "application/x-www-form-urlencoded"}
            )
            here = await web.post(url, data=form)

    assert [answer.status_code for answer in (page, unreadable, here)] == [403, 400, 200]
    assert '<Redirect method="POST">/twilio/after/sess_' in here.text


# ─── news ────────────────────────────────────────────────────────────────────


async def test_the_end_of_a_call_is_the_end_of_its_session_in_whatever_order_it_is_told() -> None:
    async with an_exchange() as twilio:
        await twilio.ask("/twilio/voice")
        told = [
            await twilio.post("/twilio/status", CallStatus=status, SequenceNumber=number)
            for status, number in (
                ("ringing", "1"), ("completed", "3"), ("in-progress", "2"), ("ringing", "1"),
                ("completed", "3"),
            )
        ]  # fmt: skip
        session, log = await twilio.session(), await twilio.log("callStatus")
        ends = await twilio.log("ended")

    assert {answer.status_code for answer in told} == {204}
    assert (session.status, session.close_reason) == ("closed", "completed")
    assert log == [{"status": "ringing"}]
    assert ends == [{"reason": "completed"}]


async def test_the_end_of_a_call_ends_its_stream_and_nothing_brings_it_back() -> None:
    async with an_exchange() as twilio:
        await twilio.ask("/twilio/voice")
        leg = await twilio.office.calls.open(Started("MZ1", CALL), TwilioWire(), HeldOutlet())
        await twilio.post("/twilio/status", CallStatus="completed", SequenceNumber="3")
        session = await twilio.session()

    assert leg.ended == "completed"
    assert (session.close_reason, session.returns_until) == ("completed", None)


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled"])
async def test_a_call_that_nobody_took_may_end_before_its_name_is_known(status: str) -> None:
    async with an_exchange() as twilio, anyio.create_task_group() as tasks:
        desk = twilio.office.desk
        session = begin(f"{UNNAMED}1", SessionConfig(), desk.now(), direction="outbound", status="ringing")
        await desk.store.add(session)

        async def name() -> None:
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            await desk.store.amend(session.session_id, lambda old: old.touched(desk.now(), call_sid=CALL))

        tasks.start_soon(name)
        answer = await twilio.post("/twilio/status", CallStatus=status, SequenceNumber="2")
        closed = await twilio.session()

    assert answer.status_code == 204
    assert (closed.session_id, closed.close_reason) == (session.session_id, status)


async def test_news_may_name_the_session_of_its_own_call_and_no_other() -> None:
    async with an_exchange() as twilio:
        await twilio.ask("/twilio/voice")
        path = f"/twilio/status/{(await twilio.session()).session_id}"
        await twilio.post(path, CallSid="CA" + "9" * 32, CallStatus="completed")
        before = await twilio.session()
        await twilio.post(path, CallStatus="busy")
        after = await twilio.session()

    assert before.status == "ringing"
    assert after.close_reason == "busy"


async def test_news_of_a_call_that_is_not_ours_is_passed_over() -> None:
    async with an_exchange() as twilio:
        for path in ("status", "amd"):
            answer = await twilio.post(f"/twilio/{path}", CallStatus="completed", AnsweredBy="human")
            assert answer.status_code == 204


async def test_who_answered_is_told_to_a_live_call_once_and_to_the_record_of_another() -> None:
    verdict = {"AnsweredBy": "machine_start", "MachineDetectionDuration": "2100"}
    async with an_exchange() as twilio:
        await twilio.ask("/twilio/voice")
        await twilio.post("/twilio/amd", **verdict)
        await twilio.post("/twilio/amd", **verdict)
        before = await twilio.log("amd")
        leg = await twilio.office.calls.open(Started("MZ1", CALL), TwilioWire(), HeldOutlet())
        await twilio.post("/twilio/amd", AnsweredBy="human")
        leg.over.set()
        await leg.done.wait()
        log = await twilio.log("amd")

    told = {"answeredBy": "machine", "by": "carrier", "why": "machine_start", "afterMs": 2100}
    assert before == [told]
    assert [entry["answeredBy"] for entry in log] == ["machine", "human"]


async def test_what_happens_at_twilios_end_is_in_the_calls_log_once() -> None:
    news: list[tuple[str, dict[str, str]]] = [
        ("stream-status", {"StreamSid": STREAM, "StreamEvent": "stream-started"}),
        ("stream-status", {"StreamSid": STREAM, "StreamEvent": "stream-error", "StreamError": "It broke."}),
        ("recording", {"RecordingSid": RECORDING, "RecordingStatus": "in-progress"}),
        (
            "conference",
            {
                "ConferenceSid": CONFERENCE, "StatusCallbackEvent": "participant-leave",
                "SequenceNumber": "4", "ParticipantLabel": "guest",
            },
        ),
        (
            "transcription",
            {
                "TranscriptionSid": WORDS, "TranscriptionEvent": "transcription-content", "SequenceId": "2",
                "Final": "true", "TranscriptionData": '{"transcript": "Hello", "confidence": 0.9}',
                "Track": "inbound_track",
            },
        ),
        (
            "transcription",
            {
                "TranscriptionSid": WORDS, "TranscriptionEvent": "transcription-content", "SequenceId": "1",
                "Final": "false", "TranscriptionData": '{"transcript": "Hell"}',
            },
        ),
        ("transcription", {"TranscriptionEvent": "transcription-error", "ErrorCode": "32650"}),
    ]  # fmt: skip
    async with an_exchange() as twilio:
        await twilio.ask("/twilio/voice")
        twilio.web.headers["I-Twilio-Idempotency-Token"] = "1f"  # the last has no number of its own
        for path, fields in [*news, *news]:
            assert (await twilio.post(f"/twilio/{path}", **fields)).status_code == 204
        session = await twilio.session()
        entries = await twilio.office.desk.store.entries(session.session_id)

    assert [(entry.kind, entry.data.get("message")) for entry in entries] == [
        ("ringing", None),
        ("stream", None),
        ("error", "It broke."),
        ("recording", None),
        ("conference", None),
        ("transcription", None),
        ("error", "Twilio's transcription failed: error 32650."),
    ]
    assert entries[5].data == {"track": "inbound_track", "text": "Hello", "confidence": 0.9}
    assert (entries[4].data["action"], entries[4].data["participant"]) == ("remove", "guest")


async def test_news_that_could_not_be_written_is_asked_for_again() -> None:
    class Failing:
        async def named(self, call_sid: str) -> None:
            raise StoreFailed("The disk is full.")

    async with an_exchange() as twilio:
        await twilio.ask("/twilio/voice")
        store = twilio.office.desk.store
        twilio.office.desk.store = Failing()  # type: ignore[assignment]
        lost = await twilio.post("/twilio/status", CallStatus="completed", SequenceNumber="3")
        twilio.office.desk.store = store
        taken = await twilio.post("/twilio/status", CallStatus="completed", SequenceNumber="3")
        session = await twilio.session()

    assert (lost.status_code, taken.status_code) == (503, 204)
    assert session.close_reason == "completed"


# ─── answered once ───────────────────────────────────────────────────────────


async def test_who_asks_while_an_answer_is_made_gets_that_answer() -> None:
    answers, made, go = Answers(), 0, asyncio.Event()

    async def make() -> Any:
        nonlocal made
        made += 1
        await go.wait()
        return made

    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(answers.of("x", make)) for _ in range(3)]
        await anyio.lowlevel.checkpoint()
        go.set()

    assert [task.result() for task in asked] == [1, 1, 1]
    assert await answers.of("y", make) == 2
    assert await answers.of(None, make) == 3


async def test_the_oldest_answers_are_forgotten_for_want_of_room_and_failures_at_once() -> None:
    answers, made = Answers(most=2), 0

    async def make() -> Any:
        nonlocal made
        made += 1
        if made == 1:
            raise StoreFailed("The disk is full.")
        return made

    with pytest.raises(StoreFailed):
        await answers.of("x", make)

    found = [await answers.of(name, make) for name in ("x", "y", "x", "z", "x")]
    assert found == [2, 3, 2, 4, 5]
