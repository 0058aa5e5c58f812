import io
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from mcp_voice.core.session import Session, SessionConfig, begin
from mcp_voice.errors import StoreFailed
from mcp_voice.media.shelf import Shelf
from mcp_voice.ports import Desk, utc_now
from mcp_voice.server import logs
from mcp_voice.server.care import bury, close_idle, sweep
from mcp_voice.settings import Log
from mcp_voice.stores.memory import MemoryStore
from tests.server.counter import desk

pytestmark = pytest.mark.anyio


async def add(
    shop: Desk, call_sid: str, now: datetime, *, ttl: int = 3_600, streaming: bool = False
) -> Session:
    session = begin(call_sid, SessionConfig(ttl=ttl), now)
    if streaming:
        session = session.moved("start", now, stream_sid=f"MZ{call_sid}")
    await shop.store.add(session)
    return session


async def reason(shop: Desk, session: Session) -> str | None:
    found = await shop.store.load(session.session_id)
    assert found is not None
    return found.close_reason


async def test_only_sessions_past_their_own_idle_time_are_closed() -> None:
    shop, now = desk(), utc_now()
    brief = await add(shop, "CA1", now - timedelta(seconds=90), ttl=60)
    patient = await add(shop, "CA2", now - timedelta(seconds=90), ttl=3_600)
    fresh = await add(shop, "CA3", now, ttl=60)

    assert await close_idle(shop) == 1

    assert await reason(shop, brief) == "idle"
    assert await reason(shop, patient) is None
    assert await reason(shop, fresh) is None
    assert shop.counts.sessions_timed_out == 1
    assert await close_idle(shop) == 0


async def test_a_stream_that_ended_with_its_process_ends_its_session_and_a_call_that_rings_goes_on() -> None:
    shop, now = desk(), utc_now()
    streaming = await add(shop, "CA1", now, streaming=True)
    pending = await add(shop, "CA2", now)

    assert await bury(shop) == 1

    assert await reason(shop, streaming) == "process_ended"
    assert await reason(shop, pending) is None


class Broken(MemoryStore):
    """A store that has failed, and may recover."""

    works = False

    async def find(self, **which: Any) -> Sequence[Session]:
        if not self.works:
            raise StoreFailed("The disk is full.")
        return await super().find(**which)


async def test_the_sweeper_goes_on_when_the_store_is_there_again(own_logs: None) -> None:
    shop, written = desk(), io.StringIO()
    shop.store = store = Broken()
    logs.configure(Log(format="json"), written)
    session = await add(shop, "CA1", utc_now() - timedelta(seconds=90), ttl=60)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sweep, shop, 0.01)
        with anyio.fail_after(30):
            while "sweep_failed" not in written.getvalue():
                await anyio.lowlevel.checkpoint()
            store.works = True
            while await reason(shop, session) is None:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    assert "The disk is full." in written.getvalue()


class Swift(MemoryStore):
    """A store in which somebody else closes what was just found."""

    async def find(self, **which: Any) -> Sequence[Session]:
        found = await super().find(**which)
        for session in found:
            await self.amend(session.session_id, lambda old: old.ended("completed", utc_now()))
        return found


async def test_who_is_quicker_than_the_sweeper_has_closed_it() -> None:
    shop = desk()
    shop.store = Swift()
    session = await add(shop, "CA1", utc_now() - timedelta(seconds=90), ttl=60)

    assert await close_idle(shop) == 0
    assert await reason(shop, session) == "completed"


async def test_what_the_tools_keep_is_swept_too() -> None:
    shop, swept = desk(), anyio.Event()

    class Drawer:
        async def sweep(self, now: datetime) -> None:
            swept.set()

    shop.drawer(Drawer)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sweep, shop, 0.01)
        with anyio.fail_after(30):
            await swept.wait()
        tasks.cancel_scope.cancel()


async def test_recordings_that_were_kept_long_enough_are_swept_too(tmp_path: Path) -> None:
    shop, old = desk(), tmp_path / "sess_1.wav"
    shop.recordings = Shelf(tmp_path, days=1)
    old.write_bytes(b"RIFF")
    os.utime(old, (0, 0))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sweep, shop, 0.01)
        with anyio.fail_after(30):
            while await shop.recordings.find("sess_1") is not None:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


async def test_the_sweeper_comes_round_again() -> None:
    shop, now = desk(), utc_now()
    first = await add(shop, "CA1", now - timedelta(seconds=90), ttl=60)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sweep, shop, 0.01)
        with anyio.fail_after(30):
            while await reason(shop, first) is None:
                await anyio.lowlevel.checkpoint()
            second = await add(shop, "CA2", now - timedelta(seconds=90), ttl=60)
            while await reason(shop, second) is None:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    assert shop.counts.sessions_timed_out == 2
