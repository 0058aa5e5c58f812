from datetime import UTC, datetime, timedelta

import pytest

from mcp_voice.core import ledger
from mcp_voice.core.counts import Counts
from mcp_voice.core.session import Session, SessionConfig, Turn, begin

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_session(**fields: object) -> Session:
    return begin("CA1", SessionConfig(), NOW, **fields)


def test_a_session_is_active_from_its_opening_to_its_end() -> None:
    counts, session = Counts(), a_session(direction="outbound")

    ledger.opened(counts, session)
    assert (counts.sessions_created, counts.sessions_active, counts.directions) == (1, 1, {"outbound": 1})

    ledger.closed(counts, session.ended("completed", NOW))
    assert (counts.sessions_closed, counts.sessions_active, counts.sessions_timed_out) == (1, 0, 0)


def test_a_session_that_comes_back_is_active_but_not_new() -> None:
    counts, session = Counts(), a_session()
    ledger.opened(counts, session)
    ledger.closed(counts, session.ended("stop", NOW))

    ledger.returned(counts)

    assert (counts.sessions_created, counts.sessions_active) == (1, 1)


def test_the_end_of_a_former_process_session_does_not_go_below_none() -> None:
    counts = Counts()

    ledger.closed(counts, a_session().ended("stop", NOW))

    assert counts.sessions_active == 0


def test_a_closed_session_is_measured_in_turns_and_seconds() -> None:
    counts, turn = Counts(), Turn(turn_id="t1", timestamp=NOW)
    session = a_session(turns=(turn, turn)).ended("completed", NOW + timedelta(seconds=125))

    ledger.closed(counts, session)

    assert counts.turn_count.total == 2
    assert counts.session_seconds.total == counts.call_seconds.total == 125.0


@pytest.mark.parametrize(
    ("reason", "label"),
    [("stop", "completed"), ("busy", "busy"), ("idle", "idle"), ("the caller was rude", "other")],
)
def test_a_metric_has_few_reasons(reason: str, label: str) -> None:
    counts = Counts()

    ledger.closed(counts, a_session().ended(reason, NOW))

    assert counts.disconnect_reasons == {label: 1}
    assert counts.sessions_timed_out == (reason == "idle")
