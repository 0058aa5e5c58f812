"""A house with one tool that dials, and clients of every kind to call it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Annotated, Any

from mcp import Client, types
from pydantic import Field

from mcp_voice.core.counts import Counts
from mcp_voice.core.policy import Rules, Wish
from mcp_voice.ports import Desk
from mcp_voice.server.approvals import Approvals
from mcp_voice.server.gate import Porter
from mcp_voice.server.limits import Rates
from mcp_voice.server.mcp import build
from mcp_voice.tools.catalogue import Answer, Arguments, Catalogue
from tests.server import counter
from tests.twins import Clock

LONDON = "+442079460123"


class Dial(Arguments):
    """Whom to dial."""

    to: Annotated[str, Field(description="Whom.")]
    purpose: str = "to book a table"
    opening: str = "Good evening."
    max_minutes: int | None = None


class Dialled(Answer):
    """It rings."""

    to: str


class Exchange:
    """What has been dialled."""

    def __init__(self) -> None:
        self.dialled: list[str] = []


async def dial(ask: Dial, desk: Desk) -> Dialled:
    """Dial somebody."""
    admission = await desk.gate.admit(Wish(ask.to, ask.purpose, ask.max_minutes))
    desk.drawer(Exchange).dialled.append(admission.to)
    return Dialled(to=admission.to)


CATALOGUE = Catalogue({"line.dial": replace(counter.tool("line.dial", dial, Dial), answers=Dialled)})


class Seconds:
    """A clock that counts seconds, and moves when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Exchanged:
    """What a test needs to see."""

    desk: Desk
    counts: Counts
    approvals: Approvals
    porter: Porter
    seconds: Seconds
    clock: Clock
    limiter: Rates = field(default_factory=Rates)

    @property
    def dialled(self) -> list[str]:
        return self.desk.drawer(Exchange).dialled

    @property
    def server(self) -> Any:
        return build(CATALOGUE, self.desk, self.limiter, self.counts, approvals=self.approvals)


def an_exchange(rules: Rules | None = None, address: str | None = None) -> Exchanged:
    counts, seconds, clock = Counts(), Seconds(), Clock()
    clock.advance(12 * 3600)
    approvals = Approvals(seconds, address)
    rules = rules or Rules(concurrent=100, per_number=100, calls=100, minutes=10_000, spend=Decimal(1_000))
    porter = Porter(rules, approvals, counts, disclosure="This is an AI.", now=clock)
    desk = counter.desk(counts)
    desk.gate = porter
    return Exchanged(desk, counts, approvals, porter, seconds, clock)


@dataclass
class Person:
    """Who sits at the client: what they were shown, and what they say."""

    says: list[str]
    shown: list[str] = field(default_factory=list)

    async def answer(self, _: Any, params: Any) -> types.ElicitResult:
        self.shown.append(params.message)
        said: Any = self.says.pop(0)
        return types.ElicitResult(action=said, content={} if said == "accept" else None)


@asynccontextmanager
async def calling(
    server: Any, mode: str, person: Person | None = None, each: Callable[[Client], None] = lambda _: None
) -> AsyncIterator[Client]:
    """Call in one of the protocol's eras."""
    asked = {} if person is None else {"elicitation_callback": person.answer}
    async with Client(server, mode=mode, **asked) as client:
        yield client


def error(result: types.CallToolResult) -> dict[str, Any]:
    assert result.is_error, result
    found: dict[str, Any] = (result.meta or {})["mcp-voice/error"]
    return found
