"""Dates and times of day as people say them, in English.

>>> from mcp_voice.core.markup import rewritten
>>> rewritten("Fri, 2026-11-20 at 19:30", *MONTH_FIRST)
'Friday, November twentieth, twenty twenty-six at seven thirty p m'
>>> rewritten("20/11/2026, 7 pm", *DAY_FIRST)
'the twentieth of November, twenty twenty-six, seven p m'
"""

import re
from functools import partial
from typing import Final

from mcp_voice.core.markup import Rule
from mcp_voice.core.numerals import cardinal, decade, fraction, ordinal, year

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS: Final = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday",
    "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip
_MONTH: Final = (
    "|".join(f"{name[:3]}(?:{name[3:]})?" if len(name) > 3 else name for name in _MONTHS) + "|Sept"
)
_DAY: Final = "|".join(sorted(_DAYS, key=len, reverse=True))
_DASH: Final = r" ?[-\u2013\u2014] ?"
_NTH: Final = r"(?:st|[nr]d|th)?"
_NAMED: Final = rf"[A-Z]{{1,2}}[DS]?T\b|UTC\b|(?:{_MONTH}|[A-Z][a-z]+day|{_DAY})\b"
"""What may follow "p.m." with a capital letter though the sentence goes on."""


# ─── dates ───────────────────────────────────────────────────────────────────


def _date(day: int, month: int | str, in_year: str | None, month_first: bool) -> str:
    name = _MONTHS[month - 1] if isinstance(month, int) else _full(month)
    words = f"{name} {ordinal(day)}" if month_first else f"the {ordinal(day)} of {name}"
    return f"{words}, {_year(in_year)}" if in_year else words


def _full(month: str) -> str:
    return next(name for name in _MONTHS if name.startswith(month[:3]))


def _year(text: str) -> str:
    return year(int(text) if len(text) == 4 else 2000 + int(text))


def _ordered(first: str, second: str, month_first: bool) -> tuple[int, int] | None:
    """Return (day, month); the order gives way where it cannot be meant."""
    month, day = (int(first), int(second)) if month_first else (int(second), int(first))
    if month > 12:
        month, day = day, month
    return (day, month) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _iso(found: re.Match[str], month_first: bool) -> str:
    day_month = _ordered(found["month"], found["day"], month_first=True)
    if day_month is None:
        return found[0]
    words = _date(*day_month, found["year"], month_first)
    if found["clock"] is None:
        return words
    return f"{words}, at {found['clock']}{' U T C' if found['zone'] == 'Z' else ''}"


def _numbered(found: re.Match[str], month_first: bool) -> str:
    day_month = _ordered(found[1], found[3], month_first and found[2] == "/")
    return _date(*day_month, found[4], month_first) if day_month else found[0]


def _yearless(found: re.Match[str], month_first: bool) -> str:
    """Say `11/21` and `by 1/2`; a mere `1/2` is a fraction."""
    day_month = _ordered(found[2], found[3], month_first)
    if day_month is None or (not found[1] and fraction(int(found[2]), int(found[3]))):
        return found[0]
    return f"{found[1] or ''}{_date(*day_month, None, month_first)}"


def _month_day(found: re.Match[str]) -> str:
    if not 1 <= int(found["day"]) <= 31:
        return found[0]
    words = _date(int(found["day"]), found["month"], None, month_first=True)
    if found["last"]:
        words += f" to {ordinal(int(found['last']))}"
    return f"{words}, {_year(found['year'])}" if found["year"] else words


def _day_month(found: re.Match[str]) -> str:
    if not 1 <= int(found["day"]) <= 31:
        return found[0]
    words = _date(int(found["day"]), found["month"], None, month_first=False)
    if found["first"]:
        words = f"the {ordinal(int(found['first']))} to {words}"
    if found.string.endswith("the ", 0, found.start()):
        words = words.removeprefix("the ")
    return f"{words}, {_year(found['year'])}" if found["year"] else words


def _dates(month_first: bool) -> tuple[Rule, ...]:
    return (
        (
            re.compile(
                r"(?<![\w/-])(?P<year>[12][0-9]{3})(?P<by>[-/])(?P<month>[0-9]{2})(?P=by)(?P<day>[0-9]{2})"
                r"(?:[T ](?P<clock>[0-9]{2}:[0-9]{2})(?::[0-9]{2}(?:\.[0-9]+)?)?"
                r"(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
                r"(?![\w/:-])"
            ),
            partial(_iso, month_first=month_first),
        ),
        (
            re.compile(
                r"(?<![\w/.-])([0-9]{1,2})([/.-])([0-9]{1,2})\2([12][0-9]{3}|(?<=/)[0-9]{2})(?![\w/-]|\.[0-9])"
            ),
            partial(_numbered, month_first=month_first),
        ),
        (
            re.compile(
                r"\b((?i:on|by|until|since|before|after) )?(?<![\w/.$€£-])"
                r"(?!24/7)([0-9]{1,2})/([0-9]{1,2})(?![\w/%-]|\.[0-9])"
            ),
            partial(_yearless, month_first=month_first),
        ),
    )


