"""The simulated people whom this house can call: `sim:restaurant`.

A person who is called is a task of the house. It rings for as long as its
persona says, then comes to our own media socket with the session's id, as a
carrier's stream would, and is in the call until one of the two hangs up. Nobody
comes to a call whose session was closed meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from mcp_voice.core.session import Session
from mcp_voice.errors import NotFound, SessionClosed, VoiceError
from mcp_voice.ports import Desk
from mcp_voice.server.sockets import PATHS
from mcp_voice.tools.named import finish

if TYPE_CHECKING:
    from mcp_voice.simulator.people import Senses
    from mcp_voice.simulator.persona import Persona

MOST_LINES: Final = 200
"""What an ear of ours is told to expect, at most."""

COMING: Final = 60.0
"""Seconds that somebody who has answered may take to come to the line."""

log = structlog.get_logger(__name__)


class Neighbours:
    """Who can be rung, and who is in a call. They come in at `here`, by the address that the desk has for a
    carrier; `token` signs it.

    They ring, think and hold the line for a `pace`th of the time that their personas say.
    """

    def __init__(
        self,
        desk: Desk,
        here: str,
        *,
        folders: Sequence[Path] = (),
        scripted: bool = False,
        pace: float = 1.0,
        token: str | None = None,
    ) -> None:
        self._desk = desk
        self._here = here.replace("http", "ws", 1)
        self._folders = folders
        self._scripted = scripted
        self._pace = pace
        self._token = token
        self._tasks = set[asyncio.Task[None]]()

    def vocabulary(self, to: str) -> tuple[str, ...]:
        """Return what somebody may say. Raises `NotFound`, `Invalid`."""
        from mcp_voice.simulator.casting import cast
        from mcp_voice.simulator.person import lines_of

        return tuple(lines_of(cast(to, self._folders)))[:MOST_LINES]

    async def ring(self, session: Session, call_sid: str, ring_seconds: float) -> None:
        """Let the telephone ring at `session.to`; return at once.

        Raises `NotFound` if nobody lives there, `Invalid` if their file cannot be used, and
        `NotConfigured` if there is no voice or no ear for them.
        """
        from mcp_voice.simulator.casting import cast
        from mcp_voice.simulator.people import Senses

        persona = cast(session.to or "", self._folders).hastened(self._pace)
        providers, senses = self._desk.providers, None
        if session.mode == "stream":
            senses = Senses(providers.voice(), None if self._scripted else providers.ear())
        task = asyncio.create_task(self._live(persona, senses, session, call_sid, ring_seconds / self._pace))
        self._tasks.add(task)
        task.add_done_callback(self._left)

    async def aclose(self) -> None:
        """Let everybody hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("person_failed", error=type(error).__name__, exc_info=error)

    async def _live(
        self,
        persona: "Persona",
        senses: "Senses | None",
        session: Session,
        call_sid: str,
        ring_seconds: float,
    ) -> None:
        """Be somebody whose telephone rings, from the first ring to the last word."""
        address = self._desk.sockets.url(session, mode=session.mode, seconds=ring_seconds + COMING)
        lasts = ring_seconds if persona.answers == "no_answer" else persona.rings
        await asyncio.sleep(min(lasts, ring_seconds))
        if lasts >= ring_seconds or persona.answers != "picks_up":
            await self._close(session, "no-answer" if lasts >= ring_seconds else "busy")
            return
        try:
            ended_by = await self._talk(persona, senses, session, call_sid, address)
        except VoiceError as error:
            log.warning("person_failed", session=session.session_id, error=error.code, why=str(error))
            await self._close(session, "failed")
        else:
            log.info("person_left", session=session.session_id, by=ended_by)

    async def _talk(
        self, persona: "Persona", senses: "Senses | None", session: Session, call_sid: str, address: str
    ) -> str:
        """Be in the call, with a voice and an ear or, where it is relayed, in words; return who ended it."""
        from mcp_voice.simulator.line import Names
        from mcp_voice.simulator.people import converse
        from mcp_voice.simulator.relaying import converse_in_words

        path = PATHS[session.mode]
        where = self._here + path + address.partition(path)[2]
        how: dict[str, Any] = {
            "names": Names(call_sid=call_sid),
            "parameters": {"sessionId": session.session_id},
            "from_": session.from_ or "",
            "to": session.to or "",
            "token": self._token,
            "signed_url": address if self._token else None,
        }
        if senses is None:
            return await converse_in_words(persona, where, **how)
        told = self._told(session) if self._scripted else None
        return (await converse(persona, where, senses, told=told, **how)).ended_by

    async def _close(self, session: Session, reason: str) -> None:
        with suppress(NotFound, SessionClosed):  # somebody was quicker
            await finish(self._desk, session.session_id, reason)

    def _told(self, session: Session) -> AsyncIterator[str]:
        from mcp_voice.simulator.telling import follow

        async def read(after: int) -> Sequence[Mapping[str, Any]]:
            return [dict(entry) for entry in await self._desk.store.entries(session.session_id, after)]

        return follow(read)
