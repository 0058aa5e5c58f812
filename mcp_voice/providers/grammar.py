"""What a caller may say now, as a JSGF grammar.

JSGF (Java Speech Grammar Format, W3C note of 2000) is what the recogniser
compiles. People mostly want a list of phrases:

    >>> Grammar.of_phrases(["Yes, please!", "no"]).words
    ('no', 'please', 'yes')

Everything that can be told without the recogniser is checked here: its own
parser reads files for an `import`, takes a rule that does not exist for
nothing, and says what is wrong on standard error.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mcp_voice.errors import BadGrammar

MOST_PHRASES: Final = 1_000
LONGEST: Final = 64_000  # characters of JSGF

_EDGES: Final = '.,;:!?"“”()…¿¡'
_APOSTROPHE: Final = "\N{RIGHT SINGLE QUOTATION MARK}"
_WORD: Final = re.compile(r"[a-z'][a-z'.\-]*")
_SPELL: Final = "Spell out numbers and abbreviations, as they are spoken."
_INITIALS: Final = re.compile(r"(?:[a-z]\.){2,}")
_ASIDE: Final = re.compile(r"/\*.*?\*/|//[^\n]*|\{(?:\\.|[^}])*\}", re.DOTALL)  # comments and tags
_TOKEN: Final = re.compile(r"<[^>]*>|/[^/]*/|[|*+()\[\]]|[^\s|*+<>()\[\]/]+")


@dataclass(frozen=True, slots=True)
class Grammar:
    """A grammar that may be right: its words still have to be in the dictionary."""

    jsgf: str
    words: tuple[str, ...]

    @classmethod
    def of_phrases(cls, phrases: Iterable[str]) -> "Grammar":
        """Make a grammar of alternatives. Raises `BadGrammar`."""
        wanted = [_words(phrase) for phrase in phrases]
        if not wanted or len(wanted) > MOST_PHRASES:
            raise BadGrammar(f"There are {len(wanted)} phrases, not 1 to {MOST_PHRASES}.")
        body = " | ".join(dict.fromkeys(" ".join(words) for words in wanted))
        return cls._checked(
            f"#JSGF V1.0;\ngrammar phrases;\npublic <phrase> = {body};\n",
            {word for words in wanted for word in words},
        )

    @classmethod
    def of_jsgf(cls, text: str) -> "Grammar":
        """Read a grammar that somebody wrote. Raises `BadGrammar`."""
        bare = _ASIDE.sub(" ", text).replace('"', " ").strip()
        header, _, rules = bare.partition(";")
        if not header.startswith("#JSGF"):
            raise BadGrammar("The grammar does not begin with a line '#JSGF V1.0;'.")
        lowered = _lower(rules)
        words, defined, used = _read(lowered)
        if missing := sorted(used - defined - {"<NULL>", "<VOID>"}):
            raise BadGrammar(f"The grammar uses rules it does not define: {', '.join(missing)}.")
        return cls._checked(f"#JSGF V1.0;\n{lowered.strip()}\n", words)

    @classmethod
    def _checked(cls, jsgf: str, words: set[str]) -> "Grammar":
        if len(jsgf) > LONGEST:
            raise BadGrammar(f"The grammar has {len(jsgf)} characters, more than {LONGEST}.")
        if strange := sorted(word for word in words if not _WORD.fullmatch(word)):
            raise BadGrammar(f"These are not words of English: {', '.join(strange[:10])}.", advice=_SPELL)
        if not words:
            raise BadGrammar("The grammar has no words.")
        return cls(jsgf, tuple(sorted(words)))


def _words(phrase: str) -> list[str]:
    """Split a phrase as it is spoken: lower case, no punctuation. Raises `BadGrammar` if nothing is left."""
    spoken = (word if _INITIALS.fullmatch(word) else word.strip(_EDGES) for word in phrase.lower().split())
    words = [word.replace(_APOSTROPHE, "'") for word in spoken if word]
    if not words:
        raise BadGrammar(f"The phrase {phrase!r} has no words.")
    return words


def _lower(rules: str) -> str:
    """Spell words in lower case, as the dictionary does, and leave the names of rules alone."""
    return re.sub(r"<[^>]*>|[^<]+", lambda part: part[0] if part[0][0] == "<" else part[0].lower(), rules)


def _read(rules: str) -> tuple[set[str], set[str], set[str]]:
    """Return the words of a grammar's body, the rules that it defines and those that it uses.

    Raises:
        BadGrammar: it imports another grammar.
    """
    words: set[str] = set()
    defined: set[str] = set()
    used: set[str] = set()
    for statement in rules.split(";"):
        left, equals, right = statement.partition("=")
        if left.strip().startswith("import"):
            raise BadGrammar("The grammar imports another.", advice="Put all of its rules into one grammar.")
        if not equals:
            continue
        defined |= {token for token in _TOKEN.findall(left) if token[0] == "<"}
        tokens = _TOKEN.findall(right)
        used |= {token for token in tokens if token[0] == "<"}
        words |= {token for token in tokens if token[0] not in "<|*+()[]/"}
    return words, defined, used
