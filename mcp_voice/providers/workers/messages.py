"""What engines are asked, and what they answer: one list for both ends of the line.

Sound travels beside a message, not in it: 8 kHz mu-law both ways.
"""

from typing import TypeAlias

import msgspec


class Ready(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The child has loaded its engine and listens."""


# ─── hearing ─────────────────────────────────────────────────────────────────


class Prepare(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """Can you hear this grammar (None: dictation), whose words are these? → `Prepared`."""

    jsgf: str | None
    words: tuple[str, ...]


class Prepared(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """Yes, unless words are missing from the dictionary or the grammar has a fault."""

    missing: tuple[str, ...]
    fault: str


class Begin(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """An utterance begins with this sound; listen for a grammar, or take dictation."""

    jsgf: str | None


class More(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The utterance goes on with this sound; every so often → `SoFar`."""


class Finish(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The utterance has ended with this sound → `Deciding`, then `Decided`."""


class SoFar(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """Words that may still change, of the first `heard` bytes of the utterance."""

    text: str
    heard: int


class Deciding(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """All of the utterance is here; its words are being decided."""


class Decided(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The utterance's words, and how good they are, 0 at best.

    `score` is a frame's mean log score with a grammar, a word's mean log posterior
    in dictation. It is None when nothing was recognised, or the words do not end
    where the grammar may.
    """

    text: str
    score: float | None


# ─── speaking ────────────────────────────────────────────────────────────────


class ListVoices(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """Which voices are there? → `Voices`."""


class Voices(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """Each voice's own name with the languages it is for, best first; and what can be added to a voice."""

    voices: tuple[tuple[str, tuple[str, ...]], ...]
    variants: tuple[str, ...]


class Say(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """Say a piece of text → `Saying`…, `Said`. If `more` will follow, pause behind it."""

    text: str
    voice: str
    words_per_minute: int
    more: bool


class Saying(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The next of the sound."""


class Said(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """That was the piece."""


HearingAsk: TypeAlias = Prepare | Begin | More | Finish
HearingReply: TypeAlias = Ready | Prepared | SoFar | Deciding | Decided
SpeakingAsk: TypeAlias = ListVoices | Say
SpeakingReply: TypeAlias = Ready | Voices | Saying | Said
