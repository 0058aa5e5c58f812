"""Finding a call by its words.

A text is its words: runs of letters and digits, without case, in order. A
query finds a call when each of its words begins a word of the call, wherever
that stands: in what either side said, in who spoke with whom, in the metadata,
in the reason for its end. Nothing in a query but its words means anything.

    >>> words("Book  a TABLE, OR 'two'!")
    ('book', 'a', 'table', 'or', 'two')

Stores keep words with a blank before and after each (`kept`), so a call that
has a word beginning with `boo` is a text with ` boo` in it, in every database.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from unicodedata import normalize

from mcp_voice.core.session import Session
from mcp_voice.errors import Invalid

LONGEST_WORD: Final = 64
"""Characters of a word that count; what follows is not looked at."""

MOST_WORDS: Final = 20
"""Words of a query that count."""

AROUND: Final = 60
"""Characters of a snippet on each side of the word found."""

_WORD: Final = re.compile(r"[^\W_]+")
_NUMBER: Final = re.compile(r"\+?[\d ().-]{3,}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Found:
    """A session without its turns, how many it has, and where the words were found in it."""

    session: Session
    turns: int = 0
    snippet: str | None = None


class Place(NamedTuple):
    """Where a session stands among all, which newer ones do not change: a page begins behind it."""

    created_at: int
    session_id: str


# ─── words ───────────────────────────────────────────────────────────────────


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(_folded(found[0]) for found in _WORD.finditer(_composed(text)))


def wanted(query: str) -> tuple[str, ...]:
    """Return the words a query looks for, each once. Raises `Invalid` if it has none, or too many."""
    found = tuple(dict.fromkeys(words(query)))
    if not found or len(found) > MOST_WORDS:
        raise Invalid(
            f"The query has {len(found)} words.", advice=f"Give 1 to {MOST_WORDS} words that were said."
        )
    return found


def party(text: str) -> tuple[str, ...]:
    """Return the words of who calls or is called: a number is one word, however it is written.

    >>> party("+1 (415) 555-0123"), party("sip:desk@example.com")
    (('14155550123',), ('sip', 'desk', 'example', 'com'))
    """
    found = words(text)
    return ("".join(found)[:LONGEST_WORD],) if found and _NUMBER.fullmatch(text.strip()) else found


def kept(session: Session) -> str:
    """Write a session with its turns as its words, a blank before and after each.

    Its two parties stand before the only `|`.
    """
    between = [word for who in (session.from_, session.to) if who for word in party(who)]
    return f"{_row(between)}|{_row(word for text in _told(session) for word in words(text))}"


def parties(kept: str) -> str:
    """Return the part that names the parties."""
    return kept.partition("|")[0]


def matches(query: Iterable[str], kept: str) -> bool:
    """Whether each word begins one of the words."""
    return all(f" {word}" in kept for word in query)


def _row(words: Iterable[str]) -> str:
    return "".join(f" {word}" for word in words) + " "


def _told(session: Session) -> Iterator[str]:
    for turn in session.turns:
        yield from (said for said in (turn.user_utterance, turn.agent_response) if said)
    yield from (fact for fact in (session.close_reason, session.from_, session.to) if fact)
    yield from _values(session.metadata)


def _values(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for inner in value.values():
                yield from _values(inner)
        case list() | tuple():
            for inner in value:
                yield from _values(inner)
        case str():
            yield value
        case int() | float() if not isinstance(value, bool):
            yield str(value)


def _composed(text: str) -> str:
    """Spell what can be spelled in two ways in one."""
    return text if text.isascii() else normalize("NFC", text)


def _folded(word: str) -> str:
    return word.casefold()[:LONGEST_WORD]


# ─── what is shown of it ─────────────────────────────────────────────────────


def found(session: Session, query: Iterable[str]) -> Found:
    """Show a session with its turns as it was found by these words."""
    return Found(
        session.model_copy(update={"turns": ()}), len(session.turns), snippet(tuple(query), _told(session))
    )


def snippet(query: tuple[str, ...], lines: Iterable[str]) -> str | None:
    """Cut out the line that has most of the words, around the first of them; None if none has one."""
    best, place, most = "", 0, 0
    for line in lines:
        line = " ".join(_composed(line).split())
        hits = [
            (word, found.start())
            for found in _WORD.finditer(line)
            for word in query
            if _folded(found[0]).startswith(word)
        ]
        if (many := len({word for word, _ in hits})) > most:
            best, place, most = line, hits[0][1], many
    return _cut(best, place) if most else None


def _cut(line: str, place: int) -> str:
    start, end = max(0, place - AROUND), place + AROUND
    return f"{'…' if start else ''}{line[start:end].strip()}{'…' if end < len(line) else ''}"


# ─── pages ───────────────────────────────────────────────────────────────────


def place(session: Session) -> Place:
    """Return where a session stands."""
    return Place((session.created_at - _EPOCH) // _MICROSECOND, session.session_id)


def cursor(place: Place) -> str:
    """Write a place down for whoever asks for the next page.

    >>> behind(cursor(Place(7, "sess_a")))
    Place(created_at=7, session_id='sess_a')
    """
    return urlsafe_b64encode(f"{place.created_at}.{place.session_id}".encode()).decode().rstrip("=")


def behind(cursor: str) -> Place:
    """Read a place. Raises `Invalid` for what `cursor` did not write."""
    try:
        text = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
        created_at, _, session_id = text.partition(".")
        found = Place(int(created_at), session_id)
    except ValueError:
        found = Place(0, "")
    if not found.session_id or "\0" in found.session_id or abs(found.created_at) >= 2**63:
        raise Invalid("The cursor is not one of ours.", advice="Pass nextCursor as it came, or leave it out.")
    return found
