"""What a client hears while its tool call takes its time, over HTTP and in both eras of the protocol."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client
from starlette.responses import Response

from mcp_voice.core.counts import Counts
from mcp_voice.ports import Desk
from mcp_voice.server import http
from mcp_voice.server.limits import Rates
from mcp_voice.server.listeners import Listener, bind, listening, port_of
from mcp_voice.server.mcp import build, mount
from mcp_voice.server.progress import progressing
from mcp_voice.tools.catalogue import Catalogue
from tests.server.counter import Held, Said, desk, tool

pytestmark = pytest.mark.anyio


class Patience:
    """Who is waited for."""

    def __init__(self) -> None:
        self.over = asyncio.Event()


async def wait(ask: Held, desk: Desk) -> Said:
    """Wait until it is over."""
    await desk.drawer(Patience).over.wait()
    return Said(said_words="here I am")


async def ready() -> dict[str, Any]:
    return {"ready": True}


@asynccontextmanager
async def waiting(mode: Any) -> AsyncIterator[tuple[Client, Patience]]:
    """A client over HTTP, of a server with one tool that takes its time, and who ends the wait."""
    home = desk()
    server = build(
        Catalogue({"line.wait": tool("line.wait", wait, Held)}), home, Rates(), Counts(), every=0.01
    )
    hosts, origins = http.hosts("127.0.0.1", ()), http.origins(())
    bound = bind("127.0.0.1", 0, "private_port")
    mounted = mount(server, "/mcp", [], hosts=hosts, origins=origins)
    app = http.private_app([mounted], Response, ready, None)
    async with (
        listening(Listener(app, bound, lifespan=True)),
        Client(f"http://127.0.0.1:{port_of(bound)}/mcp", mode=mode) as client,
    ):
        yield client, home.drawer(Patience)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_wants_to_know_hears_that_its_call_is_worked_at(mode: Any) -> None:
    news: list[tuple[float, float | None, str | None]] = []
    async with waiting(mode) as (client, patience):

        async def heard(progress: float, total: float | None, message: str | None) -> None:
            news.append((progress, total, message))
            if len(news) == 3:
                patience.over.set()

        with anyio.fail_after(30):
            result = await client.call_tool("line.wait", {}, progress_callback=heard)

    assert not result.is_error
    assert [progress for progress, _, _ in news[:3]] == pytest.approx([0.01, 0.02, 0.03])
    assert all(total is None and message and "Nothing is lost." in message for _, total, message in news)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_does_not_ask_is_told_nothing_but_the_result(mode: Any) -> None:
    async with waiting(mode) as (client, patience):
        patience.over.set()

        result = await client.call_tool("line.wait", {})

    assert result.structured_content == {"saidWords": "here I am", "nothing": None}


async def test_a_client_that_cannot_be_told_has_its_result_all_the_same() -> None:
    tried = asyncio.Event()

    async def report(progress: float, total: float | None, message: str | None) -> None:
        tried.set()
        raise ConnectionResetError("The client is gone.")

    async with progressing(report, every=0.001):
        with anyio.fail_after(30):
            await tried.wait()
        result = "here I am"

    assert result == "here I am"


async def test_nothing_is_told_when_the_call_is_over() -> None:
    told: list[float] = []
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def report(progress: float, total: float | None, message: str | None) -> None:
        begun.set()
        await goes_on.wait()
        told.append(progress)

    async with progressing(report, every=0.001):
        with anyio.fail_after(30):
            await begun.wait()
    goes_on.set()
    await anyio.lowlevel.checkpoint()

    assert told == []
    assert "progress" not in {task.get_name() for task in asyncio.all_tasks()}
