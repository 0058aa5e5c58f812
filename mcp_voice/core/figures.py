"""Numbers with a meaning as people say them, in English: telephones, money, codes, measures.

>>> from mcp_voice.core.markup import rewritten
>>> rewritten("$12.50 for 2-3 km, code A7X9", *FIGURES)
'twelve dollars and fifty cents for two to three kilometers, code A, seven X nine'
>>> rewritten("+1 202-555-0142", *FIGURES)
'plus one, two oh two, five five five, oh one four two'
"""

import re
from typing import Final

from mcp_voice.core.markup import Rule
from mcp_voice.core.numerals import cardinal, characters, digits, figure, number, ordinal, spelled

_AMOUNT: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?"
_QUANTITY: Final = rf"(?:(?:[0-9]+ )?[0-9]+/[1-9][0-9]*|{_AMOUNT})"
_START: Final = r"(?<![\w.,/])"
_DASH: Final = r" ?[-\u2013\u2014] ?"

# ─── telephones and numbers that are dialled or written down ─────────────────


def _dialled(found: re.Match[str]) -> str:
    """Say a telephone number's groups digit by digit; one in one piece is grouped as its country does."""
    groups = re.findall(r"[0-9]+", found[0])
    if not 7 <= sum(map(len, groups)) <= 15:
        return found[0]
    if len(groups) == 1:
        groups = re.findall(r"[0-9]+", _grouped(found[0]))
    return ("plus " if "+" in found[0] else "") + ", ".join(digits(group, "oh") for group in groups)


def _grouped(e164: str) -> str:
    import phonenumbers  # its tables are large

    try:
        parsed = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return e164
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _in_groups(found: re.Match[str]) -> str:
    return ", ".join(digits(group, "oh") for group in re.findall(r"[0-9]+", found[0]))


_NOUNS: Final = "code|pin|passcode|password|account|acct|zip|postcode|extension|ext|serial|tracking"
_NUMBERED_NOUNS: Final = (
    "order|confirmation|reference|ref|ticket|booking|reservation|"
    "case|policy|member|invoice|card|phone|customer|id"
)
_LINK: Final = r"(?: (?:number|code|id|no\.?|is|was|ending|in)\b)"
_DIALLED: Final[tuple[Rule, ...]] = (
    (re.compile(r"(?<![\w+])\+ ?[0-9]{1,3}(?:[ .-]?[0-9]{2,})+(?![\w-])"), _dialled),
    (
        re.compile(r"(?<![\w.,/:$€£+-])(?:1[-. ])?[0-9]{3}[-. ][0-9]{3}[-. ][0-9]{4}(?![\w-]|[.,][0-9])"),
        _in_groups,
    ),
    (
        re.compile(r"(?<![\w.,/:$€£+-])0[0-9]{2,4}(?: [0-9]{3,8}){1,2}(?![\w-])"),
        _in_groups,
    ),
    (re.compile(r"(?<![\w.,/:$€£+-])[0-9]{3}[-.][0-9]{4}(?![\w-]|[.,][0-9])"), _in_groups),
    (
        re.compile(r"(?<![\w.,/:$€£-])(?:[0-9]+(?:-[0-9]+){2,}|[0-9]{4}(?: [0-9]{4}){2,})(?![\w-])"),
        _in_groups,
    ),
    (
        re.compile(r"\b((?:[Cc]all|[Dd]ial|[Tt]ext) )([2-8]11|911|112|999|988|101|111|000)\b(?!-)"),
        lambda found: found[1] + digits(found[2]),
    ),
    (
        re.compile(
            rf"\b((?:(?:{_NOUNS})\b{_LINK}*|(?:{_NUMBERED_NOUNS})\b(?:{_LINK}+|(?= ?[:#])))"
            r" ?[:#]? ?#?)([0-9]{3,}(?:[ -][0-9]{3,})*)(?![\w%/-]|[.,:][0-9])",
            re.IGNORECASE,
        ),
        lambda found: found[1].rstrip("# ") + " " + ", ".join(map(spelled, re.split("[ -]", found[2]))),
    ),
)

# ─── money ───────────────────────────────────────────────────────────────────

_COINS: Final = {
    "$": ("dollar", "cent"), "USD": ("dollar", "cent"), "US$": ("US dollar", "cent"),
    "A$": ("Australian dollar", "cent"), "AUD": ("Australian dollar", "cent"),
    "C$": ("Canadian dollar", "cent"), "CAD": ("Canadian dollar", "cent"),
    "NZ$": ("New Zealand dollar", "cent"), "NZD": ("New Zealand dollar", "cent"),
    "€": ("euro", "cent"), "EUR": ("euro", "cent"), "£": ("pound", "penny"), "GBP": ("pound", "penny"),
    "¥": ("yen", ""), "JPY": ("yen", ""), "₹": ("rupee", "paisa"), "INR": ("rupee", "paisa"),
    "CHF": ("Swiss franc", "centime"), "₩": ("won", ""), "₽": ("ruble", "kopek"),
}  # fmt: skip
"""By what is written: a coin, and the hundredth of it; "" where there is none."""
_MANY: Final = {"penny": "pence", "paisa": "paise", "yen": "yen", "won": "won"}
_SCALES: Final = {
    "k": "thousand",
    "K": "thousand",
    "m": "million",
    "M": "million",
    "bn": "billion",
    "B": "billion",
}
_SYMBOL: Final = r"(?:US|NZ|A|C)\$|[$€£¥₹₩₽]"
_CODE: Final = "|".join(code for code in _COINS if len(code) == 3 and code.isalpha())
_SCALE: Final = r"(?:(?:k|K|m|M|bn|B)\b| (?:thousand|million|billion|trillion)\b)"


