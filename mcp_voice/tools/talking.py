"""`telephony.say` and `telephony.listen`: a conversation, as a language model holds one."""

import time
from typing import Annotated, Final, Literal

from pydantic import Field

from mcp_voice.core.asks import Ask
from mcp_voice.core.events import HangUp, Watch
from mcp_voice.core.session import Change, Entry, Session, change
from mcp_voice.errors import Invalid
from mcp_voice.ports import Desk, LiveCall, Talk, VoiceConfig
from mcp_voice.tools.catalogue import tool
from mcp_voice.tools.minding import Minder
from mcp_voice.tools.mouths import Mouths
from mcp_voice.tools.waiting import Reply, Waiting, conversation, listen_for, live, record, reply, wait

WATCHED: Final = frozenset({"beep", "human"})
"""What a call does not find unless it is told to watch for it."""


class Say(Waiting):
    """What to say, and what then."""

    text: Annotated[str, Field(max_length=40_000, description="Spoken words: short, one question at a time.")]
    then: Annotated[
        Literal["listen", "return", "hold", "hangUp"],
        Field(description="hold: the caller waits for you. return: do not listen."),
    ] = "listen"
    if_caller_spoke: Annotated[
        Literal["stop", "speak"],
        Field(description="If they said something you have not seen: stop answers `stale`."),
    ] = "stop"
    interruptible: Annotated[bool, Field(description="false for what must be heard whole.")] = True


@tool(
    "telephony.say", title="Say something and listen", rpm=120, open_world=True, toolsets=("media", "agent")
)
async def say(ask: Say, desk: Desk) -> Reply:
    """Say something in a live call, and wait for the caller's answer.

    Returns when they have answered, stay silent, press keys or hang up; else outcome is pending: then use
    telephony.listen. They may cut in: spoken says what they heard. stale: they said something new; nothing
    was said, read heard first.
    """
    if not ask.text.strip():
        raise Invalid("text has nothing to say.")
    talk = await conversation(desk, ask.session_id)
    known = talk.conversation
    known.acknowledge(ask.after)
    if known.ended:
        return await reply(desk, talk, Ask(), "hungUp")
    call = await live(desk, talk)
    asked = Ask(says=ask.text.strip(), listens=ask.then == "listen", expect=ask.expect)
    wanted = known.begin(asked, time.monotonic())
    if wanted is not asked:
        pass  # it is being said already, to a client that did not wait
    elif known.untold and ask.if_caller_spoke == "stop":
        asked.settled = "stale"
    else:
        await _begin(desk, call, talk, asked, ask)
        listen_for(call, asked)
    return await wait(desk, talk, wanted, ask.wait_seconds)


async def _begin(desk: Desk, call: LiveCall, talk: Talk, asked: Ask, ask: Say) -> None:
    session = await _resumed(desk, talk, hold=ask.then == "hold")
    speaks = desk.providers.voice(session.tts_provider)
    leave = HangUp("completed", after_playout=True) if ask.then == "hangUp" else None
    owed, talk.conversation.owes = talk.conversation.owes, ""
    desk.drawer(Mouths).say(
        call, talk, asked, speaks, voice_of(desk, session), interruptible=ask.interruptible, then=leave,
        preface=owed, heeds=ask.if_caller_spoke == "stop" and not owed,
    )  # fmt: skip
    desk.drawer(Minder).mind(desk, talk)


def voice_of(desk: Desk, session: Session) -> VoiceConfig:
    """Say with which voice a call is spoken to."""
    return VoiceConfig(session.config.voice or desk.voice, session.config.language)


async def _resumed(desk: Desk, talk: Talk, *, hold: bool) -> Session:
    """Put the caller on hold, or take them off it. Raises `SessionClosed`."""
    talk.attendance.hold = hold
    session = await record(desk, talk)
    if hold == (session.status == "held") or session.status not in ("active", "held"):
        return session
    now = desk.now()
    note = Entry(at=now, kind="hold", data={"state": "began" if hold else "ended", "by": "agent"})

    def moved(old: Session) -> Session | Change:
        return old if old.closed else change(old.moved("hold" if hold else "resume", now), entries=[note])

    return await desk.store.amend(session.session_id, moved)


class Listen(Waiting):
    """What to wait for."""

    until: Annotated[
        Literal["reply", "digits", "beep", "human", "quiet"],
        Field(description="beep: a machine's. human: past hold music. quiet: nobody speaks."),
    ] = "reply"


@tool("telephony.listen", title="Listen on", rpm=240, open_world=True, toolsets=("media", "agent"))
async def listen(ask: Listen, desk: Desk) -> Reply:
    """Wait for what the caller of a live call says, presses or does next, without saying anything.

    Use it after an outcome of pending, or when it is the caller's turn. Returns as telephony.say does. What
    was said before and not told to you comes at once. Others who listen are told too, `repeated`.
    """
    talk = await conversation(desk, ask.session_id)
    known = talk.conversation
    known.acknowledge(ask.after)
    wanted = known.begin(Ask(expect=ask.expect, until=ask.until), time.monotonic())
    if not known.ended:
        desk.drawer(Minder).mind(desk, talk)
    call = desk.switchboard.call(session_id=talk.session_id)
    listen_for(call, wanted)
    if call is not None and ask.until in WATCHED:
        call.ask(Watch(frozenset({ask.until})))
    return await wait(desk, talk, wanted, ask.wait_seconds)
