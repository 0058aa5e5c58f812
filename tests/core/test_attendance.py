"""An agent who may have gone."""

from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.attendance import ON_HOLD, Absence, Attendance


def visited(absence: Absence | None = None, *, until: float = 10.0) -> Attendance:
    there = Attendance(absence)
    there.come(now=0.0)
    there.go(now=until)
    return there


def test_a_call_that_no_agent_has_held_is_left_alone() -> None:
    there = Attendance()

    assert (there.begun, there.wakes_at, there.due(now=1e9)) == (False, None, None)


def test_the_caller_is_asked_to_wait_and_later_left_with_an_apology() -> None:
    there = visited(Absence(moment=20.0, leave=60.0))

    assert [there.due(now) for now in (29.9, 30.0, 31.0, 69.9, 70.0, 500.0)] == [
        None, "moment", None, None, "leave", None,
    ]  # fmt: skip


def test_a_request_that_waits_is_presence_for_as_long_as_it_waits() -> None:
    there = visited()
    there.come(now=15.0)

    assert (there.wakes_at, there.due(now=1_000.0)) == (None, None)


def test_an_agent_who_comes_back_starts_afresh() -> None:
    there = visited(Absence(moment=20.0, leave=60.0))
    there.due(now=40.0)
    there.come(now=50.0)
    there.go(now=51.0)

    assert (there.wakes_at, there.due(now=71.0)) == (71.0, "moment")


def test_a_caller_on_hold_waits_longer() -> None:
    there = visited(Absence(moment=20.0, leave=60.0), until=0.0)
    there.hold = True

    assert there.wakes_at == 20.0 * ON_HOLD


def test_nobody_is_left_where_that_is_switched_off() -> None:
    there = visited(Absence(moment=0.0, leave=0.0))

    assert there.wakes_at is None


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 40.0))))
def test_no_call_ends_while_its_agent_is_there(visits: list[tuple[bool, float]]) -> None:
    there, now, here = Attendance(), 0.0, 0
    last = 0.0

    for comes, pause in visits:
        now += pause
        duty = there.due(now)
        assert duty is None or (here == 0 and now - last >= 20.0 - 1e-9)
        if comes or here:
            (there.come if comes else there.go)(now)
            here += 1 if comes else -1
            last = now
