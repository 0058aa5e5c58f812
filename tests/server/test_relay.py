"""Relayed calls through the tools, over a real socket: with simulated people, and with a scripted relay."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from mcp_voice.carriers import Exchange
from mcp_voice.carriers.simulated import SimulatedCarrier
from mcp_voice.carriers.twilio.relay import RelayWire
from mcp_voice.core.session import SessionConfig, begin, carried
from mcp_voice.errors import Invalid, NotConfigured, Refused
from mcp_voice.media.endpoint import Endpoint
from mcp_voice.ports import RecordingRules, utc_now
from mcp_voice.server import http
from mcp_voice.server.listeners import Listener, bind, listening, port_of
from mcp_voice.server.neighbours import Neighbours
from tests.e2e.virtual import VirtualLoop, virtual_clocks
from tests.server.test_assembly import at_home, settings
from tests.tools.desk import Office, an_office
from tests.twins import OpenGate, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture(autouse=True)
async def free_time() -> AsyncIterator[None]:
    with virtual_clocks():
        yield


BUTCHER = """
description: A butcher.
rings: 0
thinks: 0.1
remember: {day: '(monday|sunday)'}
states:
  hello:
    say: Hello.
    when:
      - {knows: day, goto: hours}
      - {digits: '7', say: Seven., goto: hello}
      - {silence: 20, hang_up: true}
  hours:
    say: 'On {day} at nine.'
    when:
      - {words: [goodbye], say: Bye., hang_up: true}
      - {silence: 20, hang_up: true}
"""

SETUP: dict[str, Any] = {
    "type": "setup", "sessionId": "VX1", "callSid": "CA1", "parentCallSid": "", "from": "+14155550123",
    "to": "+14155550199", "forwardedFrom": "", "callerName": "", "direction": "inbound", "callType": "PSTN",
    "callStatus": "RINGING", "accountSid": "AC1", "customParameters": {},
}  # fmt: skip


@asynccontextmanager
async def a_street(folder: Path, gate: OpenGate | None = None) -> AsyncIterator[tuple[Office, str]]:
    """An office with a butcher in the neighbourhood, and a socket for relays."""
    (folder / "butcher.yaml").write_text(BUTCHER)
    async with an_office(gate=gate) as office:
        bound = bind("127.0.0.1", 0, "public_port")
        url = f"ws://127.0.0.1:{port_of(bound)}/twilio/relay"
        endpoint = Endpoint(office.calls, RelayWire, office.desk.counts)
        app = http.public_app([WebSocketRoute("/twilio/relay", endpoint)], lambda: False)
        neighbours = Neighbours(office.desk, url.removesuffix("/twilio/relay"), folders=[folder])
        office.desk.carriers = Exchange(
            {"simulator": SimulatedCarrier(office.calls, neighbours.ring, neighbours.vocabulary)}
        )
        async with listening(Listener(app, bound)):
            try:
                yield office, url
            finally:
                await neighbours.aclose()


class Relay:
    """A relay that says what a test wants it to say."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def tell(self, type: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": type, **fields}))

    async def next(self) -> dict[str, Any]:
        with anyio.fail_after(30):
            message: dict[str, Any] = json.loads(await self.socket.recv())
        return message

    async def says(self, text: str) -> None:
        """Say what the agent wants said, to its end."""
        spoken = ""
        while spoken != text:
            message = await self.next()
            assert message["type"] == "text"
            spoken += message["token"]
        await self.tell("info", name="agentSpeaking", value="on")
        await self.tell("info", name="tokensPlayed", value=text)
        await self.tell("info", name="agentSpeaking", value="off")

    async def hears(self, text: str) -> None:
        await self.tell("info", name="clientSpeaking", value="on")
        await self.tell("info", name="clientSpeaking", value="off")
        await self.tell("prompt", voicePrompt=text, lang="en-US", last=True)


@asynccontextmanager
async def a_relay(url: str, **fields: Any) -> AsyncIterator[Relay]:
    async with connect(url, compression=None, ping_interval=None) as socket:
        await socket.send(json.dumps(SETUP | fields))
        yield Relay(socket)


async def live(office: Office, sessions: int = 1) -> str:
    await until(lambda: len(office.calls) >= sessions)
    return office.calls.all()[-1].session_id


