"""What a disk can do to a store: each ends with a `StoreFailed` that says what to do, and heals."""

# ruff: noqa: ASYNC240  # the loop waits for a test's own files: nothing else runs in it

import os
import sqlite3
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import Pool

from mcp_voice.errors import StoreFailed
from mcp_voice.stores.sql import SqlStore
from tests.stores.records import a_change, a_session, a_turn, listening, on_disk, opened

pytestmark = pytest.mark.anyio


def setting(pragma: str) -> Any:
    """Give every connection made meanwhile a setting of the test's own."""

    def give(file: sqlite3.Connection, _: Any) -> None:
        file.execute(f"PRAGMA {pragma}")

    return listening(Pool, "connect", give)


async def test_a_file_that_is_no_database_is_refused_until_it_is_moved_away(path: Path) -> None:
    path.write_bytes(b"these are the voyages " * 500)

    async with opened(path) as store:
        with pytest.raises(StoreFailed, match=r"calls\.db is damaged or is no SQLite database.*move it away"):
            await store.add(a_session())
        path.rename(path.with_name("voyages"))
        await store.add(a_session())

        assert len(await store.find()) == 1
    assert path.with_name("voyages").read_bytes() == b"these are the voyages " * 500


async def test_a_damaged_page_is_reported_until_the_file_is_restored(path: Path) -> None:
    session = a_session()
    async with opened(path) as store:
        await store.add(session)
    page = on_disk(path, "PRAGMA page_size")[0]
    index = on_disk(path, "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_sessions_1'")[0]
    good = path.read_bytes()
    path.write_bytes(good[: (index - 1) * page] + os.urandom(page) + good[index * page :])

    async with opened(path) as store:
        await store.find()
        with pytest.raises(StoreFailed, match=r"is damaged.*Restore it"):
            await store.load(session.session_id)
        copy = path.with_name("copy")
        copy.write_bytes(good)
        copy.replace(path)

        assert await store.load(session.session_id) == session


async def test_a_damaged_record_is_reported_without_its_words_and_harms_no_other(path: Path) -> None:
    whole, damaged = a_session("CA1"), a_session("CA2")
    async with opened(path) as store:
        for session in (whole, damaged):
            await store.add(session)
        where = f"WHERE session_id = '{damaged.session_id}'"
        on_disk(path, f"""UPDATE sessions SET doc = '{{"callSid": ["hush"]}}' {where}""")

        with pytest.raises(StoreFailed, match="stored session is damaged: ") as failure:
            await store.load(damaged.session_id)

        assert "hush" not in str(failure.value)
        assert await store.load(whole.session_id) == whole
        assert await store.remove([damaged.session_id]) == 1


async def test_a_full_disk_undoes_the_whole_group_and_heals(path: Path) -> None:
    session = a_session()
    failures: list[StoreFailed] = []

    async def say(store: SqlStore, call_sid: str) -> None:
        try:
            await store.add(
                a_session(call_sid).model_copy(update={"turns": (a_turn("t1", "hush " * 2_000),)})
            )
        except StoreFailed as failure:
            failures.append(failure)

    async with opened(path) as store:
        with setting("max_page_count = 40"):
            await store.add(session)
            async with anyio.create_task_group() as tasks:
                for n in range(12):
                    tasks.start_soon(say, store, f"CA{n}")
            kept = await store.find()

        assert len(kept) + len(failures) == 13
        assert failures
        assert all("disk that is full" in str(f) and "Free some space" in str(f) for f in failures)
        assert not any("hush" in str(failure) for failure in failures)
        assert len({id(failure) for failure in failures}) == len(failures)
        await say(store, "CA99")
        assert await store.named("CA99") is not None
        assert await store.load(session.session_id) == session


async def test_a_lock_held_too_long_is_reported_and_reading_goes_on(path: Path) -> None:
    session = a_session()
    async with opened(path, busy_seconds=0.05) as store:
        await store.add(session)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreFailed, match=r"is locked.*end the other program"):
            await store.commit(a_change(session), 1)
        assert await store.load(session.session_id) == session
        other.execute("ROLLBACK")
        other.close()
        await store.commit(a_change(session), 1)

        kept = await store.load(session.session_id)
    assert kept is not None
    assert kept.version == 2


async def test_a_lock_let_go_of_in_time_is_waited_for(path: Path) -> None:
    async with opened(path) as store:
        await store.find()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.add, a_session())
            await anyio.lowlevel.checkpoint()
            other.execute("ROLLBACK")
            other.close()

        assert len(await store.find()) == 1


async def test_a_file_that_cannot_be_written_is_reported(path: Path) -> None:
    async with opened(path) as store:
        await store.find()

    with setting("query_only = 1"):
        async with opened(path) as store:
            with pytest.raises(StoreFailed, match=r"cannot be opened for writing.*writable for this user"):
                await store.add(a_session())


async def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    async with opened(tmp_path / "file" / "calls.db") as store:
        with pytest.raises(StoreFailed, match=r"cannot be opened for writing.*name another file"):
            await store.find()


async def test_a_folder_in_the_place_of_the_file_is_reported(path: Path) -> None:
    path.mkdir()

    async with opened(path) as store:
        with pytest.raises(StoreFailed, match="cannot be opened for writing"):
            await store.find()


async def test_a_folder_that_may_not_be_written_is_reported(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("this user may write anywhere")

    async with opened(tmp_path / "calls.db") as store:
        with pytest.raises(StoreFailed, match=r"cannot be opened for writing.*writable for this user"):
            await store.find()

    tmp_path.chmod(0o700)
