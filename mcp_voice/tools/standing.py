"""How a call stands: what every answer about one call tells of it, and where more can be read."""

from contextlib import suppress
from typing import Annotated, TypedDict

from pydantic import Field

from mcp_voice.core.session import Session, Status
from mcp_voice.errors import NotFound, RecordingFailed
from mcp_voice.ports import Desk
from mcp_voice.tools.catalogue import Answer


class Standing(Answer):
    """A call, how it is, and what to do next."""

    session_id: str
    status: Status
    seq: Annotated[int, Field(description="Where its log is now.")]
    next_step: str


class Stands(TypedDict):
    """What of it is read off the record."""

    session_id: str
    status: Status
    seq: int


async def stands(desk: Desk, session: Session) -> Stands:
    """Say how a call is now; as it was, if its record has been removed."""
    now = await desk.store.load(session.session_id) or session
    return Stands(session_id=now.session_id, status=now.status, seq=now.seq)


class Links(Answer):
    """Resources to read."""

    transcript: str
    events: str
    recording: Annotated[str | None, Field(description="If one is kept.")] = None


async def links(desk: Desk, session: Session) -> Links:
    """Say where a call's words, its log and its sound can be read."""
    where = f"voice://sessions/{session.session_id}"
    kept = None
    if desk.recordings is not None:
        with suppress(NotFound, RecordingFailed):
            kept = await desk.recordings.find(session.session_id)
    return Links(
        transcript=f"{where}/transcript",
        events=f"{where}/events",
        recording=None if kept is None else f"{where}/recording",
    )
