"""The demo, with a caller of few words."""

import json
import wave
from importlib.util import find_spec
from pathlib import Path

import pytest

from mcp_voice.cli import main
from mcp_voice.demo.show import Line, show

pytestmark = pytest.mark.anyio


@pytest.mark.skipif(
    find_spec("pocketsphinx") is None
    or find_spec("espeakng_loader") is None
    or find_spec("matplotlib") is None,
    reason="the extra `demo` is not installed",
)
async def test_the_demo_holds_a_call_and_leaves_a_recording_a_transcript_and_a_picture(
    tmp_path: Path,
) -> None:
    told: list[str] = []

    status = await show(tmp_path, told.append, [Line("goodbye", into=1.0)])

    text = "\n".join(told)
    assert status == 0
    assert "the caller cuts in" in text
    assert "caller    good" in text
    assert "median" in text
    assert "call has ended (completed)" in text
    record = json.loads((tmp_path / "transcript.json").read_text())
    assert record["session"]["status"] == "closed"
    assert record["session"]["turns"][0]["interrupted"]
    with wave.open(str(tmp_path / "call.wav")) as recording:
        assert (recording.getnchannels(), recording.getframerate()) == (2, 8_000)
        assert recording.getnframes() > 2 * 8_000
    assert (tmp_path / "timeline.png").read_bytes().startswith(b"\x89PNG")


def test_the_demos_help_says_where_its_files_go(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--help"])

    assert "call.wav" in capsys.readouterr().out
