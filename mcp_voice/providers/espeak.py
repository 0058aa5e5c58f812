"""espeak-ng: voices that need no account, no key and no network.

More than a hundred languages, robotic and quick: the first sound comes within
a few milliseconds and a minute of speech in a tenth of a second.

The library is GPL-3. It runs in a child process of its own
(`workers/speaking.py`) and is spoken to over pipes only; it comes with the
optional extra `mcp-voice[local]`, never with the package itself.
"""

import re
import unicodedata
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import msgspec

from mcp_voice.core.audio import FRAME_BYTES, pad
from mcp_voice.core.counts import Counts
from mcp_voice.errors import ProviderFailed
from mcp_voice.ports import Voice, VoiceConfig
from mcp_voice.providers.child import Job
from mcp_voice.providers.engine import Engine
from mcp_voice.providers.extras import require
from mcp_voice.providers.workers.messages import ListVoices, Said, Say, Saying, SpeakingReply, Voices

MODULE: Final = "mcp_voice.providers.workers.speaking"
CHUNK: Final = 5 * FRAME_BYTES
"""Bytes of a chunk: 100 ms."""
LONGEST_PIECE: Final = 300
"""Characters said at a time: about 20 s of speech, 20 ms of work. Others have their turn between pieces."""
NORMAL: Final = 175
"""Words a minute, as the voices were made."""
SLOWEST, FASTEST = 80, 450
DEFAULT: Final = "en-us"

# A breath, and what closes behind it; Chinese and Japanese write no space after theirs.
_SENTENCE: Final = re.compile(r"[.!?:;…]+[\"')\]]*\s|[\u3002\uff01\uff1f\uff1b]")
_CLAUSE: Final = re.compile(r"[,)\]]\s|\s[-\u2013\u2014]\s|[\uff0c\u3001]")
_SPACE: Final = re.compile(r"\s")


@dataclass(frozen=True)
class Choir:
    """The voices, by the names that people use: `en-gb`, `fr`, `pt-br`, and `en-us+f3` for a variant."""

    voices: Mapping[str, str]
    variants: frozenset[str]

    @classmethod
    def of(cls, found: Voices) -> "Choir":
        """Name each voice by the language that it is best at, and reach it by its others too."""
        names: dict[str, str] = {DEFAULT: ""}
        for place in range(max((len(languages) for _, languages in found.voices), default=0)):
            for own, languages in found.voices:
                if place < len(languages) and not names.get(languages[place]):
                    names[languages[place]] = own
        return cls(names, frozenset(found.variants))

    def choose(self, wanted: str | None, language: str) -> tuple[str, bool]:
        """Return the engine's name for a voice, and whether it is the one that was wanted."""
        name, plus, variant = (wanted or "").partition("+")
        own = self._find(name) if name else self._find(language) or self._find(language.split("-")[0])
        known = bool(own) and (not plus or variant in self.variants)
        own = own or self._find(language) or self._find(language.split("-")[0]) or self.voices[DEFAULT]
        return (f"{own}+{variant}" if plus and variant in self.variants else own), known

    def _find(self, name: str) -> str | None:
        name = name.strip().replace("_", "-").lower()
        return self.voices.get(name) or next(
            (own for own in self.voices.values() if own.lower() == name), None
        )


class Espeak:
    """The vendor: one child serves everybody. `patience` is how long it may be silent at work, in seconds."""

    name = "espeak"
    package = "espeakng_loader"

    def __init__(self, counts: Counts, *, patience: float = 5.0) -> None:
        require(self.package, f"The voice {self.name!r}")
        replies = msgspec.msgpack.Decoder(SpeakingReply)
        self._engine: Engine[SpeakingReply] = Engine(self.name, MODULE, replies, counts)
        self._patience = patience
        self._choir: Choir | None = None

    @property
    def pids(self) -> list[int]:
        """The process of the child, if it is up."""
        return [self._engine.pid] if self._engine.pid else []

    async def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[bytes, None]:
        """Yield mu-law in chunks of 100 ms, the last one filled to whole frames.

        Text is read as it stands, without markup. A voice that is not known
        gives way to the language's, and that to American English, with a
        warning in the log.

        Raises:
            ProviderFailed: the child failed, and so did the next.
        """
        choir = await self._voices()
        voice, known = choir.choose(config.voice, config.language)
        if not known:
            _warn(config, voice)
        speed = round(min(FASTEST, max(SLOWEST, NORMAL * config.speed)))
        rest = b""
        for piece, more in pieces(plain(text)):
            async with aclosing(self._say(Say(piece, voice, speed, more))) as sounds:
                async for sound in sounds:
                    rest += sound
                    while len(rest) >= CHUNK:
                        yield rest[:CHUNK]
                        rest = rest[CHUNK:]
        if rest:
            yield pad(rest)

    async def voices(self) -> Sequence[Voice]:
        """Describe the voices, the default first; each is called by its language."""
        return tuple(Voice(name, name) for name in (await self._voices()).voices)

    async def aclose(self) -> None:
        """End the child."""
        await self._engine.aclose()

    async def _say(self, ask: Say) -> AsyncGenerator[bytes, None]:
        """Say a piece; a child that dies before its first sound is no loss."""
        for last in (False, True):
            silent = True
            try:
                async with aclosing(self._ask(ask)) as sounds:
                    async for sound in sounds:
                        silent = False
                        yield sound
                return
            except ProviderFailed:
                if last or not silent:
                    raise

    async def _ask(self, ask: Say) -> AsyncGenerator[bytes, None]:
        with (await self._engine.child()).open() as job:
            job.send(ask)
            while True:
                match await self._next(job):
                    case Saying(), sound:
                        yield sound
                    case Said(), sound:
                        yield sound
                        return

    async def _voices(self) -> Choir:
        if self._choir is None:
            with (await self._engine.child()).open() as job:
                job.send(ListVoices())
                match await self._next(job):
                    case Voices() as found, _:
                        self._choir = Choir.of(found)
                    case other, _:
                        raise ProviderFailed(f"The engine {self.name!r} answered {type(other).__name__}.")
        return self._choir

    async def _next(self, job: Job[SpeakingReply]) -> tuple[SpeakingReply, bytes]:
        job.expect(self._patience)
        return await job.receive()


def plain(text: str) -> str:
    r"""Leave what can be read aloud: a control character would end the text, or command the engine.

    >>> plain("one\x00 two\x01\n three")
    'one two three'
    """
    kept = (" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text)
    return " ".join("".join(kept).split())


def pieces(text: str, longest: int = LONGEST_PIECE) -> Iterator[tuple[str, bool]]:
    """Cut a text where it breathes; say with each piece whether another follows.

    >>> list(pieces("One. Two, three. Four.", longest=18))
    [('One. Two, three.', True), ('Four.', False)]
    """
    while len(text) > longest:
        cut = _cut(text[: longest + 1], longest)
        yield text[:cut].rstrip(), True
        text = text[cut:].lstrip()
    if text:
        yield text, False


def _cut(text: str, longest: int) -> int:
    for breath in (_SENTENCE, _CLAUSE, _SPACE):
        ends = [found.end() for found in breath.finditer(text) if found.end() <= longest + 1]
        if ends:
            return min(ends[-1], longest + 1)
    return longest


def _warn(config: VoiceConfig, used: str) -> None:
    import structlog  # a tenth of a second that a server without a typing error need not spend

    structlog.get_logger(__name__).warning(
        "voice_unknown", voice=config.voice, language=config.language, used=used
    )
