"""What ConversationRelay takes from a server: one JSON object a message, and nothing that is not in `FIELDS`.

A message that is not one of these is dropped, and the server is told so with
an `error`; the session goes on (64107).

https://www.twilio.com/docs/voice/conversationrelay/websocket-messages
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from mcp_voice.errors import BadMessage

INVALID: Final = 64_107
LANGUAGE: Final = re.compile(r"(multi|[a-z]{2,3}(-[A-Za-z0-9]{2,8})*)")
KEYS: Final = re.compile(r"[0-9w#*]+")

Field: TypeAlias = tuple[bool, Callable[[Any], bool]]
"""Whether it has to be there, and whether a value will do."""


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _language(value: Any) -> bool:
    return isinstance(value, str) and LANGUAGE.fullmatch(value) is not None


def _digits(value: Any) -> bool:
    return isinstance(value, str) and KEYS.fullmatch(value) is not None


def _url(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


FIELDS: Final[Mapping[str, Mapping[str, Field]]] = {
    "text": {
        "token": (True, _text),
        "last": (False, _flag),
        "lang": (False, _language),
        "interruptible": (False, _flag),
        "preemptible": (False, _flag),
    },
    "play": {
        "source": (True, _url),
        "loop": (False, _count),
        "preemptible": (False, _flag),
        "interruptible": (False, _flag),
    },
    "sendDigits": {"digits": (True, _digits)},
    "language": {"ttsLanguage": (False, _language), "transcriptionLanguage": (False, _language)},
    "end": {"handoffData": (False, _text)},
}

UNDOCUMENTED: Final = frozenset({"config", "hints"})
"""Types that there are since October 2026, whose fields are not established: taken, and without effect."""


def read(message: str | bytes) -> dict[str, Any]:
    """Read one message of a server. Raises `BadMessage`, whose sentence is what is wrong with it."""
    if isinstance(message, bytes):
        raise _bad("it is binary")
    try:
        fields = json.loads(message)
    except (ValueError, RecursionError):
        raise _bad("it is not JSON") from None
    kind = fields.get("type") if isinstance(fields, dict) else None
    if kind in UNDOCUMENTED:
        return dict(fields)
    if not isinstance(kind, str) or kind not in FIELDS:
        raise _bad(f"there is no type {kind!r}")
    if faults := ", ".join(_faults(fields, FIELDS[kind])):
        raise _bad(f"{kind}: {faults}")
    if kind == "language" and len(fields) == 1:
        raise _bad("language: it names no language")
    return dict(fields)


def _faults(fields: Mapping[str, Any], known: Mapping[str, Field]) -> Iterator[str]:
    yield from (f"{name} is an extra field" for name in fields.keys() - known.keys() - {"type"})
    for name, (needed, fits) in known.items():
        if name not in fields:
            if needed:
                yield f"{name} is missing"
        elif not fits(fields[name]):
            yield f"{name} is not what it has to be"


def _bad(why: str) -> BadMessage:
    return BadMessage(why, code=INVALID)
