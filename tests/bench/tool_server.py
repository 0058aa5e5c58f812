"""A tool over streamable HTTP, three ways: bare, through our catalogue, and a real one of ours.

    python -m tests.bench.tool_server bare | ours | real

The trivial tool is the same in all respects that a client sees. `bare` puts it
on the SDK's low-level server, as short as that can be; `ours` has the
catalogue, the limiter, the spans and the counts around it; `real` is
`session.get` on a record in memory. All three have the same web server.
"""

import json
import sys
from datetime import UTC, datetime
from typing import Any, Final

import anyio
from mcp import types
from mcp.server import Server, ServerRequestContext
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.responses import Response

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.counts import Counts
from mcp_voice.core.session import SessionConfig, Turn, begin, change
from mcp_voice.core.voice import EnergyVad
from mcp_voice.media.calls import Calls
from mcp_voice.media.talks import Talks
from mcp_voice.ports import Desk
from mcp_voice.providers import Registry
from mcp_voice.server import http, mcp
from mcp_voice.server.limits import Rates
from mcp_voice.server.listeners import Listener, bind, listening, port_of, settle
from mcp_voice.stores.memory import MemoryStore
from mcp_voice.tools.catalogue import TOOLS, Answer, Arguments, Catalogue, gather, tool

NAME: Final = "bench.next"
REAL: Final = "session.get"
CALL_SID: Final = "CA" + "0" * 32
OFTEN: Final = 1_000_000_000
"""Uses a minute: the limiter counts each, and refuses none."""


class Ask(Arguments):
    """Which call, and a number."""

    session_id: str
    number: int


class Next(Answer):
    """The number behind it."""

    session_id: str
    number: int


@tool(NAME, title="Count", rpm=OFTEN, reads=True)
async def count(ask: Ask, desk: Desk) -> Next:
    """Count on by one."""
    return Next(session_id=ask.session_id, number=ask.number + 1)


def bare() -> Starlette:
    """The tool on the SDK's low-level server."""

    async def listed(
        ctx: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[described])

    async def called(
        ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        ask = Ask.model_validate(params.arguments or {})
        data = _dump(Next(session_id=ask.session_id, number=ask.number + 1))
        text = json.dumps(data, separators=(",", ":"))
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=text)], structured_content=data
        )

    ours = TOOLS[NAME]
    described = types.Tool(
        name=NAME,
        description=ours.description,
        input_schema=ours.input_schema,
        output_schema=ours.output_schema,
    )
    server: Server[Any] = Server(
        "bare",
        on_list_tools=listed,
        on_call_tool=called,
        get_tool_input_schema=lambda name: described.input_schema if name == NAME else None,
    )
    return server.streamable_http_app(json_response=True)


def ours(catalogue: Catalogue, desk: Desk) -> Starlette:
    """Tools of the catalogue, as `server/assembly.py` serves them."""
    server = mcp.build(catalogue, desk, Rates({REAL: OFTEN}), desk.counts)
    often = [name for tool in catalogue if tool.rpm >= 1_000 for name in (tool.name, tool.underscored)]
    mounted = mcp.mount(server, "/mcp", often, hosts=http.hosts("127.0.0.1", ()), origins=http.origins(()))

    async def ready() -> dict[str, Any]:
        return {"ready": True}

    return http.private_app([mounted], lambda: Response(), ready, None)


async def desk_with_a_call(calls: Calls, store: MemoryStore, counts: Counts) -> Desk:
    """A desk whose store has one call of three turns."""
    now = datetime.now(UTC)
    session = begin(CALL_SID, SessionConfig(), now)
    await store.add(session)
    turns = [
        Turn(
            turn_id=f"turn-{n}",
            user_utterance="a table for four tomorrow at seven",
            agent_response="A table for four, tomorrow at seven. In whose name?",
            timestamp=now,
            latency_ms=640,
            timing_ms={"endpoint": 500, "stt": 80, "agentThink": 40, "out": 20},
        )
        for n in range(3)
    ]
    await store.amend(session.session_id, lambda old: change(old.touched(now), turns))
    return Desk(
        store=store, switchboard=calls, talks=Talks(), providers=Registry(counts), carriers={}, counts=counts,
        make_vad=EnergyVad, media_url="ws://127.0.0.1/",
    )  # fmt: skip


async def serve(which: str) -> None:
    """Serve until the process is ended."""
    counts, store = Counts(), MemoryStore()
    async with Calls(
        store=store, providers=Registry(counts), counts=counts, make_vad=None, make_wire=TwilioWire
    ) as calls:
        desk = await desk_with_a_call(calls, store, counts)
        match which:
            case "bare":
                app = bare()
            case "ours":
                app = ours(Catalogue({NAME: TOOLS[NAME]}), desk)
            case _:
                app = ours(gather(), desk)
        bound = bind("127.0.0.1", 0, "private_port")
        async with listening(Listener(app, bound, lifespan=True)):
            settle()
            sys.stderr.write(json.dumps({"event": "listening", "private": port_of(bound)}) + "\n")
            sys.stderr.flush()
            await anyio.sleep_forever()


def _dump(answer: BaseModel) -> dict[str, Any]:
    return answer.model_dump(mode="json", by_alias=True)


if __name__ == "__main__":
    anyio.run(serve, sys.argv[1], backend_options={"use_uvloop": sys.platform != "win32"})
