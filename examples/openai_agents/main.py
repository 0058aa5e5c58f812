"""Answer a call with the OpenAI Agents SDK.

    pip install --require-hashes -r examples/openai_agents/requirements.txt
    mcp-voice serve
    python -m examples.openai_agents.main       # waits for a call; examples/README.md says how to make one

It needs no key: `Clerk` is a model in rules. For a real one leave `model=` out, or
name yours there, and take the line with `set_tracing_disabled` away.
"""

import argparse
import asyncio
import json
import sys
from typing import Any

from agents import Agent, Model, ModelResponse, Runner, Usage, set_tracing_disabled
from agents.mcp import MCPServerStreamableHttp
from agents.testing import assistant_message, function_call

from examples.clerk import next_step

PATIENCE = 35.0
"""Seconds to wait for an answer: more than the 25 that a tool may take. The default of 5 gives up on most."""

TURNS = 500
"""Decisions that a call may take; the default of 10 is a short call."""


async def main(url: str) -> bool:
    """Wait for one call and hold it; print what was booked, and say whether anything was."""
    set_tracing_disabled(True)
    async with MCPServerStreamableHttp(
        {"url": url, "timeout": PATIENCE},
        cache_tools_list=True,  # else it is asked for before every step
        client_session_timeout_seconds=PATIENCE,
    ) as server:
        session_id = await call_comes(server)
        prompt = await server.get_prompt("book_table")
        clerk = Agent(
            "Clerk", instructions=prompt.messages[0].content.text, model=Clerk(), mcp_servers=[server]
        )
        end = await Runner.run(clerk, f"The call's sessionId is {session_id}.", max_turns=TURNS)
    print(end.final_output)
    return bool(json.loads(end.final_output)["booked"])


async def call_comes(server: MCPServerStreamableHttp) -> str:
    """Wait until a call is live, which costs no model anything; return the id of its session."""
    print("Waiting for a call.", file=sys.stderr, flush=True)
    while True:
        read = await server.read_resource("voice://sessions")
        for call in json.loads(read.contents[0].text)["sessions"]:
            if call["status"] == "active":
                return str(call["sessionId"])
        await asyncio.sleep(0.5)


class Clerk(Model):
    """A model that decides in rules."""

    async def get_response(
        self, system_instructions: str | None, input: str | list[Any], *_: Any, **__: Any
    ) -> ModelResponse:
        items = [] if isinstance(input, str) else input
        step = next_step([text(item) for item in items if item.get("type") == "function_call_output"])
        said = (
            assistant_message(step)
            if isinstance(step, str)
            else function_call(step.tool, step.arguments, call_id=f"call_{len(items)}")
        )
        return ModelResponse(output=[said], usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("The clerk says all at once.")


def text(item: dict[str, Any]) -> str:
    """Return what a tool has answered."""
    output = item["output"]
    return output if isinstance(output, str) else "".join(part.get("text", "") for part in output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://127.0.0.1:8766/mcp/agent", help="the server's tools")
    sys.exit(not asyncio.run(main(parser.parse_args().url)))
