"""`twilio.*`: a media stream whose socket somebody else holds, and what is sent into a live one.

The three `handle*` tools take what a carrier's socket said, in the order it
said it, and hand back what has to be sent into it; so a media server beside us
gives its calls the same ears, voice and record as a call on our own socket.
The `send*` tools work on both kinds.
"""

from math import ceil
from typing import Annotated, Any, Final

from anyio.to_thread import run_sync
from pydantic import Field, model_validator

from mcp_voice.core.audio import FRAME_BYTES, TELEPHONE, to_telephone
from mcp_voice.core.events import Audio, Clear, Mark, Play
from mcp_voice.core.playout import OURS
from mcp_voice.errors import BadMessage, NotFound, NotLive, Refused, VoiceError
from mcp_voice.ports import Desk, HeldCall, LiveCall
from mcp_voice.tools._audio import AudioChunk, MaybeEncodingName, MaybeSampleRate, chunk, decode, format_of
from mcp_voice.tools._stream import (
    MediaMessage,
    Raw,
    Shaped,
    StartMessage,
    StopMessage,
    read_media,
    read_start,
    read_stop,
)
from mcp_voice.tools.catalogue import Answer, Arguments, tool

MOST_MESSAGES: Final = 250
"""Messages in one call: five seconds of one stream."""

StreamSid = Annotated[
    str, Field(min_length=1, max_length=64, description="From session.get, while the stream is open.")
]

# ─── twilio.handleStart ──────────────────────────────────────────────────────


class Start(Arguments):
    """A stream's `start`."""

    message: Annotated[
        Raw, Shaped(StartMessage), Field(description="Twilio's `start`, nested as on the wire or flat.")
    ]


class Connected(Answer):
    """The session that the stream has joined."""

    session_id: Annotated[str, Field(description="For session.* and telephony.*, while the call lasts.")]
    connected: bool


@tool("twilio.handleStart", title="Take on a media stream", rpm=100)
async def handle_start(ask: Start, desk: Desk) -> Connected:
    """Take on a call whose media socket you hold: hand in its `start` message.

    For media servers beside this one; a call on our own socket needs none of this. The call joins the
    session named by customParameters.sessionId, else its callSid's, else a new one. Then hand in everything
    the socket says with twilio.handleMedia, send what that returns, and end with twilio.handleStop.
    """
    call = await desk.switchboard.hold(read_start(ask.message))
    return Connected(session_id=call.session_id, connected=True)


# ─── twilio.handleMedia ──────────────────────────────────────────────────────


class Media(Arguments):
    """One message, or several in the order they came."""

    message: Annotated[
        Raw | None,
        Shaped(MediaMessage),
        Field(description="Twilio's `media`, `mark` or `dtmf`, nested or flat."),
    ] = None
    messages: Annotated[
        list[Raw] | None,
        Field(
            min_length=1,
            max_length=MOST_MESSAGES,
            description=f"Several like message, oldest first; at most {MOST_MESSAGES}.",
        ),
    ] = None

    @model_validator(mode="after")
    def _one(self) -> "Media":
        if (self.message is None) == (self.messages is None):
            raise ValueError("give either message or messages")
        return self


class Skipped(Answer):
    """A message that was not used."""

    index: Annotated[int, Field(description="Its place in messages, from 0.")]
    code: str
    why: str


class Processed(Answer):
    """What was heard, and what to send."""

    audio_chunks: Annotated[
        list[AudioChunk], Field(description="The caller's audio; timestamp as in its message.")
    ]
    outbound: Annotated[
        list[dict[str, Any]],
        Field(description="Messages to send into the socket now, in this order, unchanged."),
    ]
    skipped: Annotated[
        tuple[Skipped, ...], Field(description="Messages that could not be used; the call goes on.")
    ] = ()


@tool("twilio.handleMedia", title="Hand in stream messages", rpm=1_000)
async def handle_media(ask: Media, desk: Desk) -> Processed:
    """Hand in what the socket of a call you hold has said, and get what to send into it.

    A call says fifty `media` messages a second: collect some and hand them in together as messages, about
    five times a second. Hand in `mark` and `dtmf` messages too, or nobody knows what the caller heard and
    pressed. Send `outbound` at once. A message that cannot be read is skipped; if none can be read, it is
    an error.
    """
    raws = [ask.message] if ask.message is not None else ask.messages or []
    chunks: list[AudioChunk] = []
    calls: dict[str, HeldCall] = {}
    skipped: list[tuple[int, VoiceError]] = []
    for index, raw in enumerate(raws):
        try:
            read = read_media(raw)
            if read is not None:
                stream_sid, event = read
                calls.setdefault(stream_sid, desk.switchboard.held(stream_sid)).hear((event,))
                if isinstance(event, Audio) and event.track == "inbound":
                    chunks.append(chunk(event.payload, event.timestamp_ms))
        except (BadMessage, NotFound) as error:
            _garbled(error, raw, desk)
            skipped.append((index, error))
    if skipped and len(skipped) == len(raws):
        raise skipped[0][1]
    return Processed(
        audio_chunks=chunks,
        outbound=[message for call in calls.values() for message in call.outbound()],
        skipped=tuple(Skipped(index=index, code=error.code, why=str(error)) for index, error in skipped),
    )


