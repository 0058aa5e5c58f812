"""Who is in a call, and what may be done to them."""

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.conference import (
    CALLER,
    KIND,
    MOST,
    MOVES,
    Action,
    Conference,
    Stand,
    Step,
    begun,
    noted,
    rebuilt,
)
from mcp_voice.core.session import Entry
from mcp_voice.errors import Invalid, NotFound, Refused, TooMany

NOON = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = st.sampled_from([CALLER, "Ada", "Bo", "Cy"])
STEPS = st.lists(
    st.builds(
        lambda action, name: Step(action, name, f"client:{name}" if action == "add" else None),
        st.sampled_from(get_args(Action)),
        NAMES,
    ),
    max_size=30,
)


def with_ada() -> Conference:
    return begun("+14155550123").after(Step("add", "Ada", "client:ada"))


def entry(step: Step) -> Entry:
    return Entry(at=NOON, kind=KIND, data=noted(step))


@given(STEPS)
def test_the_log_tells_who_is_in_the_call(steps: list[Step]) -> None:
    conference, log = begun("+1"), []

    for step in steps:
        try:
            conference = conference.after(step)
        except (Refused, NotFound):
            continue
        log.append(entry(step))

    assert rebuilt("+1", log) == conference
    assert rebuilt("+1", [entry(step) for step in steps]) == conference


@given(STEPS)
def test_the_caller_is_always_in_their_call_and_nobody_twice(steps: list[Step]) -> None:
    conference = rebuilt("+1", map(entry, steps))

    names = [one.name for one in conference.people]
    assert names[0] == CALLER
    assert len(names) == len(set(names))
    assert [one.role for one in conference.people] == ["caller"] + ["guest"] * (len(names) - 1)
    assert not conference.people[0].coaching


@pytest.mark.parametrize(("do", "undo"), [("hold", "unhold"), ("mute", "unmute")])
@pytest.mark.parametrize("stand", [Stand.TALKS, Stand.MUTED, Stand.HELD])
def test_what_is_undone_leaves_them_as_they_were(do: Action, undo: Action, stand: Stand) -> None:
    if (stand, do) in MOVES:
        assert MOVES[MOVES[stand, do], undo] is stand


def test_what_is_done_to_somebody_shows() -> None:
    steps: list[tuple[Action, tuple[bool, bool, bool]]] = [
        ("mute", (True, False, False)),
        ("hold", (True, True, False)),
        ("unmute", (False, True, False)),
        ("unhold", (False, False, False)),
        ("coach", (False, False, True)),
        ("unmute", (False, False, False)),
    ]
    conference = with_ada()

    for action, shows in steps:
        conference = conference.after(Step(action, "Ada"))
        ada = conference.find("client:ada")
        assert (ada.muted, ada.on_hold, ada.coaching) == shows


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (Step("unhold", "Ada"), Refused),
        (Step("coach", CALLER), Refused),
        (Step("remove", CALLER), Refused),
        (Step("add", "Ada", "client:other"), Refused),
        (Step("add", "Other", "client:ada"), Refused),
        (Step("add", "Other"), Invalid),
        (Step("hold", "Bo"), NotFound),
        (Step("hold"), Invalid),
    ],
)
def test_what_makes_no_sense_is_refused(step: Step, error: type[Exception]) -> None:
    with pytest.raises(error):
        with_ada().after(step)


def test_a_guest_leaves_and_the_end_sends_all_away() -> None:
    conference = with_ada().after(Step("add", "Bo", "client:bo"))

    assert [one.name for one in conference.after(Step("remove", "Ada")).people] == [CALLER, "Bo"]
    assert conference.after(Step("end")) == begun("+14155550123")
    with pytest.raises(Refused, match="no conference"):
        begun(None).after(Step("end"))


def test_a_call_has_room_for_so_many() -> None:
    conference = begun(None)
    for n in range(MOST - 1):
        conference = conference.after(Step("add", f"n{n}", f"client:{n}"))

    with pytest.raises(TooMany):
        conference.after(Step("add", "late", "client:late"))


def test_lines_that_are_no_steps_change_nothing() -> None:
    lines = [
        Entry(at=NOON, kind="mark", data={"action": "add"}),
        Entry(at=NOON, kind=KIND, data={"action": "x"}),
    ]

    assert rebuilt("+1", lines) == begun("+1")