_CALENDAR: Final[tuple[Rule, ...]] = (
    (
        re.compile(
            rf"(?:\b(?:{_DAY})\b(?=\.?,? (?:[0-9]|(?:{_MONTH})\b)|{_DASH}(?:{_DAY})\b)"
            rf"|\b(?:Tues?|Wed|Thurs?|Fri)\b|(?<=[a-z][-\u2013])(?:{_DAY})\b)"
            rf"(?:\.(?=,| [a-z0-9]| (?:{_MONTH})\b))?"
        ),  # "sun" and "sat" are words, and "mon" is French
        lambda found: _DAYS[found[0].rstrip(".")],
    ),
    (
        re.compile(
            rf"\b(?P<month>{_MONTH})\.? (?P<day>[0-9]{{1,2}}){_NTH}(?:{_DASH}(?P<last>[0-9]{{1,2}}){_NTH})?"
            r"(?:,? (?P<year>[12][0-9]{3}))?(?![\w%/]|[.,:][0-9])"
        ),
        _month_day,
    ),
    (
        re.compile(
            rf"(?<![\w:/.])(?:(?P<first>[0-9]{{1,2}}){_NTH}{_DASH})?(?P<day>[0-9]{{1,2}}){_NTH}(?: of)?"
            rf" (?P<month>{_MONTH})\b(?:(?:\.? |, )(?P<year>[12][0-9]{{3}})\b)?"
        ),
        _day_month,
    ),
    (re.compile(rf"\b({_MONTH})\.?,? (?=[12][0-9]{{3}}\b)"), lambda found: f"{_full(found[1])} "),
    (
        re.compile(rf"\b({'|'.join((*_MONTHS, *_DAYS.values()))}){_DASH}(?=(?:{_MONTH}|[A-Z][a-z]+day)\b)"),
        r"\1 to ",
    ),
)


# ─── times ───────────────────────────────────────────────────────────────────


def _clock(hour: int, minute: int) -> str:
    """Return `seven`, `seven oh five`, `seven thirty`."""
    past = f" oh {cardinal(minute)}" if minute < 10 else f" {cardinal(minute)}"
    return cardinal(hour % 12 or 12) + past * (minute > 0)


def _half(morning: bool) -> str:
    return "a.m." if morning else "p m"  # a voice takes a lone "a" for the article


def _twelve(found: re.Match[str]) -> str:
    """Say `7:30 p.m.`, and keep its full stop where the sentence ends."""
    morning = found["half"] in "aA"
    words = f"{_clock(int(found['hour']), int(found['minute'] or 0))} {_half(morning)}"
    return words + "." * bool(found["stop"] and not morning and _ends(found))


def _ends(found: re.Match[str]) -> bool:
    rest = found.string[found.end() :]
    return re.match(r"\s*$|\s+[A-Z]", rest) is not None and re.match(rf"\s+(?:{_NAMED})", rest) is None


def _twenty_four(found: re.Match[str]) -> str:
    hour, minute = int(found["hour"]), int(found["minute"])
    words = _clock(hour, minute)
    if hour > 12 or found["hour"].startswith("0"):
        words += f" {_half(hour < 12)}"
    elif not minute:
        words += " o'clock"
    return words + (f" and {cardinal(int(found['second']))} seconds" if found["second"] else "")


_HALF: Final = r" ?(?P<half>[AaPp])(?:[Mm]\b|\. ?[Mm]\b)"
_TIMES: Final[tuple[Rule, ...]] = (
    (
        re.compile(
            rf"(?<=[0-9])((?: ?[AaPp]\.?[Mm]\b\.?)?){_DASH}(?=[0-9]{{1,2}}(?::[0-9]{{2}})? ?[AaPp]\.?[Mm]\b)"
        ),
        r"\1 to ",
    ),
    (re.compile(rf"(:[0-9]{{2}}){_DASH}(?=[0-9]{{1,2}}:[0-9]{{2}})"), r"\1 to "),
    (
        re.compile(rf"(?<![\w:.,])(?P<hour>0?[1-9]|1[0-2])(?::(?P<minute>[0-5][0-9]))?{_HALF}(?P<stop>\.)?"),
        _twelve,
    ),
    (
        re.compile(
            r"(?<![\w:.,/-])(?P<hour>[01]?[0-9]|2[0-3]):(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9]))?(?![\w:])"
        ),
        _twenty_four,
    ),
)
_DECADES: Final[tuple[Rule, ...]] = (
    (re.compile(r"\b([12][0-9]{2}0)'?s\b"), lambda found: decade(found[1])),
    (re.compile(r"(?:'|(?<=\bthe ))([2-9]0)'?s\b"), lambda found: decade(found[1])),
)

MONTH_FIRST: Final[tuple[Rule, ...]] = (*_dates(True), *_CALENDAR, *_TIMES, *_DECADES)
DAY_FIRST: Final[tuple[Rule, ...]] = (*_dates(False), *_CALENDAR, *_TIMES, *_DECADES)
