from collections.abc import AsyncIterator
from importlib.util import find_spec

import pytest

from mcp_voice.core.counts import Counts
from mcp_voice.ports import Hears, Speaks
from mcp_voice.providers import Registry

PACKAGES = {"pocketsphinx": "pocketsphinx", "espeak": "espeakng_loader"}


def skip_unless_installed(name: str) -> None:
    if find_spec(PACKAGES[name]) is None:
        pytest.skip(f"{name} is not installed: pip install 'mcp-voice[local]'")


@pytest.fixture(scope="module")
async def registry() -> AsyncIterator[Registry]:
    registry = Registry(Counts())
    yield registry
    await registry.aclose()


@pytest.fixture(scope="module", params=["pocketsphinx"])
def hears(request: pytest.FixtureRequest, registry: Registry) -> Hears:
    """Every vendor that hears."""
    skip_unless_installed(request.param)
    return registry.ear(request.param)


@pytest.fixture(scope="module", params=["espeak"])
def speaks(request: pytest.FixtureRequest, registry: Registry) -> Speaks:
    """Every vendor that speaks."""
    skip_unless_installed(request.param)
    return registry.voice(request.param)
