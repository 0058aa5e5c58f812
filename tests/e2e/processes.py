"""The real program, started and watched."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

COMMAND = [sys.executable, "-m", "mcp_voice"]


def environment(**more: str) -> dict[str, str]:
    """This process's environment, without what would configure the program."""
    ours = ("MCP_VOICE_", "TWILIO_", "OTEL_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | more


class Program:
    """A running `mcp-voice`; its log is read as it comes."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.log: list[dict[str, Any]] = []
        self.told = ""
        self._news = anyio.Event()

    async def read(self) -> None:
        """Keep what is written on stderr, until it ends."""
        assert self.process.stderr is not None
        rest = ""
        async for text in TextReceiveStream(self.process.stderr):
            self.told += text
            *lines, rest = (rest + text).split("\n")
            self.log += [json.loads(line) for line in lines if line.startswith("{")]
            self._news.set()
            self._news = anyio.Event()

    async def event(self, name: str, seconds: float = 60) -> dict[str, Any]:
        """Wait for a line of the log."""
        with anyio.fail_after(seconds):
            while True:
                for line in self.log:
                    if line["event"] == name:
                        return line
                await self._news.wait()

    async def ended(self, seconds: float = 60) -> int:
        """Wait for the end; return the exit status."""
        with anyio.fail_after(seconds):
            return await self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[Program]:
    """Run `mcp-voice …`; kill it if it is still there at the end."""
    process = await anyio.open_process([*COMMAND, *arguments], env=environment(MCP_VOICE_LOG__FORMAT="json"))
    program = Program(process)
    async with process, anyio.create_task_group() as tasks:
        tasks.start_soon(program.read)
        try:
            yield program
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            tasks.cancel_scope.cancel()
