import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client, StdioServerParameters

from mcp_voice.tools.catalogue import gather
from tests.e2e.processes import Program, environment, running
from tests.e2e.wire import begin

pytestmark = pytest.mark.anyio

HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}
MODERN = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
}


def parameters(*arguments: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "mcp_voice", "stdio", *arguments],
        env=environment(MCP_VOICE_LOG__FORMAT="json"),
    )


class Raw:
    """A client that writes the lines itself, and sees every byte that comes back."""

    def __init__(self, program: Program) -> None:
        assert program.process.stdin is not None
        assert program.process.stdout is not None
        self.program = program
        self._stdin = program.process.stdin
        self._lines = BufferedByteReceiveStream(program.process.stdout)

    async def tell(self, method: str, params: dict[str, Any] | None = None, id: int | None = None) -> None:
        message = {"jsonrpc": "2.0", "method": method} | ({"params": params} if params else {})
        await self._stdin.send(json.dumps(message | ({} if id is None else {"id": id})).encode() + b"\n")

    async def ask(self, id: int, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request; return the answer, which is the next line there is."""
        await self.tell(method, params, id)
        with anyio.fail_after(20):
            answer: dict[str, Any] = json.loads(await self._lines.receive_until(b"\n", 1_000_000))
        assert answer["id"] == id
        return answer

    async def rest(self) -> bytes:
        """Leave; return what is still said."""
        await self._stdin.aclose()
        found = self._lines.buffer
        with anyio.fail_after(30):
            async for part in self._lines:
                found += part
        return found


@asynccontextmanager
async def raw(*arguments: str) -> AsyncIterator[Raw]:
    async with running("stdio", *arguments) as program:
        yield Raw(program)


async def test_a_desktop_client_gets_an_agents_tools_with_underscores() -> None:
    async with Client(parameters("--store", "memory:", "--no-media")) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        found = await client.call_tool("session_get", {"callSid": "CA1"})

    assert tools == [tool.underscored for tool in gather().toolset("agent")]
    assert found.structured_content is not None
    assert found.structured_content["session"] is None


async def test_a_client_that_discovers_and_then_shakes_hands_is_served_by_legacy() -> None:
    everything = ("--toolset", "all", "--names", "dotted")
    async with raw("--store", "memory:", "--no-media", "--protocol", "legacy", *everything) as client:
        discovered = await client.ask(1, "server/discover", MODERN)
        welcomed = await client.ask(2, "initialize", HELLO)
        await client.tell("notifications/initialized")
        listed = await client.ask(3, "tools/list")
        made = await client.ask(4, "tools/call", {"name": "session_create", "arguments": {"callSid": "CA1"}})
        await client.rest()
        status = await client.program.ended()

    assert discovered["error"]["code"] == -32601
    assert welcomed["result"]["protocolVersion"] == "2025-11-25"
    assert len(listed["result"]["tools"]) == len(gather())
    assert listed["result"]["tools"][0]["name"] == "twilio.handleStart"
    assert made["result"]["structuredContent"]["sessionId"].startswith("sess_")
    assert status == 0


async def test_a_call_comes_in_beside_the_protocol_and_stdin_ends_both() -> None:
    async with raw("--store", "memory:", "--public-port", "0", "--log-level", "debug") as client:
        await client.ask(1, "initialize", HELLO)
        await client.tell("notifications/initialized")
        await client.ask(2, "tools/list")
        port = (await client.program.event("listening"))["public"]
        await begin(f"127.0.0.1:{port}", "CA7")
        await client.program.event("call_started")
        found = await client.ask(3, "tools/call", {"name": "session_get", "arguments": {"callSid": "CA7"}})
        rest = await client.rest()
        status = await client.program.ended()

    assert found["result"]["structuredContent"]["session"]["status"] == "active"
    assert rest == b""
    assert status == 0
    assert (await client.program.event("call_ended"))["reason"] == "connection_lost"
    assert "Traceback" not in client.program.told


async def test_the_telephone_is_there_for_a_client_that_asks_nothing_and_a_signal_ends_it() -> None:
    async with raw("--store", "memory:", "--public-port", "0") as client:
        port = (await client.program.event("listening"))["public"]
        client.program.signal(signal.SIGTERM)
        status = await client.program.ended()

    assert port > 0
    assert status == 0
