"""Finding calls by their words: the same in every store."""

# ruff: noqa: ASYNC240  # the loop waits for a test's own files: nothing else runs in it

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mcp_voice.core.finding import place
from mcp_voice.core.session import Change, Session
from mcp_voice.ports import SessionStore
from tests.stores.records import a_change, a_session, a_turn, at, on_disk, opened

pytestmark = pytest.mark.anyio


async def spoken(store: SessionStore, call_sid: str, *said: str, made: float = 0, **fields: Any) -> Session:
    turns = tuple(a_turn(f"t{n}", words) for n, words in enumerate(said))
    session = a_session(call_sid, made, **fields).model_copy(update={"turns": turns})
    await store.add(session)
    return session


async def calls(store: SessionStore, query: str = "", **asked: Any) -> list[str]:
    return [found.session.call_sid for found in await store.search(query, **asked)]


async def test_a_call_is_found_by_what_was_said_on_both_sides(store: SessionStore) -> None:
    await spoken(store, "CA1", "I would like to book a table")
    answer = a_turn("t0", "hello").model_copy(update={"agent_response": "Which TABLE do you want?"})
    await store.add(a_session("CA2", 1).model_copy(update={"turns": (answer,)}))
    await spoken(store, "CA3", "wrong number", made=2)

    assert await calls(store, "table") == ["CA2", "CA1"]
    assert await calls(store, "Book TABLE") == ["CA1"]
    assert await calls(store, "") == ["CA3", "CA2", "CA1"]


async def test_each_word_begins_a_word_of_the_call_wherever_it_stands(store: SessionStore) -> None:
    await spoken(store, "CA1", "my booking", "is for grüße", from_="+14155550123")

    assert await calls(store, "book GRÜS") == await calls(store, "for book") == ["CA1"]
    assert await calls(store, "14155550") == ["CA1"]
    assert await calls(store, "book tomorrow") == await calls(store, "ooking") == []


async def test_metadata_and_the_reason_for_the_end_are_searched_too(store: SessionStore) -> None:
    session = a_session().model_copy(update={"metadata": {"customer": {"names": ["Ada", 4711]}, "vip": True}})
    await store.add(session)
    await store.commit(Change(session.ended("no-answer", at(1))), 1)

    assert await calls(store, "ada 4711 answer") == ["CA1"]
    assert await calls(store, "customer") == await calls(store, "true") == []


async def test_a_change_is_found_as_soon_as_it_is_kept(store: SessionStore) -> None:
    session = await spoken(store, "CA1", "tea")
    assert await calls(store, "tea") == ["CA1"]

    await store.commit(a_change(session, a_turn("t0", "coffee")), 1)

    assert await calls(store, "coffee") == ["CA1"]
    assert await calls(store, "tea") == []
    await store.remove([session.session_id])
    assert await calls(store, "coffee") == []


@pytest.mark.parametrize(
    "query",
    ['"', "table'; DROP TABLE sessions; --", "table OR nothing", "tab*le", "NEAR(table, 5)", "said : table",
     "^table", "table - book", "(table", "%", "_able", "t%le", "table\0", "\ud800table",
     "-table AND NOT x", '"table" + "x"'],
)  # fmt: skip
async def test_nothing_in_a_query_but_its_words_means_anything(store: SessionStore, query: str) -> None:
    await spoken(store, "CA1", "a table for two")

    found = await calls(store, query)

    just_the_word = {'"', "%", "^table", "(table", "table\0", "\ud800table"}
    assert found == (["CA1"] if query in just_the_word else [])
    assert await calls(store, "table") == ["CA1"]


async def test_sessions_are_searched_by_status_and_party(store: SessionStore) -> None:
    await spoken(store, "CA1", "tea for 4155550123", from_="+1 (415) 555-0199", to="sip:desk@example.com")
    over = await spoken(store, "CA2", "tea", made=1, from_="+14155550123")
    await store.commit(Change(over.ended("stop", at(2))), 1)

    assert await calls(store, "tea", live=True) == ["CA1"]
    assert await calls(store, "tea", live=False) == ["CA2"]
    assert await calls(store, party="+1 415 555 0123") == ["CA2"]
    assert await calls(store, party="+14155550199") == await calls(store, party="desk@example") == ["CA1"]
    assert await calls(store, party="tea") == []


