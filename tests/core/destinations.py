"""Destinations that must not be dialled: what toll fraud, mistakes and tricks look like."""

from collections.abc import Iterator
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from mcp_voice.core.numbers import EMERGENCY
from mcp_voice.core.policy import HIGH_RISK

LISTED: Final = "+442079460123"
"""The one number outside the listed countries that may be dialled."""

COUNTRIES: Final = frozenset({"US", "DE"})


def examples(*kinds: int, without: frozenset[str] = frozenset()) -> Iterator[str]:
    """A number of these kinds from the plan of every country that has any."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS - without):
        for kind in kinds:
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None and phonenumbers.number_type(number) == kind:
                yield phonenumbers.format_number(number, PhoneNumberFormat.E164)


PREMIUM: Final = (
    *examples(PhoneNumberType.PREMIUM_RATE),
    *(f"+1900{exchange}1234" for exchange in range(200, 400, 10)),
    *(f"+1{area}9761234" for area in (212, 305, 312, 415, 617, 702, 808)),
    "+1 (900) 555-1234", "1 900 555 1234", "(900) 555-1234", "+97912345678", "+979 1 2345 6789",
)  # fmt: skip
DEAR: Final = tuple(
    examples(
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.PAGER,
        PhoneNumberType.UAN,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.VOICEMAIL,
    )
)
SATELLITE: Final = tuple(
    f"+{code}{rest}"
    for code in (870, 881, 882, 883)
    for rest in ("773111632", "612345678", "16123456", "5100123456", "32001234", " 77 311 1632")
)
CARIBBEAN: Final = tuple(
    f"{start}{area}{rest}"
    for area in sorted(HIGH_RISK)
    for start, rest in (("+1", "5551234"), ("+1 ", "-234-5678"), ("1", "7654321"))
)
HELP: Final = (
    *sorted(EMERGENCY), "+112", "+911", "0112", "9-1-1", "9 1 1", "+1911", "+1 911", "+44999", "+44 112",
    "+49112",
    "+49110", "sip:911@pbx.example.com", "sip:112@example.org",
)  # fmt: skip
MALFORMED: Final = (
    "", " ", "+", "++", "0", "+0", "00", "abc", "CALL-ME", "+1800FLOWERS", "anonymous", "unknown", "null",
    "None",
    "+1", "+12", "+123456", "+1415555012", "+141555501234", "+" + "1" * 16, "1" * 41, "+999123456789",
    "+14155550123;ext=9", "+14155550123 x9", "+14155550123 ext. 9", "+14155550123,,9", "+14155550123#9",
    "+14155550123w9", "+14155550123p9", "+14155550123;phone-context=+44", "tel:+14155550123",
    "callto:+14155550123",
    "+1415555O123", "+l4155550123", "+14155550123\n", "\t+14155550123", "+1415\x005550123",
    "+1415\u200b5550123",
    "+1415\u00a05550123", "\u202e+14155550123", "+14155550123,+19005551234", "+14155550123+19005551234",
    "+14155550123 or +19005551234", "+14155550123/+19005551234", "+14155550123&url=x", "+14155550123?x",
    "{number}",
    "sip:", "sip:@example.com", "sip:a@", "sip:a@b@example.com", "sip:a b@example.com",
    "sip:a@example.com;x=y",
    "sip:a@example.com?header=x", "sip:a@example.com,b@example.com", "client:", "client:a b", "sim:",
    "sim:a b",
    "sim:../x", "sim:x@y", "browser:x", "simx", "https://example.com", "<Number>+14155550123</Number>",
)  # fmt: skip
PLUSES: Final = (
    "++14155550123", "+ +14155550123", "+1+4155550123", "14155550123+", "+14155550123+", "-+14155550123",
    "(+14155550123", "+(+1)4155550123", "\uff0b14155550123", "\u207a14155550123", "%2B14155550123",
    "&#43;14155550123",
    "+00442079460123", "+0442079460123", "00+442079460123", "+001 4155550123", "*67+14155550123",
    "#31#+14155550123",
)  # fmt: skip
OTHER_DIGITS: Final = tuple(
    "+" + "".join(chr(zero + int(digit)) for digit in number)
    for zero in (0x660, 0x6F0, 0x966, 0x9E6, 0xE50, 0xFF10, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7F6)
    for number in ("14155550123", "442079460123")
)
NEARLY: Final = (
    *(LISTED + digit for digit in "0123456789"),
    *(LISTED[:-1] + digit for digit in "012456789"),
    *(f"+{code}{LISTED[1:]}" for code in (3, 7, 8, 20, 33, 39, 86, 91, 212, 355)),
    LISTED[3:], LISTED[1:], "2079460123", "020 7946 0123", "+20 7946 0123", "+442079460",
    "442079460123@example.com", f"sip:{LISTED}@example.com", f"sip:a@{LISTED}", f"client:{LISTED}",
)  # fmt: skip
ADDRESSES: Final = (
    "sip:a@example.com", "sip:a@pbx.example.com.evil.net", "sip:a@evilpbx.example.com",
    "sip:a@xpbx.example.com",
    "sip:a@sub.pbx.example.com", "sip:pbx.example.com@evil.net", "sips:a@pbx.example.co", "client:anybody",
    "client:front_desk2", "client:xfront_desk", "sip:a@pbx-example.com", "sip:a@127.0.0.1", "sip:a@localhost",
)  # fmt: skip
ABROAD: Final = tuple(
    examples(PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, without=COUNTRIES | {"GB"})
)
