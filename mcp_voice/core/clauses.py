"""A text in pieces that can be said one by one.

The first piece decides how soon a caller hears something, and a piece that was
cut off is said again whole: so a clause is short, eight words at most. A text
is cut at its sentences, and a long sentence where it strains least: into few
pieces, of like length, at its pauses rather than between two words.

    >>> clauses("Good evening, this is the Golden Lion. How can I help you?")
    ['Good evening, this is the Golden Lion.', 'How can I help you?']
    >>> clauses("I would like to book a table for two people tomorrow evening please.")
    ['I would like to book a table', 'for two people tomorrow evening please.']
"""

import re
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from typing import Final

MOST_WORDS: Final = 8
FEWEST_WORDS: Final = 3

MOST_JOINED: Final = 2 * MOST_WORDS
"""Words that are kept together for being read otherwise apart; past that the caller would wait too long."""

_SEEN: Final = 5 * MOST_WORDS
"""Words of a sentence that are weighed at once."""

_SENTENCE: Final = re.compile(r"(?<=[.!?…])\s+(?=[\"'(]?[^\W\d_a-z])")
_WORD: Final = re.compile(r"\S+")
_PAUSE: Final = re.compile(r"[,;:!?…\u2013\u2014][\"'\u2019\u201d)\]]*$")
_FIGURE: Final = re.compile(r"\d")

_JOINTS: Final = frozenset({
    "although", "and", "because", "but", "if", "nor", "or", "since", "so", "that", "until", "when", "where",
    "which", "while", "who",
})  # fmt: skip
_RELATIONS: Final = frozenset({
    "about", "after", "at", "before", "between", "by", "during", "for", "from", "in", "into", "near", "of",
    "on", "over", "through", "to", "under", "with", "within", "without",
})  # fmt: skip
_ARTICLES: Final = frozenset({
    "a", "an", "her", "his", "its", "my", "our", "some", "that", "the", "their", "these", "this", "those",
    "your",
})  # fmt: skip
_HELPERS: Final = frozenset({
    "am", "are", "be", "been", "can", "could", "did", "do", "does", "had", "has", "have", "he", "i", "is",
    "may", "might", "must", "not", "shall", "she", "should", "they", "very", "was", "we", "were", "will",
    "would", "you",
})  # fmt: skip
_LEANING: Final = _JOINTS | _RELATIONS | _ARTICLES | _HELPERS
"""What a voice does not pause behind."""

_EACH: Final = 4.0
_TINY: Final = 10.0
_SEAMS: Final = {"joint": 4.0, "relation": 7.0, "article": 9.0, "words": 12.0, "short": 16.0, "within": 60.0}
"""What it costs to have one piece more, to have one of a word or two, and to cut where nobody would pause."""

_SHORT: Final = 3
"""Letters of a word that leans on the next one, more often than not, in any language."""


def clauses(text: str) -> list[str]:
    """Cut a text at its sentences, and long sentences at their pauses; nothing is lost but white space."""
    return [text[begin:end] for begin, end in _places(text)]


def _places(text: str) -> Iterator[tuple[int, int]]:
    """Find where each clause begins and ends, no further ahead than is asked for."""
    begin = 0
    for gap in _SENTENCE.finditer(text):
        yield from _cut(text, begin, gap.start())
        begin = gap.end()
    yield from _cut(text, begin, len(text))


def _cut(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut a sentence, if it is long."""
    seen: list[re.Match[str]] = []
    for word in _WORD.finditer(text, begin, end):
        seen.append(word)
        if len(seen) == _SEEN:  # the last of its pieces depends on what follows
            for size in _sizes(text, seen)[:-1]:
                yield seen[0].start(), seen[size - 1].end()
                del seen[:size]
    for size in _sizes(text, seen):
        yield seen[0].start(), seen[size - 1].end()
        del seen[:size]


def _sizes(text: str, words: Sequence[re.Match[str]]) -> list[int]:
    """Say how many words each piece has, so that cutting strains least."""
    if len(words) <= MOST_WORDS:
        return [len(words)] if words else []
    even = len(words) / ceil(len(words) / MOST_WORDS)
    strains = [0.0]
    lasts = [0]
    for at in range(1, len(words) + 1):
        ways = (
            (strains[at - size] + _EACH + _TINY * (size < FEWEST_WORDS) + (size - even) ** 2 / 2, size)
            for size in range(1, min(at, MOST_WORDS) + 1)
        )
        strain, last = min(ways)
        strains.append(strain + (_seam(text, words[at - 1], words[at]) if at < len(words) else 0))
        lasts.append(last)
    sizes: list[int] = []
    while (left := len(words) - sum(sizes)) > 0:
        sizes.append(lasts[left])
    return sizes[::-1]


def _seam(text: str, before: re.Match[str], after: re.Match[str]) -> float:
    """Say how much it strains to pause between two words."""
    last, following = before[0].lower(), after[0].lower().strip("\"'(")
    if _PAUSE.search(last) or "\n" in text[before.end() : after.start()]:
        return 0
    if last in _LEANING or _FIGURE.search(following):
        return _SEAMS["within"]
    if following in _JOINTS:
        return _SEAMS["joint"]
    if following in _RELATIONS:
        return _SEAMS["relation"]
    if _FIGURE.search(last):
        return _SEAMS["within"]
    if following in _ARTICLES:
        return _SEAMS["article"]
    return _SEAMS["short" if len(last) <= _SHORT else "words"]


def readings(text: str, read: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Cut a text where it reads the same in pieces as whole; give each clause as written and as read.

    Reading takes its time: no more is read than what is asked for, and the clause behind it.

    >>> list(readings("It is due on 3. May. Bye.", str.upper))
    [('It is due on 3.', 'IT IS DUE ON 3.'), ('May.', 'MAY.'), ('Bye.', 'BYE.')]
    """
    begin, kept, kept_as = 0, "", ""
    for start, end in _places(text):
        clause = text[start:end]
        said = read(clause) or clause
        if kept and len((whole := text[begin:end]).split()) <= MOST_JOINED:
            together = read(whole) or whole
            if _words(together) != _words(f"{kept_as} {said}"):
                kept, kept_as = whole, together
                continue
        if kept:
            yield kept, kept_as
        begin, kept, kept_as = start, clause, said
    if kept:
        yield kept, kept_as


def _words(said: str) -> list[str]:
    """Return what is said but for its pauses: between two pieces there is one anyway."""
    return [word for word in (word.rstrip(",;:.!?") for word in said.split()) if word]