async def test_pages_follow_each_other_though_newer_calls_come_in(store: SessionStore) -> None:
    made = [await spoken(store, f"CA{n}", "tea", made=n // 2) for n in range(6)]
    newest_first = sorted(made, key=place, reverse=True)

    first = await store.search("tea", limit=2)
    await spoken(store, "CA9", "tea", made=100)
    rest = await store.search("tea", before=place(first[-1].session), limit=10)

    assert [found.session.session_id for found in (*first, *rest)] == [s.session_id for s in newest_first]


async def test_what_is_found_says_how_many_turns_there_are_and_where_the_words_stand(
    store: SessionStore,
) -> None:
    await spoken(store, "CA1", "hello", "x " * 100 + "a TABLE  for\n two " + "y " * 100)

    [found] = await store.search("two table")
    [listed] = await store.search("")

    assert (found.turns, found.session.turns) == (2, ())
    assert found.snippet is not None
    assert "a TABLE for two" in found.snippet
    assert len(found.snippet) < 130
    assert (listed.turns, listed.snippet) == (2, None)


# ─── on disk ─────────────────────────────────────────────────────────────────


async def test_the_index_is_used_where_there_is_one_and_built_anew_after_a_while_without(path: Path) -> None:
    if not on_disk(path, "SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'")[0]:
        pytest.skip("this SQLite has no FTS5")
    for index, call_sid in ((True, "CA1"), (False, "CA2"), (True, "CA3")):
        async with opened(path, index=index) as store:
            await spoken(store, call_sid, "tea")
            found = await calls(store, "tea")
        assert sorted(found) == [f"CA{n}" for n in range(1, len(found) + 1)]

    assert on_disk(path, "SELECT count(*) FROM said_index WHERE said_index MATCH 'tea'") == [3]
    on_disk(path, "INSERT INTO said_index(said_index, rank) VALUES ('integrity-check', 1)")


async def test_a_database_of_the_first_version_is_searched_whole(path: Path) -> None:
    async with opened(path) as store:
        for n in range(150):
            await spoken(store, f"CA{n}", f"tea {n}")
    as_it_was(path)

    async with opened(path) as store:
        found = await store.search("tea", limit=1_000)
        one = await calls(store, "tea 149")

    assert (len(found), one) == (150, ["CA149"])
    assert on_disk(path, "SELECT version FROM mcp_voice_schema") == [3]


def as_it_was(path: Path) -> None:
    """Take away what schema 2 has and schema 1 had not."""
    other = sqlite3.connect(path)
    with other:
        for trigger in ("said_added", "said_changed", "said_gone"):
            other.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        for statement in (
            "DROP TABLE IF EXISTS said_index", "DROP TABLE said", "DROP INDEX ix_sessions_unheard",
            "ALTER TABLE sessions DROP COLUMN heard", "UPDATE mcp_voice_schema SET version = 1",
        ):  # fmt: skip
            other.execute(statement)
    other.close()


async def test_no_word_of_what_is_removed_is_left_in_the_file(path: Path) -> None:
    async with opened(path) as store:
        kept = await spoken(store, "CA1", "tea please")
        gone = await spoken(store, "CA2", "the codeword is xylophone")
        assert await calls(store, "xylo") == ["CA2"]
        await store.commit(a_change(gone, a_turn("t9", "and rhubarb")), 1)
        assert await calls(store, "rhub") == ["CA2"]

    async with opened(path) as store:
        await store.remove([gone.session_id])

    left = path.read_bytes()
    assert not any(word in left for word in (b"xylophone", b"codeword", b"rhubarb"))
    async with opened(path) as store:
        assert await calls(store, "tea") == [kept.call_sid]


async def test_a_damaged_record_hides_no_other_from_a_search(path: Path) -> None:
    async with opened(path) as store:
        for call_sid in ("CA1", "CA2"):
            await spoken(store, call_sid, "tea")
        on_disk(path, """UPDATE sessions SET doc = '{}', heard = 0 WHERE call_sid = 'CA2'""")

        assert await calls(store, "tea") == ["CA1"]


async def test_looking_changes_nothing_when_nothing_has_changed(path: Path) -> None:
    async with opened(path) as store, opened(path, busy_seconds=0.05) as reader:
        await spoken(store, "CA1", "tea")
        assert await calls(store, "tea") == ["CA1"]
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        assert await calls(reader, "tea") == ["CA1"]

        other.execute("ROLLBACK")
        other.close()
