import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from mcp_voice.core.counts import Counts
from mcp_voice.errors import NotConfigured, NotFound
from mcp_voice.providers import BUILT_IN, Registry
from mcp_voice.providers.extras import advice
from tests.providers.conftest import skip_unless_installed

pytestmark = pytest.mark.anyio


@pytest.fixture
def parrot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's package, installed: two vendors that work and one that does not."""
    (tmp_path / "parrot_voice.py").write_text(
        dedent(
            """
            class Parrot:
                name, continuous = "parrot", True

                def __init__(self, counts):
                    self.counts, self.closed = counts, False

                async def listen(self, config): ...
                async def speak(self, text, config): yield text.encode()
                async def voices(self): return ["polly"]
                async def aclose(self): self.closed = True

            class Owl:
                def __init__(self, counts): ...
                async def listen(self, config): ...
            """
        )
    )
    about = tmp_path / "parrot-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[mcp_voice.providers]\n"
        "Parrot = parrot_voice:Parrot\nowl = parrot_voice:Owl\negg = parrot_voice:Egg\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def test_the_defaults_are_the_engines_that_need_no_account() -> None:
    for name in BUILT_IN:
        skip_unless_installed(name)
    registry = Registry(Counts())

    assert registry.ear().name == "pocketsphinx"
    assert registry.voice().name == "espeak"


def test_a_vendor_is_one_object_by_all_its_names() -> None:
    for name in BUILT_IN:
        skip_unless_installed(name)
    registry = Registry(Counts(), hears="local", speaks="local")

    assert registry.ear() is registry.ear("PocketSphinx") is registry.ear("local")
    assert registry.voice() is registry.voice("espeak") is registry.voice("Local")


@pytest.mark.parametrize("name", ["deepgram", "aws-transcribe", "aws", "google-cloud", "google"])
def test_an_ear_of_the_documents_that_is_not_built_names_what_is(name: str) -> None:
    with pytest.raises(NotConfigured, match=f"'{name}' is not part of this version. Use 'pocketsphinx'"):
        Registry(Counts()).ear(name)


@pytest.mark.parametrize("name", ["deepgram", "polly", "aws", "google"])
def test_a_voice_of_the_documents_that_is_not_built_names_what_is(name: str) -> None:
    with pytest.raises(NotConfigured, match=f"'{name}' is not part of this version. Use 'espeak'"):
        Registry(Counts()).voice(name)


def test_a_name_that_nobody_has_is_not_found() -> None:
    with pytest.raises(NotFound, match=r"no provider that hears 'parrot'\. Use 'pocketsphinx'"):
        Registry(Counts()).ear("parrot")


def test_who_speaks_need_not_hear() -> None:
    with pytest.raises(NotFound, match="no provider that hears 'espeak'"):
        Registry(Counts()).ear("espeak")
    with pytest.raises(NotFound, match="no provider that speaks 'pocketsphinx'"):
        Registry(Counts()).voice("pocketsphinx")


def test_a_vendor_on_the_list_is_imported_only_when_asked_for() -> None:
    script = """
import sys
from mcp_voice.core.counts import Counts
from mcp_voice.providers import Registry
registry = Registry(Counts())
heavy = "numpy msgspec pydantic asyncio importlib.metadata structlog pocketsphinx espeakng_loader".split()
print(*(name for name in heavy if name in sys.modules))
"""

    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert run.stdout.split() == []


@pytest.mark.usefixtures("parrot")
async def test_a_vendor_of_somebody_elses_is_used_like_ours() -> None:
    counts = Counts()
    registry = Registry(counts, hears="owl", speaks="parrot")

    ear, voice = registry.ear(), registry.voice()

    assert registry.names()["parrot"] == {"hears", "speaks"}
    assert registry.names()["owl"] == {"hears"}
    assert id(voice) == id(registry.ear("parrot")) != id(ear)
    assert await voice.voices() == ["polly"]
    assert vars(voice) == {"counts": counts, "closed": False}
    await registry.aclose()
    assert vars(voice)["closed"]


@pytest.mark.usefixtures("parrot")
def test_a_vendor_of_somebody_elses_that_is_broken_is_said_to_be() -> None:
    registry = Registry(Counts())

    with pytest.raises(NotConfigured, match="'egg' cannot be loaded: module 'parrot_voice' has no attribute"):
        registry.ear("egg")
    with pytest.raises(NotFound, match=r"no provider that speaks 'owl'\. Use 'espeak' or 'parrot'"):
        registry.voice("owl")
    assert registry.names()["egg"] == frozenset()


def test_where_no_wheel_exists_the_advice_says_so() -> None:
    assert "no wheel for Python 3.14 yet: use Python 3.11 to 3.13" in advice("pocketsphinx", "local", (3, 14))
    assert advice("pocketsphinx", "local", (3, 12)) == "pip install 'mcp-voice[local]'."


def test_a_vendor_at_hand_is_found_and_nobody_is_told_of_it() -> None:
    class Quiet:
        name, continuous = "quiet", False

        async def listen(self, config: object) -> None: ...

    quiet = Quiet()
    registry = Registry(Counts(), hears="quiet", also={"quiet": quiet})

    assert id(registry.ear()) == id(registry.ear("quiet")) == id(quiet)
    assert "quiet" not in registry.names()