async def record(office: Office, session_id: str) -> dict[str, Any]:
    session: dict[str, Any] = (await office.use("session.get", sessionId=session_id))["session"]
    return session


async def test_a_whole_conversation_with_somebody_who_was_called(tmp_path: Path) -> None:
    gate = OpenGate(disclosure="This is an AI.")
    async with a_street(tmp_path, gate) as (office, _):
        first = await office.use(
            "telephony.call", to="sim:butcher", mode="relay", opening="Good evening.", waitSeconds=25
        )
        second = await office.use("telephony.say", text="Are you open on monday?", waitSeconds=25)
        last = await office.use(
            "telephony.say", text="Thank you, goodbye.", then="hangUp", waitSeconds=25, ifCallerSpoke="speak"
        )
        session = await record(office, first["sessionId"])
        log = await office.desk.store.entries(first["sessionId"])

    assert (first["outcome"], first["heard"][0]["text"]) == ("reply", "Hello.")
    assert (second["outcome"], second["heard"][-1]["text"]) == ("reply", "On monday at nine.")
    assert second["spoken"]["heardFraction"] == 1.0
    assert last["outcome"] == "hungUp"
    assert [session[key] for key in ("mode", "sttProvider", "ttsProvider")] == [
        "relay", "twilio-relay", "twilio-relay",
    ]  # fmt: skip
    assert "This is an AI." in " ".join(e.data["text"] for e in log if e.kind in ("agentSaid", "interrupted"))
    assert office.vendors.speaker.said == []
    assert office.vendors.listener.configs == []


async def test_keys_reach_whoever_was_called(tmp_path: Path) -> None:
    async with a_street(tmp_path) as (office, _):
        await office.use("telephony.call", to="sim:butcher", mode="relay", opening="Hi.", waitSeconds=25)

        pressed = await office.use("telephony.press", digits="7", waitSeconds=25)
        with pytest.raises(Invalid, match="no keys A to D"):
            await office.use("telephony.press", digits="A")

    assert [words["text"] for words in pressed["heard"]][:1] == ["Seven."]


async def test_what_a_caller_heard_when_they_cut_in_is_told(tmp_path: Path) -> None:
    async with a_street(tmp_path) as (office, url), a_relay(url) as relay, anyio.create_task_group() as tasks:
        await live(office)
        answers = []

        async def say() -> None:
            answers.append(
                await office.use("telephony.say", text="We are open until eight tonight.", waitSeconds=25)
            )

        tasks.start_soon(say)
        await relay.next()
        await relay.tell("info", name="agentSpeaking", value="on")
        await relay.tell("info", name="clientSpeaking", value="on")
        await relay.tell("interrupt", utteranceUntilInterrupt="We are open", durationUntilInterruptMs="700")
        await relay.hears("And tomorrow?")
        await until(lambda: bool(answers))

    assert answers[0]["outcome"] == "reply"
    assert answers[0]["spoken"]["heardByCaller"] == "We are open"
    assert answers[0]["spoken"]["interrupted"] is True


async def test_digits_are_gathered_and_a_secret_is_not_written_down(tmp_path: Path) -> None:
    async with a_street(tmp_path) as (office, url), a_relay(url) as relay, anyio.create_task_group() as tasks:
        session_id = await live(office)
        answers = []

        async def gather() -> None:
            answers.append(
                await office.use(
                    "telephony.gather", prompt="Your PIN, please.", maxDigits=4, secret=True, waitSeconds=25
                )
            )

        tasks.start_soon(gather)
        await relay.says("Your PIN, please.")
        for digit in "4711":
            await relay.tell("dtmf", digit=digit)
        await until(lambda: bool(answers))
        log = await office.desk.store.entries(session_id)

    assert (answers[0]["outcome"], answers[0]["count"], answers[0]["digits"]) == ("digits", 4, None)
    assert [entry.data for entry in log if entry.kind == "dtmf"] == [{"secret": True}] * 4


