"""The door for media sockets, driven as an ASGI server drives it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.counts import Counts
from mcp_voice.core.events import HangUp, Play
from mcp_voice.media.calls import Calls
from mcp_voice.media.endpoint import Endpoint
from mcp_voice.stores.memory import MemoryStore
from tests.twins import Vendors, loud
from tests.wires.test_twilio import CALL, MEDIA, START, STREAM

CONNECTED = '{"event":"connected","protocol":"Call","version":"1.0.0"}'


class Socket:
    """The server's side of a WebSocket, without a server."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._waiting.put_nowait({"type": "websocket.connect"})
        self.gone = False

    async def receive(self) -> dict[str, Any]:
        return await self._waiting.get()

    async def send(self, message: Any) -> None:
        if self.gone:
            raise OSError("the peer is gone")
        self.sent.append(message)

    def say(self, *messages: str | bytes | dict[str, Any]) -> None:
        for message in messages:
            match message:
                case bytes():
                    self._waiting.put_nowait({"type": "websocket.receive", "bytes": message, "text": None})
                case str():
                    self._waiting.put_nowait({"type": "websocket.receive", "text": message})
                case _:
                    self._waiting.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    def leave(self, code: int = 1006) -> None:
        self.gone = True
        self._waiting.put_nowait({"type": "websocket.disconnect", "code": code})

    @property
    def texts(self) -> list[dict[str, Any]]:
        return [json.loads(message["text"]) for message in self.sent if message["type"] == "websocket.send"]

    @property
    def closed(self) -> dict[str, Any] | None:
        return next((message for message in self.sent if message["type"] == "websocket.close"), None)


class Door:
    """An endpoint, and the sockets that knock."""

    def __init__(self, calls: Calls, store: MemoryStore, counts: Counts, tasks: anyio.abc.TaskGroup) -> None:
        self.calls, self.store, self.counts, self._tasks = calls, store, counts, tasks

    def knock(self, **options: Any) -> Socket:
        socket = Socket()
        endpoint = Endpoint(self.calls, TwilioWire, self.counts, **options)
        scope = {"type": "websocket", "path": "/twilio/media", "headers": []}
        self._tasks.start_soon(endpoint, scope, socket.receive, socket.send)
        return socket

    async def record(self) -> tuple[str, list[str]]:
        session = await self.store.named(CALL)
        assert session is not None
        return session.status, [entry.kind for entry in await self.store.entries(session.session_id)]


@asynccontextmanager
async def a_door() -> AsyncIterator[Door]:
    store, counts = MemoryStore(), Counts()
    calls = Calls(
        store=store, providers=Vendors(), counts=counts, make_vad=lambda: loud, make_wire=TwilioWire
    )  # fmt: skip
    async with calls, anyio.create_task_group() as tasks:
        yield Door(calls, store, counts, tasks)
        tasks.cancel_scope.cancel()


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    with anyio.fail_after(seconds):
        while not condition():
            await anyio.lowlevel.checkpoint()


async def test_a_call_goes_through() -> None:
    async with a_door() as door:
        socket = door.knock()
        socket.say(CONNECTED, START, MEDIA)
        await until(lambda: door.calls.call(stream_sid=STREAM))
        leg = door.calls.call(stream_sid=STREAM)
        assert leg is not None
        leg.ask(Play(b"\x01" * 320, "hello"))
        await until(lambda: len(socket.texts) == 2)
        socket.say({"event": "mark", "streamSid": STREAM, "mark": socket.texts[1]["mark"]})
        socket.say({"event": "stop", "streamSid": STREAM, "stop": {"callSid": CALL}})
        await leg.done.wait()

        status, kinds = await door.record()

        assert [text["event"] for text in socket.texts] == ["media", "mark"]
        assert (status, kinds) == ("closed", ["answered", "agentSaid", "ended"])
        assert socket.closed == {"type": "websocket.close", "code": 1000, "reason": "stop"}


async def test_unreadable_messages_are_counted_and_the_call_is_unharmed() -> None:
    async with a_door() as door:
        socket = door.knock()
        socket.say(CONNECTED, START, "not json", b"\x00\xff", '{"event":"novelty"}', "{}", START)
        socket.say(MEDIA | {"streamSid": "MZ" + "f" * 32}, MEDIA | {"media": {"payload": "!"}}, MEDIA)
        await until(lambda: door.counts.media_chunks == 1)
        socket.say({"event": "stop", "streamSid": STREAM, "stop": {"callSid": CALL}})
        await until(lambda: socket.closed)
        await until(lambda: len(door.calls) == 0)

        status, kinds = await door.record()

        assert dict(door.counts.errors) == {
            "not_json": 1, "binary": 1, "bad_shape": 1,
            "second_start": 1, "foreign_stream": 1, "bad_base64": 1,
        }  # fmt: skip
        assert status == "closed"
        assert kinds.count("error") == 6


