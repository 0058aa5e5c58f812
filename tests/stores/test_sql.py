"""What only a store on disk has: a file, one thread, grouped commits and a URL."""

# ruff: noqa: ASYNC240  # the loop waits for a test's own files: nothing else runs in it

import asyncio
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from sqlalchemy import Connection, Engine

from mcp_voice.core.session import Change, Session
from mcp_voice.errors import NotConfigured, Refused, StaleVersion, StoreFailed, StoreTooNew
from mcp_voice.stores import default_path, open_store
from mcp_voice.stores.memory import MemoryStore
from mcp_voice.stores.sql import SqlStore
from mcp_voice.stores.sqlite import SqliteFile
from mcp_voice.stores.tables import Records
from mcp_voice.stores.writer import Writer
from tests.stores.records import a_change, a_session, a_turn, listening, on_disk, opened

pytestmark = pytest.mark.anyio

# ─── the file ────────────────────────────────────────────────────────────────


async def test_what_was_kept_is_there_when_the_file_is_opened_again(path: Path) -> None:
    session = a_session()
    new = a_change(session, a_turn("t1"), notes=2)
    async with opened(path) as store:
        await store.add(session)
        await store.commit(new, 1)

    async with opened(path) as store:
        kept = await store.load(session.session_id)
        log = await store.entries(session.session_id)

    assert kept == new.session.model_copy(update={"turns": new.turns})
    assert list(log) == list(new.entries)
    assert sorted(file.name for file in path.parent.iterdir()) == ["calls.db"]  # the log is folded in


