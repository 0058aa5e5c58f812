"""Keys through the whole house: real sockets on both sides, Twilio's as documented."""

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import anyio
import pytest
from mcp import Client
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from websockets.asyncio.client import ClientConnection, connect

from mcp_voice.carriers.twilio.signature import signed
from mcp_voice.core.events import Play
from mcp_voice.media.pump import Leg
from mcp_voice.server.assembly import House
from mcp_voice.server.logs import configure
from mcp_voice.server.metrics import Page
from mcp_voice.settings import Log
from tests.carriers.account import ACCOUNT, TOKEN, an_account
from tests.server.test_assembly import at_home, settings, structured

pytestmark = pytest.mark.anyio

CALL = "CA" + "1" * 32
PIN = "80917263"
"""Digits that nothing else here is likely to say."""


class Phone:
    """A call on Twilio's network: its stream, and what its account makes of new TwiML."""

    def __init__(self, url: str, tasks: anyio.abc.TaskGroup) -> None:
        self.played: list[str] = []
        self.streams = 0
        self._url = url
        self._tasks = tasks
        self._stream: ClientConnection | None = None

    async def begin(self, **parameters: str) -> None:
        self.streams += 1
        headers = {"x-twilio-signature": signed(self._url, TOKEN)}
        self._stream = await connect(self._url, additional_headers=headers)
        await self._stream.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        start = {
            "streamSid": f"MZ{self.streams}", "accountSid": ACCOUNT, "callSid": CALL, "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        }  # fmt: skip
        await self.tell("start", start=start)

    async def tell(self, event: str, **body: Any) -> None:
        assert self._stream is not None
        await self._stream.send(json.dumps({"event": event, "streamSid": f"MZ{self.streams}", **body}))

    async def press(self, keys: str) -> None:
        for key in keys:
            await self.tell("dtmf", dtmf={"track": "inbound_track", "digit": key})

    async def mark(self) -> None:
        """Say of what was sent that it has been played."""
        assert self._stream is not None
        async for message in self._stream:
            told = json.loads(message)
            if told["event"] == "mark":
                await self.tell("mark", mark=told["mark"])
                return

    async def end(self) -> None:
        assert self._stream is not None
        await self.tell("stop", stop={"accountSid": ACCOUNT, "callSid": CALL})
        await self._stream.close()

    async def sees(self, so: Callable[[], object]) -> None:
        with anyio.fail_after(30):
            while not so():
                await anyio.lowlevel.checkpoint()

    async def redirected(self, call_sid: str, twiml: str) -> None:
        self._tasks.start_soon(self._run, twiml)

    async def _run(self, twiml: str) -> None:
        await self.end()
        play, dial = ElementTree.fromstring(twiml)
        self.played.append(play.attrib["digits"])
        told = {parameter.attrib["name"]: parameter.attrib["value"] for parameter in dial[0]}
        await self.begin(**told)


@asynccontextmanager
async def a_phone(**given: Any) -> AsyncIterator[tuple[House, Client, Phone]]:
    """A house with a Twilio account, and a telephone on that account's network."""
    async with an_account(CALL) as account, anyio.create_task_group() as tasks:
        twilio = {
            "account_sid": ACCOUNT, "auth_token": TOKEN, "api_url": account.url, "tickets": False,
        }  # fmt: skip
        chosen = settings(**{f"twilio__{name}": value for name, value in twilio.items()}, **given)
        async with (
            at_home(chosen) as (house, _, private),
            Client(f"http://{private}/mcp/agent", mode="auto") as client,
        ):
            phone = Phone(house.desk.media_url, tasks)
            account.redirected = phone.redirected
            yield house, client, phone
        tasks.cancel_scope.cancel()


async def test_a_twilio_call_presses_keys_and_its_session_goes_on_with_the_next_stream() -> None:
    async with a_phone() as (house, client, phone):
        await phone.begin()
        await phone.sees(lambda: len(house.calls))
        await structured(client, "telephony_say", text="One moment.", then="return", waitSeconds=0)
        before = (await structured(client, "session_get", callSid=CALL))["session"]

        pressed = await structured(client, "telephony_press", digits="1w2#", waitSeconds=0)
        await phone.sees(lambda: [leg.stream_sid for leg in house.calls.all()] == ["MZ2"])
        await phone.press("5")
        keys = await structured(client, "telephony_listen", expect="digits")
        session = (await structured(client, "session_get", callSid=CALL))["session"]
        log = await house.store.entries(before["sessionId"])

    assert phone.played == ["1w2#"]
    assert pressed["outcome"] == "pending"
    assert (keys["outcome"], keys["digits"]) == ("dtmf", "5")
    assert {pressed["sessionId"], keys["sessionId"], session["sessionId"]} == {before["sessionId"]}
    assert (session["status"], session["streamSid"]) == ("active", "MZ2")
    assert [entry.seq for entry in log] == list(range(1, len(log) + 1))
    assert [e.kind for e in log if e.kind in ("answered", "ended", "dtmf")] == [
        "answered",
        "ended",
        "answered",
        "dtmf",
    ]


async def test_turns_are_numbered_on_over_a_press() -> None:
    async with a_phone() as (house, client, phone):
        await phone.begin()
        await phone.sees(lambda: len(house.calls))
        session_id = house.calls.all()[0].session_id
        for words in ("first", "second"):
            [leg] = house.calls.all()
            seq = leg.talk.conversation.seq
            leg.ask(Play(b"\xff" * 160, words))
            await phone.mark()
            await phone.sees(partial(written, leg, seq))
            await structured(client, "telephony_press", digits="1", waitSeconds=0)
            await phone.sees(partial(on_another, house, leg))
        session = await house.store.load(session_id)

    assert session is not None
    assert phone.played == ["1", "1"]
    turns = [(turn.turn_id, turn.agent_response) for turn in session.turns]
    assert turns == [("turn-1", "first"), ("turn-2", "second")]


def written(leg: Leg, seq: int) -> bool:
    """Whether what was said since then is in the record."""
    return leg.talk.conversation.seq > seq


def on_another(house: House, leg: Leg) -> bool:
    """Whether the call has come back with another stream."""
    return [now.stream_sid for now in house.calls.all()] not in ([], [leg.stream_sid])


def files(folder: Path) -> list[bytes]:
    """What the store has written."""
    return [file.read_bytes() for file in folder.iterdir()]


async def test_digits_of_a_secret_are_nowhere_but_on_the_line(
    tmp_path: Path, own_logs: None, spans: InMemorySpanExporter, capfd: pytest.CaptureFixture[str]
) -> None:
    stderr = StringIO()
    configure(Log(level="debug", format="json"), stderr)
    told: list[object] = []
    async with a_phone(store=f"sqlite:///{tmp_path}/calls.db") as (house, client, phone):
        await phone.begin()
        await phone.sees(lambda: len(house.calls))
        [leg] = house.calls.all()
        ask = {"secret": True, "maxDigits": len(PIN)}
        told.append(await structured(client, "telephony_gather", **ask, waitSeconds=0))
        await phone.press(PIN)
        answer = await structured(client, "telephony_gather", **ask)
        await phone.press(PIN)  # and once more, by mistake
        told += [answer, await structured(client, "telephony_listen", waitSeconds=0.1)]
        told.append(await structured(client, "telephony_press", secret=answer["handle"], waitSeconds=0))
        await phone.sees(partial(on_another, house, leg))
        told.append(await structured(client, "session_get", callSid=CALL, detail="timeline"))
        told += [
            (await client.read_resource(f"voice://sessions/{leg.session_id}{part}"))
            for part in ("", "/events")
        ]
        told += [await house.store.load(leg.session_id), await house.store.entries(leg.session_id)]
        told += [vars(leg.talk.conversation), Page(house.counts).text(), stderr.getvalue()]
        await phone.end()
        await phone.sees(lambda: not len(house.calls))
    told += [span.to_json() for span in spans.get_finished_spans()]
    told += files(tmp_path)
    told += [stderr.getvalue(), *capfd.readouterr()]

    assert phone.played == [PIN]
    assert (answer["outcome"], answer["count"]) == ("digits", len(PIN))
    assert "digits" not in answer
    shown = [str(what) for what in told]
    assert "dtmf" in "".join(shown)
    assert [text for text in shown if PIN in text] == []
    assert [text for text in shown if re.search(r"""digit['"]+: ['"]\d""", text)] == []
