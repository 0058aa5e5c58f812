import socket

import anyio
import pytest

from mcp_voice.errors import NotConfigured
from mcp_voice.server.operator import Operator
from mcp_voice.server.stdio import Opening
from mcp_voice.server.telephone import ring
from mcp_voice.settings import load

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("own_logs")]


async def test_tools_work_though_another_program_has_the_port(capsys: pytest.CaptureFixture[str]) -> None:
    came, left = anyio.Event(), anyio.Event()

    def ready(operator: Operator) -> None:
        came.set()
        left.set()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = load(store="memory:", public_port=port, log__format="json", media__vad="energy")
        signalled = await ring(settings, ready, left, media=True)

    assert came.is_set()
    assert not signalled
    warned = capsys.readouterr().err
    assert "no_media" in warned
    assert f"Port {port}" in warned


async def test_an_open_port_without_a_lock_is_not_opened(capsys: pytest.CaptureFixture[str]) -> None:
    left = anyio.Event()
    settings = load(store="memory:", host="0.0.0.0", public_port=0, log__format="json")

    await ring(settings, lambda operator: left.set(), left, media=True)

    told = capsys.readouterr().err
    assert "TWILIO_AUTH_TOKEN" in told
    assert "listening" not in told


async def test_a_house_that_cannot_be_opened_says_why() -> None:
    with pytest.raises(NotConfigured, match="redis"):
        await ring(load(store="redis://x"), lambda operator: None, anyio.Event(), media=False)


async def test_who_waits_for_the_operator_is_told_why_there_is_none() -> None:
    opening = Opening()
    refused: list[str] = []

    async def wait() -> None:
        try:
            await opening.operator()
        except NotConfigured as error:
            refused.append(str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert opening.asked.is_set()
        opening.settle(NotConfigured("There is no store."))

    assert refused == ["There is no store."]
