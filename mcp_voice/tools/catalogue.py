"""The catalogue: what a tool is, and all of them.

A tool is one coroutine `body(ask, desk) -> answer` under `@tool`. Its schema
is read off the type of `ask`, its description off the docstring, its output
off the return type; the decorator adds what a signature cannot say. `gather`
imports the namespaces and returns them in one fixed order.

    @tool("session.get", title="Read a session", rpm=1_000, reads=True)
    async def get(ask: Get, desk: Desk) -> Got:
        \"\"\"Read one call's record.\"\"\"

This module knows nothing of MCP: `server/mcp.py` turns a `Tool` into the
protocol's words and a `VoiceError` into a tool error.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from mcp_voice.errors import Invalid
from mcp_voice.ports import Desk

NAMESPACES: Final = ("twilio", "stt", "tts", "session", "telephony")
LEAN: Final = "agent"
"""The toolset of a model that talks on the telephone."""


class Arguments(BaseModel):
    """A tool's input: flat, camelCase in JSON, and nothing that it does not name."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Answer(BaseModel):
    """A tool's output."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


@dataclass(frozen=True)
class Tool:
    """One tool, as the protocol, the schema files and the README read it."""

    name: str
    title: str
    rpm: int
    body: Callable[[Any, Desk], Awaitable[BaseModel]]
    asks: type[Arguments]
    answers: type[BaseModel]
    reads: bool
    destroys: bool
    repeats: bool
    open_world: bool
    toolsets: frozenset[str]

    @property
    def namespace(self) -> str:
        """The part before the dot."""
        return self.name.partition(".")[0]

    @property
    def underscored(self) -> str:
        """The spelling that every client takes: `session_create`."""
        return self.name.replace(".", "_")

    @cached_property
    def description(self) -> str:
        """What the model reads: the body's docstring, unwrapped."""
        text = inspect.getdoc(self.body) or ""
        return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return _schema(self.asks, "validation")

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the answer."""
        return _schema(self.answers, "serialization")

    def read(self, arguments: Mapping[str, Any]) -> Arguments:
        """Check arguments. Raises `Invalid`, naming each one that is wrong and why."""
        try:
            return self.asks.model_validate(arguments, by_alias=True, by_name=False)
        except ValidationError as error:
            raise Invalid(f"{self.name}: {_faults(error)}.") from None


TOOLS: Final[dict[str, Tool]] = {}
_Body = TypeVar("_Body", bound=Callable[..., Awaitable[BaseModel]])


def tool(
    name: str,
    *,
    title: str,
    rpm: int,
    reads: bool = False,
    destroys: bool = False,
    repeats: bool = False,
    open_world: bool = False,
    toolsets: tuple[str, ...] = ("media",),
) -> Callable[[_Body], _Body]:
    """Put a coroutine into the catalogue.

    `rpm` is how often a caller may use it in a minute. `reads` changes nothing,
    `destroys` cannot be undone, `repeats` does no more when called again, and
    `open_world` reaches beyond this machine: MCP's annotations.

    Raises `ValueError` when another tool has that name in either spelling.
    """

    def register(body: _Body) -> _Body:
        hints = get_type_hints(body)
        made = Tool(
            name=name, title=title, rpm=rpm, body=body, asks=hints["ask"], answers=hints["return"],
            reads=reads, destroys=destroys, repeats=repeats or reads, open_world=open_world,
            toolsets=frozenset(toolsets),
        )  # fmt: skip
        if made.underscored in {other.underscored for other in TOOLS.values()}:
            raise ValueError(f"two tools are named {name!r}")
        TOOLS[name] = made
        return body

    return register


class Catalogue:
    """Tools by name, in either spelling, in the order they are listed.

    `lean`: for a model that reads every word: answers are not described ahead, and come without what is
    null or empty and need not be there.
    """

    def __init__(self, tools: Mapping[str, Tool], *, lean: bool = False) -> None:
        self.lean = lean
        self._listed = tuple(tools.values())
        self._by_name = MappingProxyType(
            {name: tool for tool in self._listed for name in (tool.name, tool.underscored)}
        )

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)

    def get(self, name: str) -> Tool | None:
        """Return the tool of that name, dotted or underscored, or None."""
        return self._by_name.get(name)

    def toolset(self, which: str) -> "Catalogue":
        """Return the tools of one set, or `all`."""
        chosen = {t.name: t for t in self if which == "all" or which in t.toolsets}
        return Catalogue(chosen, lean=which == LEAN)


def gather() -> Catalogue:
    """Import every namespace and return the whole catalogue."""
    for module in (
        *NAMESPACES,
        "markup",
        "talking",
        "calling",
        "incoming",
        "conferring",
        "keys",
        "recording",
        "lookup",
        "vendors",
        "status",
    ):
        import_module(f"mcp_voice.tools.{module}")
    return Catalogue({t.name: t for n in NAMESPACES for t in TOOLS.values() if t.namespace == n})


def _schema(model: type[BaseModel], mode: Literal["validation", "serialization"]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, mode=mode)
    plain: dict[str, Any] = _plain({key: value for key, value in schema.items() if key != "description"})
    return plain if mode == "validation" else _brief(plain)


def _plain(node: Any) -> Any:
    """Drop the titles that pydantic makes from field names: they cost tokens and say nothing."""
    return _each(_plain, node, lambda key, value: not (key == "title" and isinstance(value, str)))


def _brief(node: Any) -> Any:
    """Say the same of an answer in fewer tokens: no defaults, `null` as one of two types."""
    match node:
        case {"anyOf": [{"type": str(kind), **more}, {"type": "null"}], **others} if not _FIXED & more.keys():
            return _brief({"type": [kind, "null"], **more, **others})
    return _each(_brief, node, lambda key, _: key != "default")


def _each(change: Callable[[Any], Any], node: Any, keeps: Callable[[str, Any], bool]) -> Any:
    """Change what is inside a schema, without the keywords that are not kept."""
    match node:
        case dict():
            return {
                key: {name: change(child) for name, child in value.items()}
                if key in _NAMED
                else change(value)
                for key, value in node.items()
                if keeps(key, value)
            }
        case list():
            return [change(child) for child in node]
    return node


_FIXED: Final = frozenset({"enum", "const"})
"""Keywords that would not let null through."""

_NAMED: Final = frozenset({"properties", "$defs"})
"""Keywords whose own keys are names, not keywords."""


def _faults(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    faults = [f"{'.'.join(map(str, fault['loc'])) or 'arguments'}: {_said(fault)}" for fault in found[:5]]
    return "; ".join(faults + (["…"] if len(found) > 5 else []))


def _said(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "there is no such argument"
    message: str = fault["msg"]
    return message.removeprefix("Value error, ").rstrip(".")
