"""Who may be dialled, when, how often and how dear: the policy, as a page of rules.

`RULES` is read from the top. A rule that fires refuses the call, unless a
human may lift it (`lifts`): then the call waits for a human's yes. Nothing is
dialled that no rule was asked about, and where the operator allowed nothing,
every call outside has to be asked for. The simulator and a browser on this
machine ring no telephone and need none of it.

    >>> from datetime import UTC, datetime
    >>> noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    >>> judge(Wish("sim:alice"), Rules(), Usage(), noon).rule
    'simulated'
    >>> verdict = judge(Wish("+44 20 7946 0123"), Rules(), Usage(), noon)
    >>> verdict.what, verdict.rule
    ('ask', 'not_on_the_list')
    >>> judge(Wish("+44 20 7946 0123"), Rules(countries=frozenset({"GB"})), Usage(), noon).what
    'allow'
    >>> judge(Wish("+1 900 555 1234"), Rules(countries=frozenset({"US"})), Usage(), noon).rule
    'premium'
"""

import re
from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mcp_voice.core import numbers
from mcp_voice.core.numbers import Address, Destination, Emergency, Number, Simulated, Unreadable
from mcp_voice.core.usage import Day, Usage

SATELLITE: Final = ("+870", "+881", "+882", "+883")
"""Inmarsat, mobile satellites, international networks: dollars a minute."""

PREMIUM: Final = re.compile(r"\+1(?:900|976|\d{3}976)|\+979")
"""Premium numbers that their numbering plan does not tell as such."""

DEAR: Final = ("shared cost", "pager", "personal", "company-wide", "voicemail")
"""Kinds of numbers that cost more than their country's others."""

