"""The agent's words as a server's record has them: for people who are told instead of listening.

A session's event log says what has been played to its end (`agentSaid`), and
how much of it was heard when it was cut (`interrupted`, `agentCut`). The log of
a server elsewhere is read with its tool `session.get`, one POST each time.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from mcp_voice.errors import CarrierFailed

Read: TypeAlias = Callable[[int], Awaitable[Sequence[Mapping[str, Any]]]]
"""Returns the events behind a `seq`: mappings with `seq`, `kind` and `data`."""

PAUSE: Final = 0.1
"""Seconds from one look to the next."""
PATIENCE: Final = 5.0
PROTOCOL: Final = "2026-07-28"
_ADVICE: Final = "Name the server's MCP address with --mcp, or leave --scripted out."


async def follow(read: Read, pause: float = PAUSE) -> AsyncIterator[str]:
    """Yield the agent's words as they have been said, until the call has ended."""
    seen = 0
    while True:
        for event in await read(seen):
            seen = event["seq"]
            if event["kind"] == "ended":
                return
            if text := _said(event["kind"], event["data"]):
                yield text
        await asyncio.sleep(pause)


def _said(kind: str, data: Mapping[str, Any]) -> str:
    match kind:
        case "agentSaid":
            return data["text"] or ""
        case "interrupted" | "agentCut":
            return data["heardByCaller"] or ""
    return ""


def record_at(url: str, call_sid: str, token: str | None = None) -> Read:
    """Return a reader of a call's log at a server's MCP address.

    It raises `CarrierFailed` when the server cannot be asked; a call that is not known yet has no events.
    """

    async def read(after: int) -> Sequence[Mapping[str, Any]]:
        arguments = {"callSid": call_sid, "detail": "timeline", "after": after}
        answer = await asyncio.to_thread(_use, url, "session.get", arguments, token)
        found: Sequence[Mapping[str, Any]] = answer.get("events") or ()
        return found

    return read


def _use(url: str, tool: str, arguments: Mapping[str, Any], token: str | None) -> Mapping[str, Any]:
    """Call a tool with one POST, as the protocol without sessions allows."""
    from urllib.error import URLError
    from urllib.request import ProxyHandler, Request, build_opener

    meta = {
        "io.modelcontextprotocol/protocolVersion": PROTOCOL,
        "io.modelcontextprotocol/clientInfo": {"name": "mcp-voice-simulator", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": PROTOCOL,
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
        **({"Authorization": f"Bearer {token}"} if token else {}),
    }
    try:
        with build_opener(ProxyHandler({})).open(Request(url, body, headers), timeout=PATIENCE) as response:
            answer = json.loads(_payload(response.read().decode()))
    except (URLError, OSError, ValueError) as error:
        raise CarrierFailed(f"The record at {url} cannot be read: {error}.", advice=_ADVICE) from None
    result = answer.get("result")
    if not isinstance(result, dict) or "structuredContent" not in result:
        why = answer.get("error", {}).get("message", "it is not an answer of session.get")
        raise CarrierFailed(f"The record at {url} cannot be read: {why}.", advice=_ADVICE)
    found: Mapping[str, Any] = result["structuredContent"]
    return found


def _payload(text: str) -> str:
    """Take the message out of an event stream, if it is one."""
    lines = [line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")]
    return "".join(lines) or text
