"""Voices that remember what they have said.

A clause that was made once is read from disk the next time: "One moment,
please." costs a file of 10 kB instead of a request to a vendor. `Phrases` is
the folder and `Cached` a voice that looks there first. A file is named by a
digest of vendor, voice, speed, language and words, so that no name tells what
was said; it holds a check sum and mu-law. The least used go when it is full.

What was cut short, failed or is long is not kept, and a folder that cannot be
written only makes voices as slow as they are.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Final
from zlib import crc32

from mcp_voice.ports import Speaks, Voice, VoiceConfig

LONGEST_TEXT: Final = 120
"""Characters; longer ones are hardly said twice."""

_HEAD: Final = b"mv01"
_SUFFIX: Final = ".ulaw"


class Phrases:
    """A folder of clauses, `most_bytes` large at most; the names in it are read at first use."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most = most_bytes
        self._sizes: OrderedDict[str, int] | None = None

    def read(self, name: str) -> bytes | None:
        """Return the audio of that name; a file that is damaged is dropped."""
        if name not in self._index():
            return None
        path = self._path(name)
        try:
            kept = path.read_bytes()
            if kept[:4] != _HEAD or crc32(kept[8:]).to_bytes(4, "big") != kept[4:8]:
                path.unlink()
                raise FileNotFoundError(path)
            os.utime(path)
        except OSError:
            self._index().pop(name, None)
            return None
        self._index().move_to_end(name)
        return kept[8:]

    def write(self, name: str, audio: bytes) -> None:
        """Keep audio; blocks on the disk."""
        path = self._path(name)
        part = path.with_suffix(f".{token_hex(4)}")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(_HEAD + crc32(audio).to_bytes(4, "big") + audio)
            part.replace(path)
        except OSError:
            with suppress(OSError):
                part.unlink()

    def keep(self, name: str, size: int) -> list[Path]:
        """Count what is to be written; return what has to go for it."""
        index = self._index()
        index[name] = size
        index.move_to_end(name)
        gone = []
        while sum(index.values()) > self._most:
            gone.append(self._path(index.popitem(last=False)[0]))
        return gone

    def __contains__(self, name: str) -> bool:
        return name in self._index()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"

    def _index(self) -> OrderedDict[str, int]:
        if self._sizes is None:
            found: list[tuple[float, str, int]] = []
            with suppress(OSError):
                for entry in os.scandir(self._folder):
                    if entry.name.endswith(_SUFFIX):
                        about = entry.stat()
                        found.append((about.st_mtime, entry.name.removesuffix(_SUFFIX), about.st_size))
            self._sizes = OrderedDict((name, size) for _, name, size in sorted(found))
        return self._sizes


class Cached:
    """A voice, and what it has said. Implements `ports.Speaks`."""

    def __init__(self, voice: Speaks, phrases: Phrases) -> None:
        self.name = voice.name
        self._voice = voice
        self._phrases = phrases
        self._writing: set[asyncio.Task[None]] = set()

    async def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[bytes, None]:
        """Yield what was made before, or make it, and keep it when it is whole."""
        name = _digest(self.name, text, config) if len(text) <= LONGEST_TEXT else None
        if name is not None and (known := self._phrases.read(name)):
            yield known
            return
        made = bytearray()
        async with aclosing(self._voice.speak(text, config)) as pieces:
            async for piece in pieces:
                made += piece
                yield piece
        if name is not None and made:
            task = asyncio.create_task(self._keep(name, bytes(made)), name="phrase")
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    def knows(self, text: str, config: VoiceConfig) -> bool:
        """Whether it has said that before."""
        return _digest(self.name, text, config) in self._phrases

    async def voices(self) -> Sequence[Voice | str]:
        """Name the voices."""
        return await self._voice.voices()

    async def aclose(self) -> None:
        """Wait until everything is written. The voice itself is closed by whoever opened it."""
        await asyncio.gather(*self._writing)

    async def _keep(self, name: str, audio: bytes) -> None:
        gone = self._phrases.keep(name, len(audio) + 8)
        await asyncio.to_thread(_write, self._phrases, name, audio, gone)


def _write(phrases: Phrases, name: str, audio: bytes, gone: Sequence[Path]) -> None:
    phrases.write(name, audio)
    for path in gone:
        with suppress(OSError):
            path.unlink()


def _digest(vendor: str, text: str, config: VoiceConfig) -> str:
    facts = (vendor, config.voice or "", f"{config.speed:g}", config.language, text)
    return sha256("\0".join(facts).encode()).hexdigest()
