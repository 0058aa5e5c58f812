"""The examples in docstrings are run."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHOWN = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "mcp_voice").rglob("*.py"))
    if ">>> " in path.read_text()
]


@pytest.mark.parametrize("name", SHOWN)
def test_what_a_docstring_shows_is_true(name: str) -> None:
    result = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)

    assert result.attempted > 0
    assert result.failed == 0
