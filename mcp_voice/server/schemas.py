"""`schemas/`, the README's table and `listed.json`, made from the catalogue.

One file a tool, so that a change of the contract shows in a review as what it
is. `write` makes them; `stale` says what differs from what it would make.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mcp_voice.server.listing import AHEAD, ahead, described
from mcp_voice.tools.catalogue import Catalogue, Tool

BEGIN: Final = "<!-- tools:begin -->"
END: Final = "<!-- tools:end -->"


def document(tool: Tool) -> dict[str, Any]:
    """Describe one tool as its schema file does: as it is listed, and its limit."""
    listed = described(tool)
    first = {key: listed.pop(key) for key in ("name", "title", "description")}
    return {**first, "rateLimit": {"requestsPerMinute": tool.rpm}, **listed}


def table(catalogue: Catalogue) -> str:
    """Return the README's table: name, the description's first sentence, limit."""
    rows = [f"| `{tool.name}` | {_first_sentence(tool.description)} | {tool.rpm} |" for tool in catalogue]
    return "\n".join(("| tool | what it does | calls a minute |", "| --- | --- | ---: |", *rows))


def write(catalogue: Catalogue, folder: Path, listing: Path = AHEAD) -> list[Path]:
    """Bring the folder, the README beside it and the listing up to date; return what has changed."""
    differences = _differences(catalogue, folder, listing)
    for path, text in differences:
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return [path for path, _ in differences]


def stale(catalogue: Catalogue, folder: Path, listing: Path = AHEAD) -> list[str]:
    """Say what `write` would change: one line a file."""
    return [
        f"{path}: {'is of no tool' if text is None else _summary(path, text)}"
        for path, text in _differences(catalogue, folder, listing)
    ]


def _differences(catalogue: Catalogue, folder: Path, listing: Path) -> list[tuple[Path, str | None]]:
    """Return each file that is not as it should be, with the text it should have; None for one too many."""
    wanted = {folder / f"{tool.name}.json": _text(document(tool)) for tool in catalogue}
    wanted |= {listing: ahead(catalogue), **dict(_readme(catalogue, folder.parent / "README.md"))}
    found: list[tuple[Path, str | None]] = [
        (path, text) for path, text in wanted.items() if not path.exists() or _read(path) != text
    ]
    names = {path.name for path in wanted}
    surplus = (path for path in sorted(folder.glob("*.*.json")) if path.name not in names)
    return found + [(path, None) for path in surplus]


def _readme(catalogue: Catalogue, readme: Path) -> Iterator[tuple[Path, str]]:
    """Yield the README with the table between its markers, if it is there and has them."""
    text = _read(readme) if readme.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        yield readme, f"{before}{BEGIN}\n{table(catalogue)}\n{END}{after}"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _summary(path: Path, text: str) -> str:
    """Count the lines that differ."""
    from difflib import unified_diff

    if not path.exists():
        return "is missing"
    lines = list(unified_diff(_read(path).splitlines(), text.splitlines(), lineterm="", n=0))[2:]
    more = sum(line.startswith("+") for line in lines)
    return f"+{more} -{sum(line.startswith('-') for line in lines)} lines"


def _first_sentence(text: str) -> str:
    return text.partition("\n")[0].partition(". ")[0].rstrip(".").replace("|", "\\|") + "."
