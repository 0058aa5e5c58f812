"""What every store does. The tests know only the port."""

from datetime import timedelta, timezone
from typing import Any

import anyio
import pytest

from mcp_voice.core.session import Change, Entry, Session
from mcp_voice.errors import NotFound, Refused, SessionClosed, StaleVersion, StoreFailed
from mcp_voice.ports import SessionStore
from tests.stores.records import NOON, a_change, a_session, a_turn, at

pytestmark = pytest.mark.anyio

# ─── one session ─────────────────────────────────────────────────────────────


async def test_a_session_comes_back_as_it_was_added(store: SessionStore) -> None:
    session = a_session(
        from_="+15550100", to="+15550199", direction="outbound", stream_sid="MZ1", seq=7, version=3
    ).model_copy(update={"turns": (a_turn("t1", "grüß Gott 🙂"), a_turn("t2"))})

    await store.add(session)

    assert await store.load(session.session_id) == session
    assert await store.named("CA1") == session


async def test_what_is_not_there_is_none(store: SessionStore) -> None:
    assert await store.load("sess_none") is None
    assert await store.named("CA_none") is None
    assert list(await store.entries("sess_none")) == []
    assert list(await store.find()) == []
    assert await store.remove(["sess_none"]) == 0


async def test_an_id_can_be_taken_once(store: SessionStore) -> None:
    session = a_session()
    await store.add(session)

    with pytest.raises(Refused, match=session.session_id):
        await store.add(session.model_copy(update={"call_sid": "CA2", "turns": (a_turn("t1"),)}))

    assert await store.load(session.session_id) == session
    assert await store.named("CA2") is None


async def test_a_change_swaps_the_session_and_appends_its_turns_and_log_lines(store: SessionStore) -> None:
    old = a_session()
    await store.add(old)
    first = a_change(old, a_turn("b"), a_turn("a"), notes=2, status="active")
    second = a_change(first.session, a_turn("c"), notes=1)

    await store.commit(first, old.version)
    await store.commit(second, first.session.version)

    kept = await store.load(old.session_id)
    log = await store.entries(old.session_id)
    assert kept is not None
    assert (kept.version, kept.status, kept.seq) == (3, "active", 3)
    assert [turn.turn_id for turn in kept.turns] == ["b", "a", "c"]
    assert list(log) == [*first.entries, *second.entries]
    assert [line.seq for line in log] == [1, 2, 3]


async def test_a_turn_that_is_there_is_replaced_where_it_stands(store: SessionStore) -> None:
    session = a_session()
    await store.add(session.model_copy(update={"turns": (a_turn("t1"), a_turn("t2"))}))

    await store.commit(a_change(session, a_turn("t3"), a_turn("t1", "good-bye"), a_turn("t3", "again")), 1)

    kept = await store.load(session.session_id)
    assert kept is not None
    assert [(turn.turn_id, turn.user_utterance) for turn in kept.turns] == [
        ("t1", "good-bye"), ("t2", "hello"), ("t3", "again"),
    ]  # fmt: skip


async def test_the_turns_of_the_session_itself_are_not_written_by_a_change(store: SessionStore) -> None:
    session = a_session().model_copy(update={"turns": (a_turn("t1"),)})
    await store.add(session)

    await store.commit(Change(session.touched(at(1), turns=()), turns=(a_turn("t2"),)), 1)

    kept = await store.load(session.session_id)
    assert kept is not None
    assert [turn.turn_id for turn in kept.turns] == ["t1", "t2"]


async def test_a_stale_version_changes_nothing_and_says_which_is_there(store: SessionStore) -> None:
    old = a_session()
    await store.add(old)
    quicker = a_change(old, a_turn("t1"), notes=1)
    await store.commit(quicker, old.version)

    with pytest.raises(StaleVersion) as refusal:
        await store.commit(a_change(old, a_turn("t1", "too late"), a_turn("t2"), notes=3), old.version)

    kept = await store.load(old.session_id)
    assert refusal.value.details == {"version": 2, "wanted": 1}
    assert kept == quicker.session.model_copy(update={"turns": quicker.turns})
    assert list(await store.entries(old.session_id)) == list(quicker.entries)


