"""A call in virtual time: a caller who is loud or silent, and a carrier that plays what it gets."""

from collections.abc import Iterator, Sequence
from typing import Final

from mcp_voice.core.audio import FRAME_BYTES, SILENCE_FRAME
from mcp_voice.core.call import Call
from mcp_voice.core.events import (
    Audio,
    Effect,
    Finalize,
    MarkReached,
    News,
    Note,
    SendAudio,
    SendClear,
    SendMark,
    Tick,
)
from mcp_voice.core.events import (
    Final as FinalWords,
)
from mcp_voice.core.listener import Listener
from mcp_voice.core.turns import Patience

VOICE: Final = b"\x00\x80" * (FRAME_BYTES // 2)
"""As loud as mu-law gets."""


def loud(pcm: bytes) -> bool:
    """A voice detector for `VOICE` and silence."""
    return any(pcm)


class VirtualCall:
    """Drives a `Call` as the pump does, on a clock of its own, with a carrier that echoes marks.

    `ear` are the words that each `Finalize` yields, in order, after `stt` seconds.
    """

    def __init__(
        self, *ear: str, stt: float = 0.1, patience: Patience | None = None, continuous: bool = False
    ) -> None:
        self.call = Call(Listener(loud, patience or Patience(), continuous=continuous))
        self.now = 100.0
        self.effects: list[tuple[float, Effect]] = []
        self._words = list(ear)
        self._stt = stt
        self._due: list[tuple[float, News]] = []
        self._plays_until = 0.0
        self._pending: list[tuple[float, str]] = []

    def take(self, news: News) -> None:
        """Let the call take news now, and do what it wants done."""
        for effect in self.call.take(news, self.now):
            self.effects.append((self.now, effect))
            self._do(effect)

    def _do(self, effect: Effect) -> None:
        match effect:
            case SendAudio():
                self._plays_until = max(self._plays_until, self.now) + len(effect.payload) / 8000
            case SendMark():
                self._pending.append((max(self._plays_until, self.now), effect.name))
            case SendClear():
                self._pending = [(self.now + 0.03, name) for _, name in self._pending]
                self._plays_until = self.now
            case Finalize() if self._words:
                self._due.append((self.now + self._stt, FinalWords(self._words.pop(0), confidence=0.9)))

    def caller(self, *sounds: tuple[bool, float]) -> None:
        """Send frames: loud or silent, for so many seconds each."""
        for speaks, seconds in sounds:
            for _ in range(round(seconds / 0.02)):
                self.pass_time(0.02)
                self.take(Audio(VOICE if speaks else SILENCE_FRAME))

    def pass_time(self, seconds: float) -> None:
        """Move the clock on; what falls due in between happens in its order."""
        until = self.now + seconds
        while (at := min(self._times(), default=until + 1)) <= until:
            self.now = max(self.now, at)
            self.take(self._pop(at))
        self.now = until

    def _times(self) -> list[float]:
        wakes = self.call.wakes_at
        return [at for at, _ in (*self._pending, *self._due)] + ([] if wakes is None else [wakes])

    def _pop(self, at: float) -> News:
        for mark in self._pending:
            if mark[0] == at:
                self._pending.remove(mark)
                return MarkReached(mark[1])
        for due in self._due:
            if due[0] == at:
                self._due.remove(due)
                return due[1]
        return Tick()

    def notes(self, *kinds: str) -> list[Note]:
        """The lines written so far, of these kinds or all."""
        return [e for _, e in self.effects if isinstance(e, Note) and (not kinds or e.kind in kinds)]

    def when(self, kind: type[Effect] | str) -> float:
        """When the first effect of a type, or line of a kind, came out."""
        return next(
            at
            for at, e in self.effects
            if (isinstance(e, Note) and e.kind == kind if isinstance(kind, str) else isinstance(e, kind))
        )

    def all(self, kind: type[Effect]) -> Iterator[Effect]:
        """Every effect of a type."""
        return (effect for _, effect in self.effects if isinstance(effect, kind))


def payload(effects: Iterator[Effect]) -> bytes:
    """The audio of what was sent."""
    return b"".join(effect.payload for effect in effects if isinstance(effect, SendAudio))


Sounds = Sequence[tuple[bool, float]]
