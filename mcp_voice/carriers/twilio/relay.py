"""Twilio's ConversationRelay, spelled: JSON text on one WebSocket. Pure; no I/O.

`receive` reads what the relay says and `send` writes what it takes
(https://www.twilio.com/docs/voice/conversationrelay/websocket-messages). Older
calls send a number as a string, so both are read. A type we do not know is none
of our business. There is no `stop`: a call that is over closes the socket with
1000. The relay drops a message it does not know and hangs up after ten of them
(64105), so each of ours is a template of the documented fields.

    >>> wire = RelayWire()
    >>> wire.receive('{"type":"setup","sessionId":"VX1","callSid":"CA1"}').mode
    'relay'
    >>> wire.receive('{"type":"prompt","voicePrompt":"Hello?","lang":"en-US","last":true}').text
    'Hello?'
    >>> wire.send(SendText("Good evening.", last=True))
    '{"type":"text","token":"Good evening.","last":true}'
"""

from typing import Final, TypeAlias

import msgspec

from mcp_voice.core.events import Command, Digit, Lost, Partial, Started, Stopped
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.relaying import (
    Complained,
    Interrupted,
    Played,
    RelayEvent,
    SendDigits,
    SendEnd,
    SendLanguage,
    SendPlay,
    SendText,
    Voiced,
)
from mcp_voice.errors import BadMessage

LONGEST_MESSAGE: Final = 64 * 1024
"""A prompt has the words of a turn; anything near this is not Twilio's."""

NORMAL: Final = 1000
"""How the relay leaves when the call is over: `Closing websocket session`."""

Event: TypeAlias = Started | Partial | FinalWords | Digit | RelayEvent

_Number = str | int | float


class _Setup(msgspec.Struct, tag_field="type", tag="setup", rename="camel"):
    session_id: str
    call_sid: str
    account_sid: str = ""
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    custom_parameters: dict[str, str] | None = None


class _Prompt(msgspec.Struct, tag_field="type", tag="prompt", rename="camel"):
    voice_prompt: str
    last: bool = True


class _Dtmf(msgspec.Struct, tag_field="type", tag="dtmf"):
    digit: str


class _Interrupt(msgspec.Struct, tag_field="type", tag="interrupt", rename="camel"):
    utterance_until_interrupt: str = ""
    duration_until_interrupt_ms: _Number | None = None


class _Error(msgspec.Struct, tag_field="type", tag="error"):
    description: str = ""


class _Info(msgspec.Struct, tag_field="type", tag="info"):
    name: str = ""
    value: _Number | bool | None = None


class _Any(msgspec.Struct):
    type: str


_Message: TypeAlias = _Setup | _Prompt | _Dtmf | _Interrupt | _Error | _Info
_KNOWN: Final = frozenset({"setup", "prompt", "dtmf", "interrupt", "error", "info"})
_message: Final = msgspec.json.Decoder(_Message)
_any: Final = msgspec.json.Decoder(_Any)
_encode: Final = msgspec.json.Encoder().encode


