import io
import json
from collections.abc import AsyncIterator

import anyio
import pytest
import structlog
from mcp import Client, MCPError, types

import mcp_voice
from mcp_voice.core.counts import Counts
from mcp_voice.errors import NotConfigured
from mcp_voice.server.limits import Rates
from mcp_voice.server.mcp import build, build_ahead
from mcp_voice.server.operator import Operator
from mcp_voice.tools.catalogue import gather
from tests.server.counter import CATALOGUE, Lines, desk

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["auto", "legacy"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    async with Client(build(CATALOGUE, desk(), Rates(), Counts()), mode=request.param) as client:
        yield client


def text(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


def error(result: types.CallToolResult) -> dict[str, object]:
    assert result.is_error
    assert result.structured_content is None
    found: dict[str, object] = (result.meta or {})["mcp-voice/error"]
    return found


async def test_tools_are_listed_in_the_catalogues_order_with_all_that_it_knows(client: Client) -> None:
    listed = (await client.list_tools()).tools

    assert [tool.name for tool in listed] == [tool.name for tool in CATALOGUE]
    say = listed[0]
    assert (say.title, say.description) == ("Line.Say", "Say something. And no more.")
    assert (say.input_schema, say.output_schema) == (
        next(iter(CATALOGUE)).input_schema,
        next(iter(CATALOGUE)).output_schema,
    )
    assert say.annotations == types.ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )


async def test_the_server_says_who_it_is(client: Client) -> None:
    assert client.server_info is not None
    assert (client.server_info.name, client.server_info.version) == ("mcp-voice", mcp_voice.__version__)
    assert client.instructions


async def test_what_every_model_reads_first_is_short(client: Client) -> None:
    assert 50 <= len((client.instructions or "").split()) <= 200


@pytest.mark.parametrize("name", ["line.say", "line_say"])
async def test_a_tool_answers_to_both_spellings(client: Client, name: str) -> None:
    result = await client.call_tool(name, {"words": "ahoy", "times": 2})

    assert not result.is_error
    assert result.structured_content == {"saidWords": "ahoyahoy", "nothing": None}
    assert json.loads(text(result)) == result.structured_content


async def test_a_tool_that_is_not_there_is_a_protocol_error(client: Client) -> None:
    with pytest.raises(MCPError) as refused:
        await client.call_tool("line.nope", {})

    assert refused.value.code == types.INVALID_PARAMS
    assert refused.value.message == "Unknown tool: line.nope"


async def test_a_wrong_argument_is_named_and_the_limit_is_not_touched(client: Client) -> None:
    *_, result = [await client.call_tool("line.rare", {"words": "", "wrods": "x"}) for _ in range(5)]

    assert error(result)["code"] == "invalid_arguments"
    assert "words: String should have at least 1 character" in text(result)
    assert "wrods: there is no such argument" in text(result)
    assert "pydantic" not in text(result)
    assert not (await client.call_tool("line.rare", {"words": "x"})).is_error


async def test_a_refusal_is_a_sentence_and_its_facts_are_beside_it(client: Client) -> None:
    result = await client.call_tool("line.refuse", {"words": "x", "times": 7})

    assert text(result) == "The line is engaged. Try line.say."
    facts = error(result)
    assert (facts["code"], facts["retryable"], facts["advice"], facts["times"]) == (
        "refused",
        False,
        "Try line.say.",
        7,
    )
    assert isinstance(facts["since"], dict | str)  # whatever it was, it is JSON now


async def test_the_limit_is_the_tools_and_says_when_to_come_again(client: Client) -> None:
    answers = [await client.call_tool("line.rare", {"words": "x"}) for _ in range(3)]

    assert [bool(answer.is_error) for answer in answers] == [False, False, True]
    facts = error(answers[2])
    assert (facts["code"], facts["retryable"]) == ("rate_limited", True)
    assert isinstance(facts["retryAfterSeconds"], float)
    assert 59 < facts["retryAfterSeconds"] <= 60


async def test_a_crash_tells_the_client_a_number_and_the_log_the_rest(client: Client) -> None:
    written = io.StringIO()
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(written),
    )

    result = await client.call_tool("line.crash", {"words": "x"})
    structlog.configure(**before)

    facts, line = error(result), json.loads(written.getvalue())
    assert facts["code"] == "internal_error"
    assert line["incident"] == facts["incident"]
    assert line["tool"] == "line.crash"
    assert "RuntimeError: secret of the house" in line["exception"]
    assert str(facts["incident"]) in text(result)
    assert "secret" not in result.model_dump_json()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_gives_up_stops_its_tool_and_nothing_else(mode: str) -> None:
    counts, shop = Counts(), desk()
    lines = shop.drawer(Lines)
    async with Client(build(CATALOGUE, shop, Rates(), counts), mode=mode) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "line.hold", {})
            await lines.waiting.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(30):
            await lines.cancelled.wait()

        assert not (await client.call_tool("line.say", {"words": "x"})).is_error

    assert counts.tool_errors == {}


async def test_what_is_called_and_what_fails_is_counted() -> None:
    counts = Counts()
    async with Client(build(CATALOGUE, desk(), Rates(), counts)) as client:
        for name in ("line.say", "line_say", "line.refuse"):
            await client.call_tool(name, {"words": "x"})

    assert counts.tool_calls == {"line.say": 2, "line.refuse": 1}
    assert counts.tool_errors == {"refused": 1}


async def test_an_agents_list_is_underscored_and_short_and_hides_the_rest() -> None:
    agent = CATALOGUE.toolset("agent")
    async with Client(build(agent, desk(), Rates(), Counts(), names="underscore")) as client:
        listed = (await client.list_tools()).tools
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("line.hold", {})

    assert [tool.name for tool in listed] == ["line_say", "line_refuse", "line_crash", "line_rare"]


async def test_tools_are_listed_before_there_is_an_operator() -> None:
    come, asked = anyio.Event(), anyio.Event()
    operator = Operator(CATALOGUE, desk(), Rates(), Counts())

    async def wait() -> Operator:
        await come.wait()
        return operator

    async with Client(build_ahead("agent", "underscore", wait, asked.set)) as client:
        listed = (await client.list_tools()).tools
        assert asked.is_set()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "line.say", {"words": "x"})
            await anyio.wait_all_tasks_blocked()
            come.set()
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("line.nope")

    assert [tool.name for tool in listed] == [tool.underscored for tool in gather().toolset("agent")]


async def test_an_operator_who_cannot_come_is_every_calls_answer() -> None:
    async def refuse() -> Operator:
        raise NotConfigured("There is no store for 'redis'.", advice="Name another.")

    async with Client(build_ahead("all", "dotted", refuse, lambda: None)) as client:
        answer = await client.call_tool("session.get", {"callSid": "CA1"})

    assert error(answer)["code"] == "not_configured"
    assert text(answer) == "There is no store for 'redis'. Name another."
