import signal

import httpx2
import pytest
from mcp import Client
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from mcp_voice.tools.catalogue import gather
from tests.e2e.processes import running
from tests.e2e.wire import begin, stop

pytestmark = pytest.mark.anyio

SERVE = ("serve", "--public-port", "0", "--private-port", "0", "--store", "memory:")


async def test_tools_and_calls_are_on_two_ports_and_sigterm_waits_for_the_call() -> None:
    async with running(*SERVE) as program, httpx2.AsyncClient() as web:
        ports = await program.event("listening")
        public, private = (f"127.0.0.1:{ports[name]}" for name in ("public", "private"))
        async with Client(f"http://{private}/mcp") as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
        elsewhere = [
            (await web.get(f"http://{public}{path}")).status_code
            for path in ("/mcp", "/mcp/agent", "/metrics")
        ]
        stream = await begin(public)
        await program.event("call_started")
        ready = await web.get(f"http://{private}/readyz")
        program.signal(signal.SIGTERM)
        await program.event("draining")
        draining = await web.get(f"http://{private}/readyz")
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{public}/twilio/media")
        still_there = program.process.returncode is None
        await stop(stream)
        status = await program.ended(30)

    assert len(tools) == len(gather())
    assert elsewhere == [404, 404, 404]
    assert (ready.status_code, ready.json()["calls"]) == (200, 1)
    assert (draining.status_code, draining.json()["draining"]) == (503, True)
    assert refused.value.response.status_code == 503
    assert still_there
    assert status == 0
    assert (await program.event("call_ended"))["reason"] == "stop"
    assert "Traceback" not in program.told


async def test_a_second_signal_does_not_wait_and_the_carrier_is_told_to_come_again() -> None:
    async with running(*SERVE) as program:
        stream = await begin(f"127.0.0.1:{(await program.event('listening'))['public']}")
        await program.event("call_started")
        program.signal(signal.SIGINT)
        await program.event("draining")
        program.signal(signal.SIGINT)
        with pytest.raises(ConnectionClosed) as closed:
            await stream.recv()
        status = await program.ended(30)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012  # service restart
    assert status == 0
