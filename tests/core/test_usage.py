from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.usage import Admission, Usage

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DIME = Decimal("0.10")


def test_a_call_is_set_aside_at_its_longest_and_settled_by_the_minute_begun() -> None:
    usage = Usage()

    leave = usage.reserve("+1", 30, DIME, NOW)
    before = usage.on(NOW).minutes, usage.on(NOW).spend, usage.live
    leave.settle(2.1)

    assert before == (30, Decimal("3.00"), 1)
    assert (usage.on(NOW).minutes, usage.on(NOW).spend, usage.live) == (3, Decimal("0.30"), 0)
    assert (usage.on(NOW).calls, usage.on(NOW).numbers["+1"]) == (1, 1)


def test_what_was_not_dialled_leaves_no_trace() -> None:
    usage = Usage()

    usage.reserve("+1", 30, DIME, NOW).release()

    day = usage.on(NOW)
    assert (day.calls, day.minutes, day.spend, day.numbers["+1"], usage.live) == (0, 0, 0, 0, 0)


def test_leave_is_given_back_once() -> None:
    usage = Usage()
    leave = usage.reserve("+1", 30, DIME, NOW)

    leave.settle(1)
    leave.settle(1)
    leave.release()

    assert (usage.live, usage.on(NOW).minutes, usage.on(NOW).calls) == (0, 1, 1)


def test_a_new_day_begins_with_empty_books_and_a_late_call_is_yesterdays() -> None:
    usage, tomorrow = Usage(), NOW + timedelta(days=1)

    late = usage.reserve("+1", 30, DIME, NOW)
    assert usage.on(tomorrow).calls == 0
    usage.reserve("+1", 10, DIME, tomorrow)
    late.settle(1)

    assert (usage.on(tomorrow).calls, usage.on(tomorrow).minutes, usage.live) == (1, 10, 1)


def test_leave_that_nobody_keeps_books_of_can_be_given_back() -> None:
    leave = Admission("sim:alice", 30)

    leave.settle(3)
    leave.release()

    assert (leave.to, leave.max_minutes, leave.disclosure) == ("sim:alice", 30, None)


@given(st.lists(st.tuples(st.integers(1, 60), st.one_of(st.none(), st.floats(0, 60))), max_size=20))
def test_when_all_calls_are_over_the_books_hold_what_they_lasted(
    calls: list[tuple[int, float | None]],
) -> None:
    usage = Usage()
    leaves = [usage.reserve("+1", minutes, DIME, NOW) for minutes, _ in calls]

    for leave, (_, lasted) in zip(leaves, calls, strict=True):
        leave.release() if lasted is None else leave.settle(lasted)

    day, lasting = usage.on(NOW), [lasted for _, lasted in calls if lasted is not None]
    assert usage.live == 0
    assert day.calls == len(lasting)
    assert day.minutes == sum(-(-lasted // 1) for lasted in lasting)
    assert day.spend == day.minutes * DIME