@pytest.mark.skipif(sys.platform == "win32", reason="no modes")
async def test_nobody_else_can_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "data" / "deeper" / "calls.db"

    async with opened(path) as store:
        await store.add(a_session())
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}

    assert modes == {"calls.db": 0o600, "calls.db-wal": 0o600, "calls.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(sys.platform == "win32", reason="no modes")
async def test_a_file_that_others_can_read_is_closed_to_them(path: Path) -> None:
    path.touch(mode=0o644)

    async with opened(path) as store:
        await store.find()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_what_is_removed_is_not_left_in_the_file(path: Path) -> None:
    session = a_session()
    async with opened(path) as store:
        await store.add(session)
        await store.commit(a_change(session, a_turn("t1", "my secret is 4711")), 1)
    assert b"my secret is 4711" in path.read_bytes()

    async with opened(path) as store:
        await store.remove([session.session_id])

    assert b"my secret is 4711" not in path.read_bytes()


async def test_a_file_of_a_later_version_is_left_alone(path: Path) -> None:
    async with opened(path) as store:
        await store.find()
    on_disk(path, "UPDATE mcp_voice_schema SET version = 4")
    before = path.read_bytes()

    async with opened(path) as store:
        with pytest.raises(StoreTooNew, match=r"calls\.db has schema 4.*Update mcp-voice"):
            await store.find()

    assert path.read_bytes() == before


async def test_a_session_of_a_version_without_modes_is_one_whose_audio_came_to_us(path: Path) -> None:
    session = a_session()
    async with opened(path) as store:
        await store.add(session)
    on_disk(path, "UPDATE sessions SET doc = json_remove(doc, '$.mode')")
    on_disk(path, "UPDATE mcp_voice_schema SET version = 2")

    async with opened(path) as store:
        kept = await store.load(session.session_id)

    assert kept is not None
    assert kept.mode == "stream"
    assert on_disk(path, "SELECT version FROM mcp_voice_schema") == [3]


async def test_another_programs_database_is_left_alone(path: Path) -> None:
    on_disk(path, "CREATE TABLE bookmarks (url)")

    async with opened(path) as store:
        with pytest.raises(StoreFailed, match="another program's"):
            await store.add(a_session())

    assert on_disk(path, "SELECT name FROM sqlite_master") == ["bookmarks"]


async def test_two_programs_can_share_a_file_and_lose_nothing(path: Path) -> None:
    session = a_session().model_copy(update={"metadata": {"count": 0}})

    def move(old: Session) -> Change:
        return a_change(old, notes=1, metadata={"count": old.metadata["count"] + 1})

    async with opened(path) as here, opened(path) as there:
        await here.add(session)

        async def amend(store: SqlStore) -> None:
            for _ in range(30):
                await store.amend(session.session_id, move, tries=1_000)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(amend, here)
            tasks.start_soon(amend, there)
        kept = await there.load(session.session_id)

    assert kept is not None
    assert (kept.metadata, kept.version, kept.seq) == ({"count": 60}, 61, 60)


async def test_stores_that_open_a_new_file_at_once_make_its_tables_once(path: Path) -> None:
    stores = [SqlStore(f"sqlite:///{path}") for _ in range(8)]

    async with anyio.create_task_group() as tasks:
        for store in stores:
            tasks.start_soon(store.add, a_session())
    found = await stores[0].find()
    for store in stores:
        await store.aclose()

    assert len(found) == 8
    assert on_disk(path, "SELECT version FROM mcp_voice_schema") == [3]


@pytest.mark.parametrize(("durability", "level"), [("crash", 1), ("power_loss", 2)])
async def test_a_commit_waits_for_the_disk_when_it_has_to_survive_power_loss(
    path: Path, durability: Any, level: int
) -> None:
    settings = []

    def look(db: Connection) -> None:
        raw = db.connection.cursor()
        pragmas = ("journal_mode", "synchronous", "busy_timeout")
        settings.append([raw.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in pragmas])
        raw.close()

    with listening(Engine, "commit", look):
        async with opened(path, durability=durability) as store:
            await store.add(a_session())

    assert settings[-1] == ["wal", level, 5_000]


# ─── one thread, grouped commits ─────────────────────────────────────────────


async def test_changes_that_wait_together_are_committed_together(path: Path) -> None:
    commits: list[str] = []
    async with opened(path) as store:
        await store.find()

        with listening(Engine, "commit", lambda _: commits.append(threading.current_thread().name)):
            async with anyio.create_task_group() as tasks:
                for _ in range(100):
                    tasks.start_soon(store.add, a_session())

        assert len(await store.find()) == 100
    assert len(commits) <= 10
    assert len(set(commits)) == 1
    assert commits[0].startswith("mcp-voice-store")


async def test_one_refusal_undoes_nothing_of_the_others_in_its_group(path: Path) -> None:
    sessions = [a_session(f"CA{n}") for n in range(20)]
    refusals: list[Exception] = []

    async def change(store: SqlStore, session: Session, version: int) -> None:
        try:
            await store.commit(a_change(session, a_turn("t1"), notes=1), version)
        except StaleVersion as error:
            refusals.append(error)

    async def again(store: SqlStore, session: Session) -> None:
        try:
            await store.add(session)
        except Refused as error:
            refusals.append(error)

    async with opened(path) as store:
        async with anyio.create_task_group() as tasks:
            for session in sessions:
                tasks.start_soon(store.add, session)
        commits: list[Connection] = []
        with listening(Engine, "commit", commits.append):
            async with anyio.create_task_group() as tasks:
                for n, session in enumerate(sessions):
                    tasks.start_soon(change, store, session, 1 if n % 2 else 7)
                    tasks.start_soon(again, store, session)
        versions = {kept.call_sid: kept.version for kept in await store.find()}

    assert versions == {f"CA{n}": 2 if n % 2 else 1 for n in range(20)}
    assert len(refusals) == 30
    assert len(commits) <= 5
    assert len(on_disk(path, "SELECT turn_id FROM turns")) == 10
    assert len(on_disk(path, "SELECT seq FROM entries")) == 10


async def test_an_answer_means_that_other_programs_see_it(path: Path) -> None:
    seen = []

    async def add(store: SqlStore) -> None:
        session = a_session()
        await store.add(session)
        seen.append(on_disk(path, f"SELECT 1 FROM sessions WHERE session_id = '{session.session_id}'"))

    async with opened(path) as store, anyio.create_task_group() as tasks:
        for _ in range(30):
            tasks.start_soon(add, store)

    assert seen == [[1]] * 30


async def test_what_cancelled_callers_handed_over_is_done_once(path: Path) -> None:
    sessions = [a_session(f"CA{n}") for n in range(60)]
    async with opened(path) as store:
        await store.find()
        async with anyio.create_task_group() as tasks:
            for session in sessions:
                tasks.start_soon(store.add, session)
            await checkpoint()
            tasks.cancel_scope.cancel()

        found = await store.find()

    assert {session.call_sid for session in found} == {session.call_sid for session in sessions}
    assert len(found) == 60


async def test_closing_does_what_waits_and_ends_the_thread(path: Path) -> None:
    async with opened(path) as store, anyio.create_task_group() as tasks:
        for _ in range(30):
            tasks.start_soon(store.add, a_session())
        await checkpoint()

        await store.aclose()

        assert len(on_disk(path, "SELECT session_id FROM sessions")) == 30
        assert [thread.name for thread in threading.enumerate() if "mcp-voice-store" in thread.name] == []


def test_a_loop_that_ends_before_the_answer_loses_nothing(path: Path) -> None:
    store = SqlStore(f"sqlite:///{path}")

    async def leave() -> None:
        waiting = asyncio.ensure_future(store.add(a_session()))
        await asyncio.sleep(0)
        waiting.cancel()

    async def look() -> int:
        found = await store.find()
        await store.aclose()
        return len(found)

    asyncio.run(leave())

    assert asyncio.run(look()) == 1


async def test_a_mistake_in_the_thread_reaches_those_who_wait_and_undoes_their_group(path: Path) -> None:
    writer = Writer(lambda: SqliteFile(path, "crash", 5.0))
    outcomes: list[str] = []

    async def do(work: Any) -> None:
        try:
            await writer.do(work, writes=True)
            outcomes.append("done")
        except ZeroDivisionError:
            outcomes.append("mistake")

    def mistake(records: Records) -> float:
        return 1 / (records.remove([]))

    await writer.do(lambda records: records.find(None, None, 1), writes=False)
    async with anyio.create_task_group() as tasks:
        for work in (lambda records: records.remove(["x"]), mistake, lambda records: records.remove(["y"])):
            tasks.start_soon(do, work)
    after = await writer.do(lambda records: records.find(None, None, 1), writes=False)
    await writer.aclose()

    assert "mistake" in outcomes
    assert len(outcomes) == 3
    assert after == ()


# ─── the URL ─────────────────────────────────────────────────────────────────


async def test_a_url_names_the_store(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))

    stores = [
        open_store(url) for url in (f"sqlite:///{path}", "sqlite:///calls.db", "sqlite:///~/a.db", None)
    ]
    forgetful = open_store("memory:")

    assert isinstance(forgetful, MemoryStore)
    assert [store.path for store in stores if isinstance(store, SqlStore)] == [
        path, Path("calls.db"), tmp_path / "a.db", default_path(),
    ]  # fmt: skip
    assert default_path().name == "calls.db"
    assert default_path().is_relative_to(tmp_path)
    for store in (*stores, forgetful):
        await store.aclose()


@pytest.mark.parametrize(
    "url",
    ["postgresql://me:hunter2@db/calls", "calls.db", "", "sqlite:calls.db", "sqlite://calls.db", "sqlite:///",
     "sqlite:///:memory:", "sqlite:///calls.db?mode=ro", "memory:x"],
)  # fmt: skip
def test_a_url_that_names_no_store_is_refused_with_one_that_does(url: str) -> None:
    with pytest.raises(NotConfigured, match=r"sqlite:///.*memory:") as refusal:
        open_store(url)

    assert "hunter2" not in str(refusal.value)


def test_sqlalchemy_is_imported_by_the_first_work_and_not_before() -> None:
    script = (
        "import sys; from mcp_voice.stores import open_store; store = open_store('memory:');"
        "store = open_store(None); print('sqlalchemy' in sys.modules)"
    )

    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )

    assert said.stdout == "False\n"
