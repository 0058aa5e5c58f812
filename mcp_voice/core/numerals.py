"""Figures as English words.

As American English has them: without commas and without "and". Libraries that
do this know forty languages or check every argument; either takes longer to
import than a caller waits for an answer.

    >>> number("1,250.75"), year(2026), ordinal(21)
    ('one thousand two hundred fifty point seven five', 'twenty twenty-six', 'twenty-first')
    >>> spelled("2025550142"), spelled("0142", zero="oh")
    ('two zero two, five five five, zero one four two', 'oh one four two')
"""

from itertools import pairwise
from typing import Final

_DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_PARTS: Final = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 8: "eighth", 16: "sixteenth"}
"""Fractions that people say; others are read as dates or with "over"."""
LONGEST: Final = 12
"""Digits of a number that is said as one; a longer one is spelled."""


_SMALL: Final = (
    *_DIGITS, "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
    "eighteen", "nineteen",
)  # fmt: skip
_TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES: Final = ((10**9, "billion"), (10**6, "million"), (1_000, "thousand"), (100, "hundred"))
_ORDINALS: Final = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
"""Those that are not the number with "th" behind it."""


def cardinal(value: int) -> str:
    """Return `twenty-one` for 21; there are words for what is below a trillion."""
    for size, name in _SCALES:
        if value >= size:
            rest = value % size
            return f"{cardinal(value // size)} {name}" + (f" {cardinal(rest)}" if rest else "")
    if value < len(_SMALL):
        return _SMALL[value]
    return _TENS[value // 10] + (f"-{_SMALL[value % 10]}" if value % 10 else "")


def ordinal(value: int) -> str:
    """Return `twenty-first` for 21."""
    head, join, last = cardinal(value).replace("-", " - ").rpartition(" ")
    cut = (head + join).replace(" - ", "-")
    if last.endswith("y"):
        return f"{cut}{last[:-1]}ieth"
    return cut + _ORDINALS.get(last, f"{last}th")


def year(value: int) -> str:
    """Return `nineteen oh five` for 1905, `two thousand five` for 2005."""
    century, rest = divmod(value, 100)
    if century % 10 == 0 and rest < 10:
        return cardinal(value)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {f'oh {_DIGITS[rest]}' if rest < 10 else cardinal(rest)}"


def digits(text: str, zero: str = "zero") -> str:
    """Name the digits one by one; on the telephone a zero is often an `oh`."""
    return " ".join(_DIGITS[int(digit)] if digit != "0" else zero for digit in text)


def spelled(text: str, zero: str = "zero") -> str:
    """Name the digits of a long number in groups of three or four, with a pause behind each."""
    size = 4 if len(text) % 4 == 0 else 3
    cuts = [0, *range(size, len(text) - 1, size), len(text)] if len(text) > 5 else [0, len(text)]
    return ", ".join(digits(text[start:end], zero) for start, end in pairwise(cuts))


def characters(code: str) -> str:
    """Name the characters of a code. A comma stands behind an A: alone, a voice takes it for the article.

    >>> characters("A7X9")
    'A, seven X nine'
    """
    named = (digits(char) if char.isdecimal() else f"{char}," if char in "Aa" else char for char in code)
    return " ".join(named).rstrip(",")


def number(text: str) -> str:
    """Say an amount, with thousands marked by commas and a decimal point, or a fraction like `1 1/2`."""
    if "/" in text:
        return _mixed(text)
    whole, _, part = text.replace(",", "").partition(".")
    if len(whole) > LONGEST:
        words = spelled(whole)
    elif len(whole) > 1 and whole[0] == "0":
        words = digits(whole)
    else:
        words = cardinal(int(whole or "0"))
    return f"{words} point {digits(part)}" if part else words


def figure(text: str) -> str:
    """Say a number of which nothing else is known: 1999 is a year, 48213 something to write down."""
    if text.count(".") > 1:  # a version, an address
        return " point ".join(number(part) for part in text.split("."))
    if not text.isdecimal():
        return number(text)
    if len(text) == 4 and "1100" <= text < "2100":
        return year(int(text))
    return spelled(text) if len(text) > 4 and not text.endswith("000") else number(text)


def fraction(above: int, below: int) -> str | None:
    """Return `three quarters` for 3 and 4; None for what people do not say so."""
    if not 0 < above < below or below not in _PARTS:
        return None
    return f"{cardinal(above)} {_PARTS[below]}{'s' * (above > 1)}"


def decade(text: str) -> str:
    """Return `nineteen nineties` for 1990, `nineties` for 90."""
    words = year(int(text)) if len(text) == 4 else cardinal(int(text))
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def _mixed(text: str) -> str:
    whole, _, rest = text.rpartition(" ")
    above, below = (int(side[-LONGEST:]) for side in rest.split("/"))
    part = fraction(above, below) or f"{cardinal(above)} over {cardinal(below)}"
    if not whole:
        return part
    return f"{number(whole)} and {'a half' if part == 'one half' else part}"