async def test_a_session_of_the_relay_that_comes_back_goes_on_with_the_call(tmp_path: Path) -> None:
    async with a_street(tmp_path) as (office, url):
        async with a_relay(url) as relay:
            session_id = await live(office)
            await relay.hears("Hello?")
            heard = await office.use("telephony.listen", waitSeconds=25)
            async with a_relay(url) as again:  # the first socket is dead, and nobody has noticed yet
                await again.hears("Are you still there?")
                second = await office.use("telephony.listen", sessionId=session_id, waitSeconds=25)
        await until(lambda: not len(office.calls))
        async with a_relay(url, sessionId="VX2") as third:
            await until(lambda: not office.desk.talks.of(session_id).conversation.ended)
            await third.hears("Now then.")
            last = await office.use("telephony.listen", sessionId=session_id, waitSeconds=25)

    assert [answer["heard"][-1]["text"] for answer in (heard, second, last)] == [
        "Hello?", "Are you still there?", "Now then.",
    ]  # fmt: skip
    assert {answer["sessionId"] for answer in (heard, second, last)} == {session_id}


async def test_another_call_may_not_take_the_place_of_one_that_is_live(tmp_path: Path) -> None:
    async with a_street(tmp_path) as (office, url), a_relay(url):
        await live(office)
        async with a_relay(url, sessionId="VX9") as thief:
            await thief.socket.wait_closed()

        assert thief.socket.close_code == 1003
        assert len(office.calls) == 1


async def test_a_call_goes_on_in_another_language(tmp_path: Path) -> None:
    async with a_street(tmp_path) as (office, url), a_relay(url) as relay:
        session_id = await live(office)

        await office.use("session.update", sessionId=session_id, updates={"config": {"language": "de-DE"}})

        assert await relay.next() == {
            "type": "language", "ttsLanguage": "de-DE", "transcriptionLanguage": "de-DE",
        }  # fmt: skip


async def test_an_agent_hangs_up_and_the_relay_is_told_why(tmp_path: Path) -> None:
    async with a_street(tmp_path) as (office, url), a_relay(url) as relay:
        session_id = await live(office)

        await office.use("session.close", sessionId=session_id, reason="completed")
        message = await relay.next()
        await relay.socket.wait_closed()

    assert message == {"type": "end", "handoffData": '{"reason":"completed"}'}
    assert relay.socket.close_code == 1000


async def test_a_caller_who_hangs_up_has_ended_the_call(tmp_path: Path) -> None:
    async with a_street(tmp_path) as (office, url):
        async with a_relay(url):
            session_id = await live(office)
        await until(lambda: not len(office.calls))
        session = await record(office, session_id)

    assert (session["status"], session["closeReason"]) == ("closed", "stop")
    assert (session["from"], session["to"]) == ("+14155550123", "+14155550199")


@pytest.mark.slow
async def test_a_house_lets_relays_in_that_are_signed_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "butcher.yaml").write_text(BUTCHER)
    given = settings(
        twilio__auth_token="secret-of-this-test", public_url="https://voice.example.com",
        simulator__personas=tmp_path,
    )  # fmt: skip
    async with at_home(given) as (house, public, _):
        session = begin("dial_1", SessionConfig(), utc_now(), direction="outbound", to="sim:butcher")
        await house.store.add(session.model_copy(update=carried(session, "relay")))

        dialled = await house.store.load(session.session_id)
        assert dialled is not None
        await house.desk.carriers["simulator"].dial(dialled)
        await until(lambda: len(house.calls) == 1)

        (call,) = house.calls.all()
        assert (call.session_id, call.mode) == (session.session_id, "relay")
        assert house.desk.providers.voice("twilio-relay").name == "twilio-relay"
        assert house.desk.relay["dtmfDetection"] == "true"
        with pytest.raises(InvalidStatus, match="403"):
            await connect(f"ws://{public}/twilio/relay")


async def test_what_needs_the_calls_audio_is_refused(tmp_path: Path) -> None:
    async with a_street(tmp_path) as (office, url), a_relay(url):
        await live(office)
        office.desk.recording = RecordingRules("on")

        with pytest.raises(NotConfigured, match="audio of a relayed call is with Twilio"):
            await office.use("telephony.record", action="start")
        with pytest.raises(Refused, match="takes words"):
            await office.use("twilio.sendAudio", streamSid="VX1", audio="/////w==")
        with pytest.raises(NotConfigured, match="hands out no audio"):
            await office.use("tts.synthesize", text="Hello", config={"provider": "twilio-relay"})
        with pytest.raises(NotConfigured, match="not recorded"):
            await office.use("telephony.call", to="sim:butcher", mode="relay", record=True)
