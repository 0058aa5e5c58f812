"""`telephony.wait` and `telephony.answer`: calls that come in, and news of those that are there."""

import time
from contextlib import nullcontext, suppress
from typing import Annotated, Any, Final, Literal

import anyio
from pydantic import AwareDatetime, Field

from mcp_voice.core.asks import Ask
from mcp_voice.core.session import Session, Status
from mcp_voice.errors import CarrierFailed, Invalid, NotConfigured, NotFound, NotLive, Refused, SessionClosed
from mcp_voice.ports import Desk, Talk
from mcp_voice.tools.calling import Dialling
from mcp_voice.tools.catalogue import Answer, Arguments, tool
from mcp_voice.tools.gates import admitted
from mcp_voice.tools.minding import Minder
from mcp_voice.tools.named import finish
from mcp_voice.tools.openings import Opening, open_call
from mcp_voice.tools.telephony import dialable
from mcp_voice.tools.waiting import LONGEST, OneOf, Reply, Waiting, conversation, record, reply, talk_of, wait

MOST_EVENTS: Final = 50
LOOKED_AT: Final = 200
BREATH: Final = 0.1
"""Seconds between two looks at the record, however much happens."""


class Wait(Arguments):
    """What to wait for."""

    for_: Annotated[
        Literal["incoming", "call", "any"], Field(alias="for", description="call: news of one call.")
    ] = "any"
    session_id: OneOf = None
    after: Annotated[int, Field(ge=0, le=2**53, description="The last seq you have of the call.")] = 0
    wait_seconds: Annotated[float, Field(ge=0, le=LONGEST)] = 20.0


class Event(Answer):
    """A line of the call's log; `data` may hold a caller's words."""

    seq: int
    at: AwareDatetime
    kind: str
    data: dict[str, Any]


class Incoming(Answer):
    """A call that nobody has answered."""

    session_id: str
    from_: Annotated[str | None, Field(alias="from")] = None
    to: str | None = None
    since: AwareDatetime
    ringing: Annotated[bool, Field(description="False: its line is open already.")]


class News(Answer):
    """What has happened."""

    session_id: str | None
    status: Status | None
    seq: int
    events: list[Event]
    incoming: list[Incoming]
    next_step: str


@tool("telephony.wait", title="Wait for calls or news", rpm=240, reads=True, toolsets=("media", "agent"))
async def wait_for(ask: Wait, desk: Desk) -> News:
    """Wait for an incoming call, or for events of a call behind `after`.

    Returns as soon as there is something, else empty after waitSeconds: then ask again. Take an incoming
    call with telephony.answer.
    """
    several = ask.session_id is None and len(desk.switchboard.all()) > 1
    if ask.for_ == "incoming" or (ask.for_ == "any" and several):  # anything: of none of them in particular
        talk = None
    else:
        talk = talk_of(desk, ask.session_id)
    if ask.for_ == "call" and talk is None:
        talk = await conversation(desk, ask.session_id)
    with nullcontext() if talk is None or not talk.attendance.begun else talk.present():
        return await _awaited(desk, ask, talk)


async def _awaited(desk: Desk, ask: Wait, talk: Talk | None) -> News:
    """Look until there is something to tell, or the time is over."""
    until = time.monotonic() + min(ask.wait_seconds, desk.longest_wait)
    while True:
        bell = desk.talks.bell
        news = await _news(desk, ask, talk)
        left = until - time.monotonic()
        if news.events or news.incoming or left <= 0:
            return news
        with anyio.move_on_after(left):
            await bell.wait()
            await anyio.sleep(BREATH)


async def _news(desk: Desk, ask: Wait, talk: Talk | None) -> News:
    events = [] if talk is None else await desk.store.entries(talk.session_id, ask.after, MOST_EVENTS)
    session = None if talk is None else await record(desk, talk)
    waiting = [] if ask.for_ == "call" else await unclaimed(desk)
    return News(
        session_id=session.session_id if session else None,
        status=session.status if session else None,
        seq=events[-1].seq if events else ask.after,
        events=[Event.model_validate(dict(entry)) for entry in events],
        incoming=[
            Incoming(
                session_id=each.session_id, from_=each.from_, to=each.to, since=each.created_at,
                ringing=each.status != "active",
            )
            for each in waiting
        ],
        next_step=_next_step(bool(waiting), bool(events)),
    )  # fmt: skip


def _next_step(incoming: bool, events: bool) -> str:
    if incoming:
        return "Take the call with telephony.answer."
    return "Read on with after = seq." if events else "Nothing yet: wait again."


