import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import pytest
from sqlalchemy import Engine

from mcp_voice.core.session import Session
from mcp_voice.errors import NotFound, Refused, StaleVersion
from mcp_voice.ports import SessionStore
from mcp_voice.stores.memory import MemoryStore
from mcp_voice.stores.sql import SqlStore
from mcp_voice.stores.watched import Watched
from tests.stores.records import a_change, a_session, at, listening, on_disk
from tests.twins import until

pytestmark = pytest.mark.anyio

Told = list[tuple[str, bool]]


def watched(store: SessionStore | None = None) -> tuple[Watched, Told]:
    told: Told = []
    return Watched(store or MemoryStore(), lambda *news: told.append(news)), told


async def test_every_change_is_told_once_and_the_list_only_when_it_reads_differently() -> None:
    store, told = watched()
    session = a_session()
    name = session.session_id

    await store.add(session)
    await store.amend(name, lambda old: old.touched(at(1)))
    await store.amend(name, lambda old: old.moved("start", at(2), stream_sid="MZ1"))
    await store.amend(name, lambda old: old.touched(at(3)))
    await store.amend(name, lambda old: old.ended("stop", at(4)))
    await store.amend(name, lambda old: old.reopened("MZ2", at(5)))
    await store.amend(name, lambda old: old.ended("completed", at(6)))
    await store.remove([name, "sess_none"])

    assert [listed for told_of, listed in told if told_of == name] == [
        True, False, True, False, True, True, True, True,
    ]  # fmt: skip


async def test_what_is_read_is_told_to_nobody_and_neither_is_what_was_refused() -> None:
    store, told = watched()
    session = a_session()
    await store.add(session)
    told.clear()

    await store.load(session.session_id)
    await store.named("CA1")
    await store.find(live=True)
    await store.entries(session.session_id)
    await store.remove([])
    with pytest.raises(Refused):
        await store.add(session)
    with pytest.raises(StaleVersion):
        await store.commit(a_change(session), 7)
    with pytest.raises(NotFound):
        await store.commit(a_change(a_session()), 1)
    assert await store.remove(["sess_none"]) == 0

    assert told == []


async def test_a_change_is_safe_when_it_is_told(path: Path) -> None:
    found: list[object] = []
    store = Watched(
        SqlStore(f"sqlite:///{path}"),
        lambda *_: found.extend(on_disk(path, "SELECT version FROM sessions")),
    )
    session = a_session()

    await store.add(session)
    await store.commit(a_change(session), 1)
    await store.aclose()

    assert found == [1, 2]


@contextmanager
def held_up() -> Iterator[threading.Event]:
    """A database that does not come to its commit until it is let go."""
    go, there = threading.Event(), threading.Event()

    def wait(_: object) -> None:
        there.set()
        go.wait(5)

    with listening(Engine, "commit", wait):
        yield go


@pytest.mark.parametrize("verb", ["add", "commit", "remove"])
async def test_what_is_done_for_a_caller_that_has_left_is_told_when_it_is_done(path: Path, verb: str) -> None:
    inner = SqlStore(f"sqlite:///{path}")
    store, told = watched(inner)
    session = a_session()
    if verb != "add":
        await store.add(session)
    told.clear()

    async def use() -> None:
        match verb:
            case "add":
                await store.add(session)
            case "commit":
                await store.commit(a_change(session), 1)
            case _:
                await store.remove([session.session_id])

    with held_up() as go:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(use)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        too_early = list(told)
        go.set()
        await until(lambda: bool(told))
    kept = await inner.load(session.session_id)
    await store.aclose()

    assert too_early == []
    assert told == [(session.session_id, verb != "commit")]
    assert (kept and kept.version) == {"add": 1, "commit": 2, "remove": None}[verb]


async def test_nothing_is_left_to_find_out_when_the_store_is_closed() -> None:
    store, told = watched()

    adding = asyncio.create_task(store.add(a_session()))
    await anyio.lowlevel.checkpoint()
    adding.cancel()
    with suppress(asyncio.CancelledError):
        await adding
    asked = len(store._asking)
    await store.aclose()

    assert asked == 1
    assert store._asking == set()
    assert told == []


async def test_a_session_that_another_process_began_is_listed_anew_when_it_is_first_changed_here() -> None:
    shared = MemoryStore()
    (ours, told), theirs = watched(shared), shared
    session: Session = a_session()
    await theirs.add(session)

    await ours.amend(session.session_id, lambda old: old.touched(at(1)))
    await ours.amend(session.session_id, lambda old: old.touched(at(2)))

    assert told == [(session.session_id, True), (session.session_id, False)]
