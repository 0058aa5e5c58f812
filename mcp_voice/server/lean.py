"""What a model reads, in fewer words.

An answer comes without the fields that are null or empty and that its schema
does not require:

>>> of = {"properties": {"a": {}, "b": {}, "c": {}}, "required": ["b"]}
>>> leaned({"a": None, "b": None, "c": []}, of)
{'b': None}
"""

from collections.abc import Mapping
from typing import Any, Final

_NOTHING: Final[tuple[Any, ...]] = (None, [], {}, "")


def leaned(value: Any, schema: Mapping[str, Any]) -> Any:
    """Leave out what need not be there; what the schema does not describe stays as it is."""
    return _leaned(value, schema, schema)


def _leaned(value: Any, schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
    if value is not None and "anyOf" in schema:  # of a thing or null, it is the thing
        [schema, *_] = [some for some in schema["anyOf"] if some.get("type") != "null"]
        return _leaned(value, schema, whole)
    if isinstance(value, list) and "items" in schema:
        return [_leaned(item, schema["items"], whole) for item in value]
    if isinstance(value, dict) and "properties" in schema:
        known, needed = schema["properties"], schema.get("required", ())
        return {
            name: _leaned(inner, known.get(name, {}), whole)
            for name, inner in value.items()
            if name not in known or name in needed or inner not in _NOTHING
        }
    return value


def asked(schema: Any) -> Any:
    """Say of arguments what a model needs to fill them in; what is checked besides, an error will say.

    That one may be left out says enough, so null and its default go; so do lengths, and the type of a choice.

    >>> asked({"anyOf": [{"type": "string"}, {"type": "null"}], "default": None, "description": "Who."})
    {'type': 'string', 'description': 'Who.'}
    >>> asked({"type": "string", "enum": ["warm", "cold"], "maxLength": 4})
    {'enum': ['warm', 'cold']}
    """
    match schema:
        case {"anyOf": [{**kind}, {"type": "null"}], **more}:
            return asked({**kind, **{name: value for name, value in more.items() if name != "default"}})
        case {"enum": [*_], "type": "string", **more}:
            return asked({"enum": schema["enum"], **more})
        case dict():
            return {name: asked(value) for name, value in schema.items() if not _checked(name, value)}
        case list():
            return [asked(value) for value in schema]
    return schema


def _checked(name: str, value: Any) -> bool:
    """Whether a keyword only sets a bound that nobody comes near by writing a sensible argument."""
    return not isinstance(value, dict) and (name in _BOUNDS or (name == "minimum" and value == 0))


_BOUNDS: Final = frozenset(
    {"minLength", "maxLength", "maxItems", "maximum", "examples", "additionalProperties"}
)


def hinted(annotations: Mapping[str, bool]) -> dict[str, bool]:
    """Leave out the hints that say what MCP takes for granted."""
    return {name: hint for name, hint in annotations.items() if hint is not _GRANTED[name]}


_GRANTED: Final = {
    "readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True,
}  # fmt: skip
