"""Answer a call with LangGraph: a model and the telephone's tools, in a graph of two nodes.

    pip install --require-hashes -r examples/langgraph_agent/requirements.txt
    mcp-voice serve
    python -m examples.langgraph_agent.main       # waits for a call; examples/README.md says how to make one

It needs no key: `Clerk` decides in rules. A model is `init_chat_model("…").bind_tools(tools)`, in `graph`.
"""

import argparse
import asyncio
import json
import sys
from datetime import timedelta
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from mcp import ClientSession
from pydantic import AnyUrl

from examples.clerk import next_step

PATIENCE = timedelta(seconds=35)
"""How long to wait for an answer: more than the 25 s that a tool may take."""

STEPS = 1_000
"""Nodes that a call may visit; the default would be a short call."""


async def main(url: str) -> bool:
    """Wait for one call and hold it; print what was booked, and say whether anything was."""
    patient = {"read_timeout_seconds": PATIENCE}
    there = {"transport": "streamable_http", "url": url, "timeout": PATIENCE, "session_kwargs": patient}
    async with MultiServerMCPClient({"voice": there}).session("voice") as session:
        session_id = await call_comes(session)
        prompt = await session.get_prompt("book_table")
        task = SystemMessage(f"{prompt.messages[0].content.text}\n\nThe call's sessionId is {session_id}.")
        agent = graph(await load_mcp_tools(session))
        end = await agent.ainvoke({"messages": [task]}, {"recursion_limit": STEPS})
    report = end["messages"][-1].text
    print(report)
    return bool(json.loads(report)["booked"])


async def call_comes(session: ClientSession) -> str:
    """Wait until a call is live, which costs no model anything; return the id of its session."""
    print("Waiting for a call.", file=sys.stderr, flush=True)
    while True:
        read = await session.read_resource(AnyUrl("voice://sessions"))
        for call in json.loads(read.contents[0].text)["sessions"]:
            if call["status"] == "active":
                return str(call["sessionId"])
        await asyncio.sleep(0.5)


def graph(tools: list[BaseTool]) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Let a model use tools until it has nothing left to do."""
    model = Clerk()

    async def decide(state: MessagesState) -> dict[str, list[BaseMessage]]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    draft = StateGraph(MessagesState)
    draft.add_node("model", decide)
    draft.add_node("tools", ToolNode(tools, handle_tool_errors=True))  # the model hears of a time-out
    draft.add_edge(START, "model")
    draft.add_conditional_edges("model", tools_condition)
    draft.add_edge("tools", "model")
    return draft.compile()


class Clerk(BaseChatModel):
    """A chat model that decides in rules."""

    _llm_type = "clerk"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        step = next_step([message.text for message in messages if isinstance(message, ToolMessage)])
        if isinstance(step, str):
            said = AIMessage(step)
        else:
            call = {"name": step.tool, "args": step.arguments, "id": f"call_{len(messages)}"}
            said = AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=said)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://127.0.0.1:8766/mcp/agent", help="the server's tools")
    sys.exit(not asyncio.run(main(parser.parse_args().url)))
