"""The verbs of TwiML that a voice agent may want, as values (https://www.twilio.com/docs/voice/twiml).

A verb has the attributes that Twilio documents, under its own names; what is
not given is not written, and is as Twilio has it. `writing.document` writes
verbs down; what cannot be written is refused when the value is made.

    >>> Say(text="Hello").verb, Dial(to=(Number(number="+14155550123"),)).to[0].noun
    ('say', 'number')
"""

import re
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, Field

from mcp_voice.core.twiml.checks import refuse_if
from mcp_voice.core.twiml.dialling import Client, Conference, Dial, Noun, Number, Sip
from mcp_voice.core.twiml.parts import (
    Address,
    Choice,
    Markup,
    Method,
    Name,
    Parameters,
    Relay,
    Seconds,
    Stream,
    Track,
    Words,
)
from mcp_voice.errors import Invalid

__all__ = [
    "Client", "Conference", "Connect", "Dial", "Enqueue", "Gather", "Hangup", "Leave", "Noun", "Number",
    "Pause", "Play", "Record", "Recording", "Redirect", "Refer", "Reject", "Relay", "Say", "Sip", "Siprec",
    "Start", "Stop", "Stream", "Transcription", "Verb",
]  # fmt: skip

_KEYS: Final = re.compile(r"[0-9*#A-DwW]{1,32}")


def _keys(digits: str) -> str:
    if not _KEYS.fullmatch(digits):
        raise Invalid("digits are 0-9 * # A-D, and w for a pause of half a second; 32 at most.")
    return digits


class Say(Markup):
    """Say something in a voice of the carrier's: plain words, or SSML between its tags."""

    tag = "Say"
    text_in = "text"

    verb: Literal["say"] = "say"
    text: Words | None = None
    ssml: Annotated[Words | None, Field(description="Instead of text: Wait <break time='1s'/> here.")] = None
    voice: Choice | None = None
    language: Choice | None = None
    loop: Annotated[int | None, Field(ge=0, le=1_000)] = None

    def model_post_init(self, context: object, /) -> None:
        """Raise `Invalid` for both or neither."""
        refuse_if((self.text is None) == (self.ssml is None), "say takes text or ssml, one of them.")


class Play(Markup):
    """Play a file, or press keys."""

    tag = "Play"
    text_in = "url"

    verb: Literal["play"] = "play"
    url: Address | None = None
    digits: Annotated[str | None, AfterValidator(lambda keys: None if keys is None else _keys(keys))] = None
    loop: Annotated[int | None, Field(ge=0, le=1_000)] = None

    def model_post_init(self, context: object, /) -> None:
        """Raise `Invalid` for both or neither."""
        refuse_if((self.url is None) == (self.digits is None), "play takes a url or digits, one of them.")


class Pause(Markup):
    """Wait in silence."""

    tag = "Pause"

    verb: Literal["pause"] = "pause"
    length: Seconds | None = None


class Gather(Markup):
    """Ask for keys or words; the answer goes to `action`."""

    tag = "Gather"
    inside = "prompts"

    verb: Literal["gather"] = "gather"
    prompts: tuple[Annotated[Say | Play | Pause, Field(discriminator="verb")], ...] = ()
    input: tuple[Literal["dtmf", "speech"], ...] | None = None
    action: Address | None = None
    method: Method | None = None
    timeout: Seconds | None = None
    speech_timeout: Seconds | Literal["auto"] | None = None
    max_speech_time: Seconds | None = None
    profanity_filter: bool | None = None
    finish_on_key: Annotated[str | None, Field(pattern=r"^[0-9*#]?$")] = None
    num_digits: Annotated[int | None, Field(ge=1, le=100)] = None
    partial_result_callback: Address | None = None
    partial_result_callback_method: Method | None = None
    language: Choice | None = None
    hints: Words | None = None
    barge_in: bool | None = None
    action_on_empty_result: bool | None = None
    speech_model: Choice | None = None
    enhanced: bool | None = None

    def model_post_init(self, context: object, /) -> None:
        """Raise `Invalid` for what Twilio answers with error 13335."""
        default = self.speech_model in (None, "default")
        refuse_if(default and self.speech_timeout == "auto", "speechTimeout auto needs another speechModel.")


class Record(Markup):
    """Record the caller, as a voicemail does."""

    tag = "Record"

    verb: Literal["record"] = "record"
    action: Address | None = None
    method: Method | None = None
    timeout: Seconds | None = None
    finish_on_key: Annotated[str | None, Field(pattern=r"^[0-9*#]*$", max_length=12)] = None
    max_length: Annotated[int | None, Field(ge=1, le=14_400)] = None
    play_beep: bool | None = None
    trim: Literal["trim-silence", "do-not-trim"] | None = None
    recording_status_callback: Address | None = None
    recording_status_callback_method: Method | None = None
    recording_status_callback_event: tuple[Literal["in-progress", "completed", "absent"], ...] | None = None
    transcribe: bool | None = None
    transcribe_callback: Address | None = None