async def unclaimed(desk: Desk) -> list[Session]:
    """Return the incoming calls that no agent has taken, oldest first."""
    found = []
    for session in await desk.store.find(live=True, limit=LOOKED_AT):
        talk = desk.talks.known(session.session_id)
        taken = talk is not None and talk.attendance.begun
        if session.direction == "inbound" and session.status in ("ringing", "active") and not taken:
            found.append(session)
    return found[::-1]


class Take(Waiting):
    """Which call, and what to do with it."""

    action: Literal["accept", "reject", "forward"] = "accept"
    greeting: Annotated[
        str | None, Field(min_length=1, max_length=2_000, description="Said at once. accept only.")
    ] = None
    target: Annotated[
        str | None, Field(min_length=3, max_length=255, description="forward: to whom, as +14155550123.")
    ] = None


@tool(
    "telephony.answer", title="Answer a call", rpm=60, destroys=True, open_world=True,
    toolsets=("media", "agent"),
)  # fmt: skip
async def answer(ask: Take, desk: Desk) -> Reply:
    """Take an incoming call that telephony.wait told of: accept it with a greeting and hear their first
    words, reject it, or forward it to somebody else.

    sessionId may be left out while one call waits. A call is taken once.
    """
    if (ask.action == "forward") != (ask.target is not None):
        raise Invalid("target goes with action forward, and only with it.")
    target = dialable(ask.target) if ask.target is not None else None
    session = await _incoming(desk, ask.session_id, again=ask.action == "accept")
    talk = desk.talks.of(session.session_id)
    known = talk.conversation
    greeting = ask.greeting.strip() if ask.greeting else None
    first = desk.drawer(Dialling).first(session.session_id)
    if first is None and talk.attendance.begun:
        raise Refused("This call is taken already.", advice="Go on with telephony.listen or telephony.say.")
    if ask.action != "accept":
        return await _turned_away(desk, talk, session, target)
    if first is None:
        first = Ask(says=greeting, expect=ask.expect, held=greeting is not None)
        known.begin(first, time.monotonic())
        desk.drawer(Dialling).asked(session.session_id, first)
        desk.drawer(Dialling).see(open_call(desk, talk, session, Opening(first)))
        desk.drawer(Minder).mind(desk, talk)
    elif first.says != greeting:
        raise Refused("This call is taken already.", advice="Go on with telephony.listen or telephony.say.")
    return await wait(desk, talk, known.join(first, time.monotonic()), ask.wait_seconds)


async def _incoming(desk: Desk, session_id: str | None, *, again: bool) -> Session:
    """Return the call that is meant: one that waits, or `again` the one that was answered.

    Raises `NotFound`, `SessionClosed`, `NotLive`, `Invalid`.
    """
    if session_id is not None:
        session = await desk.store.load(session_id)
        if session is None:
            raise NotFound("session", session_id, advice="telephony.wait tells of those there are.")
        if session.closed:
            raise SessionClosed(session_id)
        if session.direction == "outbound":
            raise Invalid("That is a call of yours; it is answered by somebody else.")
        return session
    waiting = await unclaimed(desk)
    if not waiting and again and len(answered := await _answered(desk)) == 1:
        return answered[0]  # its client has given up, and asks again
    if not waiting:
        raise NotLive("No call waits to be answered.", advice="Wait for one with telephony.wait.")
    if len(waiting) > 1:
        named = ", ".join(each.session_id for each in waiting[:5])
        raise Invalid(f"{len(waiting)} calls wait.", advice=f"Give the sessionId of one: {named}.")
    return waiting[0]


async def _answered(desk: Desk) -> list[Session]:
    """Return the live calls that came in and were taken with `telephony.answer`."""
    first = desk.drawer(Dialling).first
    live = await desk.store.find(live=True, limit=LOOKED_AT)
    return [each for each in live if each.direction == "inbound" and first(each.session_id)]


async def _turned_away(desk: Desk, talk: Talk, session: Session, target: str | None) -> Reply:
    """Reject the call, or send it on to somebody else."""
    carrier = desk.carriers[session.carrier]
    if target is not None:
        await admitted(desk, session, target, "forward")
        await carrier.transfer(session, target, warm=False, announce=None)
        desk.counts.transfers += 1
        return await reply(desk, talk, Ask(), "hungUp")
    with suppress(NotFound, NotConfigured, NotLive, CarrierFailed):  # closing its stream ends it as well
        await carrier.hangup(session, "rejected")
    with suppress(SessionClosed):
        await finish(desk, session.session_id, "rejected")
    return await reply(desk, talk, Ask(), "hungUp")