def _coins(amount: str, name: str) -> str:
    return f"{amount} {name if amount == 'one' else _MANY.get(name, f'{name}s')}"


def _money(amount: str, coin: str, scale: str = "") -> str:
    name, hundredth = _COINS[coin]
    if scale:
        return _coins(f"{number(amount)} {_SCALES.get(scale, scale.strip())}", name)
    whole, _, part = amount.replace(",", "").partition(".")
    if not part.strip("0") and len(part) <= 2:
        return _coins(number(whole), name)
    if len(part) > 2 or not hundredth:
        return _coins(number(amount), name)
    cents = _coins(number(part.ljust(2, "0").lstrip("0")), hundredth)
    return cents if not whole.strip("0") else f"{_coins(number(whole), name)} and {cents}"


def _paid(found: re.Match[str]) -> str:
    coin = found["symbol"] or found["before"] or found["after"] or found["behind"]
    scale = found["scale"] or found["scale2"] or ""
    least, most = found["least"] or found["least2"], found["most"] or found["most2"]
    sign = "minus " if found["minus"] else ""
    if not most:
        return sign + _money(least, coin, scale)
    if "." in least and not scale:
        return f"{sign}{_money(least, coin)} to {_money(most, coin)}"
    return f"{sign}{number(least)} to {_money(most, coin, scale)}"


_MONEY: Final[Rule] = (
    re.compile(
        rf"(?<![\w$€£¥])(?P<minus>[-\u2212])?(?:(?:(?P<symbol>{_SYMBOL}) ?|(?P<before>{_CODE}) )"
        rf"(?P<least>{_AMOUNT})(?:{_SCALE}?{_DASH}(?:{_SYMBOL})?(?P<most>{_AMOUNT}))?(?P<scale>{_SCALE})?"
        rf"|(?P<least2>{_AMOUNT})(?:{_DASH}(?P<most2>{_AMOUNT}))?(?P<scale2>{_SCALE})?"
        rf" ?(?:(?P<after>{_CODE})\b|(?P<behind>[$€£¥₹₩₽])))(?![\w$€£¥]|[.,][0-9])"
    ),
    _paid,
)

# ─── measures ────────────────────────────────────────────────────────────────

_UNITS: Final = {
    "km": "kilometers", "m": "meters", "cm": "centimeters", "mm": "millimeters", "mi": "miles", "yd": "yards",
    "ft": "feet", "″": "inches", "kg": "kilograms", "g": "grams", "mg": "milligrams", "lb": "pounds",
    "lbs": "pounds", "oz": "ounces", "l": "liters", "L": "liters", "ml": "milliliters", "mL": "milliliters",
    "cl": "centiliters", "gal": "gallons", "pt": "pints", "qt": "quarts", "tsp": "teaspoons",
    "tbsp": "tablespoons", "km/h": "kilometers per hour", "kph": "kilometers per hour",
    "kmh": "kilometers per hour", "mph": "miles per hour", "m/s": "meters per second",
    "mpg": "miles per gallon", "rpm": "revolutions per minute", "bpm": "beats per minute",
    "h": "hours", "hr": "hours", "hrs": "hours",
    "min": "minutes", "mins": "minutes", "s": "seconds", "sec": "seconds", "secs": "seconds",
    "ms": "milliseconds", "wk": "weeks", "wks": "weeks", "mo": "months", "mos": "months", "yr": "years",
    "yrs": "years", "KB": "kilobytes", "kB": "kilobytes", "MB": "megabytes", "GB": "gigabytes",
    "TB": "terabytes", "Mbps": "megabits per second", "Gbps": "gigabits per second", "Hz": "hertz",
    "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz", "kW": "kilowatts", "kWh": "kilowatt hours",
    "mAh": "milliamp hours", "dB": "decibels", "cal": "calories", "kcal": "kilocalories", "%": "percent",
    "°": "degrees", "°C": "degrees Celsius", "°F": "degrees Fahrenheit", "° C": "degrees Celsius",
    "° F": "degrees Fahrenheit", "sq ft": "square feet", "sqft": "square feet", "ft²": "square feet",
    "m²": "square meters", "km²": "square kilometers", "m³": "cubic meters",
}  # fmt: skip
"""Spelled as in the language's default, American English: a voice finds them in its dictionary."""
_UNIT: Final = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_EACH: Final = {"hr": "hour", "h": "hour", "min": "minute", "wk": "week", "mo": "month", "yr": "year"}
_PER: Final = "hour|hr|h|minute|min|day|night|week|wk|month|mo|year|yr|person|guest|head|kg|lb|unit|item|call"


