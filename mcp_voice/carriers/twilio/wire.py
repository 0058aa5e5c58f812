"""Twilio Media Streams, spelled: JSON text on one WebSocket. Pure; no I/O.

`receive` reads what Twilio says and `send` writes what Twilio takes
(https://www.twilio.com/docs/voice/media-streams/websocket-messages). Numbers
come as strings except in `mediaFormat`; an event we do not know is none of our
business; a message with one field too many would be dropped by Twilio in
silence (warning 31951), so each is a template with nothing else in it.

    >>> wire = TwilioWire()
    >>> wire.receive('{"event":"connected","protocol":"Call","version":"1.0.0"}')
    Connected(version='1.0.0')
"""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from typing import Final, Literal

import msgspec

from mcp_voice.core.audio import AudioFormat, Encoding
from mcp_voice.core.events import (
    Audio,
    Command,
    Connected,
    Digit,
    Lost,
    MarkReached,
    SendAudio,
    SendClear,
    SendMark,
    Started,
    Stopped,
    StreamEvent,
)
from mcp_voice.errors import BadAudio, BadMessage

LONGEST_MESSAGE: Final = 64 * 1024
"""Twilio's messages have half a kilobyte; anything near this is not Twilio's."""

_Number = str | int


class _Connected(msgspec.Struct, tag_field="event", tag="connected"):
    protocol: str = ""
    version: str = ""


class _Format(msgspec.Struct, rename="camel"):
    encoding: str = "audio/x-mulaw"
    sample_rate: _Number = 8000
    channels: _Number = 1


class _StartBody(msgspec.Struct, rename="camel"):
    call_sid: str
    stream_sid: str = ""
    account_sid: str = ""
    tracks: tuple[str, ...] = ("inbound",)
    media_format: _Format = msgspec.field(default_factory=_Format)
    custom_parameters: dict[str, str] = msgspec.field(default_factory=dict)


class _Start(msgspec.Struct, tag_field="event", tag="start", rename="camel"):
    start: _StartBody
    stream_sid: str = ""


class _MediaBody(msgspec.Struct):
    payload: str
    track: Literal["inbound", "outbound"] = "inbound"
    timestamp: _Number = 0


class _Media(msgspec.Struct, tag_field="event", tag="media", rename="camel"):
    media: _MediaBody
    stream_sid: str


class _DtmfBody(msgspec.Struct):
    digit: str


class _Dtmf(msgspec.Struct, tag_field="event", tag="dtmf", rename="camel"):
    dtmf: _DtmfBody
    stream_sid: str


class _MarkBody(msgspec.Struct):
    name: str


class _Mark(msgspec.Struct, tag_field="event", tag="mark", rename="camel"):
    mark: _MarkBody
    stream_sid: str


class _StopBody(msgspec.Struct, rename="camel"):
    call_sid: str = ""


class _Stop(msgspec.Struct, tag_field="event", tag="stop", rename="camel"):
    stream_sid: str
    stop: _StopBody = msgspec.field(default_factory=_StopBody)


class _Any(msgspec.Struct):
    event: str


_Message = _Media | _Mark | _Dtmf | _Connected | _Start | _Stop
_KNOWN: Final = frozenset({"connected", "start", "media", "dtmf", "mark", "stop"})
_message: Final = msgspec.json.Decoder(_Message)
_any: Final = msgspec.json.Decoder(_Any)
_quoted: Final = msgspec.json.Encoder().encode


