"""Which session is meant: by its name, by its call's, or because there is no other; and how one is closed."""

from typing import Annotated, Final

from pydantic import Field, model_validator

from mcp_voice.core import ledger
from mcp_voice.core.session import Entry, Session, change
from mcp_voice.errors import NotFound, SessionClosed
from mcp_voice.ports import Desk
from mcp_voice.tools.catalogue import Arguments
from mcp_voice.tools.waiting import OneOf, only_call

START_ONE: Final = "If the call is still up, start one with session.create."

SessionId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="From session.create, telephony.handleConnect or twilio.handleStart.",
    ),
]
CallSid = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="The carrier's name for the call.",
        examples=["CA0123456789abcdef"],
    ),
]
Reason = Annotated[
    str, Field(min_length=1, max_length=200, description="Why, for the record.", examples=["completed"])
]


class Named(Arguments):
    """A call, by one of its two names; the only one that is live needs none."""

    session_id: OneOf = None
    call_sid: Annotated[
        str | None, Field(min_length=1, max_length=64, description="The carrier's name for it, instead.")
    ] = None

    @model_validator(mode="after")
    def _one(self) -> "Named":
        if self.session_id is not None and self.call_sid is not None:
            raise ValueError("give either sessionId or callSid")
        return self


async def find(desk: Desk, ask: Named) -> Session:
    """Return the session of that name, or of the only live call. Raises `NotFound`, `NotLive`, `Invalid`."""
    by_id = ask.call_sid is None
    name = ask.call_sid or ask.session_id or only_call(desk)
    session = await (desk.store.load(name) if by_id else desk.store.named(name))
    if session is None or expired(desk, session):
        raise NotFound("session" if by_id else "session of call", name, advice=START_ONE)
    return session


def expired(desk: Desk, session: Session) -> bool:
    """Whether it is past its idle time and nobody has closed it yet; never while its stream is open."""
    idle = not session.closed and session.idle_until < desk.now()
    return idle and desk.switchboard.call(session_id=session.session_id) is None


async def finish(desk: Desk, session_id: str, reason: str) -> Session:
    """Close a session; its stream first, if it has one here.

    Raises `NotFound`, `SessionClosed`.
    """
    live = desk.switchboard.call(session_id=session_id) is not None
    if live:
        await desk.switchboard.end(session_id, reason)
    now = desk.now()
    entry = Entry(at=now, kind="ended", data={"reason": reason})
    try:
        closed = await desk.store.amend(
            session_id, lambda old: change(old.ended(reason, now), entries=[entry])
        )
    except SessionClosed:
        found = await desk.store.load(session_id) if live else None
        if found is None:
            raise
        return found  # its stream has closed it on the way, and counted it
    ledger.closed(desk.counts, closed)
    return closed
