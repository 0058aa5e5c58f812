"""Saying things in live calls, each in a task of its own.

A text is said clause by clause: the first is heard while the next is made. The
task belongs to the call, not to the request that began it, so a client that
stops waiting does not stop the sentence; the caller's voice does, and no more of
it is made then. How a text is read is found out clause by clause as well: a long
one takes a while. In one call one text is said at a time, in the order of asking:
the next is made when the one before it is. What will be said for sure, an
opening for one, can be made beforehand (`prepare`).
"""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from secrets import token_hex
from typing import Final, TypeAlias
from weakref import WeakValueDictionary

from mcp_voice.core.asks import Ask
from mcp_voice.core.clauses import readings
from mcp_voice.core.events import HangUp, Play, VoiceFailed
from mcp_voice.errors import ProviderFailed, VoiceError
from mcp_voice.ports import LiveCall, Speaks, Talk, VoiceConfig

STALLED_SECONDS: Final = 15.0
"""A voice that makes nothing for so long has failed."""

RETRY_SECONDS: Final = 0.1
"""Before a voice that failed at its first sound is asked again."""

MOST_PREPARED: Final = 20
PREPARED_SECONDS: Final = 300.0
"""How many texts are kept ready, and how long."""

READY: Final = 20
"""Clauses of a text that are kept ready: two minutes of talk; the rest can be made while they are heard."""


@dataclass(frozen=True, slots=True)
class Made:
    """A clause's audio, and when its first byte came (`time.monotonic`)."""

    audio: bytes
    first_at: float


Key: TypeAlias = tuple[str, str, VoiceConfig]
Ready: TypeAlias = Sequence["asyncio.Future[Made | None]"]


class Mouths:
    """What is being said in the calls of this process, and what is ready to be."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready: dict[Key, tuple[float, Ready]] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __len__(self) -> int:
        """In how many calls something is being made, or waits for its turn."""
        return len(self._turns)

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
        preface: str = "",
        heeds: bool = False,
    ) -> "asyncio.Future[bool]":
        """Begin to say it, and `then` leave; a voice that fails before its first word fails the ask.

        A `preface` is said before it, whole, whoever speaks. One that `heeds` the caller is stale if they
        spoke before its turn came. What is returned knows whether there was a first word, as soon as there
        could be.
        """
        begun: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        pieces = chain(
            self._pieces(preface, speaks, config, guarded=True),
            self._pieces(ask.says or "", speaks, config, guarded=not interruptible),
        )
        turn = self._turns.setdefault(talk.session_id, asyncio.Lock())
        words = _Words(call, talk, ask, then, turn, talk.conversation.seq if heeds else None)
        ask.part, ask.whole = words.part, " ".join(f"{preface} {ask.says or ''}".split())
        task = self._go(_in_turn(words, pieces, speaks, config, begun))
        watch = self._go(_watch(words, task))
        task.add_done_callback(lambda _: _over(begun))
        task.add_done_callback(lambda _: watch.cancel())
        return begun

    def _pieces(self, text: str, speaks: Speaks, config: VoiceConfig, *, guarded: bool) -> "Iterator[_Piece]":
        """Cut a text into what is made and said one by one, with what is ready of it."""
        _, ready = self._ready.pop((text, speaks.name, config), (0.0, ()))
        return (
            _Piece(clause, said, guarded, ready[at] if at < len(ready) else None)
            for at, (clause, said) in enumerate(_pieces(text, config))
        )

    def prepare(self, text: str, speaks: Speaks, config: VoiceConfig) -> None:
        """Make its beginning now: to `say` the same words with the same voice begins at once."""
        key = (text.strip(), speaks.name, config)
        if key in self._ready:
            return
        if len(self._ready) >= MOST_PREPARED:
            self._drop(next(iter(self._ready)))
        loop = asyncio.get_running_loop()
        ready: list[asyncio.Future[Made | None]] = [loop.create_future() for _ in range(READY)]
        self._ready[key] = (time.monotonic(), ready)
        making = self._go(_prepare((said for _, said in _pieces(key[0], config)), speaks, config, ready))
        for future in ready:
            future.add_done_callback(lambda it: making.cancel() if it.cancelled() else None)

    async def sweep(self, now: datetime) -> None:
        """Forget what nobody has said for long."""
        before = time.monotonic() - PREPARED_SECONDS
        for key in [key for key, (at, _) in self._ready.items() if at < before]:
            self._drop(key)

    async def aclose(self) -> None:
        """Fall silent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _drop(self, key: Key) -> None:
        _, ready = self._ready.pop(key)
        for future in ready:
            future.cancel()

    def _go(self, saying: "Coroutine[None, None, None]") -> "asyncio.Task[None]":
        task = asyncio.create_task(saying, name="mouth")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


