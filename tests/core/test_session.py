"""A session's moves, and the history it hands out."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.session import (
    MOVES,
    REATTACH_SECONDS,
    STREAM_ENDS,
    Entry,
    Move,
    Session,
    SessionConfig,
    Status,
    Turn,
    begin,
    change,
    history,
)
from mcp_voice.errors import Refused, SessionClosed

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_session(**fields: Any) -> Session:
    return begin("CA1", SessionConfig(), NOW, **fields)


def said(n: int, words: str = "word") -> Turn:
    return Turn(turn_id=f"turn-{n}", user_utterance=words, timestamp=NOW)


def test_a_session_is_named_by_a_handle_that_cannot_be_guessed() -> None:
    names = {a_session().session_id for _ in range(100)}

    assert len(names) == 100
    assert all(len(name) == len("sess_") + 32 for name in names)


@pytest.mark.parametrize(("status", "move"), list(product(get_args(Status), get_args(Move))))
def test_a_status_allows_the_moves_of_the_table_and_no_others(status: Status, move: Move) -> None:
    session = a_session(status=status)

    if (status, move) in MOVES:
        assert session.moved(move, NOW).status == MOVES[status, move]
    else:
        with pytest.raises(SessionClosed if status == "closed" else Refused):
            session.moved(move, NOW)


def test_every_move_is_a_version() -> None:
    session = a_session().moved("start", NOW).touched(NOW, to="+12025550100")

    assert session.version == 3


@pytest.mark.parametrize("reason", sorted(STREAM_ENDS))
def test_a_call_whose_stream_ended_comes_back_within_a_minute(reason: str) -> None:
    ended = a_session().moved("start", NOW, stream_sid="MZ1").ended(reason, NOW)

    back = ended.reopened("MZ2", NOW + timedelta(seconds=REATTACH_SECONDS))

    assert (back.status, back.stream_sid, back.closed_at, back.close_reason) == ("active", "MZ2", None, None)
    with pytest.raises(SessionClosed):
        ended.reopened("MZ2", NOW + timedelta(seconds=REATTACH_SECONDS + 1))


def test_a_call_that_was_hung_up_does_not_come_back() -> None:
    with pytest.raises(SessionClosed):
        a_session().ended("hangup", NOW).reopened("MZ2", NOW)


def test_a_session_may_idle_for_its_ttl() -> None:
    session = begin("CA1", SessionConfig(ttl=60), NOW)

    assert session.touched(NOW + timedelta(seconds=30)).idle_until == NOW + timedelta(seconds=90)


def test_a_session_lasts_until_it_was_closed_or_until_its_last_activity() -> None:
    later = NOW + timedelta(seconds=125)

    assert a_session().touched(later).duration_ms == 125_000
    assert a_session().ended("done", later).duration_ms == 125_000


@given(st.lists(st.integers(0, 5), max_size=6))
def test_the_log_is_numbered_from_one_without_a_gap(sizes: list[int]) -> None:
    session, seen = a_session(), []

    for size in sizes:
        new = change(session.touched(NOW), entries=[Entry(at=NOW, kind="mark")] * size)
        session = new.session
        seen += [entry.seq for entry in new.entries]

    assert seen == list(range(1, sum(sizes) + 1))
    assert session.seq == sum(sizes)


def test_a_history_is_the_newest_turns_of_the_record() -> None:
    session = a_session(turns=tuple(said(n) for n in range(30)))

    assert [turn.turn_id for turn in history(session)] == [f"turn-{n}" for n in range(10, 30)]


def test_a_history_is_cut_by_its_size_before_its_count() -> None:
    config = SessionConfig(history_max_tokens=100)
    turns = tuple(said(n, "x" * 200) for n in range(5))
    session = begin("CA1", config, NOW, turns=turns)

    assert [turn.turn_id for turn in history(session)] == ["turn-4"]


@given(st.lists(st.integers(0, 900), max_size=40), st.integers(1, 100), st.integers(100, 2_000))
def test_a_history_is_always_the_end_of_the_record_and_within_its_bounds(
    sizes: list[int], most: int, tokens: int
) -> None:
    config = SessionConfig(history_max_turns=most, history_max_tokens=tokens)
    session = begin("CA1", config, NOW, turns=tuple(said(n, "x" * size) for n, size in enumerate(sizes)))

    kept = history(session)

    assert kept == session.turns[len(session.turns) - len(kept) :]
    assert len(kept) <= most
    assert sum(len(turn.user_utterance or "") for turn in kept) // 4 <= tokens


def test_an_interrupted_turn_counts_with_what_was_heard_of_it() -> None:
    long = Turn(
        turn_id="t", agent_response="x" * 4_000, heard_by_caller="x", interrupted=True, timestamp=NOW
    )  # fmt: skip
    session = begin("CA1", SessionConfig(history_max_tokens=100), NOW, turns=(long,))

    assert history(session) == (long,)