class TwilioWire:
    """One stream's messages. It learns its stream's name from `start`."""

    def __init__(self) -> None:
        self.stream_sid = ""
        self._media = self._clear = ""

    def receive(self, message: str | bytes) -> StreamEvent | None:
        """Read one message; None for an event we do not know.

        Raises:
            BadMessage: `kind` in its details says what is wrong: `binary`, `too_long`, `not_json`,
                `bad_shape`, `bad_base64`, `before_start`, `second_start`, `foreign_stream`.
        """
        if not isinstance(message, str):
            raise BadMessage("A binary frame came; Media Streams are text.", kind="binary")
        if len(message) > LONGEST_MESSAGE:
            raise BadMessage(f"A message of {len(message)} characters came.", kind="too_long")
        try:
            read: _Message = _message.decode(message)
        except msgspec.DecodeError as error:
            _refuse_known(message, error)
            return None
        match read:
            case _Media():
                self._check(read.stream_sid)
                return Audio(_audio(read.media.payload), _whole(read.media.timestamp), read.media.track)
            case _Mark():
                self._check(read.stream_sid)
                return MarkReached(read.mark.name)
            case _Dtmf():
                self._check(read.stream_sid)
                return Digit(_digit(read.dtmf.digit))
            case _Connected():
                return Connected(read.version)
            case _Start():
                return self._start(read)
            case _Stop():
                self._check(read.stream_sid)
                return Stopped(read.stop.call_sid)

    def _check(self, stream_sid: str) -> None:
        if stream_sid == self.stream_sid:
            return
        if not self.stream_sid:
            raise BadMessage("A message came before `start`.", kind="before_start")
        raise BadMessage(f"A message for stream {stream_sid[:40]!r} came.", kind="foreign_stream")

    def _start(self, read: _Start) -> Started:
        if self.stream_sid:
            raise BadMessage("A second `start` came on one socket.", kind="second_start")
        body = read.start
        stream_sid = read.stream_sid or body.stream_sid
        if not stream_sid or not body.call_sid or body.stream_sid not in ("", stream_sid):
            raise BadMessage("A `start` came without one streamSid and callSid.", kind="bad_shape")
        started = Started(
            stream_sid=stream_sid,
            call_sid=body.call_sid,
            account_sid=body.account_sid,
            tracks=body.tracks,
            format=_format(body.media_format),
            parameters=body.custom_parameters,
        )
        self.name(stream_sid)
        return started

    def name(self, stream_sid: str) -> None:
        """Take the stream's name, which every message to Twilio carries."""
        self.stream_sid = stream_sid
        sid = _quoted(stream_sid).decode()
        self._media = f'{{"event":"media","streamSid":{sid},"media":{{"payload":"'
        self._clear = f'{{"event":"clear","streamSid":{sid}}}'

    def left(self, code: int) -> Lost:
        """Without a `stop` it was lost, whatever the code."""
        return Lost("connection_lost")

    def send(self, command: Command) -> str:
        """Spell one command. The stream must have started."""
        match command:
            case SendAudio():
                return f'{self._media}{b2a_base64(command.payload, newline=False).decode()}"}}}}'
            case SendMark():
                name = _quoted(command.name).decode()
                sid = _quoted(self.stream_sid).decode()
                return f'{{"event":"mark","streamSid":{sid},"mark":{{"name":{name}}}}}'
            case SendClear():
                return self._clear
            case _:
                raise TypeError(f"A media stream takes no {type(command).__name__}.")


def _refuse_known(message: str, error: msgspec.DecodeError) -> None:
    """Raise, unless this is a well-formed message of an event we do not know."""
    try:
        event = _any.decode(message).event
    except msgspec.ValidationError:
        raise BadMessage("A message without an `event` came.", kind="bad_shape") from None
    except msgspec.DecodeError:
        raise BadMessage("A message came that is not JSON.", kind="not_json") from None
    if event in _KNOWN:
        raise BadMessage(f"A {event!r} message cannot be read: {error}.", kind="bad_shape")


def _audio(payload: str) -> bytes:
    try:
        return a2b_base64(payload, strict_mode=True)
    except (Base64Error, ValueError):
        raise BadMessage("A `media` message came whose payload is not base64.", kind="bad_base64") from None


def _whole(number: _Number) -> int:
    if isinstance(number, int):
        return number
    try:
        return int(number)
    except ValueError:
        raise BadMessage(f"A message came with {number[:20]!r} for a number.", kind="bad_shape") from None


def _digit(digit: str) -> str:
    if len(digit) == 1 and digit in "0123456789*#ABCD":
        return digit
    raise BadMessage("A `dtmf` message came without a key of 0-9 * # A-D.", kind="bad_shape")


def _format(format: _Format) -> AudioFormat:
    try:
        encoding = Encoding.parse(format.encoding)
    except BadAudio as error:
        raise BadMessage(f"A `start` came with an unknown format: {error}", kind="bad_shape") from None
    return AudioFormat(encoding, _whole(format.sample_rate), _whole(format.channels))
