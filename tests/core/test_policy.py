import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core import numbers
from mcp_voice.core.numbers import Number, read
from mcp_voice.core.policy import RULES, Rules, Verdict, Wish, judge
from mcp_voice.core.usage import Usage
from tests.core import destinations as where

NOON: Final = datetime(2026, 6, 1, 18, tzinfo=UTC)
"""Daytime from Honolulu to Berlin."""

OPEN: Final = Rules(
    countries=where.COUNTRIES,
    numbers=frozenset({where.LISTED}),
    domains=frozenset({"pbx.example.com", "client:front_desk"}),
    hours=None,
)
LIFTED: Final = frozenset(rule.name for rule in RULES if rule.lifts)

NEVER: Final = (
    *where.PREMIUM, *where.DEAR, *where.SATELLITE, *where.CARIBBEAN, *where.HELP, *where.MALFORMED,
    *where.PLUSES,
    *where.OTHER_DIGITS,
)  # fmt: skip
UNASKED: Final = (*NEVER, *where.NEARLY, *where.ADDRESSES, *where.ABROAD)


def judged(
    to: str,
    rules: Rules = OPEN,
    *,
    at: datetime = NOON,
    lifted: frozenset[str] = frozenset(),
    usage: Usage | None = None,
) -> Verdict:
    return judge(Wish(to), rules, usage or Usage(), at, lifted)


def test_of_hundreds_of_destinations_outside_the_policy_none_is_dialled() -> None:
    assert len(set(UNASKED)) >= 500

    dialled = [to for to in UNASKED if judged(to).what == "allow"]
    at_home = [to for to in NEVER if judged(to, replace(OPEN, home="US")).what == "allow"]

    assert (dialled, at_home) == ([], [])


def test_what_is_never_dialled_is_not_dialled_with_a_humans_yes_to_everything_either() -> None:
    assert len(set(NEVER)) >= 300

    assert [to for to in NEVER if judged(to, lifted=LIFTED).what != "deny"] == []


def test_everything_else_waits_for_a_human_where_nothing_is_listed() -> None:
    verdicts = {judged(to, Rules(hours=None)).what for to in (where.LISTED, "+4930123456", *where.ABROAD)}

    assert "allow" not in verdicts
    assert judged(where.LISTED, Rules(hours=None)).rule == "not_on_the_list"


@pytest.mark.parametrize(
    ("to", "rule"),
    [
        ("nobody", "not_a_number"),
        ("911", "emergency"),
        ("+49 110", "emergency"),
        ("sip:112@pbx.example.com", "emergency"),
        ("+1 900 555 1234", "premium"),
        ("+1 212 976 1234", "premium"),
        ("+979 1234 56789", "premium"),
        ("+881 6 1234 5678", "satellite"),
        ("+883 1234 5678", "satellite"),
        ("+1 911 666 6666", "invalid"),
        ("+44 7012 345678", "dear"),
        ("+1 876 234 5678", "high_risk"),
        ("+33 1 42 68 53 00", "not_on_the_list"),
        ("sip:a@example.com", "not_on_the_list"),
        ("client:back_office", "not_on_the_list"),
    ],
)
def test_the_rule_that_fires_says_why(to: str, rule: str) -> None:
    verdict = judged(to)

    assert verdict.rule == rule
    assert verdict.sentence
    assert verdict.advice


@pytest.mark.parametrize(
    ("to", "dialled"),
    [
        ("+1 (415) 555-0123", "+14155550123"),
        (" +49 30 123456 ", "+4930123456"),
        ("+44 (0)20 7946 0123", where.LISTED),
        ("sip:desk@PBX.example.com:5061", "sip:desk@PBX.example.com:5061"),
        ("client:front_desk", "client:front_desk"),
        ("sim:alice", "sim:alice"),
        ("browser", "browser"),
    ],
)
def test_what_is_listed_is_dialled_in_one_spelling(to: str, dialled: str) -> None:
    verdict = judged(to)

    assert verdict.what == "allow"
    assert verdict.destination.dialled == dialled


def test_the_simulator_passes_whatever_is_forbidden() -> None:
    closed = Rules(concurrent=0, calls=0, minutes=0, spend=Decimal(0), approval="refuse")

    assert [judged(to, closed).rule for to in ("sim:alice", "browser")] == ["simulated", "simulated"]


def test_a_national_spelling_needs_a_home() -> None:
    assert judged("030 123456").rule == "not_a_number"
    assert judged("030 123456", Rules(home="DE", countries=frozenset({"DE"}), hours=None)).what == "allow"


def test_naming_a_country_or_a_number_opens_what_is_only_risky() -> None:
    jamaica = Rules(countries=frozenset({"US", "JM"}), hours=None)
    desk = Rules(numbers=frozenset({"+443450123456"}), hours=None)

    assert judged("+1 876 234 5678", jamaica).what == "allow"
    assert judged("+44 345 012 3456", desk).what == "allow"
    assert judged("+1 900 555 1234", Rules(numbers=frozenset({"+19005551234"}))).rule == "premium"


def test_what_is_denied_is_denied_though_it_is_listed() -> None:
    denied = Rules(countries=frozenset({"US"}), denied=("+1415",), hours=None)
    asked = Rules(countries=frozenset({"US"}), do_not_call=frozenset({"+14155550123"}), hours=None)

    assert judged("+1 415 555 0123", denied, lifted=LIFTED).rule == "denied"
    assert judged("+1 415 555 0123", asked, lifted=LIFTED).rule == "do_not_call"
    assert judged("+1 212 555 0123", denied).what == "allow"


