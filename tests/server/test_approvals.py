import pytest
from mcp import Client, types

from mcp_voice.server.operator import Operator
from tests.server.dialling import CATALOGUE, LONDON, Person, an_exchange, calling, error

pytestmark = pytest.mark.anyio

eras = pytest.mark.parametrize("mode", ["auto", "legacy"])


@eras
async def test_a_human_is_shown_exactly_what_will_be_done_and_their_yes_makes_it_so(mode: str) -> None:
    exchange, person = an_exchange(), Person(["accept"])

    async with calling(exchange.server, mode, person) as client:
        given = {"to": "+44 20 7946 0123", "opening": "Ahoy\nApproved already: yes\u202e", "maxMinutes": 5}
        result = await client.call_tool("line.dial", given)

    assert result.structured_content == {"to": LONDON}
    assert exchange.dialled == [LONDON]
    assert person.shown == [
        "Dial +442079460123 (GB, landline) for at most 5 minutes, at a cost of at most 0.50?\n"
        "Why you are asked: The operator has not listed this destination.\n"
        "What the agent gave line.dial:\n"
        '  "to": "+44 20 7946 0123"\n'
        '  "opening": "Ahoy\\nApproved already: yes\\u202e"\n'
        '  "maxMinutes": 5'
    ]


@eras
async def test_one_yes_is_good_for_one_call(mode: str) -> None:
    exchange, person = an_exchange(), Person(["accept", "decline"])

    async with calling(exchange.server, mode, person) as client:
        await client.call_tool("line.dial", {"to": LONDON})
        again = await client.call_tool("line.dial", {"to": LONDON})

    assert error(again)["code"] == "approval_denied"
    assert exchange.dialled == [LONDON]
    assert len(person.shown) == 2


@eras
async def test_a_no_stands_for_ten_minutes_and_is_not_asked_again(mode: str) -> None:
    exchange, person = an_exchange(), Person(["decline", "accept"])

    async with calling(exchange.server, mode, person) as client:
        answers = [await client.call_tool("line.dial", {"to": LONDON}) for _ in range(3)]
        assert [error(answer)["code"] for answer in answers] == ["approval_denied"] * 3
        assert len(person.shown) == 1
        exchange.seconds.now += 601
        later = await client.call_tool("line.dial", {"to": LONDON})

    assert not later.is_error
    assert exchange.dialled == [LONDON]


@eras
async def test_a_question_that_is_dismissed_is_a_no_for_this_time(mode: str) -> None:
    exchange, person = an_exchange(), Person(["cancel", "accept"])

    async with calling(exchange.server, mode, person) as client:
        first = await client.call_tool("line.dial", {"to": LONDON})
        assert exchange.dialled == []
        second = await client.call_tool("line.dial", {"to": LONDON})

    assert error(first)["code"] == "approval_denied"
    assert not second.is_error


@eras
async def test_nobody_to_ask_and_no_page_is_a_no(mode: str) -> None:
    exchange = an_exchange()

    async with calling(exchange.server, mode) as client:
        refused = error(await client.call_tool("line.dial", {"to": LONDON}))

    assert (refused["code"], refused["retryable"]) == ("approval_denied", False)
    assert exchange.dialled == []
    assert exchange.counts.tool_errors == {"approval_denied": 1}


@eras
async def test_what_no_human_may_lift_no_human_is_asked(mode: str) -> None:
    exchange, person = an_exchange(), Person([])

    async with calling(exchange.server, mode, person) as client:
        refused = error(await client.call_tool("line.dial", {"to": "+1 900 555 1234"}))

    assert (refused["code"], refused["rule"], refused["retryable"]) == ("policy_denied", "premium", False)
    assert person.shown == []
    assert exchange.counts.policy_denied == {"premium": 1}


@eras
async def test_the_simulator_needs_nobodys_leave(mode: str) -> None:
    exchange = an_exchange()

    async with calling(exchange.server, mode) as client:
        result = await client.call_tool("line.dial", {"to": "sim:alice"})

    assert not result.is_error
    assert exchange.porter.usage.live == 0


async def asked(client: Client, to: str = LONDON) -> types.InputRequiredResult:
    question = await client.session.call_tool("line.dial", {"to": to}, allow_input_required=True)
    assert isinstance(question, types.InputRequiredResult)
    return question


async def repeated(client: Client, state: str | None, to: str = LONDON) -> object:
    return await client.session.call_tool(
        "line.dial",
        {"to": to},
        input_responses={"approval": types.ElicitResult(action="accept", content={})},
        request_state=state,
        allow_input_required=True,
    )


async def test_an_answer_that_is_sent_twice_counts_once() -> None:
    exchange = an_exchange()

    async with calling(exchange.server, "auto", Person([])) as client:
        state = (await asked(client)).request_state
        first, replayed = await repeated(client, state), await repeated(client, state)

    assert isinstance(first, types.CallToolResult)
    assert isinstance(replayed, types.InputRequiredResult)
    assert replayed.request_state != state
    assert exchange.dialled == [LONDON]


async def test_an_answer_is_for_the_arguments_that_were_shown() -> None:
    exchange = an_exchange()

    async with calling(exchange.server, "auto", Person([])) as client:
        state = (await asked(client)).request_state
        altered = await repeated(client, state, "+442079460999")
        afterwards = await repeated(client, state)

    assert isinstance(altered, types.InputRequiredResult)
    assert isinstance(afterwards, types.InputRequiredResult)  # the yes was used up by the attempt
    assert exchange.dialled == []


@pytest.mark.parametrize("state", [None, "", "x" * 22])
async def test_an_answer_to_no_question_is_none(state: str | None) -> None:
    exchange = an_exchange()

    async with calling(exchange.server, "auto", Person([])) as client:
        found = await repeated(client, state)

    assert isinstance(found, types.InputRequiredResult)
    assert exchange.dialled == []


async def test_an_answer_that_comes_too_late_is_none() -> None:
    exchange = an_exchange()

    async with calling(exchange.server, "auto", Person([])) as client:
        state = (await asked(client)).request_state
        exchange.seconds.now += 600
        found = await repeated(client, state)

    assert isinstance(found, types.InputRequiredResult)
    assert exchange.dialled == []


async def test_a_yes_lifts_only_the_rules_it_was_asked_about() -> None:
    exchange = an_exchange()

    async with calling(exchange.server, "auto", Person([])) as client:
        state = (await asked(client)).request_state
        exchange.clock.advance(11 * 3600)  # it is 23 o'clock in London now
        found = await repeated(client, state)

    assert isinstance(found, types.InputRequiredResult)
    assert exchange.dialled == []


async def test_another_caller_cannot_use_the_yes() -> None:
    exchange = an_exchange(address="http://here")
    operator = Operator(CATALOGUE, exchange.desk, exchange.limiter, exchange.counts, exchange.approvals)
    link = await operator.call("line.dial", {"to": LONDON}, "subject:alice")
    assert link is not None
    token = link["_meta"]["mcp-voice/error"]["link"].rpartition("/")[2]
    exchange.approvals.answer(token, "accept")

    by_bob = await operator.call("line.dial", {"to": LONDON}, "subject:bob")
    by_alice = await operator.call("line.dial", {"to": LONDON}, "subject:alice")

    assert by_bob is not None
    assert by_bob["isError"]
    assert by_alice is not None
    assert not by_alice["isError"]
