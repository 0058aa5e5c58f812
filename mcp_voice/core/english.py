"""What is written in English as it is read aloud: addresses, abbreviations and signs; figures by their kind.

>>> english("Dr. Smith & co. at 5 Main St.: anna.smith@example.com")
'Doctor Smith and company at five Main Street: anna dot smith at example dot com'
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from mcp_voice.core.dates import DAY_FIRST, MONTH_FIRST
from mcp_voice.core.figures import FIGURES
from mcp_voice.core.markup import Rule, rewritten
from mcp_voice.core.numerals import characters

# ─── the web ─────────────────────────────────────────────────────────────────

_ENDINGS: Final = (
    "com|org|net|io|co|uk|de|fr|es|it|nl|eu|gov|edu|info|app|dev|ai|us|ca|au|nz|ie|in|jp|ch|at|be|se|no|dk|biz|tv|"
    "shop|store|online|site|tech|cloud|restaurant|cafe|pdf|html?|txt|md|docx?|xlsx?|csv|png|jpe?g|mp3|mp4|wav|zip"
)
"""Of domains and of files."""
_AT_HOME: Final = {
    ".": " dot ",
    "/": " slash ",
    "-": " dash ",
    "_": " underscore ",
    "@": " at ",
    "+": " plus ",
    ":": " colon ",
}


def _address(found: re.Match[str]) -> str:
    """Say `example dot com slash menu`; nobody says what comes behind a question mark."""
    address = re.sub(r"^(?:[a-z][a-z0-9+]*://|mailto:)?(?:www\.)?", "", found[0], flags=re.IGNORECASE)
    kept = re.split(r"[?#]", address)[0].rstrip("/") or address
    return re.sub(r"[^\w]|_", lambda sign: _AT_HOME.get(sign[0], " "), kept)


_KEY: Final = re.compile(r"(?<=\S )#(?=[ .,;:!?])")
"""Of a telephone, as in "press #."; what it is called depends on the country."""
_WEB: Final[tuple[Rule, ...]] = (
    (re.compile(r"tel:(?=\+?[0-9])"), ""),
    (re.compile(r"\bhttps?://[^\s,;!]*[^\s,;!.:?'\"]|\bwww\.[^\s,;!]*[^\s,;!.:?'\"]"), _address),
    (re.compile(r"(?<![\w.+-])(?:mailto:)?[\w.+-]*[\w+-]@[\w-]+(?:\.[\w-]+)+(?:\?[\w=&%+.-]*\w)?"), _address),
    (
        re.compile(
            rf"(?<![\w@.-])(?:[A-Za-z0-9][\w-]*\.)+(?:{_ENDINGS})\b(?![.-]?\w)(?:/[\w/.~-]*[\w/])?(?:\?[\w=&%+.-]*\w)?"
        ),
        _address,
    ),
    (re.compile(r"(?<!\w)@(?=\w)"), "at "),
    (re.compile(r"\b([CF])#(?!\w)"), r"\1 sharp"),
    (re.compile(r"\b([A-Za-z])\+\+"), r"\1 plus plus"),
    (re.compile(r"(?:\b(?:[Nn]umber|[Nn]o\.?) ?)?#(?=[A-Z]*[0-9])"), "number "),
    (re.compile(r"(?<!\w)#(?=[^\W\d_])"), "hashtag "),
)

# ─── abbreviations ───────────────────────────────────────────────────────────

_TITLES: Final = {
    "Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor", "St": "Saint",
    "Mt": "Mount", "Ft": "Fort", "Capt": "Captain", "Lt": "Lieutenant", "Sgt": "Sergeant", "Rev": "Reverend",
    "Hon": "Honorable", "Sen": "Senator", "Gov": "Governor",
}  # fmt: skip
"""Before a name."""
_STREETS: Final = {
    "St": "Street", "Dr": "Drive", "Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Ln": "Lane",
    "Ct": "Court", "Pl": "Place", "Sq": "Square", "Hwy": "Highway", "Pkwy": "Parkway",
}  # fmt: skip
"""Behind a name."""
_SHORT: Final = {
    "e.g": "for example", "i.e": "that is", "etc": "et cetera", "approx": "approximately", "vs": "versus",
    "a.k.a": "also known as", "dept": "department", "incl": "including", "excl": "excluding",
    "govt": "government", "tel": "telephone", "ext": "extension", "max": "maximum", "min": "minimum",
    "inc": "incorporated", "ltd": "limited", "corp": "corporation", "co": "company", "bros": "brothers",
    "jr": "junior", "sr": "senior", "apt": "apartment", "ste": "suite", "vol": "volume",
    "appt": "appointment", "misc": "miscellaneous", "temp": "temperature", "qty": "quantity",
    "ea": "each", "avg": "average",
}  # fmt: skip
"""With a full stop, in small letters or with a capital."""
_COUNTED: Final = {
    "no": "number", "nos": "numbers", "p": "page", "pp": "pages", "fig": "figure", "ch": "chapter",
    "sec": "section", "rm": "room",
}  # fmt: skip
"""With a full stop, before a figure."""
_UNDOTTED: Final = frozenset({"etc", "approx", "vs", "qty", "appt", "dept", "govt"})
"""Those that are no words without one."""


def _ends(found: re.Match[str]) -> bool:
    """Whether the full stop of an abbreviation ends the sentence too."""
    rest = found.string[found.end() :].lstrip()
    return not rest or (found[0].lower() == "etc." and rest[0].isupper())


def _full(found: re.Match[str]) -> str:
    short = found[0].rstrip(".")
    words = _SHORT[short.lower()]
    words = words.capitalize() if short[0].isupper() else words
    return words + "." * (found[0].endswith(".") and _ends(found))


def _initials(found: re.Match[str]) -> str:
    return characters(found[0].replace(".", "")) + "." * _ends(found)


def _one_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_STARTERS: Final = (
    "The|We|It|You|I|Our|This|That|There|They|Please|Is|And|But|For|Apt|Suite|Unit|Floor|[NSEW]"
)
"""Behind "St." they begin a sentence, or go on with the address."""
_ABBREVIATIONS: Final[tuple[Rule, ...]] = (
    (
        re.compile(rf"\b([0-9]+[A-Za-z]? (?:[A-Z0-9][\w'.]* ){{1,3}})({_one_of(_STREETS)})\b(?:\.(?!\s*$))?"),
        lambda found: found[1] + _STREETS[found[2]],
    ),
    (
        re.compile(rf"\b(?:(Mr|Mrs|Ms)\b\.?|({_one_of(_TITLES)})\b\.?(?= [A-Z])(?! (?:{_STARTERS})\b))"),
        lambda found: _TITLES[found[1] or found[2]],
    ),
    (
        re.compile(rf"(?<=[a-z0-9] )\b({_one_of(_STREETS)})\b(?:\.(?=,| [a-z0-9]))?"),
        lambda found: _STREETS[found[1]],
    ),
    (
        re.compile(rf"\b({_one_of(_COUNTED)})\. ?(?=[0-9])", re.IGNORECASE),
        lambda found: f"{_COUNTED[found[1].lower()]} ",
    ),
    (
        re.compile(
            rf"(?<![\w.])(?<![0-9] (?=min))(?:(?:{_one_of(_SHORT)})\.|(?:{_one_of(_UNDOTTED)})\b)",
            re.IGNORECASE,
        ),
        _full,
    ),
    (re.compile(r"(?<![\w.])(?![AP]\.M\.)(?:[A-Z]\.){2,}"), _initials),
)

# ─── signs ───────────────────────────────────────────────────────────────────

_FRACTIONS: Final = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8", "⅜": "3/8",
}  # fmt: skip
_SPOKEN: Final = {
    "&": "and", "*": "star", "+": "plus", "=": "equals", "%": "percent", "@": "at", "°": "degrees",
    "\u00d7": "times", "÷": "divided by", "±": "plus or minus", "≈": "about", "§": "section", "²": "squared",
    "³": "cubed", "€": "euros", "£": "pounds", "¥": "yen",
}  # fmt: skip
_BEFORE: Final[tuple[Rule, ...]] = (
    (re.compile(r"(?![0-9])\d"), lambda found: str(unicodedata.decimal(found[0]))),  # of another script
    (re.compile(f"[{''.join(_FRACTIONS)}]"), lambda found: f" {_FRACTIONS[found[0]]}"),
    (re.compile(r"\bAT&T\b"), "A, T and T"),
    (re.compile(r"\b(?i:and)/or\b"), "and or"),
    (re.compile(r"\bc/o\b"), "care of"),
    (re.compile(r"\bw/o(?!\w)"), "without"),
    (re.compile(r"\bw/ ?(?=\w)"), "with "),
    (re.compile(r"(?<=[A-Z])/(?=[A-Z])"), " "),
    (re.compile(r"(?:[~≈]|\bca\.) ?(?=[$€£]?[0-9])"), "about "),
    (re.compile(r"(?:<=|≤) ?(?=[$€£]?[0-9])"), " at most "),
    (re.compile(r"(?:>=|≥) ?(?=[$€£]?[0-9])"), " at least "),
    (re.compile(r"< ?(?=[$€£]?[0-9])"), " less than "),
    (re.compile(r"> ?(?=[$€£]?[0-9])"), " more than "),
)
_AFTER: Final[tuple[Rule, ...]] = (
    (re.compile(r"(?<=[^\W\d_]) ?/ ?(?=[^\W\d_])"), " or "),
    (re.compile(r"[^\w\s.,;:!?'-]|[_²³]"), lambda found: _spoken(found[0])),
    (re.compile(r"(?<=\w)([,;])(?=[^\W\d_])"), r"\1 "),
)


def _spoken(sign: str) -> str:
    if sign in _SPOKEN:
        return f" {_SPOKEN[sign]} "
    dropped = sign.isascii() or unicodedata.category(sign) in ("Sm", "Sc")
    return " " if dropped else sign


def english(text: str, *, month_first: bool = True) -> str:
    """Write out what is not a word. `month_first` reads 11/12 as the twelfth of November, as in the US."""
    dates = MONTH_FIRST if month_first else DAY_FIRST
    key = (_KEY, "pound" if month_first else "hash")
    words = rewritten(text, key, *_WEB, *_ABBREVIATIONS, *_BEFORE, *dates, *FIGURES, *_AFTER)
    return " ".join(words.split())
