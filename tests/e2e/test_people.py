"""A simulated person rings true: the real program, the local engines on both sides, a real MCP client."""

from importlib.util import find_spec
from typing import Any

import pytest
from mcp import Client

from tests.e2e.processes import running

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("pocketsphinx") is None or find_spec("espeakng_loader") is None,
        reason="the engines of the extra `local` are not installed",
    ),
]

SERVE = ("serve", "--public-port", "0", "--private-port", "0", "--store", "memory:")


async def use(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Use a tool until it has something to tell."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    reply = dict(result.structured_content or {})
    while reply["outcome"] == "pending":
        reply = await use(client, "telephony_listen", sessionId=reply["sessionId"])
    return reply


async def test_somebody_else_is_rung_up_heard_and_left_in_peace() -> None:
    async with running(*SERVE) as program:
        ports = await program.event("listening", 60)
        async with Client(f"http://127.0.0.1:{ports['private']}/mcp/agent") as client:
            reply = await use(
                client, "telephony_call", to="sim:wrong_number", opening="Is this the Golden Lion?"
            )
            heard = list(reply["heard"])
            for _ in range(4):
                if reply["outcome"] == "hungUp":
                    break
                reply = await use(client, "telephony_say", text="I am sorry. Goodbye.")
                heard += reply["heard"]

    words = " ".join(each["text"] for each in heard)
    assert "wrong number" in words, heard
    assert reply["outcome"] == "hungUp"
    assert "Traceback" not in program.told, program.told
