"""A text in pieces that can be said one by one.

The first piece decides how soon a caller hears something, so a clause is short:
eight words or so, ended where a voice would pause.

    >>> clauses("Good evening, this is the Golden Lion. How can I help you?")
    ['Good evening, this is the Golden Lion.', 'How can I help you?']
"""

import re
from collections.abc import Callable
from typing import Final

MOST_WORDS: Final = 8
FEWEST_WORDS: Final = 3

_SENTENCE: Final = re.compile(r"(?<=[.!?…])\s+(?=[\"'(]?[^\W\d_a-z])")
_PAUSE: Final = re.compile(r"(?<=[,;:\u2013\u2014])\s+")
_JOINT: Final = re.compile(r"\s+(?=(?:and|but|or|so|because|which|that|if|when)\s)")


def clauses(text: str) -> list[str]:
    """Cut a text at its sentences, and long sentences at their pauses; nothing is lost but white space."""
    return [clause for sentence in _SENTENCE.split(text.strip()) for clause in _cut(sentence) if clause]


def _cut(sentence: str) -> list[str]:
    pieces = [sentence]
    for joint in (_PAUSE, _JOINT):
        pieces = [part for piece in pieces for part in (joint.split(piece) if _long(piece) else [piece])]
    whole: list[str] = []
    for piece in pieces:
        if whole and (len(whole[-1].split()) < FEWEST_WORDS or not _long(f"{whole[-1]} {piece}")):
            whole[-1] = f"{whole[-1]} {piece}"
        else:
            whole.append(piece)
    return whole


def _long(text: str) -> bool:
    return len(text.split()) > MOST_WORDS


def readings(text: str, read: Callable[[str], str]) -> list[tuple[str, str]]:
    """Cut a text where it reads the same in pieces as whole; give each clause as written and as read.

    >>> readings("It is due on 3. May. Bye.", str.upper)
    [('It is due on 3.', 'IT IS DUE ON 3.'), ('May.', 'MAY.'), ('Bye.', 'BYE.')]
    """
    found: list[tuple[str, str]] = []
    for clause in clauses(text):
        said = read(clause) or clause
        if found:
            before, said_before = found[-1]
            together = read(f"{before} {clause}") or clause
            if together.split() != f"{said_before} {said}".split():
                found[-1] = (f"{before} {clause}", together)
                continue
        found.append((clause, said))
    return found
