"""Tickets: who holds one may open a socket for one call, once, and soon.

Twilio's signature of an upgrade says that it has dialled this address at some
time, and it says so for ever: it holds neither a time nor a number used once.
So the address is new for every stream. A ticket is a part of its path; it
belongs to a session, is good once, and goes stale.

    >>> tickets = Tickets()
    >>> name = tickets.issue("sess_1", now=0.0, seconds=60.0)
    >>> tickets.redeem(name, now=1.0), tickets.redeem(name, now=2.0), tickets.redeem("guess", now=2.0)
    (Ticket(session_id='sess_1', ends=60.0), 'used', 'unknown')
"""

from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Final, Literal, TypeAlias

from mcp_voice.core.session import Session

Refusal: TypeAlias = Literal["unknown", "used", "stale"]

MOST: Final = 10_000
"""Tickets remembered: at 250 calls of 60 s, more than half an hour of new streams."""

BYTES: Final = 18
"""Of randomness: 144 bits."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Good for one stream of a session, until `ends`."""

    session_id: str
    ends: float


class Tickets:
    """Those that were issued, and whether they have been used. The oldest is forgotten for want of room."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[str, Ticket] = {}
        self._used: set[str] = set()

    def __len__(self) -> int:
        return len(self._known)

    def issue(self, session_id: str, now: float, seconds: float) -> str:
        """Make a ticket; return its name."""
        name = token_urlsafe(BYTES)
        while len(self._known) >= self._most:
            self._forget(next(iter(self._known)))
        self._known[name] = Ticket(session_id, now + seconds)
        return name

    def redeem(self, name: str, now: float) -> Ticket | Refusal:
        """Take a ticket, which is used then; or say why it is not good."""
        ticket = self._known.get(name)
        if ticket is None:
            return "unknown"
        if name in self._used:
            return "used"
        self._used.add(name)
        return ticket if now <= ticket.ends else "stale"

    def _forget(self, name: str) -> None:
        del self._known[name]
        self._used.discard(name)


@dataclass(frozen=True, slots=True)
class Pass:
    """What somebody at the door has shown: whether they are the carrier, and whose ticket they had."""

    proven: bool = False
    """The carrier's signature was checked: then a stream says whose call it is, and is held to it."""
    session_id: str | None = None

    def suits(self, session: Session | None, call_sid: str) -> bool:
        """Whether the stream of that call may join a session; None is a session that there is not.

        A call that is being placed has no name yet with the carrier.
        """
        if not self.proven:
            return True
        if session is None:
            return self.session_id is None
        return session.unnamed or session.call_sid == call_sid