def _one(unit: str) -> str:
    """Return `foot`, `mile per hour`, `degree Celsius`."""
    return re.sub(r"s(?= |$)", "", unit.replace("feet", "foot").replace("inches", "inch"), count=1)


def _measured(found: re.Match[str]) -> str:
    amount, unit = found["amount"], _UNITS[found["unit"]]
    single = (
        amount == "1" or found["link"] == "-" or unit == "inches" or re.fullmatch("[0-9]+/[0-9]+", amount)
    )
    return f"{number(amount)}{found['link'] or ' '}{_one(unit) if single else unit}"


_MEASURES: Final[tuple[Rule, ...]] = (
    (re.compile(r"(?<![\w.,/-])([0-9]+)'([0-9]{1,2})[\"″]"), r"\1 foot \2"),
    (re.compile(r"(?<![\w.])\.(?=[0-9])"), "0."),
    (
        re.compile(rf"(?<![\w.,/-])({_AMOUNT})(?: ?(?:{_UNIT}))?{_DASH}(?={_AMOUNT}(?![0-9-]|[.,][0-9]))"),
        r"\1 to ",
    ),
    (re.compile(r"(?<![\w.)$€£-])[-\u2212](?=[0-9])"), "minus "),
    (re.compile(r"\b([0-9]{1,12})(?:st|[nr]d|th)\b"), lambda found: ordinal(int(found[1]))),
    (
        re.compile(
            rf"{_START}(?P<amount>{_QUANTITY})(?P<link>[ -]?)(?P<unit>{_UNIT})(?![\w/²³])"
            r"(?:\.(?=,| [a-z0-9]))?"
        ),
        _measured,
    ),
    (re.compile(rf"{_START}({_AMOUNT})(k|M|bn)\b"), lambda found: f"{number(found[1])} {_SCALES[found[2]]}"),
    (re.compile(r"(?<=[0-9]) ?[x\u00d7] ?(?=[0-9])"), " by "),
    (re.compile(r"(?<=[0-9]) ?[x\u00d7](?= [^\W\d_])"), ""),  # 2x espresso
    (re.compile(r"(?<=[0-9]) ?[x\u00d7](?!\w)|(?<=[0-9]) ?\*{1,2} ?(?=[0-9])"), " times "),
    (re.compile(r"(?<=[0-9]):(?=[0-9])"), " to "),
    (re.compile(r"\b24[/-]7\b"), "twenty-four seven"),
    (re.compile(r"\b50[/-]50\b"), "fifty-fifty"),
    (re.compile(r"(?<![\w.,/])(?:[0-9]+ )?[0-9]+/[0-9]+(?![\w/])"), lambda found: number(found[0])),
    (re.compile(r"(?<=[0-9])/(?=[0-9])"), " slash "),
)

# ─── codes, and numbers of which nothing else is known ───────────────────────


def _coded(found: re.Match[str]) -> str:
    """Say `A7X9` by its characters, `COVID-19` and `5-star` as people do."""
    parts = found[0].split("-")
    if any(part.isalpha() and part.islower() for part in parts):
        return "-".join(figure(part) if part.isdecimal() else _part(part) for part in parts)
    if len(parts) == 2 and parts[1].isdecimal() and len(parts[1]) < 3:
        return f"{_part(parts[0])} {cardinal(int(parts[1]))}"
    return ", ".join(_part(part) for part in parts)


def _part(part: str) -> str:
    runs = re.findall(r"[0-9]+|[A-Za-z]+", part)
    letters = [run for run in runs if run.isalpha()]
    if len(runs) == 1:
        return _letters(part) if letters else spelled(part)
    word = any(len(run) > 3 for run in letters)
    if len(runs) == 2 and (word or len(part) <= 2 + len(letters[0]) < 4 or not part.isupper()):
        return " ".join(run if run.isalpha() else figure(run) for run in runs)
    return _letters(part.upper())


def _letters(code: str) -> str:
    return code if code.isalpha() and (len(code) > 3 or not code.isupper()) else characters(code)


_CODES: Final[tuple[Rule, ...]] = (
    (
        re.compile(
            r"(?<![\w-])(?=[A-Za-z-]*[0-9])(?=[0-9-]*[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*(?![\w-])",
            re.ASCII,
        ),
        _coded,
    ),
    (re.compile(r"(?<=[^\W\d_])(?=[0-9])|(?<=[0-9])(?=[^\W\d_])"), " "),
    (
        re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)*"),
        lambda found: figure(found[0]),
    ),
)

FIGURES: Final[tuple[Rule, ...]] = (
    *_DIALLED,
    (
        re.compile(
            rf"((?:{_SYMBOL}) ?{_AMOUNT}(?:{_SCALE})?|{_START}{_AMOUNT}(?: ?(?:{_UNIT}|{_CODE}))?)"
            rf" ?/ ?({_PER})\b"
        ),
        lambda found: f"{found[1]} per {_EACH.get(found[2], found[2])}",
    ),
    _MONEY,
    *_MEASURES,
    *_CODES,
)
"""In this order, the surest first."""
