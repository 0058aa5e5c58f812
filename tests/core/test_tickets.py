"""Tickets: one socket, one call, once, soon."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.session import UNNAMED, Session, SessionConfig, begin
from mcp_voice.core.tickets import Pass, Ticket, Tickets


def a_session(call_sid: str = "CA1") -> Session:
    return begin(call_sid, SessionConfig(), datetime(2026, 1, 1, tzinfo=UTC))


def test_a_ticket_is_good_once() -> None:
    tickets = Tickets()
    name = tickets.issue("sess_1", now=0.0, seconds=60.0)

    assert tickets.redeem(name, now=60.0) == Ticket("sess_1", 60.0)
    assert tickets.redeem(name, now=60.0) == "used"


def test_a_ticket_goes_stale() -> None:
    tickets = Tickets()
    name = tickets.issue("sess_1", now=0.0, seconds=60.0)

    assert tickets.redeem(name, now=60.1) == "stale"


def test_a_ticket_cannot_be_guessed_from_another() -> None:
    tickets = Tickets()
    names = {tickets.issue("sess_1", now=0.0, seconds=60.0) for _ in range(100)}

    assert len(names) == 100
    assert all(len(name) == 24 for name in names)
    assert tickets.redeem("", now=0.0) == "unknown"


def test_the_oldest_is_forgotten_for_want_of_room() -> None:
    tickets = Tickets(most=2)
    first, second, third = (tickets.issue("sess_1", now=0.0, seconds=60.0) for _ in range(3))

    assert len(tickets) == 2
    assert tickets.redeem(first, now=1.0) == "unknown"
    assert isinstance(tickets.redeem(second, now=1.0), Ticket)
    assert isinstance(tickets.redeem(third, now=1.0), Ticket)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 5)), max_size=30))
def test_no_ticket_opens_two_sockets(news: list[tuple[float, int]]) -> None:
    tickets, now, opened = Tickets(most=4), 0.0, list[str]()
    names = [tickets.issue(f"sess_{n}", now, 60.0) for n in range(6)]

    for wait, which in news:
        now += wait
        if isinstance(ticket := tickets.redeem(names[which], now), Ticket):
            assert now <= ticket.ends
            opened.append(ticket.session_id)

    assert len(opened) == len(set(opened))


def test_a_stream_joins_the_session_of_its_own_call() -> None:
    shown = Pass(proven=True, session_id="sess_1")

    assert shown.suits(a_session("CA1"), "CA1")
    assert not shown.suits(a_session("CA2"), "CA1")
    assert not shown.suits(None, "CA1")


def test_a_call_that_is_being_placed_takes_the_name_that_its_stream_tells() -> None:
    assert Pass(proven=True, session_id="sess_1").suits(a_session(f"{UNNAMED}0"), "CA1")


def test_without_a_ticket_a_call_may_have_no_session_yet_but_not_anothers() -> None:
    assert Pass(proven=True).suits(None, "CA1")
    assert not Pass(proven=True).suits(a_session("CA2"), "CA1")


def test_on_this_machine_any_stream_may_join() -> None:
    assert Pass().suits(a_session("CA2"), "CA1")
