"""`telephony.status`: what works here, what is missing, and what to tell the user."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from mcp_voice.core.ability import Ability, State
from mcp_voice.ports import Desk
from mcp_voice.tools.catalogue import Answer, Arguments, tool
from mcp_voice.tools.vendors import default_of


class Status(Arguments):
    """Nothing has to be said."""


class Line(Answer):
    """One thing, and how it is."""

    what: str
    state: State
    fix: Annotated[str | None, Field(description="What would make it work.")] = None


class Doctor(Answer):
    """How the telephone is."""

    live_calls: int
    lines: list[Line]
    tell_user: Annotated[str, Field(description="Say this to the user.")]


@tool("telephony.status", title="What works here", rpm=60, reads=True, toolsets=("media", "agent"))
async def status(ask: Status, desk: Desk) -> Doctor:
    """Say what this telephone can do now, what is missing and how to get it, and how many calls are live.

    Ask it before you promise a call, or when something is not configured; tellUser is for the user.
    """
    able = [*_speech(desk), *desk.abilities()]
    return Doctor(
        live_calls=len(desk.switchboard.all()),
        lines=[Line(what=one.what, state=one.state, fix=one.fix) for one in able],
        tell_user=told(able),
    )


def told(able: list[Ability]) -> str:
    """Put it into one sentence: what works, and the first thing that is missing."""
    works = [one.what for one in able if one.state == "ok"]
    lacks = [one for one in able if one.state == "missing"]
    said = f"Working: {', '.join(works)}" if works else "Nothing works yet"
    if not lacks:
        return f"{said}."
    fix = f" ({lacks[0].fix.rstrip('.')})" if lacks[0].fix else ""
    return f"{said}; missing: {', '.join(one.what for one in lacks)}{fix}."


def _speech(desk: Desk) -> Iterator[Ability]:
    for what, find in (("hearing", desk.providers.ear), ("speaking", desk.providers.voice)):
        name, why = default_of(find)
        yield Ability(what, "missing", why) if name is None else Ability(f"{what} by {name}", "ok")
