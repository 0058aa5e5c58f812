"""A tunnel to the public listener, with a twin of the vendor's SDK in its place."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_voice.errors import CarrierFailed, NotConfigured
from mcp_voice.server.tunnel import tunnelled
from mcp_voice.settings import Settings, guard

pytestmark = pytest.mark.anyio

SDK = '''
"""forward() gives a listener with url() and close(); its errors are ValueErrors of two parts."""

FAILS = None
LOG = []


class Listener:
    def url(self):
        return "https://abc.ngrok.app"

    async def close(self):
        LOG.append("closed")


async def forward(addr, *, authtoken_from_env):
    LOG.append((addr, authtoken_from_env))
    if FAILS:
        raise ValueError(*FAILS)
    return Listener()
'''


@pytest.fixture
def sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "ngrok.py").write_text(SDK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ngrok", raising=False)
    yield tmp_path
    sys.modules.pop("ngrok", None)


async def test_carriers_come_by_the_tunnel_for_as_long_as_the_server_runs(sdk: Path) -> None:
    async with tunnelled(Settings(tunnel="ngrok"), 8765) as settings:
        assert settings.public_url == "https://abc.ngrok.app"

    assert sys.modules["ngrok"].LOG == [("127.0.0.1:8765", True), "closed"]


async def test_without_a_tunnel_nothing_is_changed() -> None:
    before = Settings()
    async with tunnelled(before, 8765) as settings:
        assert settings is before


@pytest.mark.parametrize(
    ("parts", "error", "told"),
    [
        (
            ("failed to connect session", "failed to establish tcp connection"),
            CarrierFailed,
            "tcp connection",
        ),
        (
            ("failed to connect session", "The authtoken you specified is invalid"),
            NotConfigured,
            "NGROK_AUTHTOKEN",
        ),
    ],
)
async def test_a_tunnel_that_does_not_open_is_told_with_what_to_do(
    sdk: Path, parts: tuple[str, ...], error: type[Exception], told: str
) -> None:
    with (sdk / "ngrok.py").open("a") as module:
        module.write(f"\nFAILS = {parts!r}\n")

    with pytest.raises(error, match=told):
        async with tunnelled(Settings(tunnel="ngrok"), 8765):
            pass


async def test_a_tunnel_beside_an_address_is_refused() -> None:
    with pytest.raises(NotConfigured, match="MCP_VOICE_PUBLIC_URL"):
        async with tunnelled(Settings(tunnel="ngrok", public_url="https://voice.example.com"), 8765):
            pass


def test_behind_a_tunnel_callers_have_to_prove_who_they_are() -> None:
    with pytest.raises(NotConfigured, match="TWILIO_AUTH_TOKEN"):
        guard(Settings(tunnel="ngrok"))
