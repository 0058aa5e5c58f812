"""What Twilio's documentation says of each message, as strict JSON Schemas."""

import json
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

DOCUMENTED: Final[dict[str, Any]] = json.loads((Path(__file__).parent / "documented.json").read_text())


def sid(prefix: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{prefix}[0-9a-f]{{32}}$"}


def every(**properties: Any) -> dict[str, Any]:
    """An object with these fields, all of them and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


COUNT: Final = {"type": "string", "pattern": "^[1-9][0-9]*$"}
MILLISECONDS: Final = {"type": "string", "pattern": "^(0|[1-9][0-9]*)$"}
BASE64: Final = {"type": "string", "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"}
TRACK: Final = {"enum": ["inbound", "outbound"]}


def numbered(event: str, body: dict[str, Any]) -> dict[str, Any]:
    return every(**{"event": {"const": event}, "sequenceNumber": COUNT, "streamSid": sid("MZ"), event: body})


FORMAT: Final = every(
    encoding={"const": "audio/x-mulaw"},
    sampleRate={"type": "integer", "const": 8000},
    channels={"type": "integer", "const": 1},
)
FROM_TWILIO: Final = {
    "connected": every(event={"const": "connected"}, protocol={"const": "Call"}, version={"const": "1.0.0"}),
    "start": numbered(
        "start",
        every(
            accountSid=sid("AC"),
            streamSid=sid("MZ"),
            callSid=sid("CA"),
            tracks={"type": "array", "items": TRACK, "minItems": 1, "uniqueItems": True},
            mediaFormat=FORMAT,
            customParameters={"type": "object", "additionalProperties": {"type": "string"}},
        ),
    ),
    "media": numbered("media", every(track=TRACK, chunk=COUNT, timestamp=MILLISECONDS, payload=BASE64)),
    "dtmf": numbered(
        "dtmf", every(track={"const": "inbound_track"}, digit={"type": "string", "pattern": "^[0-9*#A-D]$"})
    ),
    "mark": numbered("mark", every(name={"type": "string"})),
    "stop": numbered("stop", every(accountSid=sid("AC"), callSid=sid("CA"))),
}


def check(message: str) -> dict[str, Any]:
    """Read a message of Twilio's and check that it is as documented."""
    fields: dict[str, Any] = json.loads(message)
    Draft202012Validator(FROM_TWILIO[fields["event"]]).validate(fields)
    return fields