HIGH_RISK: Final = frozenset(
    {
        "242", "246", "264", "268", "284", "345", "441", "473", "649", "658", "664", "721", "758",
        "767", "784", "809", "829", "849", "868", "869", "876",
    }
)  # fmt: skip
"""Area codes of the Caribbean and Bermuda: they look domestic from the United States, and are not."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants dialled."""

    to: str
    purpose: str = ""
    max_minutes: int | None = None
    """None takes the operator's longest."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator has set. Empty lists allow nothing."""

    home: str | None = None
    countries: Set[str] = frozenset()
    numbers: Set[str] = frozenset()
    domains: Set[str] = frozenset()
    denied: tuple[str, ...] = ()
    do_not_call: Set[str] = frozenset()
    concurrent: int = 2
    per_number: int = 3
    calls: int = 50
    minutes: int = 120
    spend: Decimal = Decimal(10)
    price: Decimal = Decimal("0.10")
    ask_above: Decimal | None = None
    max_minutes: int = 30
    hours: tuple[int, int] | None = (8, 21)
    approval: Literal["ask", "always", "refuse"] = "ask"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What comes of a wish: `rule` decided it, `rules` are all that a human would lift."""

    what: Literal["allow", "ask", "deny"]
    rule: str
    destination: Destination
    minutes: int
    sentence: str = ""
    advice: str = ""
    rules: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Case:
    """One wish beside everything that bears on it."""

    wish: Wish
    to: Destination
    rules: Rules
    day: Day
    live: int
    now: datetime

    @property
    def minutes(self) -> int:
        """How long the call may last: as wished, and never longer than the operator's longest."""
        return max(1, min(self.wish.max_minutes or self.rules.max_minutes, self.rules.max_minutes))

    @property
    def cost(self) -> Decimal:
        """The dearest that the call can come to."""
        return self.minutes * self.rules.price

    @property
    def named(self) -> bool:
        """Whether the operator has listed exactly this number, or this address's domain."""
        if isinstance(self.to, Address):
            return self.to.domain in self.rules.domains
        return self.to.dialled in self.rules.numbers

    @property
    def country_allowed(self) -> bool:
        """Whether the operator has listed its country."""
        return isinstance(self.to, Number) and self.to.region in self.rules.countries

    def is_a(self, *kinds: str) -> bool:
        """Whether the numbering plan says so."""
        return isinstance(self.to, Number) and self.to.kind in kinds

    @cached_property
    def risky(self) -> bool:
        """Whether it is an area code that looks domestic and is not."""
        return isinstance(self.to, Number) and _area(self.to.dialled) in HIGH_RISK

    @cached_property
    def awake(self) -> bool:
        """Whether it is daytime in each time zone the number may be in; in an unknown one it is night."""
        if self.rules.hours is None or not isinstance(self.to, Number) or self.is_a("toll-free"):
            return True
        first, last = self.rules.hours
        try:
            hours = [self.now.astimezone(ZoneInfo(zone)).hour for zone in numbers.zones(self.to.dialled)]
        except (ZoneInfoNotFoundError, ValueError):
            return False
        return bool(hours) and all(first <= hour < last for hour in hours)


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of the policy: when it fires, what a model is told, and whether a human may lift it."""

    name: str
    fires: Callable[[Case], bool]
    says: str
    advice: str
    lifts: bool = False


_ELSE: Final = "Do not try it in another spelling; tell your user."
_LESS: Final = "Ask for fewer minutes, or call again tomorrow (UTC)."
_LATER: Final = "Call again tomorrow (UTC), or ask the operator to raise it."

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "not_a_number", lambda c: isinstance(c.to, Unreadable),
        "This is nothing that can be dialled.",
        "Give a number with its country code, as +14155550123, or sip:user@host, or sim:<persona>.",
    ),
    Rule(
        "emergency", lambda c: isinstance(c.to, Emergency),
        "This server never dials emergency numbers.",
        "Tell your user to call for help on their own telephone, now.",
    ),
    Rule(
        "premium", lambda c: c.is_a("premium") or PREMIUM.match(c.to.dialled) is not None,
        "This is a premium-rate number, and those are never dialled.", _ELSE,
    ),
    Rule(
        "satellite", lambda c: c.to.dialled.startswith(SATELLITE),
        "This is a satellite number, and those are never dialled.", _ELSE,
    ),
    Rule(
        "invalid", lambda c: c.is_a("invalid", "unknown"),
        "No numbering plan has this number.", "Check its digits and its country code with your user.",
    ),
    Rule(
        "dear", lambda c: c.is_a(*DEAR) and not c.named,
        "This kind of number costs more than others; it is dialled only if the operator lists it.", _ELSE,
    ),
    Rule(
        "high_risk", lambda c: c.risky and not (c.named or c.country_allowed),
        "This area code is known for toll fraud, and the operator has not listed its country.", _ELSE,
    ),
    Rule(
        "denied", lambda c: c.to.dialled.startswith(c.rules.denied) if c.rules.denied else False,
        "The operator denies this number.", _ELSE,
    ),
    Rule(
        "do_not_call", lambda c: c.to.dialled in c.rules.do_not_call,
        "Who has this number asked not to be called.", _ELSE,
    ),
    Rule(
        "concurrent", lambda c: c.live >= c.rules.concurrent,
        "As many calls as may be are being made.", "Call again when one of them has ended.",
    ),
    Rule(
        "per_number", lambda c: c.day.numbers[c.to.dialled] >= c.rules.per_number,
        "This number was called as often today as it may be.", _LATER,
    ),
    Rule("calls", lambda c: c.day.calls >= c.rules.calls, "Today's calls are used up.", _LATER),
    Rule(
        "minutes", lambda c: c.day.minutes + c.minutes > c.rules.minutes,
        "Today's minutes would not last for this call.", _LESS,
    ),
    Rule(
        "spend", lambda c: c.day.spend + c.cost > c.rules.spend,
        "Today's budget would not last for this call.", _LESS,
    ),
    Rule(
        "not_on_the_list", lambda c: not (c.named or c.country_allowed),
        "The operator has not listed this destination.", "Tell your user; an operator can.", lifts=True,
    ),
    Rule(
        "quiet_hours", lambda c: not c.awake,
        "It is outside calling hours where this number may be.", "Call again in daytime there.", lifts=True,
    ),
    Rule(
        "costly", lambda c: c.rules.ask_above is not None and c.cost > c.rules.ask_above,
        "This call may cost more than the operator lets pass unasked.", "Ask for fewer minutes.", lifts=True,
    ),
    Rule(
        "every_call", lambda c: c.rules.approval == "always",
        "The operator wants every call to be approved.", "", lifts=True,
    ),
)  # fmt: skip
"""The policy, in order: what it is, what is never dialled, how much, and what a human decides."""


def judge(
    wish: Wish, rules: Rules, usage: Usage, now: datetime, lifted: frozenset[str] = frozenset()
) -> Verdict:
    """Judge a wish; `lifted` are the rules that a human has lifted for it.

    A refusal counts before a question: nobody is asked for what is refused anyway.
    """
    to = numbers.read(wish.to, rules.home)
    case = Case(wish, to, rules, usage.on(now), usage.live, now)
    if isinstance(to, Simulated):
        return Verdict("allow", "simulated", to, case.minutes)
    fired = [rule for rule in RULES if not (rule.lifts and rule.name in lifted) and rule.fires(case)]
    if not fired:
        return Verdict("allow", "approved" if lifted else "allowed", to, case.minutes)
    refuses = next((rule for rule in fired if not rule.lifts or rules.approval == "refuse"), None)
    rule = refuses or fired[0]
    return Verdict(
        "deny" if refuses else "ask", rule.name, to, case.minutes, rule.says, rule.advice,
        frozenset() if refuses else lifted | frozenset(other.name for other in fired),
    )  # fmt: skip


def sentences(rules: Set[str]) -> list[str]:
    """Say why a human is asked, in the policy's order."""
    return [rule.says for rule in RULES if rule.name in rules]


def _area(number: str) -> str:
    """The area code of a North American number."""
    return number[2:5] if number.startswith("+1") else ""
