"""Saying things in live calls, each in a task of its own.

A text is said clause by clause: the first is heard while the next is made. The
task belongs to the call, not to the request that began it, so a client that
stops waiting does not stop the sentence; the caller's voice does.
"""

import asyncio
from contextlib import aclosing
from secrets import token_hex
from typing import Final

from mcp_voice.core.clauses import clauses
from mcp_voice.core.conversation import Ask
from mcp_voice.core.events import HangUp, Play
from mcp_voice.errors import ProviderFailed, VoiceError
from mcp_voice.ports import LiveCall, Speaks, Talk, VoiceConfig

STALLED_SECONDS: Final = 15.0
"""A voice that makes nothing for so long has failed."""


class Mouths:
    """What is being said in the calls of this process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def say(
        self,
        call: LiveCall,
        talk: Talk,
        ask: Ask,
        speaks: Speaks,
        config: VoiceConfig,
        *,
        interruptible: bool,
        then: HangUp | None = None,
    ) -> None:
        """Begin to say it, and `then` leave; a voice that fails before its first word fails the ask."""
        task = asyncio.create_task(_say(call, talk, ask, speaks, config, interruptible, then), name="mouth")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Fall silent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _say(
    call: LiveCall,
    talk: Talk,
    ask: Ask,
    speaks: Speaks,
    config: VoiceConfig,
    interruptible: bool,
    then: HangUp | None,
) -> None:
    from mcp_voice.core.speakable import speakable  # its patterns take a while to compile

    part = ask.part = token_hex(8)
    pieces = clauses(ask.says or "")
    said = 0
    try:
        for clause in pieces:
            audio = await _made(speaks, speakable(clause, config.language) or clause, config)
            if ask.spoken is not None:  # cut: the rest will not be said
                return
            said += 1
            last = said == len(pieces)
            call.ask(Play(audio, clause, interruptible=interruptible, part=part, last=last))
    except VoiceError as error:
        if said:
            call.ask(Play(b"", part=part))  # what there was of it is all there will be
        else:
            talk.fail(ask, error)
    if then is not None:
        call.ask(then)


async def _made(speaks: Speaks, clause: str, config: VoiceConfig) -> bytes:
    audio = bytearray()
    try:
        async with asyncio.timeout(STALLED_SECONDS), aclosing(speaks.speak(clause, config)) as pieces:
            async for piece in pieces:
                audio += piece
    except TimeoutError:
        raise ProviderFailed(f"The voice {speaks.name!r} made nothing for {STALLED_SECONDS:.0f} s.") from None
    return bytes(audio)