@dataclass(frozen=True, slots=True)
class _Words:
    """What is to be said, where, and what then; whose turn it is there, and what of the caller it `heeds`."""

    call: LiveCall
    talk: Talk
    ask: Ask
    then: HangUp | None
    turn: asyncio.Lock
    heeds: int | None
    """The line of the log behind which the caller's words make it stale."""
    part: str = field(default_factory=lambda: token_hex(8))
    asked_at: float = field(default_factory=time.monotonic)

    @property
    def dropped(self) -> bool:
        """Whether the rest will not be said: it was cut for good, is said anew, or the call is over."""
        ask = self.ask
        cut = ask.spoken is not None and not ask.doubtful
        return cut or ask.part != self.part or self.talk.conversation.ended


@dataclass(frozen=True, slots=True)
class _Piece:
    """A clause: as it is written, as it is said, whether a voice may cut it, and perhaps its audio."""

    clause: str
    said: str
    guarded: bool
    ready: "asyncio.Future[Made | None] | None"


async def _watch(words: _Words, saying: "asyncio.Task[None]") -> None:
    """Stop making what will not be said."""
    await words.talk.until(lambda: words.dropped)
    saying.cancel()


async def _in_turn(
    words: _Words,
    pieces: "Iterable[_Piece]",
    speaks: Speaks,
    config: VoiceConfig,
    begun: "asyncio.Future[bool]",
) -> None:
    """Say it when all that was asked for before has been made."""
    async with words.turn:
        if words.heeds is not None and words.talk.conversation.said_since(words.heeds):
            words.talk.settle(words.ask, "stale")
        else:
            await _say(words, pieces, speaks, config, begun)


async def _say(
    words: _Words,
    pieces: Iterable[_Piece],
    speaks: Speaks,
    config: VoiceConfig,
    begun: "asyncio.Future[bool]",
) -> None:
    call, part, began_at = words.call, words.part, time.monotonic()
    placed, clause = _placed(pieces), ""
    try:
        for piece, first, last in placed:
            clause = piece.clause
            await asyncio.sleep(0)  # reading takes a while, and a voice may have it all ready
            made = None if piece.ready is None else await piece.ready
            if made is None:
                made = await _made(speaks, piece.said, config)
            if words.dropped:
                return
            call.ask(
                Play(
                    made.audio, piece.clause, interruptible=not piece.guarded, part=part, last=last,
                    asked_ms=_ms(time.monotonic() - words.asked_at),
                    first_byte_ms=_ms(made.first_at - began_at) if first and made.audio else None,
                )
            )  # fmt: skip
            if first:
                begun.set_result(True)
    except VoiceError as error:
        if begun.done():
            unsaid = [clause, *(piece.clause for piece, _, _ in placed)]
            call.ask(VoiceFailed(part, error.code, str(error), " ".join(unsaid)))
        else:
            begun.set_result(False)
            words.talk.fail(words.ask, error)
    if words.then is not None:
        call.ask(words.then)


async def _prepare(said: Iterable[str], speaks: Speaks, config: VoiceConfig, ready: Ready) -> None:
    """Make what may be wanted soon; what cannot be made is left to whoever wants it."""
    try:
        for text, future in zip(said, ready, strict=False):
            await asyncio.sleep(0)
            made = await _made(speaks, text, config)
            if not future.done():
                future.set_result(made)
    except VoiceError:
        return
    finally:
        for future in ready:
            if not future.done():
                future.set_result(None)


def _placed(pieces: Iterable[_Piece]) -> Iterator[tuple[_Piece, bool, bool]]:
    """Give each piece, and whether it is the first, and the last."""
    following = iter(pieces)
    piece, first = next(following, None), True
    while piece is not None:
        after = next(following, None)
        yield piece, first, after is None
        piece, first = after, False


def _pieces(text: str, config: VoiceConfig) -> Iterator[tuple[str, str]]:
    from mcp_voice.core.speakable import speakable  # its patterns take a while to compile

    return readings(text, lambda clause: speakable(clause, config.language))


def _over(begun: "asyncio.Future[bool]") -> None:
    if not begun.done():
        begun.set_result(False)


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))


async def _made(speaks: Speaks, clause: str, config: VoiceConfig) -> Made:
    """Make a clause; a voice that failed at its first sound is asked again, once."""
    try:
        return await _tried(speaks, clause, config)
    except ProviderFailed:
        await asyncio.sleep(RETRY_SECONDS)
        return await _tried(speaks, clause, config)


async def _tried(speaks: Speaks, clause: str, config: VoiceConfig) -> Made:
    audio = bytearray()
    first_at = 0.0
    try:
        async with asyncio.timeout(STALLED_SECONDS), aclosing(speaks.speak(clause, config)) as pieces:
            async for piece in pieces:
                first_at = first_at or time.monotonic()
                audio += piece
    except TimeoutError:
        raise ProviderFailed(f"The voice {speaks.name!r} made nothing for {STALLED_SECONDS:.0f} s.") from None
    return Made(bytes(audio), first_at)
