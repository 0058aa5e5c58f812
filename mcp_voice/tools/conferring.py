"""`telephony.conference`: others in a live call.

What may be done is `core.conference`'s to say, and doing it the carrier's. What
was done is written into the call's log, and who is in the call is read from it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Annotated, Final, Literal

from pydantic import Field

from mcp_voice.core.conference import CALLER, KIND, Action, Conference, Participant, Step, noted, rebuilt
from mcp_voice.core.session import MOVES, Change, Entry, Move, Session, change
from mcp_voice.errors import Invalid, NotFound, StoreFailed
from mcp_voice.ports import Desk
from mcp_voice.tools.catalogue import Answer, Arguments, tool
from mcp_voice.tools.gates import admitted
from mcp_voice.tools.standing import Standing, stands
from mcp_voice.tools.telephony import dialable
from mcp_voice.tools.waiting import on_the_line

PAGE: Final = 1_000
_MOVES: Final[Mapping[Action, Move]] = {"hold": "hold", "unhold": "resume"}
"""What the caller's part in it means for the session."""


class Confer(Arguments):
    """What to do, and to whom."""

    action: Annotated[
        Action | Literal["list"], Field(description="coach: only you hear them; unmute ends it.")
    ]
    session_id: Annotated[
        str | None, Field(min_length=1, max_length=64, description="May be left out while one call is live.")
    ] = None
    participant: Annotated[
        str | None,
        Field(min_length=1, max_length=64, description="A name: yours to give with add, or caller."),
    ] = None
    target: Annotated[
        str | None,
        Field(min_length=3, max_length=255, description="With add: +number, sip:user@host or client:name."),
    ] = None


class Person(Answer):
    """Somebody in the call."""

    name: str
    target: str | None = None
    role: Literal["caller", "guest"]
    muted: bool
    on_hold: bool
    coaching: bool


class Conferring(Standing):
    """Who is in the call."""

    participants: list[Person]
    conference_sid: Annotated[str | None, Field(description="The carrier's name for it.")] = None


class Table:
    """One step at a time: what is allowed depends on the step before."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()


@tool(
    "telephony.conference", title="Join others to a call", rpm=60, destroys=True, open_world=True,
    toolsets=("media", "agent"),
)  # fmt: skip
async def conference(ask: Confer, desk: Desk) -> Conferring:
    """Join others to a live call, put them on hold, mute, coach or remove them; or list who is in it.

    Tell the caller before you add somebody. end sends the guests away and keeps the caller.
    """
    call = await on_the_line(desk, ask.session_id)
    async with desk.drawer(Table).lock:
        session = await desk.store.load(call.session_id)
        if session is None:
            raise NotFound("session", call.session_id, advice="Its record was removed.")
        log = [entry async for entry in _log(desk, session)]
        people = rebuilt(_caller(session), log)
        if ask.action == "list":
            return await _told(desk, session, people)
        step = _step(ask, ask.action, people)
        people = people.after(step)
        if step.target is not None and step.action == "add":
            await admitted(desk, session, step.target, "conference")
        told = await desk.carriers[session.carrier].conference(session, step)
        with suppress(NotFound, StoreFailed):  # it has been done: an error here would have it done twice
            await desk.store.amend(session.session_id, lambda old: _written(old, step, desk))
    return await _told(desk, session, people, told.get("conferenceSid"))


def _step(ask: Confer, action: Action, people: Conference) -> Step:
    """Say what is to be done, with whom by the name they have in the call."""
    if action == "add":
        if ask.target is None:
            raise Invalid("add needs a target.", advice="Give a number with country code, sip: or client:.")
        target = dialable(ask.target)
        return Step(action, ask.participant or target[-64:], target)
    if ask.target is not None and ask.participant is not None:
        raise Invalid(f"{action} takes either participant or target.")
    if action == "end":
        return Step(action)
    return Step(action, people.find(ask.participant or ask.target).name)


def _caller(session: Session) -> str | None:
    """Return who is at the other end."""
    return session.from_ if session.direction == "inbound" else session.to


async def _log(desk: Desk, session: Session) -> AsyncIterator[Entry]:
    after = 0
    while page := await desk.store.entries(session.session_id, after, PAGE):
        for entry in page:
            yield entry
        after = page[-1].seq


def _written(old: Session, step: Step, desk: Desk) -> Change:
    now = desk.now()
    move = _MOVES.get(step.action) if step.name == CALLER else None
    fits = move is not None and (old.status, move) in MOVES
    new = old.moved(move, now) if move is not None and fits else old.touched(now)
    return change(new, entries=[Entry(at=now, kind=KIND, data=noted(step))])


async def _told(
    desk: Desk, session: Session, people: Conference, conference_sid: str | None = None
) -> Conferring:
    return Conferring(
        **await stands(desk, session),
        next_step="Go on with telephony.say.",
        participants=[_person(one) for one in people.people],
        conference_sid=conference_sid,
    )


def _person(one: Participant) -> Person:
    return Person(
        name=one.name,
        target=one.target,
        role=one.role,
        muted=one.muted,
        on_hold=one.on_hold,
        coaching=one.coaching,
    )
