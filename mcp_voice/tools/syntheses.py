"""Voices at work for `tts.*`, each in a task of its own.

A `Synthesis` gathers the audio of one text, made speakable first. It is
forgotten five minutes after it is over, or sooner when there are many.
"""

import asyncio
import time
from contextlib import aclosing
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Final, Literal, TypeAlias

from mcp_voice.core.audio import TELEPHONE
from mcp_voice.core.counts import Counts
from mcp_voice.errors import NotFound, ProviderFailed, TooMany, VoiceError
from mcp_voice.ports import Desk, Speaks, VoiceConfig
from mcp_voice.tools._audio import AudioChunk, chunk

CHUNK_MS: Final = 200
CHUNK_BYTES: Final = TELEPHONE.bytes_for(CHUNK_MS)
MOST_KEPT: Final = 50
KEPT_SECONDS: Final = 300
RETRY_SECONDS: Final = 0.1
STALLED_SECONDS: Final = 15.0
"""A voice that makes nothing for so long has failed."""

MS_PER_CHARACTER: Final = 65
"""How long a character of English takes to say, about: 15 a second. Only `progress` depends on it."""

Outcome: TypeAlias = Literal["running", "done", "cancelled", "failed"]


class Synthesis:
    """One text becoming audio."""

    def __init__(
        self,
        speaks: Speaks,
        text: str,
        config: VoiceConfig,
        counts: Counts,
        patience: float = STALLED_SECONDS,
    ) -> None:
        self.status: Outcome = "running"
        self.error: VoiceError | None = None
        self.audio = bytearray()
        self.first_byte_ms: int | None = None
        self.total_ms = 0
        self.over_at: datetime | None = None
        self._text = text
        self._counts = counts
        self._patience = patience
        self._began = time.perf_counter()
        self.task = asyncio.create_task(self._run(speaks, config), name="synthesis")

    @property
    def chunk_count(self) -> int:
        """How many chunks can be had: whole ones until it is over, then the rest too."""
        whole, rest = divmod(len(self.audio), CHUNK_BYTES)
        return whole + (rest > 0 and self.status != "running")

    @property
    def progress(self) -> float:
        """How far it is, 0..1: estimated from the length of the text, but 1 only when it is done."""
        if self.status == "done":
            return 1.0
        return min(
            0.99, round(TELEPHONE.duration_ms(len(self.audio)) / (len(self._text) * MS_PER_CHARACTER), 2)
        )

    def chunks(self, after: int = 0, most: int | None = None) -> list[AudioChunk]:
        """Return the chunks behind the first `after`, at most so many."""
        last = self.chunk_count if most is None else min(self.chunk_count, after + most)
        return [
            chunk(bytes(self.audio[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]), number * CHUNK_MS)
            for number in range(after, last)
        ]

    async def over(self) -> None:
        """Wait until it is; it is given up when its waiter is. Raises `VoiceError` if it failed."""
        try:
            await asyncio.wait((self.task,))
        except asyncio.CancelledError:
            self.cancel()
            raise
        if self.error is not None:
            raise self.error
        if not self.task.cancelled():
            self.task.result()  # what is no VoiceError is a bug, and the server's to report

    def end(self, now: datetime) -> None:
        """Note when it was over."""
        self.over_at = now

    def cancel(self) -> None:
        """Stop it, if it still runs."""
        if self.status == "running":
            self.status = "cancelled"
            self.task.cancel()

    async def _run(self, speaks: Speaks, config: VoiceConfig) -> None:
        try:
            try:
                await self._speak(speaks, config)
            except ProviderFailed:
                if self.audio:
                    raise
                await asyncio.sleep(RETRY_SECONDS)
                await self._speak(speaks, config)
            self.status = "done"
        except asyncio.CancelledError:
            self.status = "cancelled"
            raise
        except VoiceError as error:
            self.error = error
        finally:
            self.total_ms = self._elapsed()
            if self.status == "running":
                self.status = "failed"

    async def _speak(self, speaks: Speaks, config: VoiceConfig) -> None:
        clock = asyncio.get_running_loop().time
        try:
            async with (
                asyncio.timeout(self._patience) as patience,
                aclosing(speaks.speak(self._text, config)) as made,
            ):
                async for piece in made:
                    if piece and self.first_byte_ms is None:
                        self.first_byte_ms = self._elapsed()
                        self._counts.tts_first_byte_ms.observe(self.first_byte_ms)
                    self.audio += piece
                    patience.reschedule(clock() + self._patience)
        except TimeoutError:
            raise ProviderFailed(f"{speaks.name} made no audio for {self._patience:g} s.") from None
        if not self.audio:
            raise ProviderFailed(f"{speaks.name} made no audio of this text.")

    def _elapsed(self) -> int:
        return round((time.perf_counter() - self._began) * 1000)


class Syntheses:
    """What is being said and what was said lately, by name."""

    def __init__(self) -> None:
        self.patience = STALLED_SECONDS
        self._kept: dict[str, Synthesis] = {}

    def start(self, speaks: Speaks, text: str, config: VoiceConfig, desk: Desk) -> tuple[str, Synthesis]:
        """Begin a synthesis and name it. Raises `TooMany` while `MOST_KEPT` run."""
        from mcp_voice.core.speakable import speakable  # its patterns take a while to compile

        self._forget_old(desk.now())
        if len(self._kept) >= MOST_KEPT:
            over = next((name for name, kept in self._kept.items() if kept.over_at), None)
            if over is None:
                raise TooMany(
                    f"{MOST_KEPT} syntheses are running.", advice="Wait for one, or stop one with tts.cancel."
                )
            del self._kept[over]
        synthesis_id = f"tts_{token_hex(16)}"
        words = speakable(text, config.language) or text  # a text of signs only is the engine's to judge
        synthesis = self._kept[synthesis_id] = Synthesis(speaks, words, config, desk.counts, self.patience)
        synthesis.task.add_done_callback(lambda _: synthesis.end(desk.now()))
        return synthesis_id, synthesis

    def get(self, synthesis_id: str, now: datetime) -> Synthesis:
        """Return a synthesis. Raises `NotFound`."""
        self._forget_old(now)
        synthesis = self._kept.get(synthesis_id)
        if synthesis is None:
            raise NotFound(
                "synthesis", synthesis_id, advice="It was forgotten after 5 minutes: synthesize again."
            )
        return synthesis

    def forget(self, synthesis_id: str) -> None:
        """Let go of one that is over."""
        self._kept.pop(synthesis_id, None)

    async def sweep(self, now: datetime) -> int:
        """Forget what has been over for `KEPT_SECONDS`; return how many."""
        return self._forget_old(now)

    def _forget_old(self, now: datetime) -> int:
        before = now - timedelta(seconds=KEPT_SECONDS)
        old = [
            name for name, kept in self._kept.items() if kept.over_at is not None and kept.over_at < before
        ]
        for name in old:
            del self._kept[name]
        return len(old)

    async def aclose(self) -> None:
        """Stop all."""
        running = [kept.task for kept in self._kept.values() if not kept.task.done()]
        for kept in self._kept.values():
            kept.cancel()
        if running:
            await asyncio.wait(running)
        self._kept.clear()
