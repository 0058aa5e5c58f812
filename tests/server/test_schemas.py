import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types
from mcp import Client

from mcp_voice import cli
from mcp_voice.core.counts import Counts
from mcp_voice.server import schemas
from mcp_voice.server.limits import Rates
from mcp_voice.server.listing import listed, listed_ahead
from mcp_voice.server.mcp import build
from mcp_voice.tools.catalogue import Tool, gather
from tests.server.counter import desk

ROOT = Path(__file__).parents[2]
FILES = {path.stem: path for path in (ROOT / "schemas").glob("*.*.json")}


def test_the_files_are_what_the_code_would_write() -> None:
    assert schemas.stale(gather(), ROOT / "schemas") == []


@pytest.mark.anyio
async def test_the_files_are_what_a_client_is_told() -> None:
    async with Client(build(gather(), desk(), Rates(), Counts())) as client:
        listed = (await client.list_tools()).tools

    assert [tool.name for tool in listed] == [tool.name for tool in gather()]
    for tool in listed:
        written = json.loads(FILES[tool.name].read_text(encoding="utf-8"))
        told = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert {key: value for key, value in written.items() if key != "rateLimit"} == told


@pytest.mark.parametrize("tool", list(gather()), ids=lambda tool: tool.name)
def test_a_schema_is_one(tool: Tool) -> None:
    Draft202012Validator.check_schema(tool.input_schema)
    Draft202012Validator.check_schema(tool.output_schema)


@pytest.mark.parametrize("toolset", ["agent", "media", "all"])
@pytest.mark.parametrize("names", ["dotted", "underscore"])
def test_the_list_told_ahead_is_the_one_made_of_the_code(toolset: Any, names: Any) -> None:
    assert listed_ahead(toolset, names) == listed(gather().toolset(toolset), names)


def test_what_is_stale_is_told_and_then_written(tmp_path: Path) -> None:
    folder, readme, listing = tmp_path / "schemas", tmp_path / "README.md", tmp_path / "listed.json"
    readme.write_text(f"# Here\n{schemas.BEGIN}\nold\n{schemas.END}\nThere\n", encoding="utf-8")

    told = schemas.stale(gather(), folder, listing)
    assert f"{folder}/session.create.json: is missing" in told
    assert f"{listing}: is missing" in told
    assert not folder.exists()

    assert len(schemas.write(gather(), folder, listing)) == len(gather()) + 2
    assert schemas.stale(gather(), folder, listing) == []
    written = readme.read_text(encoding="utf-8")
    assert "| `session.create` | Start the record of a call that has none. | 100 |" in written
    assert written.endswith(f"{schemas.END}\nThere\n")

    (folder / "session.dial.json").write_text("{}")
    (folder / "asyncapi.json").write_text("{}")
    (folder / "session.get.json").write_text("{}\n")
    told = schemas.stale(gather(), folder, listing)
    assert len(told) == 2
    assert f"{folder}/session.dial.json: is of no tool" in told
    assert any(line.startswith(f"{folder}/session.get.json: +") for line in told)
    schemas.write(gather(), folder, listing)
    assert [path.name for path in folder.glob("*.json") if "." not in path.stem] == ["asyncapi.json"]
    assert not (folder / "session.dial.json").exists()


def test_a_check_that_finds_something_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schemas", "--check", "--dir", str(ROOT / "schemas")]) == 0
    assert capsys.readouterr().out == ""
    assert cli.main(["schemas", "--check", "--dir", str(tmp_path / "schemas")]) == 1
    assert "is missing" in capsys.readouterr().out
    assert cli.main(["schemas", "--dir", str(tmp_path / "schemas")]) == 0
    assert "session.get.json" in capsys.readouterr().out
    assert cli.main(["schemas", "--check", "--dir", str(tmp_path / "schemas")]) == 0


def test_a_file_ends_with_a_line_and_keeps_every_letter() -> None:
    text = next(iter(FILES.values())).read_bytes()

    assert text.endswith(b"}\n")
    assert b"\\u" not in text
