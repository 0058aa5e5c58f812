"""What can happen to a call, and what a call wants done.

Everything that reaches a call is *news*, everything it asks for is an
*effect*. Both are frozen values, so a call can be replayed from a list:

    stream ─ Started Audio Digit MarkReached AnsweredBy Stopped Lost Garbled ┐
    ear    ─ Partial Final EarFailed                                          ├─▶ Call.take ─▶ effects
    tools  ─ Play VoiceFailed Mark Clear Collect Expect HangUp Watch Press    ┘

Effects go four ways: to the wire (`SendAudio`, `SendMark`, `SendClear`,
`Close`), to the ear (`Listen`, `Finalize`), to the record (`Note`), and to
whoever collects keys (`Key`). A carrier that hears and speaks itself has news
and commands of its own (`core/relaying.py`).
Audio is 8 kHz mu-law unless a field says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Struct

from mcp_voice.core.audio import TELEPHONE, AudioFormat
from mcp_voice.core.relaying import Press, RelayCommand, RelayEvent, Switch

if TYPE_CHECKING:
    from mcp_voice.core.twiml import Mode

# ─── what the stream tells us ────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Connected:
    """The carrier's socket speaks; `start` is still to come."""

    version: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """The stream has a name and a format; parameters are the TwiML `<Parameter>`s.

    In mode `relay` it has words instead of audio, and no tracks.
    """

    stream_sid: str
    call_sid: str
    account_sid: str = ""
    tracks: tuple[str, ...] = ("inbound",)
    format: AudioFormat = TELEPHONE
    parameters: Mapping[str, str] = field(default_factory=dict)
    mode: "Mode" = "stream"


class Audio(Struct, frozen=True, gc=False):
    """What the caller's side sounds like; `timestamp_ms` counts from the stream's start.

    There are fifty a second of it, so it is a struct: made in a fifth of a dataclass's time.
    """

    payload: bytes
    timestamp_ms: int = 0
    track: str = "inbound"


@dataclass(frozen=True, slots=True)
class Digit:
    """The caller pressed a key: one of `0-9 * # A-D`. It may be of a secret: it is not shown."""

    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MarkReached:
    """The carrier has played, or thrown away, everything before this mark."""

    name: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The carrier says that the stream has ended."""

    call_sid: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """The socket went away without a `stop`: `connection_lost`, or `shutdown` when it was we who left."""

    why: str


@dataclass(frozen=True, slots=True)
class Garbled:
    """A message that could not be read; it is counted and skipped."""

    code: str
    why: str


Who: TypeAlias = Literal["human", "machine", "fax", "unknown"]

_ANSWERED: Mapping[str, Who] = {
    "human": "human",
    "machine_start": "machine",
    "machine_end_beep": "machine",
    "machine_end_silence": "machine",
    "machine_end_other": "machine",
    "fax": "fax",
}
"""Twilio's AnsweredBy; what is not here is unknown."""


@dataclass(frozen=True, slots=True)
class AnsweredBy:
    """The carrier says who answered, in Twilio's words (`machine_start`), beside the stream."""

    who: str
    after_ms: int | None = None

    @property
    def verdict(self) -> Who:
        """What that means."""
        return _ANSWERED.get(self.who, "unknown")


StreamEvent: TypeAlias = (
    Connected | Started | Audio | Digit | MarkReached | AnsweredBy | Stopped | Lost | Garbled
)

# ─── what the ear tells us ───────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Partial:
    """Words so far; they may still change."""

    text: str


@dataclass(frozen=True, slots=True)
class Final:
    """Words that will not change. `confidence` is 0..1; `rejected` means a
    grammar was set and the recogniser does not believe its own answer.
    """

    text: str
    confidence: float | None = None
    rejected: bool = False
    duration_ms: int | None = None
    latency_ms: int | None = None
    ends_turn: bool = True


@dataclass(frozen=True, slots=True)
class EarFailed:
    """The recogniser failed; `recovered` means another has taken its place."""

    code: str
    why: str
    recovered: bool = False


Heard: TypeAlias = Partial | Final | EarFailed

