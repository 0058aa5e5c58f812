"""An ear whose engine is a child process: what it hears is cut into utterances.

An utterance has a child to itself from its first sound to its last word; while
all are busy, it waits. Its sound is kept until then: when a child dies, the
utterance is decoded once more in another.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from mcp_voice.core.events import EarFailed, Heard, Partial
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.errors import ProviderFailed, TooMany, VoiceError
from mcp_voice.providers.child import Job
from mcp_voice.providers.pool import Pool
from mcp_voice.providers.workers.messages import Begin, Decided, Deciding, Finish, HearingReply, More, SoFar

LONGEST_UTTERANCE: Final = 30 * 8_000
"""Bytes, 30 s: a caller who speaks for longer is taken down in parts."""
MOST_KEPT: Final = 90 * 8_000
"""Bytes of speech that an ear keeps while it waits for a child; with more, the oldest goes."""
LONGEST_WAIT: Final = 60.0
"""Seconds that an utterance waits for a child: longer than others may take for theirs."""
STEP: Final = 1_600
"""Bytes, 200 ms, after which a child says what it has heard so far; it need not have them sooner."""


@dataclass(slots=True, eq=False)
class Utterance:
    """What the caller says from one silence to the next, and who is hearing it."""

    audio: bytearray = field(default_factory=bytearray)
    finished_at: float | None = None
    goes_on: bool = False
    lost: bool = False
    said: str = ""
    sent: int = 0
    heard: int = 0
    job: Job[HearingReply] | None = None

    @property
    def owed(self) -> bool:
        """Whether the child has had more than it has spoken about."""
        return self.finished_at is not None or self.sent - self.heard >= STEP


class ChildEar:
    """An ear on one stream; utterances are heard one after the other, in order.

    `jsgf` is what to listen for, None for dictation. `judge` tells how sure an
    answer is, 0..1, and whether to reject it. `patience` is in seconds.
    """

    def __init__(
        self,
        pool: Pool[HearingReply],
        jsgf: str | None,
        judge: Callable[[Decided], tuple[float, bool]],
        *,
        patience: float,
    ) -> None:
        self.latency_ms: int | None = None
        self.errors = 0
        self._pool = pool
        self._jsgf = jsgf
        self._judge = judge
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._speaking: Utterance | None = None
        self._waiting: deque[Utterance] = deque()
        self._said: deque[Heard] = deque()
        self._came = asyncio.Event()
        self._spoke = asyncio.Event()
        self._closed = False
        self._worker = asyncio.create_task(self._work(), name="ear")
        self.when_closed(lambda _: self._spoke.set())

    def hear(self, audio: bytes, *, onset: bool = False) -> None:
        """Take audio of any length; after a silence it begins an utterance, `onset` or not."""
        if self._closed:
            return
        if onset:
            self.finalize()
            self._begin()
        while audio:
            utterance = self._speaking or self._begin()
            room = LONGEST_UTTERANCE - len(utterance.audio)
            self._take(utterance, audio[:room])
            audio = audio[room:]

    def finalize(self) -> None:
        """End the utterance, if there is one; its `Final` comes even if it has no words."""
        utterance, self._speaking = self._speaking, None
        if utterance and not utterance.lost:
            utterance.finished_at = self._loop.time()
            if utterance.job:
                self._send(utterance, utterance.job, Finish())

    async def heard(self) -> AsyncIterator[Heard]:
        """Yield words as they come, until `aclose`."""
        while True:
            while self._said:
                yield self._said.popleft()
            if self._worker.done() and not self._worker.cancelled():
                self._worker.result()  # raises what nobody foresaw
            if self._closed:
                return
            self._spoke.clear()
            await self._spoke.wait()

    async def aclose(self) -> None:
        """Let go of the child; words not yet decided are not."""
        self._closed = True
        self._spoke.set()
        self._worker.cancel()
        await asyncio.wait([self._worker])

    def when_closed(self, call: Callable[["ChildEar"], None]) -> None:
        """Have a function called when this ear hears no more."""
        self._worker.add_done_callback(lambda _: call(self))

    def _begin(self) -> Utterance:
        self._forget()
        self._speaking = Utterance()
        self._waiting.append(self._speaking)
        self._came.set()
        return self._speaking

    def _take(self, utterance: Utterance, audio: bytes) -> None:
        if utterance.lost:
            return
        utterance.audio += audio
        if utterance.job and len(utterance.audio) - utterance.sent >= STEP:
            self._send(utterance, utterance.job, More())
        if len(utterance.audio) >= LONGEST_UTTERANCE:
            utterance.goes_on = True
            self.finalize()

    def _send(self, utterance: Utterance, job: Job[HearingReply], message: msgspec.Struct) -> None:
        """Send a message, and with it the sound that the child has not had yet."""
        job.send(message, bytes(utterance.audio[utterance.sent :]))
        utterance.sent = len(utterance.audio)
        if job.due is None and utterance.owed:
            job.expect(self._patience)

    def _say(self, heard: Heard) -> None:
        if self._said and isinstance(self._said[-1], Partial):
            self._said.pop()  # nobody has read it, and there is something better now
        self._said.append(heard)
        self._spoke.set()

    def _forget(self) -> None:
        """Drop the oldest utterances that wait, while there is too much to keep."""
        while sum(len(utterance.audio) for utterance in self._waiting) > MOST_KEPT:
            oldest = self._waiting.popleft()
            self._lose(oldest, TooMany("The caller said more than is kept until a recogniser is free."))

    def _lose(self, utterance: Utterance, error: VoiceError) -> None:
        self.errors += 1
        utterance.lost = True
        utterance.audio.clear()
        self._say(_failed(error, recovered=False))

    async def _work(self) -> None:
        while True:
            while self._waiting:
                await self._hear_out(self._waiting.popleft())
            self._came.clear()
            await self._came.wait()

    async def _hear_out(self, utterance: Utterance) -> None:
        """Turn an utterance into words, with a second child if the first fails."""
        for last in (False, True):
            try:
                self._conclude(utterance, await self._decide(utterance))
            except (ProviderFailed, TooMany) as error:
                if last or isinstance(error, TooMany):
                    self._lose(utterance, error)
                    return
                self.errors += 1
                self._say(_failed(error, recovered=True))
            else:
                return

    async def _decide(self, utterance: Utterance) -> Decided:
        """Follow one child through an utterance. Raises `ProviderFailed`, and `TooMany` if there is none."""
        async with self._pool.lend(LONGEST_WAIT) as engine:
            child = await engine.child()
            with child.open() as job:
                try:
                    return await self._follow(utterance, job)
                finally:
                    utterance.job = None

    async def _follow(self, utterance: Utterance, job: Job[HearingReply]) -> Decided:
        utterance.sent, utterance.heard, utterance.job = 0, 0, job
        self._send(utterance, job, Begin(self._jsgf))
        if utterance.finished_at is not None:
            self._send(utterance, job, Finish())
        while True:
            match (await job.receive())[0]:
                case SoFar(text, heard):
                    utterance.heard = heard
                    if text and text != utterance.said:
                        utterance.said = text
                        self._say(Partial(text))
                    if utterance.owed:
                        job.expect(self._patience)
                case Deciding():
                    job.expect(self._patience + 2 * len(utterance.audio) / 8_000)
                case Decided() as decided:
                    return decided

    def _conclude(self, utterance: Utterance, decided: Decided) -> None:
        now = self._loop.time()
        self.latency_ms = round(1_000 * (now - (utterance.finished_at or now)))
        confidence, rejected = self._judge(decided)
        self._say(
            FinalWords(
                decided.text,
                confidence=confidence,
                rejected=rejected,
                duration_ms=len(utterance.audio) // 8,
                latency_ms=self.latency_ms,
                ends_turn=not utterance.goes_on,
            )
        )


def _failed(error: VoiceError, *, recovered: bool) -> EarFailed:
    return EarFailed(error.code, str(error.args[0]), recovered=recovered)
