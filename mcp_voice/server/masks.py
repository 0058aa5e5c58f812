"""What must not leave the house, and how it looks when it does.

    >>> masked("+1 (415) 555-0123 called")
    '***-***-0123 called'
    >>> masked_field("auth_token", "s3cret"), masked_field("payload", "AAAA")
    ('***', '<4 characters>')

A number keeps its last four digits, a callSid becomes the hash that spans use,
an account's name keeps its kind. Secrets and sound disappear altogether.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from mcp_voice.media.spans import hashed

SECRETS: Final = re.compile(r"token|secret|passw|api_?key|authorization|cookie|credential|signature", re.I)
"""A field named like this holds a secret."""

PAYLOADS: Final = frozenset(
    {
        "payload", "audio", "buffer", "chunk", "chunks", "body", "text", "transcript", "utterance",
        "userutterance", "agentresponse", "heardbycaller", "words", "digit", "digits", "speech",
        "arguments", "raw",
    }
)  # fmt: skip
"""A field named like this holds sound, or somebody's words."""

NUMBERS: Final = frozenset({"from", "to", "caller", "called", "callee", "number", "phone", "target"})
"""A field named like this holds a telephone number, however it is written."""

_NUMBER: Final = re.compile(
    r"""
    (?<![\w.])(?:
        \+\d[\d\ ().-]{5,20}\d                          # +44 20 7946 0123
      | (?:1[ .-]?)?\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}     # (415) 555-0123
      | 1?[2-9]\d{2}[2-9]\d{6}                          # 4155550123
    )(?![\w.]*\w)
    """,
    re.VERBOSE,
)
_CALL: Final = re.compile(r"\bCA[0-9a-fA-F]{32}\b")
_ACCOUNT: Final = re.compile(r"\b(AC|SK)[0-9a-fA-F]{28}([0-9a-fA-F]{4})\b")
_BEARER: Final = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]+", re.I)
_CREDENTIALS: Final = re.compile(r"(://)[^/\s:@]*:[^/\s@]+@")


def masked_number(number: str) -> str:
    """Keep the last four digits of a telephone number; of an address, what is behind the @."""
    if "@" in number:
        return f"***@{number.rpartition('@')[2]}"
    digits = "".join(char for char in number if char.isdigit())
    return f"***-***-{digits[-4:]}" if len(digits) > 4 else "***"


def masked(text: str) -> str:
    """Mask what is found in running text."""
    text = _BEARER.sub(r"\1 ***", _CREDENTIALS.sub(r"\1***@", text))
    text = _ACCOUNT.sub(r"\1***\2", text)
    text = _CALL.sub(lambda found: f"CA#{hashed(found[0])}", text)
    return _NUMBER.sub(lambda found: masked_number(found[0]), text)


def masked_field(name: str, value: Any) -> Any:
    """Mask a named value, however deep it goes."""
    if value is None or isinstance(value, bool):
        return value
    if SECRETS.search(name):
        return "***"
    bare = name.lower().replace("_", "")
    match value:
        case str() | bytes() if bare in PAYLOADS:
            return f"<{len(value)} {'characters' if isinstance(value, str) else 'bytes'}>"
        case list() | tuple() if bare in PAYLOADS:
            return f"<{len(value)} items>"
        case str() if bare in NUMBERS:
            return masked_number(value)
        case str():
            return masked(value)
        case bytes():
            return f"<{len(value)} bytes>"
        case Mapping():
            return {str(key): masked_field(str(key), item) for key, item in value.items()}
        case list() | tuple():
            return [masked_field(name, item) for item in value]
    return value
