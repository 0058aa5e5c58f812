"""Every store there is, by name: a new one joins the suite with a line here."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_voice.ports import SessionStore
from mcp_voice.stores import open_store
from mcp_voice.stores.sql import SqlStore
from mcp_voice.stores.watched import Watched


@pytest.fixture(params=["memory", "sqlite", "unindexed sqlite", "watched memory", "watched sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SessionStore]:
    urls = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/calls.db"}
    before, _, kind = request.param.rpartition(" ")
    opened = SqlStore(urls[kind], index=False) if before == "unindexed" else open_store(urls[kind])
    if before == "watched":
        opened = Watched(opened, lambda session_id, listed: None)
    yield opened
    await opened.aclose()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"
