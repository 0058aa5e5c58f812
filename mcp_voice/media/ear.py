"""The line from a call to its ear.

Opening a recogniser takes a third of a second or more, and a call does not
wait: what is said meanwhile is kept and handed over when the ear opens. One
that fails, or ends before the call does, is followed by another, which gets
what the first has not answered. When there is none to be had the call is deaf,
says so in its log, and goes on.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import anyio
import structlog

from mcp_voice.core.events import EarFailed, Finalize, Heard, Listen
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.errors import ProviderFailed, VoiceError
from mcp_voice.ports import Ear

KEPT_PIECES: Final = 100
"""Pieces of 100 ms kept until they are answered: ten seconds."""

LAST_WORDS_SECONDS: Final = 3.0
"""How long the end of a call waits for words still being recognised."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Succession:
    """How an ear that failed is followed by others. Times are seconds."""

    pauses: tuple[float, ...] = (0.1, 0.4, 1.0)
    """Before the first of them, and before each that follows one that failed too."""
    proved: float = 10.0
    """An ear that has lasted so long, like one that had words, has all its successors again."""


class EarLine:
    """One call's ear: opening, open, or absent."""

    def __init__(
        self,
        open_ear: Callable[[], Awaitable[Ear]],
        tell: Callable[[Heard], None],
        succession: Succession | None = None,
    ) -> None:
        self._open_ear = open_ear
        self._tell = tell
        self._succession = succession or Succession()
        self._ear: Ear | None = None
        self._deaf = self._proved = False
        self._kept: deque[Listen | Finalize] = deque(maxlen=KEPT_PIECES)
        self._asked = 0
        self._quiet = anyio.Event()
        self._quiet.set()

    def take(self, piece: Listen | Finalize) -> None:
        """Pass on a piece, and keep it until it is answered; returns at once."""
        if self._deaf:
            return
        if isinstance(piece, Finalize):
            self._asked += 1
            self._quiet = anyio.Event()
        self._kept.append(piece)
        if self._ear is not None:
            _pass(self._ear, piece)

    async def run(self) -> None:
        """Open the ear and tell what it hears, until cancelled; when it fails, open another."""
        failure: VoiceError | None = None
        pauses = iter(self._succession.pauses)
        while True:
            try:
                ear = await self._open_ear()
            except VoiceError as error:
                failure = error
            else:
                if failure is not None:
                    self._tell(EarFailed(failure.code, str(failure), recovered=True))
                failure = await self._follow(ear)
                pauses = iter(self._succession.pauses) if self._proved else pauses
            pause = next(pauses, None) if failure.retryable else None
            if pause is None:
                break
            await anyio.sleep(pause)
        self._fall_deaf(failure)

    async def _follow(self, ear: Ear) -> VoiceError:
        """Tell what an ear hears until it hears no more; return why."""
        self._ear, self._proved, began = ear, False, anyio.current_time()
        for piece in self._kept:
            _pass(ear, piece)
        heard = ear.heard()
        try:
            while not isinstance(words := await _next(heard), VoiceError):
                self._tell(words)
                self._settle(words)
            return words
        finally:
            self._ear = None
            self._proved |= anyio.current_time() - began >= self._succession.proved
            with anyio.CancelScope(shield=True), suppress(VoiceError):
                await ear.aclose()

    def _settle(self, heard: Heard) -> None:
        if isinstance(heard, FinalWords) or (isinstance(heard, EarFailed) and not heard.recovered):
            self._proved = True
            while self._kept and not isinstance(self._kept.popleft(), Finalize):
                continue  # all that came before the oldest `Finalize` is answered with it
            self._asked = max(0, self._asked - 1)
            if not self._asked:
                self._quiet.set()

    def _fall_deaf(self, why: VoiceError) -> None:
        self._deaf = True
        self._kept.clear()
        self._asked = 0
        self._quiet.set()
        self._tell(EarFailed(why.code, str(why)))

    async def settled(self) -> None:
        """Wait until all that was asked for is answered, but not for ever."""
        with anyio.move_on_after(LAST_WORDS_SECONDS):
            await self._quiet.wait()


async def _next(heard: AsyncIterator[Heard]) -> Heard | VoiceError:
    """Return what an ear hears next, or why it hears no more."""
    try:
        return await anext(heard)
    except StopAsyncIteration:
        return ProviderFailed("The recogniser ended before the call did.", advice="")
    except VoiceError as error:
        return error
    except Exception as error:  # the ear's task ends here; its call goes on
        log.exception("ear_failed")
        return ProviderFailed(f"The recogniser failed: {type(error).__name__}.", advice="")


def _pass(ear: Ear, piece: Listen | Finalize) -> None:
    match piece:
        case Listen():
            ear.hear(piece.audio, onset=piece.onset)
        case Finalize():
            ear.finalize()