class Redirect(Markup):
    """Go on with the TwiML of an address."""

    tag = "Redirect"
    text_in = "url"

    verb: Literal["redirect"] = "redirect"
    url: Address
    method: Method | None = None


class Reject(Markup):
    """Turn a call away that rings; it costs nothing."""

    tag = "Reject"

    verb: Literal["reject"] = "reject"
    reason: Literal["rejected", "busy"] | None = None


class Hangup(Markup):
    """End the call."""

    tag = "Hangup"

    verb: Literal["hangup"] = "hangup"


class Enqueue(Markup):
    """Let the call wait in a queue."""

    tag = "Enqueue"
    text_in = "name"

    verb: Literal["enqueue"] = "enqueue"
    name: Name
    action: Address | None = None
    wait_url: Address | None = None
    max_queue_size: Annotated[int | None, Field(ge=1, le=5_000)] = None


class Leave(Markup):
    """Leave the queue the call waits in."""

    tag = "Leave"

    verb: Literal["leave"] = "leave"


class Refer(Markup):
    """Hand a SIP call back to where it came from."""

    tag = "Refer"
    inside = "to"

    verb: Literal["refer"] = "refer"
    to: Sip
    action: Address | None = None
    method: Method | None = None


class Transcription(Markup):
    """Write down what is said, as it is said."""

    tag = "Transcription"

    kind: Literal["transcription"] = "transcription"
    name: Name | None = None
    track: Track | None = None
    status_callback_url: Address | None = None
    status_callback_method: Method | None = None
    inbound_track_label: Name | None = None
    outbound_track_label: Name | None = None
    partial_results: bool | None = None
    language_code: Choice | None = None
    transcription_engine: Choice | None = None
    profanity_filter: bool | None = None
    speech_model: Choice | None = None
    hints: Words | None = None
    enable_automatic_punctuation: bool | None = None


class Recording(Markup):
    """Record the call beside what else it does."""

    tag = "Recording"

    kind: Literal["recording"] = "recording"
    recording_status_callback: Address | None = None
    recording_status_callback_method: Method | None = None
    recording_status_callback_event: tuple[Literal["in-progress", "completed", "absent"], ...] | None = None
    trim: Literal["trim-silence", "do-not-trim"] | None = None
    track: Literal["inbound", "outbound", "both"] | None = None
    channels: Literal["mono", "dual"] | None = None


class Siprec(Markup):
    """Send the call's audio to a SIPREC recorder."""

    tag = "Siprec"

    kind: Literal["siprec"] = "siprec"
    connector_name: Name
    name: Name | None = None
    track: Track | None = None
    status_callback: Address | None = None
    parameters: Annotated[Parameters, Field(default_factory=dict)]


Aside: TypeAlias = Annotated[Stream | Transcription | Recording | Siprec, Field(discriminator="kind")]


class Start(Markup):
    """Begin something beside the call; the next verb follows at once."""

    tag = "Start"
    inside = "what"

    verb: Literal["start"] = "start"
    what: Aside


class Ended(Markup):
    """What is stopped: a stream, a transcription or a SIPREC session, by its name."""

    kind: Literal["stream", "transcription", "siprec"]
    name: Name


class Stop(Markup):
    """End what Start began."""

    tag = "Stop"
    inside = "what"

    verb: Literal["stop"] = "stop"
    what: Ended


class Connect(Markup):
    """Connect the call to us; what follows runs when we let go."""

    tag = "Connect"
    inside = "to"

    verb: Literal["connect"] = "connect"
    to: Annotated[Stream | Relay, Field(discriminator="kind")]
    action: Address | None = None
    method: Method | None = None

    def model_post_init(self, context: object, /) -> None:
        """Raise `Invalid` for a track that cannot be had both ways (error 31941)."""
        wrong = isinstance(self.to, Stream) and self.to.track not in (None, "inbound_track")
        refuse_if(wrong, "A stream that is connected has the inbound_track only.")


Beside: TypeAlias = Annotated[
    Say
    | Play
    | Pause
    | Gather
    | Dial
    | Record
    | Redirect
    | Reject
    | Hangup
    | Enqueue
    | Leave
    | Refer
    | Start
    | Stop,
    Field(discriminator="verb"),
]
"""What may stand before or after a call is connected to us."""

Verb: TypeAlias = Annotated[Beside | Connect, Field(discriminator="verb")]
