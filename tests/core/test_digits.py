import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.digits import Collector, Plan, luhn

PLAN = Plan(maximum=4, terminator="#", first=8.0, between=3.0)

presses = st.lists(st.tuples(st.sampled_from("0123456789*#"), st.floats(0.0, 10.0)), max_size=12)


def collected(keys: str, plan: Plan = PLAN, *, every: float = 0.5) -> Collector:
    collector = Collector(plan)
    collector.open(0.0)
    for number, key in enumerate(keys, start=1):
        collector.press(key, number * every)
    return collector


@pytest.mark.parametrize(
    ("keys", "digits", "ended"),
    [
        ("42#", "42", "terminator"),
        ("#", "", "terminator"),
        ("1234", "1234", "maximum"),
        ("123456", "1234", "maximum"),
        ("42", "42", None),
        ("1*", "1*", None),
    ],
)
def test_digits_end_with_a_terminator_or_when_there_are_enough(keys: str, digits: str, ended: str) -> None:
    collector = collected(keys)

    assert (collector.digits, collector.ended) == (digits, ended)


def test_without_a_terminator_every_key_is_a_digit() -> None:
    assert collected("1#2", Plan(maximum=3, terminator="")).digits == "1#2"


def test_nobody_is_hurried_while_the_question_is_asked() -> None:
    collector = Collector(PLAN)

    collector.tell(100.0)
    collector.open(100.0)
    collector.tell(107.9)

    assert (collector.ended, collector.wakes_at) == (None, 108.0)
    collector.tell(108.0)
    assert (collector.digits, collector.ended, collector.wakes_at) == ("", "timeout", None)


def test_between_two_digits_the_wait_is_shorter() -> None:
    collector = collected("4")

    assert collector.wakes_at == 3.5
    collector.tell(3.5)
    assert (collector.digits, collector.ended) == ("4", "timeout")


def test_who_types_ahead_is_not_given_the_time_of_a_first_digit_again() -> None:
    collector = Collector(PLAN)
    collector.press("4", 1.0)

    collector.open(2.0)

    assert collector.wakes_at == 4.0


def test_a_key_that_comes_too_late_is_nobodys() -> None:
    collector = collected("42")

    collector.press("7", 20.0)

    assert (collector.digits, collector.ended) == ("42", "timeout")


@given(presses)
def test_what_is_collected_is_typed_in_that_order_and_never_too_much(typed: list[tuple[str, float]]) -> None:
    collector, now = Collector(PLAN), 0.0
    collector.open(now)

    for key, wait in typed:
        now += wait
        collector.press(key, now)

    assert "".join(key for key, _ in typed).startswith(collector.digits)
    assert len(collector.digits) <= PLAN.maximum
    assert "#" not in collector.digits
    assert (collector.wakes_at is None) == (collector.ended is not None)


@given(st.text("0123456789", min_size=1, max_size=20))
def test_one_of_ten_check_digits_is_right_and_one_wrong_digit_is_found(number: str) -> None:
    right = [number + check for check in "0123456789" if luhn(number + check)]

    assert len(right) == 1
    assert not luhn(str((int(right[0][0]) + 1) % 10) + right[0][1:])


@pytest.mark.parametrize("number", ["", "0", "12*4", "1 8", "\N{ARABIC-INDIC DIGIT ONE}8"])
def test_what_is_no_number_has_no_check_digit(number: str) -> None:
    assert not luhn(number)
