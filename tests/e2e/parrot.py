"""A voice whose every text has a sound of its own, and an ear that knows them all.

A text is a burst of noise, drawn from the text itself. Noise like no other is
found again in whatever reaches the ear, by correlation: over a bad line, cut
off, or with another behind it. So what an ear is told is what was really on the
line, and no engine is needed to say so.
"""

import random
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final

import anyio
import numpy as np

from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.events import Heard
from mcp_voice.core.g711 import MULAW
from mcp_voice.ports import Ear, EarConfig, VoiceConfig

RATE: Final = 8_000
LEAST: Final = 0.3
"""Seconds that the shortest text takes: less would be a cough."""
CHARACTER: Final = 0.007
HEAD: Final = 800
"""Samples by which a text is known: 100 ms."""
ALIKE: Final = 0.6
"""Of a whole correlation, with whatever noise there is on the line."""
LOUD: Final = 6_000


def seconds(text: str) -> float:
    """How long it takes to say."""
    return LEAST + CHARACTER * len(text)


def sound_of(text: str) -> "np.ndarray":
    """The noise that is this text, as samples."""
    chance = np.random.default_rng(random.Random(text).getrandbits(64))
    return (chance.uniform(-1, 1, round(seconds(text) * RATE)) * LOUD).astype("<i2")


class Parrot:
    """Speaks, and hears what it has spoken itself, whoever it was for. A provider as the ports have it."""

    name = "parrot"
    continuous = False

    def __init__(self) -> None:
        self.heads: dict[str, np.ndarray] = {}

    def sound(self, text: str) -> bytes:
        """Return mu-law that is known from now on."""
        sound = sound_of(text)
        self.heads[text] = sound[:HEAD].astype(float)
        return MULAW.encode(sound.tobytes())

    async def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[bytes, None]:
        audio = self.sound(text)
        for at in range(0, len(audio), 800):
            yield audio[at : at + 800]

    async def voices(self) -> Sequence[str]:
        return ("parrot",)

    async def listen(self, config: EarConfig) -> Ear:
        return ParrotEar(self)

    def recognise(self, audio: bytes) -> list[str]:
        """Return what was said, in order."""
        if len(audio) < HEAD:
            return []
        heard = np.frombuffer(MULAW.decode(audio), "<i2").astype(float)
        size = 1 << (len(heard) + HEAD).bit_length()
        spectrum = np.fft.rfft(heard, size)
        sums = np.cumsum(np.concatenate([[0.0], heard**2]))
        power = sums[HEAD:] - sums[:-HEAD]
        found = []
        for text, head in self.heads.items():
            product = np.fft.irfft(spectrum * np.conj(np.fft.rfft(head, size)), size)[: len(power)]
            alike = product / np.sqrt(np.maximum(power, 1.0) * np.sum(head**2))
            at = int(np.argmax(alike))
            if alike[at] >= ALIKE:
                found.append((at, text))
        return [text for _, text in sorted(found)]


class ParrotEar:
    """Recognises, at each `finalize`, what it was given since the last."""

    def __init__(self, parrot: Parrot) -> None:
        self.latency_ms: int | None = None
        self.errors = 0
        self._parrot = parrot
        self._audio = bytearray()
        self._send, self._receive = anyio.create_memory_object_stream[Heard](100)

    def hear(self, audio: bytes, *, onset: bool = False) -> None:
        self._audio += audio

    def finalize(self) -> None:
        texts = self._parrot.recognise(bytes(self._audio))
        self._audio.clear()
        self.latency_ms = 1
        self._send.send_nowait(FinalWords(" ".join(texts), 0.9 if texts else None, latency_ms=1))

    async def heard(self) -> AsyncIterator[Heard]:
        async for heard in self._receive:
            yield heard

    async def aclose(self) -> None:
        self._send.close()
        self._receive.close()
