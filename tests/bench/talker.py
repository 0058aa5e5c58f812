"""A caller and a client who keep the time: of each frame sent, and of what comes back.

A `Talker` is a simulated caller on a real socket. Beside what it sends it runs
the product's own `Listener`: that says at which frame a turn is over, or a
voice has lasted long enough to cut in, before anybody has had to do anything.
A `Client` is the least an MCP client can be: it answers at once.

All times are seconds of `time.monotonic`, which the processes of a machine share.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final

from mcp_voice.core.audio import SILENCE_FRAME
from mcp_voice.core.listener import Listener
from mcp_voice.core.turns import Cue
from mcp_voice.providers.vad import WebrtcVad
from mcp_voice.simulator.dialling import dial
from mcp_voice.simulator.line import Line
from tests.bench.load import PATH, PERIOD
from tests.bench.machine import Died
from tests.bench.tools import VERSION

PATIENCE: Final = 15.0
"""Seconds after which what is waited for will not come."""


class Talker:
    """A caller, connected inside `async with`; silent but for what it is given to say."""

    def __init__(self, port: int) -> None:
        self.line = Line()
        self.heard_at: float | None = None
        """When audio first came since this was last set to None."""
        self.cleared_at: float | None = None
        """The same of a clear."""
        self.cues: list[tuple[Cue, float]] = []
        """What a server had to find, and when the frame was sent in which that is."""
        self.voiced_at = 0.0
        """When the last frame with a voice in it was sent of the newest turn that is over."""
        self._url = f"ws://127.0.0.1:{port}{PATH}"
        self._listener = Listener(WebrtcVad())
        self._mouth: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Talker":
        self._socket = await dial(self._url)
        self._began = time.monotonic()
        await self._send(self.line.open(0.0))
        self._tasks = [asyncio.create_task(self._talk()), asyncio.create_task(self._hear())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()

    def say(self, frames: Iterable[bytes]) -> None:
        """Say this, a frame at a time."""
        self._mouth.extend(frames)

    def agent(self, *, speaks: bool) -> None:
        """Let the listener know whether the agent speaks."""
        self._listener.agent(speaks=speaks)

    def when(self, cue: Cue) -> float:
        """When the newest frame was sent that a cue is in. Raises `Died`."""
        for found, at in reversed(self.cues):
            if found is cue:
                return at
        raise Died(f"The caller's own listener found no {cue.name}.")

    async def until_heard(self) -> float:
        """Wait for audio; return when its first message came."""
        await self._until(lambda: self.heard_at is not None)
        return self.heard_at or 0.0

    async def until_cleared(self) -> float:
        """Wait for a clear; return when it came."""
        await self._until(lambda: self.cleared_at is not None)
        return self.cleared_at or 0.0

    async def until_silent(self) -> None:
        """Wait until all has been said."""
        await self._until(lambda: not self._mouth)

    async def _until(self, so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not so():
                self._news.clear()
                await self._news.wait()

    async def _talk(self) -> None:
        due = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            frame = self._mouth.popleft() if self._mouth else SILENCE_FRAME
            message, now = self.line.speak(frame), time.monotonic()
            await self._socket.send(message)
            for found in self._listener.hear(frame):
                if isinstance(found, Cue):
                    self.cues.append((found, now))
                if found is Cue.TURN_ENDED:
                    self.voiced_at = now - self._listener.silent_ms / 1_000
            self._news.set()
            await self._send(self.line.play(now - self._began))
            due += PERIOD

    async def _hear(self) -> None:
        async for message in self._socket:
            now, text = time.monotonic(), str(message)
            if self.heard_at is None and '"media"' in text[:20]:
                self.heard_at = now
            if self.cleared_at is None and '"clear"' in text[:20]:
                self.cleared_at = now
            await self._send(self.line.receive(text, now - self._began))

    async def _send(self, messages: Iterable[str]) -> None:
        for message in messages:
            await self._socket.send(message)


class Client:
    """One connection to the tools, kept alive; asks of protocol 2026-07-28, one after the other."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> "Client":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool; return what it answers. Raises `Died` for an error."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "0"},
        }
        params = {"name": name, "arguments": arguments, "_meta": meta}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        self._writer.write(
            f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {VERSION}\r\n"
            f"Mcp-Method: tools/call\r\nMcp-Name: {name}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body.encode()
        )
        async with asyncio.timeout(2 * PATIENCE):
            said = await self._answer()
        found = said.get("result", {})
        if found.get("isError", "result" not in said):
            raise Died(f"{name} answered {said}.")
        answer: dict[str, Any] = found["structuredContent"]
        return answer

    async def _answer(self) -> dict[str, Any]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length:" in head:
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            said: dict[str, Any] = json.loads(await self._reader.readexactly(length))
            return said
        return _last_event(await self._chunks())

    async def _chunks(self) -> bytes:
        data = b""
        while size := int(await self._reader.readline(), 16):
            data += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readline()
        return data


def _last_event(stream: bytes) -> dict[str, Any]:
    """Return the answer of a stream of events: its last."""
    lines = [line[5:] for line in stream.splitlines() if line.startswith(b"data:") and len(line) > 6]
    found: dict[str, Any] = json.loads(lines[-1])
    return found