async def test_a_flood_of_rubbish_does_not_fill_the_log() -> None:
    async with a_door() as door:
        socket = door.knock()
        socket.say(CONNECTED, START, *["rubbish"] * 500)
        await until(lambda: door.counts.errors["not_json"] == 500)
        socket.leave()
        await until(lambda: len(door.calls) == 0)

        _, kinds = await door.record()

        assert kinds.count("error") == 10


async def test_a_lost_socket_ends_the_leg_and_keeps_the_record() -> None:
    async with a_door() as door:
        socket = door.knock()
        socket.say(CONNECTED, START, MEDIA)
        await until(lambda: door.counts.media_chunks == 1)
        socket.leave(1006)
        await until(lambda: len(door.calls) == 0)

        session = await door.store.named(CALL)

        assert session is not None
        assert (session.status, session.close_reason) == ("closed", "connection_lost")
        assert door.counts.disconnects == {"1006": 1}


async def test_a_socket_that_never_starts_is_closed() -> None:
    async with a_door() as door:
        socket = door.knock(start_seconds=0.05)
        socket.say(CONNECTED, MEDIA)
        await until(lambda: socket.closed)

        assert socket.closed == {"type": "websocket.close", "code": 1008, "reason": "no start"}
        assert door.counts.errors == {"before_start": 1, "no_start": 1}
        assert not await door.store.find()


async def test_a_socket_that_leaves_before_it_starts_is_nobody() -> None:
    async with a_door() as door:
        socket = door.knock()
        socket.say(CONNECTED)
        socket.leave()
        await anyio.wait_all_tasks_blocked()

        assert len(door.calls) == 0
        assert door.counts.calls == 0


async def test_an_upgrade_that_is_not_admitted_is_refused_before_it_is_accepted() -> None:
    async with a_door() as door:
        socket = door.knock(admit=lambda scope: None)
        await until(lambda: socket.closed)

        assert [message["type"] for message in socket.sent] == ["websocket.close"]


async def test_a_second_socket_of_a_live_call_is_closed_and_the_first_never_notices() -> None:
    async with a_door() as door:
        first, second = door.knock(), door.knock()
        first.say(CONNECTED, START)
        await until(lambda: len(door.calls) == 1)
        second.say(CONNECTED, START)
        await until(lambda: second.closed)
        first.say(MEDIA)
        await until(lambda: door.counts.media_chunks == 1)

        assert second.closed is not None
        assert second.closed["reason"] == "refused"
        assert first.closed is None


@pytest.mark.parametrize("format", [{"encoding": "audio/x-L16", "sampleRate": 16000, "channels": 1}])
async def test_a_format_we_do_not_speak_closes_the_socket_as_unsupported(format: dict[str, Any]) -> None:
    async with a_door() as door:
        socket = door.knock()
        start = json.loads(json.dumps(START))
        start["start"]["mediaFormat"] = format
        socket.say(CONNECTED, start)
        await until(lambda: socket.closed)

        assert socket.closed is not None
        assert socket.closed["code"] == 1003


async def test_echo_plays_the_caller_back_frame_by_frame() -> None:
    async with a_door() as door:
        socket = door.knock(echo=True)
        socket.say(CONNECTED, START, MEDIA)
        await until(lambda: socket.texts)

        assert socket.texts == [
            {"event": "media", "streamSid": STREAM, "media": {"payload": MEDIA["media"]["payload"]}}
        ]


async def test_a_tool_that_hangs_up_says_everything_first_and_then_closes() -> None:
    async with a_door() as door:
        socket = door.knock()
        socket.say(CONNECTED, START)
        await until(lambda: door.calls.call(stream_sid=STREAM))
        leg = door.calls.call(stream_sid=STREAM)
        assert leg is not None
        leg.ask(Play(b"\x01" * 160, "bye", interruptible=False))
        leg.ask(HangUp("transfer +12025550111", after_playout=True))
        await leg.done.wait()
        await until(lambda: socket.closed)

        assert [text["event"] for text in socket.texts] == ["media", "mark"]
        assert socket.closed == {"type": "websocket.close", "code": 1000, "reason": "transfer +12025550111"}
