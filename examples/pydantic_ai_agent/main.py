"""Answer a call with PydanticAI.

    pip install --require-hashes -r examples/pydantic_ai_agent/requirements.txt
    mcp-voice serve
    python -m examples.pydantic_ai_agent.main     # waits for a call; examples/README.md says how to make one

It needs no key: `decide` is a model in rules. For a real one, name it instead of
`FunctionModel(decide)`, and nothing else changes.
"""

import argparse
import asyncio
import json
import sys

from pydantic_ai import Agent, UsageLimits
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from examples.clerk import next_step

PATIENCE = 35.0
"""Seconds to wait for an answer: more than the 25 that a tool may take."""


async def main(url: str) -> bool:
    """Wait for one call and hold it; print what was booked, and say whether anything was."""
    telephone = MCPToolset(
        url,
        read_timeout=PATIENCE,
        tool_error_behavior="failed",  # a model reads what is wrong and goes on; `retry` ends the run soon
    )
    async with telephone:
        session_id = await call_comes(telephone)
        prompt = await telephone.get_prompt("book_table")
        clerk = Agent(
            FunctionModel(decide), instructions=str(prompt.messages[0].content), toolsets=[telephone]
        )
        unlimited = UsageLimits(request_limit=None)  # the default of 50 is a call of some minutes
        end = await clerk.run(f"The call's sessionId is {session_id}.", usage_limits=unlimited)
    print(end.output)
    return bool(json.loads(end.output)["booked"])


async def call_comes(telephone: MCPToolset) -> str:
    """Wait until a call is live, which costs no model anything; return the id of its session."""
    print("Waiting for a call.", file=sys.stderr, flush=True)
    while True:
        read = await telephone.read_resource("voice://sessions")
        for call in json.loads(str(read))["sessions"]:
            if call["status"] == "active":
                return str(call["sessionId"])
        await asyncio.sleep(0.5)


def decide(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Decide in rules, from what every tool has answered."""
    parts = [part for message in messages for part in message.parts]
    step = next_step([part.model_response_str() for part in parts if isinstance(part, ToolReturnPart)])
    return ModelResponse(
        [TextPart(step) if isinstance(step, str) else ToolCallPart(step.tool, step.arguments)]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://127.0.0.1:8766/mcp/agent", help="the server's tools")
    sys.exit(not asyncio.run(main(parser.parse_args().url)))
