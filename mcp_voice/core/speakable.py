"""A text that was written, as a person would say it on the telephone.

    >>> speakable("**Dr. Smith** can see you on 11/21 at 7:30 pm 🎉")
    'Doctor Smith can see you on November twenty-first at seven thirty p m'

Marks, pictures and white space go in every language; figures and abbreviations
are written out in English, and left to the voice in others. A plain sentence
stays as it is, and so does what is speakable already.
"""

from typing import Final

from mcp_voice.core.english import english
from mcp_voice.core.markup import paused, unmarked

_MOST_PASSES: Final = 4
"""A text that changed is read again: what a mark kept apart may make sense together."""


def speakable(text: str, language: str = "en-US") -> str:
    """Say a text in the words of `language` (BCP 47); only what has no letter and no digit becomes empty."""
    spoken = _settled(text, language)
    if not any(map(str.isalnum, spoken)):  # all of it stood in a tag or an address
        spoken = _settled("".join(char if char.isalnum() else " " for char in text), language)
    return spoken


def _settled(text: str, language: str) -> str:
    for _ in range(_MOST_PASSES):
        before, text = text, _read(text, language)
        if text == before:
            break
    return text


def _read(text: str, language: str) -> str:
    tongue, _, region = language.replace("_", "-").lower().partition("-")
    words = unmarked(text)
    if tongue == "en":
        words = english(words, month_first=region in ("", "us", "ca", "ph"))
    return paused(words)
