"""A carrier's end of a media socket, as little of it as these tests need."""

import json
from base64 import b64encode
from collections.abc import Mapping

from websockets.asyncio.client import ClientConnection, connect

ACCOUNT = "AC" + "0" * 32


async def begin(
    address: str, call: str = "CA1", *, headers: Mapping[str, str] | None = None
) -> ClientConnection:
    """Open a media stream, as Twilio does; `address` may have the path of its socket."""
    path = "" if "/" in address else "/twilio/media"
    stream = await connect(f"ws://{address}{path}", additional_headers=headers)
    start = {
        "streamSid": f"MZ{call}",
        "accountSid": ACCOUNT,
        "callSid": call,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {},
    }
    await stream.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
    await _send(stream, "start", call, start)
    return stream


async def talk(stream: ClientConnection, audio: bytes, call: str = "CA1") -> None:
    """Send one frame."""
    media = {"track": "inbound", "chunk": "1", "timestamp": "20", "payload": b64encode(audio).decode()}
    await _send(stream, "media", call, media)


async def stop(stream: ClientConnection, call: str = "CA1") -> None:
    """End the stream, as Twilio does when the caller hangs up."""
    await _send(stream, "stop", call, {"accountSid": ACCOUNT, "callSid": call})
    await stream.close()


async def _send(stream: ClientConnection, event: str, call: str, body: Mapping[str, object]) -> None:
    message = {"event": event, "sequenceNumber": "1", "streamSid": f"MZ{call}", event: body}
    await stream.send(json.dumps(message))
