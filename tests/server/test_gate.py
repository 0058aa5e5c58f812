import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from mcp_voice.core.policy import Rules, Wish
from mcp_voice.core.usage import Admission
from mcp_voice.errors import ApprovalNeeded, Invalid, NotAllowed
from mcp_voice.server.gate import rules_of
from mcp_voice.settings import Outbound, load
from tests.server import counter
from tests.server.dialling import LONDON, Exchanged, an_exchange

pytestmark = pytest.mark.anyio

WIDE = Rules(
    numbers=frozenset({LONDON}),
    concurrent=100,
    per_number=100,
    calls=100,
    minutes=10_000,
    spend=Decimal(1_000),
    max_minutes=10,
)


async def fifty(exchange: Exchanged) -> list[Admission]:
    """Fifty ask at once."""
    admitted: list[Admission] = []

    async def ask() -> None:
        await anyio.lowlevel.checkpoint()
        try:
            admitted.append(await exchange.desk.gate.admit(Wish(LONDON, max_minutes=10)))
        except NotAllowed:
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask)
    return admitted


@pytest.mark.parametrize(
    ("cap", "rule"),
    [
        ({"concurrent": 10}, "concurrent"),
        ({"per_number": 10}, "per_number"),
        ({"calls": 10}, "calls"),
        ({"minutes": 109}, "minutes"),
        ({"spend": Decimal("10.99")}, "spend"),
    ],
)
async def test_of_fifty_at_once_as_many_get_leave_as_the_cap_allows(cap: dict[str, Any], rule: str) -> None:
    exchange = an_exchange(replace(WIDE, **cap))

    admitted = await fifty(exchange)

    assert len(admitted) == 10
    assert exchange.counts.policy_denied == {rule: 40}


async def test_what_a_call_did_not_use_is_there_for_the_next() -> None:
    exchange = an_exchange(replace(WIDE, spend=Decimal("1.20")))

    (first,) = await fifty(exchange)
    first.settle(1.5)
    (second,) = await fifty(exchange)
    second.release()

    assert exchange.porter.usage.on(exchange.clock()).spend == Decimal("0.20")


async def test_leave_says_what_to_dial_how_long_and_what_to_say_first() -> None:
    exchange = an_exchange(WIDE)

    leave = await exchange.desk.gate.admit(Wish("+44 20 7946 0123", max_minutes=99))

    assert (leave.to, leave.max_minutes, leave.disclosure) == (LONDON, 10, "This is an AI.")


async def test_every_judgement_is_logged_without_the_number() -> None:
    exchange = an_exchange(WIDE)

    with capture_logs() as logs:
        await exchange.desk.gate.admit(Wish(LONDON))
        with pytest.raises(NotAllowed):
            await exchange.desk.gate.admit(Wish("+19005551234", purpose="secret"))
        with pytest.raises(ApprovalNeeded):
            await exchange.desk.gate.admit(Wish("+12125550123"))

    assert [(line["event"], line["verdict"], line["rule"], line["last4"]) for line in logs] == [
        ("dial_judged", "allow", "allowed", "0123"),
        ("dial_judged", "deny", "premium", "1234"),
        ("dial_judged", "ask", "not_on_the_list", "0123"),
    ]
    assert "555" not in json.dumps(logs)
    assert "secret" not in json.dumps(logs)
    assert exchange.counts.policy_denied == {"premium": 1}
    assert exchange.counts.policy_asked == {"not_on_the_list": 1}


async def test_a_desk_without_a_gate_lets_through_the_simulator_only() -> None:
    desk = counter.desk()

    assert (await desk.gate.admit(Wish("sim:alice"))).to == "sim:alice"
    with pytest.raises(NotAllowed):
        await desk.gate.admit(Wish(LONDON))


async def test_as_it_is_set_out_of_the_box_nothing_outside_is_dialled_unasked() -> None:
    exchange = an_exchange(rules_of(Outbound()))

    with pytest.raises(ApprovalNeeded) as asked:
        await exchange.desk.gate.admit(Wish(LONDON))

    assert asked.value.rules == {"not_on_the_list"}
    assert Outbound().disclosure


async def test_what_the_operator_sets_is_what_the_policy_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HOME": "GB", "COUNTRIES": "GB, US", "NUMBERS": "+33142685300",
        "DOMAINS": "PBX.example.com,client:Desk",
        "DENIED": "+4490", "DO_NOT_CALL": LONDON, "QUIET_HOURS": "false", "APPROVAL": "refuse",
        "SPEND_PER_DAY": "2.50", "DISCLOSURE": "none",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"MCP_VOICE_OUTBOUND__{name}", value)

    outbound = load().outbound

    assert outbound.disclosure is None
    assert rules_of(outbound) == Rules(
        home="GB", countries=frozenset({"GB", "US"}), numbers=frozenset({"+33142685300"}),
        domains=frozenset({"pbx.example.com", "client:Desk"}), denied=("+4490",),
        do_not_call=frozenset({LONDON}),
        spend=Decimal("2.50"), hours=None, approval="refuse",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NUMBERS", "0123"), ("NUMBERS", "+1415555*"), ("COUNTRIES", "usa"), ("DENIED", "1900"),
        ("APPROVAL", "never"),
        ("SPEND_PER_DAY", "-1"), ("MAX_MINUTES", "0"),
    ],
)  # fmt: skip
async def test_a_rule_that_is_none_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"MCP_VOICE_OUTBOUND__{name}", value)

    with pytest.raises(Invalid, match=f"MCP_VOICE_OUTBOUND__{name}"):
        load()