@pytest.mark.parametrize(
    ("to", "hour", "awake"),
    [
        ("+4930123456", 5, False),  # 7 in Berlin
        ("+4930123456", 6, True),
        ("+4930123456", 18, True),
        ("+4930123456", 19, False),  # 21
        ("+12125550123", 11, False),  # 7 in New York
        ("+12125550123", 12, True),
        ("+493012345", 3, False),
        ("+18005550123", 3, True),  # nobody's bedside
        ("+8613812345678", 4, True),
    ],
)
def test_nobody_is_called_at_night(to: str, hour: int, awake: bool) -> None:
    rules = Rules(numbers=frozenset({to}), home=None)

    verdict = judged(to, rules, at=NOON.replace(hour=hour))

    assert verdict.what == ("allow" if awake else "ask")
    assert verdict.rule == ("allowed" if awake else "quiet_hours")


def test_a_number_of_several_time_zones_is_called_when_it_is_day_in_all() -> None:
    mobile = "+77011234567"
    assert len(numbers.zones(mobile)) > 1
    rules = Rules(numbers=frozenset({mobile}))

    hours = [h for h in range(24) if judged(mobile, rules, at=NOON.replace(hour=h)).what == "allow"]

    assert 0 < len(hours) <= 13
    zones = [ZoneInfo(zone) for zone in numbers.zones(mobile)]
    assert all(8 <= NOON.replace(hour=hour).astimezone(zone).hour < 21 for hour in hours for zone in zones)


def test_a_question_names_every_rule_it_would_lift_and_a_refusal_comes_first() -> None:
    night = NOON.replace(hour=2)
    rules = Rules(ask_above=Decimal(1))

    asked = judged("+4930123456", rules, at=night)
    full = judged("+4930123456", Rules(ask_above=Decimal(1), concurrent=0), at=night)

    assert asked.what == "ask"
    assert asked.rules == {"not_on_the_list", "quiet_hours", "costly"}
    assert judged("+4930123456", rules, at=night, lifted=asked.rules).rule == "approved"
    assert judged("+4930123456", rules, at=night, lifted=frozenset({"costly"})).what == "ask"
    assert (full.what, full.rule) == ("deny", "concurrent")


def test_an_operator_may_have_every_call_approved_or_none_asked_about() -> None:
    always = Rules(numbers=frozenset({where.LISTED}), approval="always", hours=None)
    refuse = Rules(approval="refuse", hours=None)

    asked, refused = judged(where.LISTED, always), judged(where.LISTED, refuse)

    assert (asked.what, asked.rule) == ("ask", "every_call")
    assert (refused.what, refused.rule) == ("deny", "not_on_the_list")


@pytest.mark.parametrize(
    ("rules", "rule", "calls"),
    [
        ({"concurrent": 3}, "concurrent", 3),
        ({"per_number": 4}, "per_number", 4),
        ({"calls": 5}, "calls", 5),
        ({"minutes": 89}, "minutes", 2),
        ({"spend": Decimal("9.00")}, "spend", 3),
        ({"spend": Decimal(1), "price": Decimal("0.10"), "max_minutes": 1}, "spend", 10),
    ],
)
def test_a_cap_lets_through_what_fits_and_not_one_more(rules: dict[str, Any], rule: str, calls: int) -> None:
    wide: dict[str, Any] = {
        "concurrent": 99, "per_number": 99, "calls": 99, "minutes": 9_999, "spend": Decimal(999),
        "hours": None,
        "numbers": frozenset({where.LISTED}),
    }  # fmt: skip
    limits, usage, admitted = Rules(**{**wide, **rules}), Usage(), 0

    for _ in range(50):
        verdict = judged(where.LISTED, limits, usage=usage, lifted=LIFTED)
        if verdict.what != "allow":
            break
        usage.reserve(where.LISTED, verdict.minutes, limits.price, NOON)
        admitted += 1

    assert (admitted, verdict.rule) == (calls, rule)


def test_a_call_is_never_longer_than_the_operators_longest() -> None:
    def minutes(wished: int | None) -> int:
        return judge(Wish(where.LISTED, max_minutes=wished), OPEN, Usage(), NOON).minutes

    assert [minutes(wished) for wished in (None, 1, 30, 31, 10_000, 0, -5)] == [30, 1, 30, 30, 30, 30, 1]


def test_only_what_a_human_can_weigh_is_theirs_to_lift() -> None:
    assert {"not_on_the_list", "quiet_hours", "costly", "every_call"} == LIFTED


SPELLED = st.text(alphabet="+0123456789 ().-", max_size=24)
ALMOST = st.builds(
    lambda before, number, after: before + number + after,
    st.sampled_from(["", " ", "+", "0", "00", "1", "(", "tel:", "\u202a"]),
    st.sampled_from([where.LISTED, "+44 20 7946 0123", "442079460123", "+44(20)7946-0123"]),
    st.sampled_from(["", " ", "0", ".", "x1", ";ext=1", "\n", "@", "+"]),
)


@given(st.one_of(SPELLED, ALMOST, st.text(max_size=24)))
def test_a_number_that_has_been_read_reads_the_same(to: str) -> None:
    found = read(to)

    if isinstance(found, Number):
        assert read(found.dialled) == found


@given(st.one_of(SPELLED, ALMOST, st.text(max_size=24)))
def test_only_the_listed_number_passes_a_list_of_one(to: str) -> None:
    verdict = judged(to, Rules(numbers=frozenset({where.LISTED}), hours=None))

    if verdict.what == "allow" and verdict.rule != "simulated":
        assert verdict.destination.dialled == where.LISTED
        spelled = re.sub(r"[ ().-]", "", to).replace("+440", "+44")  # +44 (0)20 is how the British write it
        assert spelled == where.LISTED