class RelayWire:
    """One session's messages. It learns the session's name from `setup`; that is the stream's name here."""

    def __init__(self) -> None:
        self.stream_sid = ""

    def name(self, stream_sid: str) -> None:
        """Take the session's name."""
        self.stream_sid = stream_sid

    def receive(self, message: str | bytes) -> Event | None:
        """Read one message; None for one that is none of our business.

        Raises:
            BadMessage: `kind` in its details says what is wrong: `binary`, `too_long`, `not_json`,
                `bad_shape`, `before_start`, `second_start`.
        """
        if not isinstance(message, str):
            raise BadMessage("A binary frame came; a relay's messages are text.", kind="binary")
        if len(message) > LONGEST_MESSAGE:
            raise BadMessage(f"A message of {len(message)} characters came.", kind="too_long")
        try:
            read: _Message = _message.decode(message)
        except msgspec.DecodeError as error:
            _refuse_known(message, error)
            return None
        if isinstance(read, _Setup):
            return self._set_up(read)
        if not self.stream_sid:
            raise BadMessage("A message came before `setup`.", kind="before_start")
        return _event(read)

    def _set_up(self, read: _Setup) -> Started:
        if self.stream_sid:
            raise BadMessage("A second `setup` came on one socket.", kind="second_start")
        if not read.session_id or not read.call_sid:
            raise BadMessage("A `setup` came without sessionId and callSid.", kind="bad_shape")
        self.name(read.session_id)
        parties = {"from": read.from_, "to": read.to}
        known = {name: value for name, value in parties.items() if value}
        return Started(
            stream_sid=read.session_id,
            call_sid=read.call_sid,
            account_sid=read.account_sid,
            tracks=(),
            parameters=known | (read.custom_parameters or {}),
            mode="relay",
        )

    def left(self, code: int) -> Stopped | Lost:
        """Closed as it should be, the call is over; else it was lost."""
        return Stopped() if code == NORMAL else Lost("connection_lost")

    def send(self, command: Command) -> str:
        """Spell one command."""
        match command:
            case SendText():
                return _spelled(
                    "text",
                    token=command.token,
                    last=command.last,
                    lang=command.language,
                    interruptible=command.interruptible,
                    preemptible=command.preemptible,
                )
            case SendPlay():
                return _spelled(
                    "play",
                    source=command.source,
                    loop=command.loop,
                    preemptible=command.preemptible,
                    interruptible=command.interruptible,
                )
            case SendDigits():
                return _spelled("sendDigits", digits=command.digits)
            case SendLanguage():
                return _spelled("language", ttsLanguage=command.speaks, transcriptionLanguage=command.hears)
            case SendEnd():
                return _spelled("end", handoffData=command.handoff)
            case _:
                raise TypeError(f"A relay takes no {type(command).__name__}.")


def _event(read: _Prompt | _Dtmf | _Interrupt | _Error | _Info) -> Event | None:
    match read:
        case _Prompt():
            return FinalWords(read.voice_prompt) if read.last else Partial(read.voice_prompt)
        case _Dtmf():
            return Digit(_digit(read.digit))
        case _Interrupt():
            return Interrupted(read.utterance_until_interrupt, _whole(read.duration_until_interrupt_ms))
        case _Error():
            return Complained(read.description)
        case _Info(name="agentSpeaking"):
            return Voiced("agent", _on(read.value))
        case _Info(name="clientSpeaking"):
            return Voiced("caller", _on(read.value))
        case _Info(name="tokensPlayed", value=str(text)):
            return Played(text)
        case _Info():
            return None


def _spelled(type: str, **fields: str | int | None) -> str:
    """Write a message with the fields that are given."""
    given = {name: value for name, value in fields.items() if value is not None}
    return _encode({"type": type, **given}).decode()


def _refuse_known(message: str, error: msgspec.DecodeError) -> None:
    """Raise, unless this is a well-formed message of a type we do not know."""
    try:
        type = _any.decode(message).type
    except msgspec.ValidationError:
        raise BadMessage("A message without a `type` came.", kind="bad_shape") from None
    except msgspec.DecodeError:
        raise BadMessage("A message came that is not JSON.", kind="not_json") from None
    if type in _KNOWN:
        raise BadMessage(f"A {type!r} message cannot be read: {error}.", kind="bad_shape")


def _whole(number: _Number | None) -> int | None:
    if number is None or isinstance(number, int):
        return number
    try:
        return int(float(number))
    except (ValueError, OverflowError):
        raise BadMessage(
            f"A message came with {str(number)[:20]!r} for a number.", kind="bad_shape"
        ) from None


def _on(value: _Number | bool | None) -> bool:
    return str(value).lower() in ("on", "true", "1")


def _digit(digit: str) -> str:
    if len(digit) == 1 and digit in "0123456789*#ABCD":
        return digit
    raise BadMessage("A `dtmf` message came without a key of 0-9 * # A-D.", kind="bad_shape")
