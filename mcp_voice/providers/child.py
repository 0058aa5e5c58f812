"""One life of an engine's process, and the conversations held with it.

A `Job` is one conversation; it sends without waiting and is answered in order.
A child may be busy for a while, but not for ever: `expect` says until when it
has to answer, and one that does not is killed. Nothing here waits for a child
but `receive`, and nobody's job ends another's.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any, Final, Generic, TypeVar

import msgspec

from mcp_voice.errors import ProviderFailed
from mcp_voice.providers.workers.line import HEAD, LONGEST, pack
from mcp_voice.providers.workers.messages import Ready

GRACE: Final = 0.5
"""Seconds for a child to leave by itself when its line is closed."""
UNWRITTEN: Final = 1 << 22
"""Bytes that may wait for a child to read; a child further behind is stuck."""

Reply = TypeVar("Reply")
_encode: Final = msgspec.msgpack.Encoder().encode


class Job(Generic[Reply]):
    """One conversation with a child; closing it before its end drops it there."""

    def __init__(self, child: "Child[Reply]", number: int) -> None:
        self.due: float | None = None
        self._child = child
        self._number = number
        self._replies: deque[tuple[Reply, bytes]] = deque()
        self._news = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._patience = 0.0

    def __enter__(self) -> "Job[Reply]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, message: msgspec.Struct, sound: bytes = b"") -> None:
        """Send a message; returns at once. To a child that is gone it is nothing."""
        self._child.write(pack(self._number, _encode(message), sound))

    def expect(self, seconds: float) -> None:
        """Have the child killed unless it answers within so many seconds."""
        self._patience = seconds
        self.due = self._child.loop.time() + seconds
        self._watch(self.due)

    async def receive(self) -> tuple[Reply, bytes]:
        """Return the next answer. Raises `ProviderFailed` when the child is gone."""
        while not self._replies:
            if self._child.ended is not None:
                raise ProviderFailed(self._child.ended)
            self._news.clear()
            await self._news.wait()
        return self._replies.popleft()

    def close(self) -> None:
        """Expect nothing more; answers still to come are thrown away."""
        self._relax()
        if self._child.jobs.pop(self._number, None) is not None:
            self._child.write(pack(self._number))

    def take(self, reply: Reply, sound: bytes) -> None:
        """Take an answer from the child."""
        self._relax()
        self._replies.append((reply, sound))
        self._news.set()

    def wake(self) -> None:
        """Learn that the child is gone."""
        self._relax()
        self._news.set()

    def _watch(self, when: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._child.loop.call_at(when, self._overdue)

    def _relax(self) -> None:
        self.due = None
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _overdue(self) -> None:
        """Give up, unless the child is at another job and within that one's time: it works in order."""
        later = max(
            self._child.news_at + self._patience, *(job.due or 0.0 for job in self._child.jobs.values())
        )
        if later > self._child.loop.time():
            self._watch(later)
        else:
            self._child.kill(f"it did not answer within {self._patience:.1f} s")


class Child(Generic[Reply]):
    """One life of an engine's process."""

    def __init__(self, process: asyncio.subprocess.Process, name: str, replies: Any) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise ValueError("a child is spoken to over pipes")
        self.process = process
        self.loop = asyncio.get_running_loop()
        self.jobs: dict[int, Job[Reply]] = {}
        self.ended: str | None = None
        self.answered = False
        self.news_at = self.loop.time()
        self._in, self._out, self._err = process.stdin, process.stdout, process.stderr
        self._name = name
        self._replies = replies
        self._numbers = count(1)
        self._why = ""
        self._last_words = b""

    def open(self) -> Job[Reply]:
        """Begin a conversation."""
        number = next(self._numbers)
        job = self.jobs[number] = Job(self, number)
        return job

    def write(self, frame: bytes) -> None:
        """Send a frame without waiting; a child that does not read is killed."""
        if self.ended is not None or self._in.is_closing():
            return
        if self._in.transport.get_write_buffer_size() > UNWRITTEN:
            self.kill("it does not read")
        else:
            self._in.write(frame)

    def kill(self, why: str) -> None:
        """End the process now."""
        self._why = self._why or why
        if self.process.returncode is None:
            self.process.kill()

    async def live(self, ready: Callable[[], None], start_within: float) -> None:
        """Take the child's answers until it is gone, and see to it that it is."""
        starting = self.loop.call_later(
            start_within, self.kill, f"it did not start within {start_within:.0f} s"
        )
        listening = asyncio.create_task(self._overhear())
        try:
            await self._read(ready, starting)
        finally:
            starting.cancel()
            await self._end()
            await listening
            self.ended = self._obituary()
            for job in self.jobs.values():
                job.wake()

    async def _read(self, ready: Callable[[], None], starting: asyncio.TimerHandle) -> None:
        try:
            while True:
                number, length, sound = HEAD.unpack(await self._out.readexactly(HEAD.size))
                if max(length, sound) > LONGEST:
                    return self.kill("its answer makes no sense")
                reply = self._replies.decode(await self._out.readexactly(length))
                audio = await self._out.readexactly(sound) if sound else b""
                self.news_at = self.loop.time()
                if isinstance(reply, Ready):
                    starting.cancel()
                    ready()
                elif job := self.jobs.get(number):
                    self.answered = True
                    job.take(reply, audio)
        except asyncio.IncompleteReadError:
            return None
        except msgspec.MsgspecError as error:
            return self.kill(f"its answer makes no sense: {error}")

    async def _overhear(self) -> None:
        """Read what it prints to standard error, and keep the end of it."""
        while printed := await self._err.read(4_096):
            self._last_words = (self._last_words + printed)[-2_048:]

    async def _end(self) -> None:
        self._in.close()
        try:
            async with asyncio.timeout(0.0 if self._why else GRACE):
                await self.process.wait()
        except TimeoutError:
            self.kill(self._why)
            await self.process.wait()

    def _obituary(self) -> str:
        why = self._why or f"it ended with {self.process.returncode}"
        lines = self._last_words.decode(errors="replace").strip().splitlines()
        return f"The engine {self._name!r} is gone: {'; '.join((why, *lines[-1:]))}."