@pytest.mark.parametrize("expected", [-1, 0, 2, 2**63, 10**30])
async def test_only_the_stored_version_fits(store: SessionStore, expected: int) -> None:
    old = a_session()
    await store.add(old)

    with pytest.raises(StaleVersion) as refusal:
        await store.commit(a_change(old), expected)

    assert refusal.value.details == {"version": 1, "wanted": expected}


async def test_a_change_of_a_session_that_is_not_there_is_not_found(store: SessionStore) -> None:
    with pytest.raises(NotFound):
        await store.commit(a_change(a_session(), a_turn("t1"), notes=1), 1)

    assert list(await store.find()) == []


# ─── the log ─────────────────────────────────────────────────────────────────


async def test_the_log_is_read_in_order_behind_a_number_and_up_to_a_count(store: SessionStore) -> None:
    old = a_session()
    await store.add(old)
    new = a_change(old, notes=5)
    shuffled = Change(new.session, (), tuple(new.entries[n] for n in (3, 0, 4, 2, 1)))
    await store.commit(shuffled, old.version)

    async def numbers(**asked: int) -> list[int]:
        return [line.seq for line in await store.entries(old.session_id, **asked)]

    assert await numbers() == [1, 2, 3, 4, 5]
    assert await numbers(after=2) == [3, 4, 5]
    assert await numbers(after=2, limit=2) == [3, 4]
    assert await numbers(after=-9, limit=1) == [1]
    assert await numbers(limit=0) == await numbers(limit=-1) == await numbers(after=10**30) == []
    assert await numbers(limit=10**30) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("numbers", [[1], [2, 2]])
async def test_a_log_line_number_is_used_once(store: SessionStore, numbers: list[int]) -> None:
    old = a_session()
    await store.add(old)
    new = a_change(old, notes=1)
    await store.commit(new, old.version)
    lines = tuple(Entry(seq=n, at=NOON, kind="mark") for n in numbers)

    with pytest.raises(Refused, match="already has an entry"):
        await store.commit(Change(new.session.touched(at(2)), (a_turn("t1"),), lines), 2)

    assert await store.load(old.session_id) == new.session
    assert list(await store.entries(old.session_id)) == list(new.entries)


# ─── many sessions ───────────────────────────────────────────────────────────


async def test_the_newest_session_of_a_call_is_the_one_named(store: SessionStore) -> None:
    older, newest, oldest = (a_session("CA1", made) for made in (20, 30, 10))
    for session in (older, newest, oldest, a_session("CA2", 40)):
        await store.add(session)

    assert await store.named("CA1") == newest


async def test_a_call_can_get_its_name_later(store: SessionStore) -> None:
    session = a_session("pending")
    await store.add(session)

    await store.commit(a_change(session, call_sid="CA9"), 1)

    renamed = await store.named("CA9")
    assert renamed is not None
    assert renamed.session_id == session.session_id
    assert await store.named("pending") is None


async def test_sessions_are_found_by_being_live_or_idle_newest_first(store: SessionStore) -> None:
    old, held, fresh, gone = (a_session(f"CA{n}", made=100 * n) for n in range(4))
    for session in (held, gone, old, fresh):
        await store.add(session)
    await store.commit(Change(gone.ended("hangup", at(300)), (a_turn("t1"),)), 1)
    await store.commit(Change(held.moved("start", at(100)).moved("hold", at(100))), 1)

    async def found(**asked: Any) -> list[str]:
        return [session.call_sid for session in await store.find(**asked)]

    assert await found() == ["CA3", "CA2", "CA1", "CA0"]
    assert await found(live=True) == ["CA2", "CA1", "CA0"]
    assert await found(live=False) == ["CA3"]
    assert await found(idle_before=at(200)) == ["CA1", "CA0"]
    assert await found(idle_before=at(200.000001), live=True) == ["CA2", "CA1", "CA0"]
    assert await found(live=True, limit=2) == ["CA2", "CA1"]
    assert await found(limit=0) == await found(limit=-1) == []
    assert [session.turns for session in await store.find(live=False)] == [()]


