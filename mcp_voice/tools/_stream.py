"""A carrier's stream messages, handed in by whoever holds the socket.

The same message comes in two shapes: as Twilio sends it, with its body nested
under the event's name and most numbers as strings, and flat, as the tools'
documents show it. Nested bodies are lifted to the top, and then there is one
shape, which is also what the tools' schemas show.

    >>> read_media({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "5"}})
    ('MZ1', Digit())
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from mcp_voice.core.audio import AudioFormat, Encoding
from mcp_voice.core.events import Audio, Digit, MarkReached, Started, Stopped
from mcp_voice.errors import BadAudio, BadMessage, Invalid
from mcp_voice.tools._audio import decode

StreamSid = Annotated[
    str, Field(min_length=1, max_length=64, description="The stream's name.", examples=["MZ01"])
]
_NUMBER: Final[dict[str, Any]] = {"type": ["integer", "string"]}
_BODIES: Final = ("start", "media", "mark", "dtmf", "stop")


def _number(about: str) -> WithJsonSchema:
    return WithJsonSchema({**_NUMBER, "description": about})


class _Message(BaseModel):
    """One message, flat. Fields that we do not know are Twilio's business."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="ignore", frozen=True, json_schema_extra={"required": ["event"]}
    )

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, message: dict[str, Any]) -> dict[str, Any]:
        """Lay a nested body open."""
        body = message.get(str(message.get("event")))
        flat = {**message, **body} if isinstance(body, Mapping) else dict(message)
        shape = flat.get("mediaFormat")
        if isinstance(shape, Mapping):
            flat = {"format": shape.get("encoding", "audio/x-mulaw"), **flat, **shape}
        return flat


class StartMessage(_Message):
    """`start`, as on the wire or flat."""

    event: Annotated[Literal["start"], Field(description="What happened.")]
    start: Annotated[
        Any, Field(description="As on the wire: callSid, streamSid, mediaFormat and the rest.")
    ] = None
    stream_sid: StreamSid
    call_sid: Annotated[
        str, Field(min_length=1, max_length=64, description="The call's name.", examples=["CA01"])
    ]
    account_sid: Annotated[str, Field(max_length=64, description="Whose call it is.")] = ""
    format: Annotated[str, Field(max_length=80, description="The audio's encoding.")] = "audio/x-mulaw"
    sample_rate: Annotated[int, _number("Hertz.")] = 8_000
    channels: Annotated[int, _number("Always 1.")] = 1
    tracks: Annotated[tuple[str, ...], Field(max_length=4, description="What is sent.")] = ("inbound",)
    custom_parameters: Annotated[
        dict[str, str], Field(description="The TwiML's parameters; sessionId joins its session.")
    ] = {}


class MediaMessage(_Message):
    """`media`, `mark` or `dtmf`, as on the wire or flat."""

    event: Annotated[Literal["media", "mark", "dtmf"], Field(description="What happened.")]
    media: Annotated[Any, Field(description="As on the wire: track, chunk, timestamp, payload.")] = None
    mark: Annotated[Any, Field(description="As on the wire: name.")] = None
    dtmf: Annotated[Any, Field(description="As on the wire: track, digit.")] = None
    stream_sid: StreamSid
    payload: Annotated[str | None, Field(description="Base64 of mu-law, 8 kHz.")] = None
    timestamp: Annotated[int, _number("Milliseconds.")] = 0
    track: Annotated[str, Field(max_length=20, description="inbound or outbound.")] = "inbound"
    name: Annotated[str | None, Field(max_length=200, description="Of a mark that came back; or markId.")] = (
        None
    )
    mark_id: Annotated[str | None, Field(max_length=200, description="The same as name.")] = None
    digit: Annotated[str | None, Field(pattern=r"^[0-9*#A-D]$", description="Of a key pressed.")] = None


class StopMessage(_Message):
    """`stop`, as on the wire or flat."""

    event: Annotated[Literal["stop"], Field(description="What happened.")]
    stop: Annotated[Any, Field(description="As on the wire: accountSid, callSid.")] = None
    stream_sid: StreamSid
    call_sid: Annotated[str, Field(max_length=64, description="The call's name.")] = ""


@dataclass(frozen=True)
class Shaped:
    """An object that a schema shows in full but that is read later, one message at a time."""

    shape: type[BaseModel]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(source)

    def __get_pydantic_json_schema__(self, _: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(self.shape.__pydantic_core_schema__)


Raw: TypeAlias = dict[str, Any]
MediaEvent: TypeAlias = Audio | Digit | MarkReached
_M = TypeVar("_M", bound=_Message)


def read_start(raw: Raw) -> Started:
    """Read a `start`. Raises `BadMessage`."""
    message = _read(StartMessage, raw)
    try:
        encoding = Encoding.parse(message.format)
    except BadAudio as error:
        raise BadMessage(f"`start` has a format that is not known: {error}", kind="bad_shape") from None
    return Started(
        stream_sid=message.stream_sid,
        call_sid=message.call_sid,
        account_sid=message.account_sid,
        tracks=tuple(_track(track) for track in message.tracks),
        format=AudioFormat(encoding, message.sample_rate, message.channels),
        parameters=message.custom_parameters,
    )


def read_media(raw: Raw) -> tuple[str, MediaEvent] | None:
    """Read a `media`, `mark` or `dtmf` and its stream's name; None for an event we do not know.

    Raises `BadMessage`.
    """
    event = raw.get("event")
    if isinstance(event, str) and event not in _BODIES:
        return None
    message = _read(MediaMessage, raw)
    match message:
        case MediaMessage(event="media", payload=str(payload)):
            audio = Audio(_payload(payload), message.timestamp, _track(message.track))
            return message.stream_sid, audio
        case MediaMessage(event="mark", name=str(name)) | MediaMessage(event="mark", mark_id=str(name)):
            return message.stream_sid, MarkReached(name)
        case MediaMessage(event="dtmf", digit=str(digit)):
            return message.stream_sid, Digit(digit)
    raise BadMessage(f"A `{message.event}` message came without its content.", kind="bad_shape")


def read_stop(raw: Raw) -> tuple[str, Stopped]:
    """Read a `stop` and its stream's name. Raises `BadMessage`."""
    message = _read(StopMessage, raw)
    return message.stream_sid, Stopped(message.call_sid)


def _read(shape: type[_M], raw: Raw) -> _M:
    try:
        return shape.model_validate(raw)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"])) or "message"
        raise BadMessage(f"The message cannot be read: {where}: {fault['msg']}.", kind="bad_shape") from None


def _payload(text: str) -> bytes:
    try:
        return decode(text)
    except Invalid as error:
        raise BadMessage(f"A `media` message cannot be heard: {error}", kind=error.code) from None


def _track(name: str) -> str:
    """`inbound` of `inbound_track` and of `inbound_audio`."""
    return name.removesuffix("_track").removesuffix("_audio")
