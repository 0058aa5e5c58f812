"""The house numbers, measured on the source itself."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = sorted(
    path for room in ("mcp_voice", "examples", "tests") for path in (ROOT / room).rglob("*.py")
)
PRODUCT: Final = [path for path in SOURCES if path.is_relative_to(ROOT / "mcp_voice")]
TIMELESS: Final = [
    path for path in SOURCES if path.relative_to(ROOT).parts[:2] in {("tests", "core"), ("tests", "calls")}
]

MAY_CATCH_ALL: Final = frozenset(
    {
        "mcp_voice/media/calls.py:Calls._attend",
        "mcp_voice/media/ear.py:_next",
        "mcp_voice/server/operator.py:Operator.call",
    }
)
"""Where a task or a tool call ends, as `mcp_voice/media/pump.py:Pump.run`; four at most."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def each(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Every node of a file with the name of the function or class it stands in."""

    def walk(node: ast.AST, name: str) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            inside = (
                f"{name}.{child.name}".lstrip(".") if isinstance(child, Function | ast.ClassDef) else name
            )
            yield inside, child
            yield from walk(child, inside)

    where = path.relative_to(ROOT).as_posix()
    for name, node in walk(ast.parse(path.read_text()), ""):
        yield f"{where}:{name}", node


def last_word(node: ast.expr | None) -> str:
    """`sleep` of `anyio.sleep`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def catches_all(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or last_word(kind) in {"Exception", "BaseException"} for kind in kinds)


def names_used(path: Path) -> Iterator[tuple[str, str]]:
    for where, node in each(path):
        match node:
            case ast.Import(names=names):
                yield from ((where, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names):
                yield from ((where, f"{module}.{alias.name}") for alias in names)
            case ast.Attribute(value=value, attr=attr):
                yield where, f"{last_word(value)}.{attr}"
            case ast.Name(id=name) | ast.arg(arg=name):
                yield where, name


def test_a_function_fits_on_a_screen() -> None:
    long = {
        where: node.end_lineno - node.lineno + 1
        for path in SOURCES
        for where, node in each(path)
        if isinstance(node, Function) and node.end_lineno and node.end_lineno - node.lineno >= 60
    }

    assert long == {}


def test_a_module_is_one_thing() -> None:
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in SOURCES}

    assert {where: count for where, count in lines.items() if count > 400} == {}


def test_only_the_ends_of_tasks_catch_everything() -> None:
    found = [
        where
        for path in PRODUCT
        for where, node in each(path)
        if isinstance(node, ast.ExceptHandler) and catches_all(node)
    ]

    assert sorted(found) == sorted(MAY_CATCH_ALL)
    assert len(found) <= 4


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_mocked(path: Path) -> None:
    mocks = re.compile(r"(unittest\.|^)mock\b|pytest_mock|^mocker$|Mock$|^monkeypatch\.setattr$")

    assert [(where, name) for where, name in names_used(path) if mocks.search(name)] == []


@pytest.mark.parametrize("path", TIMELESS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_test_of_the_core_or_of_a_call_sleeps(path: Path) -> None:
    assert [(where, name) for where, name in names_used(path) if re.search(r"\bsleep(_\w+)?$", name)] == []


def test_every_ignored_type_has_a_reason_and_there_are_few() -> None:
    reasoned = re.compile(r"# type: ignore\[[\w, -]+\]  # \w")
    ignores, lines = [], 0

    for path in PRODUCT:
        text = path.read_text()
        lines += text.count("\n")
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and re.match(r"#\s*type:\s*ignore", token.string):
                ignores.append((f"{path.relative_to(ROOT).as_posix()}:{token.start[0]}", token.string))

    assert [ignore for ignore in ignores if not reasoned.match(ignore[1])] == []
    assert len(ignores) <= max(3, 3 * lines / 1000)