async def test_an_instant_is_the_same_in_every_zone(store: SessionStore) -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    session = a_session(made=0).model_copy(update={"last_activity_at": at(0).astimezone(east)})
    await store.add(session)

    assert await store.load(session.session_id) == session
    assert list(await store.find(idle_before=at(0))) == []
    assert list(await store.find(idle_before=at(0.001).astimezone(east))) == [session]


async def test_what_is_removed_is_forgotten_entirely(store: SessionStore) -> None:
    gone, stays = a_session("CA1"), a_session("CA2")
    for session in (gone, stays):
        await store.add(session)
        await store.commit(a_change(session, a_turn("t1"), notes=2), 1)

    removed = await store.remove([gone.session_id, "sess_none", gone.session_id])

    assert removed == 1
    assert await store.load(gone.session_id) is None
    assert list(await store.entries(gone.session_id)) == []
    kept = await store.load(stays.session_id)
    assert kept is not None
    assert (len(kept.turns), len(await store.entries(stays.session_id))) == (1, 2)

    await store.add(gone)

    assert await store.load(gone.session_id) == gone
    assert list(await store.entries(gone.session_id)) == []


async def test_a_thousand_sessions_are_removed_at_once(store: SessionStore) -> None:
    sessions = [a_session(f"CA{n}") for n in range(1_001)]
    async with anyio.create_task_group() as tasks:
        for session in sessions:
            tasks.start_soon(store.add, session)

    assert await store.remove([session.session_id for session in sessions]) == 1_001
    assert list(await store.find()) == []


# ─── amending ────────────────────────────────────────────────────────────────


async def test_amenders_at_the_same_time_never_lose_an_update(store: SessionStore) -> None:
    session = a_session().model_copy(update={"metadata": {"count": 0}})
    await store.add(session)
    conflicts = 0

    async def amend(who: int) -> None:
        def move(old: Session) -> Change:
            nonlocal conflicts
            conflicts += 1
            turn = a_turn(f"{who}-{old.version}")
            return a_change(old, turn, notes=1, metadata={"count": old.metadata["count"] + 1})

        for _ in range(10):
            await store.amend(session.session_id, move, tries=1_000)

    async with anyio.create_task_group() as tasks:
        for who in range(5):
            tasks.start_soon(amend, who)

    kept = await store.load(session.session_id)
    assert kept is not None
    assert (kept.metadata, kept.version, len(kept.turns)) == ({"count": 50}, 51, 50)
    assert [line.seq for line in await store.entries(session.session_id)] == list(range(1, 51))
    assert conflicts > 50  # or they were not at the same time


async def test_a_move_that_is_refused_leaves_the_record_alone(store: SessionStore) -> None:
    session = a_session().ended("hangup", at(1))
    await store.add(session)

    with pytest.raises(SessionClosed):
        await store.amend(session.session_id, lambda old: old.moved("hold", at(2)))
    with pytest.raises(NotFound, match=r"session\.create"):
        await store.amend("sess_none", lambda old: old)

    assert await store.load(session.session_id) == session


# ─── cancellation, and the end ───────────────────────────────────────────────


async def test_a_change_whose_caller_is_cancelled_is_whole_or_not_at_all(store: SessionStore) -> None:
    old = a_session()
    await store.add(old)
    new = a_change(old, a_turn("t1"), notes=1)

    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.commit(new, 1)

    kept = await store.load(old.session_id)
    log = list(await store.entries(old.session_id))
    assert (kept, log) in [
        (old, []),
        (new.session.model_copy(update={"turns": new.turns}), list(new.entries)),
    ]


async def test_a_closed_store_does_nothing_more(store: SessionStore) -> None:
    session = a_session()
    await store.add(session)
    await store.aclose()
    await store.aclose()

    for work in (
        store.add(session), store.load("x"), store.named("x"), store.commit(a_change(session), 1),
        store.entries("x"), store.find(), store.search("x"), store.remove(["x"]),
    ):  # fmt: skip
        with pytest.raises(StoreFailed, match="closed"):
            await work
