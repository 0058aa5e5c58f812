"""Looking after calls whose agent has gone.

`core/attendance.py` says when; this says the words and hangs up. One task minds
one call, from the first thing its agent asks for until the call is over.
"""

import asyncio
from typing import Final

import structlog

from mcp_voice.core.asks import Ask
from mcp_voice.core.events import HangUp
from mcp_voice.core.phrases import Phrase, phrase
from mcp_voice.errors import VoiceError
from mcp_voice.ports import Desk, Talk, VoiceConfig
from mcp_voice.tools.mouths import Mouths

LEFT: Final = "agent_left"
"""The reason for ending a call whose agent has gone."""

log = structlog.get_logger(__name__)


class Minder:
    """The calls of this process that an agent has begun to hold."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def mind(self, desk: Desk, talk: Talk) -> None:
        """Look after a call from now on; once is enough."""
        if talk.session_id not in self._tasks:
            task = asyncio.create_task(_mind(desk, talk), name="minder")
            self._tasks[talk.session_id] = task
            task.add_done_callback(lambda _: self._tasks.pop(talk.session_id, None))

    async def aclose(self) -> None:
        """Look after nobody."""
        for task in (tasks := list(self._tasks.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _mind(desk: Desk, talk: Talk) -> None:
    while duty := await talk.duty():
        log.warning("agent_away", session=talk.session_id, duty=duty)
        if duty == "moment":
            await put_in(desk, talk, "moment")
        else:
            await put_in(desk, talk, "sorry", HangUp(LEFT, after_playout=True))


async def put_in(desk: Desk, talk: Talk, which: Phrase, then: HangUp | None = None) -> None:
    """Say a stock phrase in the call, if it still has a stream; without a voice only leave."""
    call = desk.switchboard.call(session_id=talk.session_id)
    session = await desk.store.load(talk.session_id)
    if call is None or session is None:
        return
    try:
        speaks = desk.providers.voice(session.tts_provider)
    except VoiceError:
        if then is not None:
            call.ask(then)
        return
    ask = Ask(says=phrase(which, session.config.language), listens=False)
    config = VoiceConfig(session.config.voice or desk.voice, session.config.language)
    desk.drawer(Mouths).say(call, talk, ask, speaks, config, interruptible=then is None, then=then)
