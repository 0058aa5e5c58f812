"""Gathering an answer from a caller, in a task of its own: ask, wait, ask again.

The task belongs to the call. A request that asks for what is being gathered
already goes on with it, as long as it is for the same; for something else
takes its place.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Final, Literal, TypeAlias

import anyio

from mcp_voice.core.asks import Ask, Expect, Outcome, Spoken
from mcp_voice.core.digits import Collector, Ending, Plan, luhn
from mcp_voice.core.events import Clear, Collect, Request
from mcp_voice.errors import Refused, VoiceError
from mcp_voice.ports import LiveCall, Talk
from mcp_voice.tools.waiting import listen_for

Kind: TypeAlias = Literal["digits", "speech", "either"]
EXPECTS: Final[Mapping[Kind, Expect]] = {"digits": "digits", "speech": "answer", "either": "digits"}
"""How the caller may pause: who may press a number may say it as well."""

Says: TypeAlias = Callable[[Ask], None]
"""Begins to say what an ask says."""

Line: TypeAlias = Callable[[], LiveCall | None]
"""The stream that the call has now."""

Hides: TypeAlias = Callable[[str], str]
"""Keeps digits that nobody may see, and returns their handle."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to gather. `retries` is how often to ask again when nothing comes."""

    prompt: str | None
    kind: Kind
    plan: Plan
    retries: int
    secret: bool


@dataclass(slots=True)
class Gathering:
    """What is gathered in one call, and what has come of it."""

    talk: Talk
    line: Line
    wish: Wish
    attempts: int = 0
    outcome: Outcome = "pending"
    digits: str = ""
    handle: str | None = None
    count: int = 0
    luhn: bool | None = None
    speech: str = ""
    ended_by: Ending | None = None
    failed: VoiceError | None = None
    over: anyio.Event = field(default_factory=anyio.Event)
    task: asyncio.Task[None] | None = None

    async def run(self, says: Says, hides: Hides) -> None:
        """Ask until there is an answer, or often enough."""
        if self.wish.kind != "speech":
            self._collect(Collect(secret=self.wish.secret))
        try:
            while self.outcome in ("pending", "noReply") and self.attempts <= self.wish.retries:
                self.attempts += 1
                await self._once(says, hides)
        except VoiceError as error:
            self.failed = error
        finally:
            whole = self.ended_by in ("terminator", "timeout") or self.outcome == "noReply"
            if self.wish.kind != "speech":
                self._collect(Collect(on=False, whole=whole))
            self.over.set()

    def _ask(self, request: Request) -> None:
        call = self.line()
        if call is not None:
            call.ask(request)

    def _collect(self, collect: Collect) -> None:
        self.talk.conversation.collecting = collect if collect.on else None
        self._ask(collect)

    async def _once(self, says: Says, hides: Hides) -> None:
        wish, talk = self.wish, self.talk.conversation
        keys = wish.kind != "speech"
        collector = Collector(wish.plan) if keys else None
        hears, expect = wish.kind != "digits", EXPECTS[wish.kind]
        asked = Ask(wish.prompt, collector=collector, hears=hears, patience=wish.plan.first, expect=expect)
        since = talk.seq
        wanted = talk.begin(asked, time.monotonic())
        if wanted is asked:
            asked.replied = False  # what they said before is no answer to this
            if wish.prompt is not None:
                says(asked)
            if hears:
                listen_for(self.line(), asked)
        try:
            self.outcome = await self.talk.outcome(wanted, inf)
        finally:
            talk.finish(wanted)
        if wanted.failed is not None:
            raise wanted.failed
        if self.outcome == "dtmf":
            self._hush(wanted)
            self.ended_by = collector.ended if collector else "timeout"
            self._typed(collector.digits if collector else talk.digits(), hides)
        elif self.outcome == "reply":
            self.speech = talk.said_since(since)

    def _typed(self, digits: str, hides: Hides) -> None:
        self.count, self.luhn = len(digits), luhn(digits) if digits else None
        if not self.wish.secret:
            self.digits = digits
        elif digits:
            self.handle = hides(digits)

    def _hush(self, asked: Ask) -> None:
        """Say no more of a question that has been answered."""
        if asked.says is not None and asked.spoken is None:
            asked.spoken = Spoken(None, None, interrupted=True, heard_fraction=0.0, cut_at_ms=0)
            self._ask(Clear("answered"))


class Gatherings:
    """What is being gathered in the calls of this process."""

    def __init__(self) -> None:
        self._open: dict[str, Gathering] = {}

    def known(self, talk: Talk, wish: Wish) -> Gathering | None:
        """Return the gathering that this call has for this already."""
        found = self._open.get(talk.session_id)
        return found if found is not None and found.wish == wish else None

    async def begin(self, talk: Talk, line: Line, wish: Wish, says: Says, hides: Hides) -> Gathering:
        """Begin to gather, in place of what was gathered before."""
        before = self._open.get(talk.session_id)
        if before is not None:
            await _end(before)
        made = self._open[talk.session_id] = Gathering(talk, line, wish)
        made.task = asyncio.create_task(made.run(says, hides), name="gathering")
        return made

    def __len__(self) -> int:
        return len(self._open)

    async def sweep(self, now: datetime) -> None:
        """Forget what nobody has asked for before the call was over."""
        kept = self._open.items()
        self._open = {name: it for name, it in kept if not (it.over.is_set() and it.talk.conversation.ended)}

    def take(self, gathering: Gathering) -> None:
        """It has been answered: the next one is another."""
        if self._open.get(gathering.talk.session_id) is gathering:
            del self._open[gathering.talk.session_id]

    async def aclose(self) -> None:
        """Gather no more."""
        for gathering in list(self._open.values()):
            await _end(gathering)
        self._open.clear()


async def _end(gathering: Gathering) -> None:
    if gathering.task is not None and not gathering.over.is_set():
        gathering.failed = Refused("Something else is gathered in this call now.")
        gathering.task.cancel()
        await asyncio.gather(gathering.task, return_exceptions=True)