def _garbled(error: VoiceError, raw: Raw, desk: Desk) -> None:
    """Count a message that could not be read, with its call if it names one."""
    if not isinstance(error, BadMessage):
        return
    try:
        desk.switchboard.held(str(raw.get("streamSid"))).garble(error)
    except NotFound:
        desk.counts.errors[str(error.details["kind"])] += 1


# ─── twilio.handleStop ───────────────────────────────────────────────────────


class Stop(Arguments):
    """A stream's `stop`."""

    message: Annotated[
        Raw, Shaped(StopMessage), Field(description="Twilio's `stop`, nested as on the wire or flat.")
    ]


class Ended(Answer):
    """The session that the stream has left."""

    session_id: str
    closed: Annotated[bool, Field(description="False if the call goes on, on another stream.")]


@tool("twilio.handleStop", title="End a media stream", rpm=100, destroys=True, repeats=True)
async def handle_stop(ask: Stop, desk: Desk) -> Ended:
    """End a call taken on with twilio.handleStart: hand in its socket's `stop`.

    Make one yourself when the socket drops without. What the caller said last is still written into the
    session. A second `stop` is ignored.
    """
    stream_sid, stopped = read_stop(ask.message)
    try:
        session_id = await desk.switchboard.release(stream_sid, "stop")
    except NotFound:
        session = await desk.store.named(stopped.call_sid) if stopped.call_sid else None
        if session is None:
            raise
        return Ended(session_id=session.session_id, closed=session.closed)
    return Ended(session_id=session_id, closed=True)


# ─── twilio.sendAudio, sendClear, sendMark ───────────────────────────────────


class SendAudio(Arguments):
    """What to play, and into which stream."""

    stream_sid: StreamSid
    audio: Annotated[str, Field(description="Base64 of raw audio, no header; 60 s at most.")]
    encoding: MaybeEncodingName = None
    sample_rate: MaybeSampleRate = None
    text: Annotated[
        str | None,
        Field(max_length=5_000, description="The words it says, for the transcript and what was heard."),
    ] = None
    interruptible: Annotated[bool, Field(description="Whether the caller's voice cuts it off.")] = True

    @model_validator(mode="after")
    def _both(self) -> "SendAudio":
        if (self.encoding is None) != (self.sample_rate is None):
            raise ValueError("encoding and sampleRate go together; without them it is mu-law, 8 kHz")
        return self


class Sent(Answer):
    """The audio is queued."""

    sent: bool
    chunk_count: Annotated[int, Field(description="Frames of 20 ms.")]


@tool("twilio.sendAudio", title="Play audio to the caller", rpm=1_000, open_world=True)
async def send_audio(ask: SendAudio, desk: Desk) -> Sent:
    """Play raw audio to the caller, behind what is already queued. tts.synthesize makes it from text.

    Mu-law at 8 kHz goes out as it is; name encoding and sampleRate of anything else. Returns when it is
    queued, not when it has been heard: send a mark behind it and wait for that.
    """
    call = _live(desk, ask.stream_sid)
    if call.mode == "relay":
        raise Refused("Twilio speaks in this call, and takes words.", advice="Say them with telephony.say.")
    format = TELEPHONE
    if ask.encoding is not None and ask.sample_rate is not None:
        format = format_of(ask.encoding, ask.sample_rate)
    audio = decode(ask.audio, format)
    if format != TELEPHONE:
        audio = await run_sync(to_telephone, audio, format)
    call.ask(Play(audio, ask.text, interruptible=ask.interruptible))
    return Sent(sent=True, chunk_count=ceil(len(audio) / FRAME_BYTES))


class SendClear(Arguments):
    """Which stream falls silent."""

    stream_sid: StreamSid


class Cleared(Answer):
    """The queue is empty."""

    sent: bool


@tool("twilio.sendClear", title="Stop playing", rpm=100, repeats=True, open_world=True)
async def send_clear(ask: SendClear, desk: Desk) -> Cleared:
    """Stop talking at once: drop everything that is queued for the caller and not played yet.

    Marks that wait in the queue come back as cleared, not as reached. The call goes on.
    """
    _live(desk, ask.stream_sid).ask(Clear())
    return Cleared(sent=True)


class SendMark(Arguments):
    """A name for this moment of the playback."""

    stream_sid: StreamSid
    mark_id: Annotated[
        str,
        Field(
            min_length=1,
            max_length=100,
            description="Your name for it; use each once.",
            examples=["greeting-1"],
        ),
    ]

    @model_validator(mode="after")
    def _theirs(self) -> "SendMark":
        if self.mark_id.startswith(OURS):
            raise ValueError(f"a markId cannot begin with {OURS!r}, which names the server's own marks")
        return self


class Marked(Answer):
    """The mark is queued."""

    sent: bool
    mark_id: str


@tool("twilio.sendMark", title="Mark a moment of the playback", rpm=100, open_world=True)
async def send_mark(ask: SendMark, desk: Desk) -> Marked:
    """Put a mark behind the audio queued so far.

    When the caller has heard everything before it, an event `mark` with its name appears in the call's log:
    session.get with detail timeline.
    """
    _live(desk, ask.stream_sid).ask(Mark(ask.mark_id))
    return Marked(sent=True, mark_id=ask.mark_id)


def _live(desk: Desk, stream_sid: str) -> LiveCall:
    call = desk.switchboard.call(stream_sid=stream_sid)
    if call is None:
        raise NotLive(f"No live call has the stream {stream_sid!r}.")
    return call
