r"""Answer a call with nothing but the `mcp` package's client.

    mcp-voice serve
    python -m examples.raw_client           # waits for a call; --era legacy speaks 2025-11-25
    mcp-voice simulate --url ws://127.0.0.1:8765/twilio/media --greeting 30 \
        --say for-four,tomorrow,my-name,yes --wait-for-answer 10

It holds the call in a loop that every framework has inside: decide, use a tool,
read the answer. `clerk.py` decides in rules; ask a model in its place, with
`answers` as its history.

A tool that waits for the caller answers within 25 s, so a client has to bear
more. One that does not loses its wait and nothing else: `--patience 2` shows it.
What it was not told yet, telephony_listen tells; what is told twice is `repeated`.
"""

import argparse
import asyncio
import json
import sys
from typing import Any, Literal

from mcp import Client, MCPError
from mcp.types import REQUEST_TIMEOUT

from examples.clerk import Use, next_step

PATIENCE = 35.0
"""Seconds to wait for an answer: more than the 25 that a tool may take."""

Era = Literal["auto", "legacy", "2026-07-28"]


async def main(url: str, era: Era, patience: float) -> bool:
    """Wait for one call and hold it; print what was booked, and say whether anything was."""
    async with Client(url, mode=era, read_timeout_seconds=patience) as client:
        session_id = await call_comes(client)
        print(f"A call: {session_id}, over MCP {client.protocol_version}.", file=sys.stderr)
        report = await hold(client)
        status = await is_over(client, session_id)
    booked = json.loads(report)
    print(json.dumps({**booked, "status": status}))
    return bool(booked["booked"])


async def call_comes(client: Client) -> str:
    """Wait until a call is live; return the id of its session."""
    print("Waiting for a call.", file=sys.stderr, flush=True)
    while True:
        read = await client.read_resource("voice://sessions")
        sessions = json.loads(getattr(read.contents[0], "text", "{}"))["sessions"]
        for session in sessions:
            if session["status"] == "active":
                return str(session["sessionId"])
        await asyncio.sleep(0.5)


async def is_over(client: Client, session_id: str) -> str:
    """Wait, for ten seconds at most, until the goodbye is said and the call closed; return its status."""
    status = ""
    for _ in range(20):
        record = await client.call_tool("session_get", {"sessionId": session_id, "detail": "concise"})
        if (status := str((record.structured_content or {})["session"]["status"])) == "closed":
            break
        await asyncio.sleep(0.5)
    return status


async def hold(client: Client) -> str:
    """Do what has to be done next until that is to report; return the report."""
    answers: list[str] = []
    while isinstance(step := next_step(answers), Use):
        answers.append(await use(client, step.tool, step.arguments))
        print(f"{step.tool} {step.arguments.get('text', '')}\n    {answers[-1]}", file=sys.stderr)
    return step


async def use(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    """Use a tool; return its answer as a model reads it: JSON, or a sentence if something is wrong."""
    try:
        result = await client.call_tool(tool, arguments)
    except MCPError as error:
        if error.code != REQUEST_TIMEOUT:
            raise
        return "No answer came in time. The call goes on: ask with telephony_listen."
    return "".join(getattr(part, "text", "") for part in result.content)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://127.0.0.1:8766/mcp/agent", help="the server's tools")
    parser.add_argument("--era", choices=("auto", "legacy", "2026-07-28"), default="auto")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds to wait for an answer")
    sys.exit(not asyncio.run(main(**vars(parser.parse_args()))))
