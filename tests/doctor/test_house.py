"""What is looked at on this machine."""

import json
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from mcp_voice import cli
from mcp_voice.doctor import house
from mcp_voice.doctor.finding import Finding
from mcp_voice.server.http import public_app
from mcp_voice.server.listeners import Listener, bind, listening, port_of
from mcp_voice.settings import Settings, Speech

pytestmark = pytest.mark.anyio


async def seen(findings: AsyncIterator[Finding]) -> dict[str, Finding]:
    return {finding.what: finding async for finding in findings}


async def test_a_port_of_a_server_of_ours_is_good_and_of_another_program_bad() -> None:
    with bind("127.0.0.1", 0, "public_port") as ours, bind("127.0.0.1", 0, "private_port") as theirs:
        servers = Listener(public_app([], lambda: False), ours), Listener(Starlette(), theirs)
        async with listening(*servers):
            settings = Settings(public_port=port_of(ours), private_port=port_of(theirs))
            found = await seen(house.ports(settings))

    assert found["public port"].told.endswith("mcp-voice is running there")
    assert found["private port"].state == "bad"
    assert "MCP_VOICE_PRIVATE_PORT" in found["private port"].fix


async def test_a_door_without_a_lock_is_bad() -> None:
    settings = Settings(public_url="https://voice.example.com", public_port=0, private_port=0)
    found = await seen(house.ports(settings))

    assert found["locks"].state == "bad"
    assert "TWILIO_AUTH_TOKEN" in found["locks"].fix


async def test_a_vendor_that_there_is_not_is_bad() -> None:
    found = await seen(house.engines(Settings(speech=Speech(stt="nobody", tts="nobody"))))

    assert (found["voice"].state, found["ear"].state) == ("bad", "bad")
    assert "nobody" in found["voice"].told


@pytest.mark.skipif(
    find_spec("pocketsphinx") is None or find_spec("espeakng_loader") is None,
    reason="the engines of the extra `local` are not installed",
)
async def test_the_voice_is_let_speak_and_the_ear_hear() -> None:
    found = await seen(house.engines(Settings()))

    assert (found["voice"].state, found["ear"].state) == ("ok", "ok")
    assert "s of speech" in found["ear"].told


@pytest.mark.parametrize(("store", "state"), [("memory:", "warn"), ("sqlite:///{}/calls.db", "ok")])
async def test_the_store_is_opened(store: str, state: str, tmp_path: Path) -> None:
    found = await seen(house.disk(Settings(store=store.format(tmp_path))))

    assert found["store"].state == state


def test_what_is_wrong_is_the_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_logs: None
) -> None:
    (tmp_path / "calls.db").mkdir()
    for name, value in {"STORE": f"sqlite:///{tmp_path}/calls.db", "SPEECH__TTS": "nobody"}.items():
        monkeypatch.setenv(f"MCP_VOICE_{name}", value)

    status = cli.main(["doctor", "--offline", "--json"])

    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert status == 1
    assert {each["what"] for each in found if each["state"] == "bad"} >= {"voice", "store"}
    assert all(each["fix"] for each in found if each["state"] != "ok")
