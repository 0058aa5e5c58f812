"""What is asked to be dialled, read once and told plainly.

Whatever spelling comes in, one goes out: E.164, and it is what is judged,
shown to a human, counted and dialled. Reading is narrow on purpose. A number
is ASCII digits with at most one `+`, in front; other digits, letters, an
extension or a second number in the same string make it none. A country's own
spelling is read when that country is named as home.

    >>> read("+1 (415) 555-0123")
    Number(dialled='+14155550123', region='US', kind='landline or mobile')
    >>> read("030 123456", home="DE").dialled, read("+1 415 555 0123 x9"), read("sim:alice")
    ('+4930123456', Unreadable(dialled=''), Simulated(dialled='sim:alice'))
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

EMERGENCY: Final = frozenset(
    {
        "000", "061", "062", "065", "066", "068", "080", "085", "088", "100", "101", "102", "103",
        "104", "105", "106", "107", "108", "110", "111", "112", "113", "114", "115", "116", "117",
        "118", "119", "120", "122", "123", "125", "127", "128", "129", "130", "131", "132", "133",
        "140", "144", "150", "151", "153", "155", "156", "157", "158", "159", "160", "166", "170",
        "171", "175", "177", "180", "190", "191", "192", "193", "194", "195", "197", "198", "199",
        "901", "902", "903", "911", "912", "913", "917", "919", "922", "933", "939", "955", "977",
        "988", "990", "991", "992", "993", "994", "995", "996", "997", "998", "999", "15", "17",
        "18",
    }
)  # fmt: skip
"""Short numbers that somewhere call for help (libphonenumber's short numbers; 988 is a crisis line)."""

_NUMBER: Final = re.compile(r"(?:\+[1-9]|\(?[0-9])[0-9 ().-]*")
_SIP: Final = re.compile(
    r"sips?:([a-z0-9._~+-]{1,64})@((?:[a-z0-9-]+\.)*[a-z0-9-]+)(?::[0-9]{1,5})?", re.IGNORECASE | re.ASCII
)
_CLIENT: Final = re.compile(r"client:[a-z0-9_.+@-]{1,121}", re.I | re.ASCII)
_SIMULATED: Final = re.compile(r"sim:[a-z0-9_.-]{1,64}|browser", re.I | re.ASCII)
_LONGEST: Final = 40


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Nothing that can be dialled."""

    dialled: str = ""


@dataclass(frozen=True, slots=True)
class Emergency:
    """A number that calls for help."""

    dialled: str


@dataclass(frozen=True, slots=True)
class Simulated:
    """Nobody's telephone: the simulator, or a browser on this machine."""

    dialled: str


@dataclass(frozen=True, slots=True)
class Address:
    """A `sip:` or `client:` address; `domain` is where it leads."""

    dialled: str
    domain: str


@dataclass(frozen=True, slots=True)
class Number:
    """A telephone number in E.164. `kind` is `invalid` where the numbering plan has no such number."""

    dialled: str
    region: str
    """ISO 3166 code of its country; `001` for none, `` for an area that is nobody's."""
    kind: str


Destination: TypeAlias = Unreadable | Emergency | Simulated | Address | Number


def simulated(to: str) -> bool:
    """Whether no telephone rings: `sim:…`, `browser`."""
    return _SIMULATED.fullmatch(to) is not None


def read(to: str, home: str | None = None) -> Destination:
    """Read a destination; `home` is the country whose own spelling is taken, as `US`."""
    to = to.strip(" ")
    if simulated(to):
        return Simulated(to)
    if found := _SIP.fullmatch(to):
        return Emergency(found[1]) if found[1] in EMERGENCY else Address(to, found[2].lower())
    if _CLIENT.fullmatch(to):
        return Address(to, to)
    if len(to) > _LONGEST or not _NUMBER.fullmatch(to):
        return Unreadable()
    return _number(to, home)


def _number(to: str, home: str | None) -> Emergency | Number | Unreadable:
    import phonenumbers

    digits = re.sub(r"[^0-9]", "", to)
    if digits in EMERGENCY:
        return Emergency(digits)
    try:
        number = phonenumbers.parse(to, home)
    except phonenumbers.NumberParseException:
        return Unreadable()
    local = phonenumbers.national_significant_number(number)
    if _calls_for_help(local, number.country_code or 0):
        return Emergency(local)
    known = phonenumbers.is_possible_number(number) and phonenumbers.is_valid_number(number)
    return Number(
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        phonenumbers.region_code_for_number(number) or "",
        _kinds()[phonenumbers.number_type(number)] if known else "invalid",
    )


def _calls_for_help(local: str, country_code: int) -> bool:
    """Whether the part behind the country's code is that country's emergency number, as in +49 112."""
    import phonenumbers

    return len(local) <= 6 and any(
        phonenumbers.is_emergency_number(local, region)
        for region in phonenumbers.region_codes_for_country_code(country_code)
    )


def zones(dialled: str) -> tuple[str, ...]:
    """Name the time zones that a number may be in: several for a mobile of a wide country."""
    import phonenumbers
    from phonenumbers import timezone

    found: tuple[str, ...] = timezone.time_zones_for_number(phonenumbers.parse(dialled))
    return found


@cache
def _kinds() -> dict[int, str]:
    from phonenumbers import PhoneNumberType

    return {
        PhoneNumberType.FIXED_LINE: "landline",
        PhoneNumberType.MOBILE: "mobile",
        PhoneNumberType.FIXED_LINE_OR_MOBILE: "landline or mobile",
        PhoneNumberType.TOLL_FREE: "toll-free",
        PhoneNumberType.PREMIUM_RATE: "premium",
        PhoneNumberType.SHARED_COST: "shared cost",
        PhoneNumberType.VOIP: "internet",
        PhoneNumberType.PERSONAL_NUMBER: "personal",
        PhoneNumberType.PAGER: "pager",
        PhoneNumberType.UAN: "company-wide",
        PhoneNumberType.VOICEMAIL: "voicemail",
        PhoneNumberType.UNKNOWN: "unknown",
    }
