"""A human's yes, before something that cannot be undone.

A tool that needs one raises `ApprovalNeeded`, and `attended` sees to it:

    2025-11-25   the client is asked while the call waits
    2026-07-28   the call is answered with the question, and repeated with the answer
    neither      a one-time link to a page of the private listener, if there is one (`approve.py`)
    no page      the answer is no

What is approved is a `key`: the tool, its arguments to the letter, who calls
it and what is dialled. One yes is good for one call within ten minutes; a no
stands as long. All of it is this process's, and gone with it.
"""

import json
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar, cast

from mcp_voice.errors import ApprovalDenied, ApprovalNeeded, Refused

SECONDS: Final = 600.0
"""How long a question is open, a yes is good, and a no stands."""

MOST: Final = 1_000
"""Questions kept; the oldest makes room."""

PATH: Final = "/approve/"
DISMISSED: Final = "Your user dismissed the question."

Said: TypeAlias = Literal["accept", "decline", "cancel"]
Result: TypeAlias = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Errand:
    """Whose call of which tool is being put through."""

    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    caller: str = "process"

    def key(self, *more: Any) -> str:
        """Name this very call, and what else is at stake."""
        whole = json.dumps([self.tool, self.arguments, self.caller, more], sort_keys=True, default=str)
        return sha256(whole.encode()).hexdigest()


_ERRAND: ContextVar[Errand] = ContextVar("errand")


def errand() -> Errand:
    """Return the call that is being put through here."""
    return _ERRAND.get(Errand())


@contextmanager
def on_errand(of: Errand) -> Iterator[None]:
    """Put a call through while the block runs."""
    token = _ERRAND.set(of)
    try:
        yield
    finally:
        _ERRAND.reset(token)


@dataclass(slots=True)
class Ticket:
    """One question to a human. Who has its token may answer, once."""

    token: str
    key: str
    question: str
    rules: frozenset[str]
    until: float
    state: Literal["open", "approved", "declined"] = "open"


class Approvals:
    """What humans have been asked here, and have said. `address` is where the page is, if it is anywhere."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, address: str | None = None) -> None:
        self.address = address
        self._clock = clock
        self._tickets: dict[str, Ticket] = {}

    def open(self, need: ApprovalNeeded) -> Ticket:
        """Return the open ticket of this very need, or a new one."""
        self._forget()
        for ticket in self._tickets.values():
            if (ticket.key, ticket.rules, ticket.state) == (need.key, need.rules, "open"):
                return ticket
        while len(self._tickets) >= MOST:
            del self._tickets[next(iter(self._tickets))]
        made = Ticket(secrets.token_urlsafe(16), need.key, need.question, need.rules, self._clock() + SECONDS)
        self._tickets[made.token] = made
        return made

    def find(self, token: str) -> Ticket | None:
        """Return the ticket of that token, if it is not too old."""
        self._forget()
        return self._tickets.get(token)

    def answer(self, token: str, said: Said) -> bool:
        """Take a human's answer; False if that ticket is not open. Dismissing it leaves nothing behind."""
        ticket = self.find(token)
        if ticket is None or ticket.state != "open":
            return False
        if said == "cancel":
            del self._tickets[token]
        else:
            ticket.state = "approved" if said == "accept" else "declined"
            ticket.until = self._clock() + SECONDS
        return True

    def stands(self, key: str) -> Ticket | None:
        """Return what has been said of this key and still holds, if anything."""
        self._forget()
        answered = [t for t in self._tickets.values() if t.key == key and t.state != "open"]
        return answered[-1] if answered else None

    def drop(self, token: str) -> None:
        """Forget a ticket: its yes has been used, or is not to be."""
        self._tickets.pop(token, None)

    def link(self, ticket: Ticket) -> str | None:
        """Return where a human answers it."""
        return None if self.address is None else f"{self.address}{PATH}{ticket.token}"

    def _forget(self) -> None:
        now = self._clock()
        for token in [token for token, ticket in self._tickets.items() if ticket.until <= now]:
            del self._tickets[token]


class Human(Protocol):
    """Whoever sits at the client, as far as it lets us ask them."""

    brings: tuple[str, Said] | None
    """The token and the answer of a question that an earlier round was answered with."""

    async def ask(self, question: str, token: str) -> Said | Result | None:
        """Return what they say; or the result that has the client ask them; None if it cannot."""


class Nobody:
    """A client that cannot ask anybody."""

    brings: tuple[str, Said] | None = None

    async def ask(self, question: str, token: str) -> None:
        """There is nobody to ask."""


NOBODY: Final = Nobody()


async def attended(
    approvals: Approvals, of: Errand, human: Human, run: Callable[[], Awaitable[T]]
) -> T | Result:
    """Put a call through, and ask a human when it needs one.

    `run` may be called twice: what needs an approval asks for it before it changes anything.
    """
    with on_errand(of), _bound(approvals) as answered:
        if human.brings is not None:
            answered(*human.brings)
        try:
            return await run()
        except ApprovalNeeded as need:
            if human.brings is not None and human.brings[1] == "cancel":
                raise _denied(need, DISMISSED) from None
            ticket = approvals.open(need)
            said = await human.ask(need.question, ticket.token)
            if isinstance(said, dict):
                return said
            if said is None:
                raise _by_link(approvals, ticket, need) from None
            answered(ticket.token, said)
            if said == "cancel":
                raise _denied(need, DISMISSED) from None
        return await run()


def _by_link(approvals: Approvals, ticket: Ticket, need: ApprovalNeeded) -> Refused:
    """Return what a model is told whose client cannot ask."""
    link = approvals.link(ticket)
    if link is None:
        approvals.drop(ticket.token)
        return _denied(need, "This client cannot ask its user, and there is no page where to ask them.")
    need.next_step = f"Ask your user to open {link} and approve it; then send the same call again."
    need.details["link"] = link
    return need


def _denied(need: ApprovalNeeded, why: str) -> ApprovalDenied:
    return ApprovalDenied(f"{need.args[0]} {why}", rules=sorted(need.rules))


@contextmanager
def _bound(approvals: Approvals) -> Iterator[Callable[[str, Said], None]]:
    """Yield how an answer is taken that is good for this call only: what it leaves of a yes is dropped."""
    taken: list[str] = []

    def answered(token: str, said: Said) -> None:
        if approvals.answer(token, said) and said == "accept":
            taken.append(token)

    try:
        yield answered
    finally:
        for token in taken:
            approvals.drop(token)


def said(answer: str) -> Said:
    """Read an answer; what is none is a dismissal."""
    return cast(Said, answer) if answer in ("accept", "decline") else "cancel"
