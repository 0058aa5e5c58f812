"""Messages of a media stream, as Twilio sends them."""

from base64 import b64encode
from typing import Any

from mcp_voice.core.audio import FRAME_BYTES

Message = dict[str, Any]


def start_message(stream_sid: str = "MZ1", call_sid: str = "CA1", **parameters: str) -> Message:
    return {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": stream_sid,
        "start": {
            "accountSid": "AC1",
            "streamSid": stream_sid,
            "callSid": call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        },
    }


def media_messages(audio: bytes, stream_sid: str = "MZ1") -> list[Message]:
    return [
        {
            "event": "media",
            "sequenceNumber": str(number + 2),
            "streamSid": stream_sid,
            "media": {
                "track": "inbound",
                "chunk": str(number + 1),
                "timestamp": str(number * 20),
                "payload": b64encode(audio[at : at + FRAME_BYTES]).decode(),
            },
        }
        for number, at in enumerate(range(0, len(audio), FRAME_BYTES))
    ]


def stop_message(stream_sid: str = "MZ1", call_sid: str = "CA1") -> Message:
    return {
        "event": "stop",
        "sequenceNumber": "99",
        "streamSid": stream_sid,
        "stop": {"accountSid": "AC1", "callSid": call_sid},
    }
