"""The line from a call to its ear.

Opening a recogniser takes a third of a second or more, and a call does not
wait: what is said meanwhile is kept and handed over when the ear opens. A
recogniser that cannot be opened leaves the call deaf, and says so in its log.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from mcp_voice.core.events import EarFailed, Finalize, Heard, Listen
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.errors import VoiceError
from mcp_voice.ports import Ear

KEPT_PIECES: Final = 100
"""Pieces of 100 ms kept while the ear opens: ten seconds."""

LAST_WORDS_SECONDS: Final = 3.0
"""How long the end of a call waits for words still being recognised."""


class EarLine:
    """One call's ear: opening, open, or absent."""

    def __init__(self, open_ear: Callable[[], Awaitable[Ear]], tell: Callable[[Heard], None]) -> None:
        self._open_ear = open_ear
        self._tell = tell
        self._ear: Ear | None = None
        self._kept: deque[Listen | Finalize] = deque(maxlen=KEPT_PIECES)
        self._asked = 0
        self._quiet = anyio.Event()
        self._quiet.set()

    def take(self, piece: Listen | Finalize) -> None:
        """Pass on a piece, or keep it while the ear opens; returns at once."""
        if isinstance(piece, Finalize):
            self._asked += 1
            self._quiet = anyio.Event()
        if self._ear is None:
            self._kept.append(piece)
        else:
            _pass(self._ear, piece)

    async def run(self) -> None:
        """Open the ear and tell what it hears, until cancelled."""
        try:
            ear = await self._open_ear()
        except VoiceError as error:
            self._tell(EarFailed(error.code, str(error)))
            self._asked = 0
            self._quiet.set()
            return
        try:
            self._ear = ear
            while self._kept:
                _pass(ear, self._kept.popleft())
            async for heard in ear.heard():
                self._tell(heard)
                self._settle(heard)
        finally:
            with anyio.CancelScope(shield=True):
                await ear.aclose()

    def _settle(self, heard: Heard) -> None:
        if isinstance(heard, FinalWords) or (isinstance(heard, EarFailed) and not heard.recovered):
            self._asked = max(0, self._asked - 1)
            if not self._asked:
                self._quiet.set()

    async def settled(self) -> None:
        """Wait until all that was asked for is answered, but not for ever."""
        with anyio.move_on_after(LAST_WORDS_SECONDS):
            await self._quiet.wait()


def _pass(ear: Ear, piece: Listen | Finalize) -> None:
    match piece:
        case Listen():
            ear.hear(piece.audio, onset=piece.onset)
        case Finalize():
            ear.finalize()
