"""An acknowledged change outlives the process that made it, however that ends."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.stores import doomed
from tests.stores.records import on_disk, opened

pytestmark = pytest.mark.anyio


def killed_after(changes: int, path: Path, call_sid: str) -> list[tuple[str, str]]:
    """Kill a process in the middle of its work, once it has acknowledged so many; return all it did."""
    command = [sys.executable, doomed.__file__, f"sqlite:///{path}", call_sid]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        said = [process.stdout.readline() for _ in range(changes)]
        process.kill()
        said += process.stdout.readlines()
        watchdog.cancel()
    assert process.returncode == -9
    pairs = [line.split() for line in said if line.endswith("\n")]
    return [(session_id, turn_id) for session_id, turn_id in pairs]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
async def test_a_killed_process_loses_no_change_that_it_acknowledged(path: Path) -> None:
    acknowledged = []
    for n, changes in enumerate((1, 150, 400, 777)):
        acknowledged += killed_after(changes, path, f"CA{n}")

    async with opened(path) as store:
        kept = {session.session_id: await store.load(session.session_id) for session in await store.find()}
        log = {session_id: await store.entries(session_id) for session_id in kept}

    turns = {
        (session_id, turn.turn_id)
        for session_id, session in kept.items()
        if session
        for turn in session.turns
    }
    assert len(acknowledged) >= 1 + 150 + 400 + 777
    assert set(acknowledged) <= turns
    for session_id, session in kept.items():
        assert session is not None
        assert session.version == len(session.turns) + 1 == len(log[session_id]) + 1
        assert [line.seq for line in log[session_id]] == list(range(1, session.version))
    assert on_disk(path, "PRAGMA integrity_check") == ["ok"]