# ─── what a tool asks of a live call ─────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Play:
    """Say this: queue mu-law audio behind what already plays. `text` is what it says, when known; `tracked`
    puts marks in it so that we learn what was heard.

    What is made clause by clause has one `part`, and is one utterance until its `last`. A `filler` only
    passes the time until the answer comes. `asked_ms` is how long ago it was asked for, and
    `first_byte_ms` how long after that the voice's first sound came.
    """

    audio: bytes
    text: str | None = None
    interruptible: bool = True
    tracked: bool = True
    part: str = ""
    last: bool = True
    filler: bool = False
    asked_ms: int = 0
    first_byte_ms: int | None = None


@dataclass(frozen=True, slots=True)
class VoiceFailed:
    """The voice failed in mid-sentence: what there is of the `part` is all there will be. `unsaid` is the
    rest.
    """

    part: str
    code: str
    why: str
    unsaid: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Tell me when everything queued so far has been played."""

    name: str


@dataclass(frozen=True, slots=True)
class Clear:
    """Stop talking and drop what is queued."""

    why: str = "requested"


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the stream: at once, or when everything queued has been played."""

    why: str = "hangup"
    after_playout: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """Watch the line for these from now on, instead of those before.

    `beep`     a voicemail's beep has ended: a `beep` line
    `machine`  who answered: one `amd` line; ask for it as the call is answered
    `human`    hold music and announcements, and a person after them: `hold` and `human` lines
    """

    what: frozenset[str]


@dataclass(frozen=True, slots=True)
class Collect:
    """Hand the keys to whoever collects them, the first of which cuts what we say; or stop that.

    Of a `secret` no digit is written down. One that is `whole` is over when it stops being collected;
    of another the caller may still type the rest, which is nobody's.
    """

    on: bool = True
    secret: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Expect:
    """The caller is to say something of this kind (`core.turns.PAUSES`): it says how long they may pause."""

    kind: str = "answer"


Request: TypeAlias = (
    Play | VoiceFailed | Mark | Clear | Collect | Expect | HangUp | Watch | AnsweredBy | Press | Switch
)


@dataclass(frozen=True, slots=True)
class Tick:
    """The time a call had asked to be told."""


News: TypeAlias = StreamEvent | RelayEvent | Heard | Request | Tick

# ─── what a call wants done ──────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class SendAudio:
    """Whole 20 ms frames for the carrier to play."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class SendMark:
    """A mark behind the audio sent so far."""

    name: str


@dataclass(frozen=True, slots=True)
class SendClear:
    """Throw away what the carrier has not played yet."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the stream; the reason goes into the record."""

    why: str


@dataclass(frozen=True, slots=True)
class Listen:
    """Audio for the ear. `onset` marks the first of an utterance (with its pre-roll)."""

    audio: bytes
    onset: bool = False


@dataclass(frozen=True, slots=True)
class Finalize:
    """The caller has fallen silent: make the words final now."""


@dataclass(frozen=True, slots=True)
class Fill:
    """Pass the time: have this said, as a `Play` that is a `filler`."""

    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the record: one entry of the call's event log."""

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TurnDone:
    """A turn for the record: what the caller said, or what was said to the caller."""

    turn_id: str
    user_utterance: str | None = None
    agent_response: str | None = None
    heard_by_caller: str | None = None
    interrupted: bool = False
    heard_fraction: float | None = None
    cut_at_ms: int | None = None
    """How much of the answer was heard when it was cut."""
    confidence: float | None = None
    rejected: bool = False
    timing_ms: Mapping[str, int] = field(default_factory=dict)
    """`endpoint` `stt` `agentThink` `ttsFirstByte` `out`, and `latency`: caller silent → first audio of the
    answer."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key for whoever collects them; it goes nowhere else."""

    digit: str = field(repr=False)


WireCommand: TypeAlias = SendAudio | SendMark | SendClear
Command: TypeAlias = WireCommand | RelayCommand
Effect: TypeAlias = Command | Close | Listen | Finalize | Fill | Note | TurnDone | Key
