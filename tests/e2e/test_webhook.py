"""A call comes in over Twilio: the real program, webhooks signed by Twilio's own library, and a caller."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import anyio
import httpx2
import pytest
from mcp import Client
from twilio.request_validator import RequestValidator

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.caller import Caller
from mcp_voice.simulator.line import Names
from tests.e2e.processes import running

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        find_spec("espeakng_loader") is None, reason="the voice of the extra `local` is not installed"
    ),
]

HERE = "https://voice.example.com"
TOKEN = "secret-of-this-test"
SERVE = (
    "serve", "--public-port", "0", "--private-port", "0", "--vad", "webrtc", "--store", "memory:",
    "--public-url", HERE,
)  # fmt: skip


class Twilio:
    """Asks the program's public port for TwiML, as if by its public address."""

    def __init__(self, port: int, names: Names) -> None:
        self.here = f"127.0.0.1:{port}"
        self.names = names

    async def post(self, path: str, **fields: str) -> httpx2.Response:
        form = {"CallSid": self.names.call_sid, "From": "+12025550142", "To": "+12025550100", **fields}
        signature = RequestValidator(TOKEN).compute_signature(HERE + path, form)
        async with httpx2.AsyncClient(timeout=30) as web:
            return await web.post(
                f"http://{self.here}{path}", data=form, headers={"X-Twilio-Signature": signature}
            )

    async def ask(self, path: str, **fields: str) -> Element:
        answer = await self.post(path, CallStatus="in-progress", **fields)
        assert answer.status_code == 200, answer
        return fromstring(answer.text)

    def caller(self, stream: Element) -> Caller:
        """Whoever runs the document: they dial its address, and sign it."""
        url = stream.attrib["url"]
        return Caller(
            url.replace("wss://voice.example.com", f"ws://{self.here}"), token=TOKEN, signed_url=url,
            parameters={each.attrib["name"]: each.attrib["value"] for each in stream}, names=self.names,
        )  # fmt: skip


async def use(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    return dict(result.structured_content or {})


async def answered(client: Client, greeting: str) -> dict[str, Any]:
    """Take the call that waits, greet, and wait for the caller's keys."""
    said = await use(client, "telephony_answer", greeting=greeting, expect="digits", waitSeconds=20)
    with anyio.fail_after(120):
        while said["outcome"] in ("pending", "noReply"):
            said = await use(
                client, "telephony_listen", sessionId=said["sessionId"], expect="digits", waitSeconds=20
            )
    return said


@pytest.mark.slow
async def test_a_call_comes_in_talks_loses_its_socket_comes_back_and_ends(tmp_path: Path) -> None:
    config = tmp_path / "voice.env"
    config.write_text(f"MCP_VOICE_TWILIO__AUTH_TOKEN={TOKEN}\n")
    names, said = Names(), dict[str, Any]()
    async with running(*SERVE, "--config", str(config)) as program:
        ports = await program.event("listening", seconds=300)
        twilio = Twilio(ports["public"], names)
        async with Client(f"http://127.0.0.1:{ports['private']}/mcp/agent") as client:
            connect, redirect = await twilio.ask("/twilio/voice")
            after = (redirect.text or "").removeprefix(HERE)
            waiting = await use(client, "telephony_wait", **{"for": "incoming", "waitSeconds": 0})
            async with twilio.caller(connect[0]) as caller, anyio.create_task_group() as tasks:

                async def agent() -> None:
                    said.update(await answered(client, "How many people? Press a key."))

                tasks.start_soon(agent)
                await caller.until_spoken_to(timeout=120)
                await caller.press("4")
                while not said:
                    await caller.silence(0.2)
                await caller.drop()
            with pytest.raises(CarrierFailed, match="403"):
                async with twilio.caller(connect[0]):
                    raise AssertionError("an address was good twice")
            connect, _ = await twilio.ask(after)
            async with twilio.caller(connect[0]) as back:
                await use(client, "telephony_hangup", sessionId=said["sessionId"], goodbye="Goodbye.")
                end = await back.until_hung_up(timeout=120)
            behind = await twilio.ask(after)
            over = await twilio.post("/twilio/status", CallStatus="completed", SequenceNumber="3")
            again = await twilio.post("/twilio/voice", CallStatus="ringing")
            found = await use(client, "session_get", sessionId=said["sessionId"])

    [incoming] = waiting["incoming"]
    assert incoming["sessionId"] == said["sessionId"] == found["session"]["sessionId"]
    assert (said["outcome"], said["digits"]) == ("dtmf", "4")
    assert end is not None
    assert (end.by, [verb.tag for verb in behind]) == ("agent", ["Hangup"])
    assert (over.status_code, again.status_code) == (204, 403)
    assert found["session"]["closeReason"] == "hangup"
    assert "Traceback" not in program.told, program.told
    assert TOKEN not in program.told
