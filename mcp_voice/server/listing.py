"""The tools as `tools/list` tells them.

Made from the catalogue, or read from `listed.json`, which `mcp-voice schemas`
makes of it: a desktop client starts a process and waits for this list, and
importing every tool to tell three of them would take longer than all the rest
that is ours. The tests hold the file against the code.

An agent's list is lean: the model reads all of it before every step. It says
nothing of answers, which explain themselves (MCP lets `outputSchema` be left
out), and of arguments nothing twice.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mcp_voice.server.lean import asked, hinted

if TYPE_CHECKING:
    from mcp_voice.settings import Spelling, Toolset
    from mcp_voice.tools.catalogue import Catalogue, Tool

NAMED: Final = re.compile(r"\b(?:twilio|telephony|stt|tts|session)\.[a-z][A-Za-z]+\b")
"""A tool, in a text."""

AHEAD: Final = Path(__file__).with_name("listed.json")


def described(tool: "Tool") -> dict[str, Any]:
    """Describe a tool, under its dotted name."""
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "annotations": {
            "readOnlyHint": tool.reads,
            "destructiveHint": tool.destroys,
            "idempotentHint": tool.repeats,
            "openWorldHint": tool.open_world,
        },
        "inputSchema": tool.input_schema,
        "outputSchema": tool.output_schema,
    }


def listed(tools: "Catalogue", names: "Spelling") -> list[dict[str, Any]]:
    """List tools in their order, spelled as told."""
    return [_told(described(tool), names, lean=tools.lean) for tool in tools]


def listed_ahead(toolset: "Toolset", names: "Spelling") -> list[dict[str, Any]]:
    """List the tools of a set from the file, without importing any."""
    entries = json.loads(AHEAD.read_text(encoding="utf-8"))
    return [
        _told(entry["tool"], names, lean=toolset == "agent")
        for entry in entries
        if toolset == "all" or toolset in entry["toolsets"]
    ]


def ahead(tools: Iterable["Tool"]) -> str:
    """Return what the file should hold."""
    entries = [{"toolsets": sorted(tool.toolsets), "tool": described(tool)} for tool in tools]
    return (
        json.dumps(entries, ensure_ascii=False, separators=(",", ":")).replace(
            '},{"toolsets"', '},\n{"toolsets"'
        )
        + "\n"
    )


def _told(description: Mapping[str, Any], names: "Spelling", *, lean: bool) -> dict[str, Any]:
    name: str = description["name"]
    spelled = {**description, "name": name if names == "dotted" else name.replace(".", "_")}
    if lean:
        del spelled["outputSchema"]
        spelled["inputSchema"] = asked(spelled["inputSchema"])
        spelled["annotations"] = hinted(spelled["annotations"])
    return spelled if names == "dotted" else _respelled(spelled)


def _respelled(value: Any) -> Any:
    """Spell the tools that texts name as they are listed here."""
    match value:
        case str():
            return NAMED.sub(lambda found: found[0].replace(".", "_"), value)
        case dict():
            return {name: _respelled(inner) for name, inner in value.items()}
        case list():
            return [_respelled(inner) for inner in value]
    return value
