"""What Twilio takes on a stream: three commands, checked as Twilio checks them.

A command that is not exactly one of `SHAPES` is dropped and the call goes on,
so a server learns of its mistake from a warning in its console and from nowhere
else. Here the mistake is a `BadMessage` with Twilio's number in `details`.

https://www.twilio.com/docs/voice/media-streams/websocket-messages
https://www.twilio.com/docs/api/errors/31951
"""

import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from mcp_voice.errors import BadMessage

UNDECODABLE: Final = 31950
INVALID: Final = 31951

SHAPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "media": {"event": str, "streamSid": str, "media": {"payload": str}},
    "mark": {"event": str, "streamSid": str, "mark": {"name": str}},
    "clear": {"event": str, "streamSid": str},
}
"""Every field that a command has, and no other: an extra one is as wrong as a missing one."""


@dataclass(frozen=True, slots=True)
class Media:
    """Play this, 8 kHz mu-law, behind what is queued."""

    sound: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """Say this name back when all that was queued before it has been played."""

    name: str


@dataclass(frozen=True, slots=True)
class Clear:
    """Throw away what is queued."""


Command: TypeAlias = Media | Mark | Clear


def read(message: str | bytes, stream_sid: str) -> Command:
    """Read one message of a server.

    Raises:
        BadMessage: Twilio would drop it; `details["code"]` is the warning it would log.
    """
    if isinstance(message, bytes):
        raise _bad(UNDECODABLE, "A binary frame; a stream is text.")
    try:
        fields = json.loads(message)
    except (ValueError, RecursionError):
        raise _bad(INVALID, "Not JSON.") from None
    event = fields.get("event") if isinstance(fields, dict) else None
    shape = SHAPES.get(event) if isinstance(event, str) else None
    if shape is None:
        raise _bad(INVALID, f"Unknown event {event!r}.")
    faults = ", ".join(_differences(fields, shape))
    if faults:
        raise _bad(INVALID, f"{event}: {faults}.")
    if fields["streamSid"] != stream_sid:
        raise _bad(INVALID, f"{event}: streamSid is {fields['streamSid']!r}, not this stream's.")
    return _command(event, fields)


def _command(event: str | None, fields: Mapping[str, Any]) -> Command:
    match event:
        case "media":
            try:
                return Media(binascii.a2b_base64(fields["media"]["payload"], strict_mode=True))
            except (binascii.Error, ValueError):
                raise _bad(INVALID, "media: media.payload is not base64.") from None
        case "mark":
            return Mark(fields["mark"]["name"])
        case _:
            return Clear()


def _differences(fields: Mapping[str, Any], shape: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Name each field that is missing, extra or of another type."""
    yield from (f"{where}{name} is missing" for name in shape.keys() - fields.keys())
    yield from (f"{where}{name} is an extra field" for name in fields.keys() - shape.keys())
    for name in shape.keys() & fields.keys():
        inner, value = shape[name], fields[name]
        if isinstance(inner, Mapping) and isinstance(value, dict):
            yield from _differences(value, inner, f"{where}{name}.")
        elif not (inner is str and isinstance(value, str)):
            yield f"{where}{name} is a {type(value).__name__}"


def _bad(code: int, why: str) -> BadMessage:
    return BadMessage(why, code=code)
