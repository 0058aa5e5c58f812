"""`<Dial>`: who is connected to the caller (https://www.twilio.com/docs/voice/twiml/dial)."""

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from mcp_voice.core.twiml.checks import callback, refuse_if
from mcp_voice.core.twiml.parts import Address, Choice, Markup, Method, Name, Seconds

Told: TypeAlias = tuple[Literal["initiated", "ringing", "answered", "completed"], ...]
Detection: TypeAlias = Literal["Enable", "DetectMessageEnd"]
Recorded: TypeAlias = Literal[
    "do-not-record", "record-from-answer", "record-from-ringing", "record-from-answer-dual",
    "record-from-ringing-dual",
]  # fmt: skip


def _music(url: str | None) -> str | None:
    return url and callback("waitUrl", url)


class Number(Markup):
    """A telephone; `url` is what it hears before it is connected."""

    tag = "Number"
    text_in = "number"

    noun: Literal["number"] = "number"
    number: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
    send_digits: Annotated[str | None, Field(pattern=r"^[0-9*#A-DwW]{1,32}$")] = None
    url: Address | None = None
    method: Method | None = None
    status_callback: Address | None = None
    status_callback_event: Told | None = None
    status_callback_method: Method | None = None
    byoc: Annotated[str | None, Field(pattern=r"^BY[0-9a-fA-F]{32}$")] = None
    machine_detection: Detection | None = None
    amd_status_callback: Address | None = None


class Sip(Markup):
    """A SIP address."""

    tag = "Sip"
    text_in = "uri"

    noun: Literal["sip"] = "sip"
    uri: Annotated[str, Field(pattern=r"^sips?:[^\s@]+@[^\s@]+$", max_length=255)]
    username: Choice | None = None
    password: Annotated[Choice | None, Field(repr=False)] = None
    url: Address | None = None
    method: Method | None = None
    status_callback: Address | None = None
    status_callback_event: Told | None = None
    status_callback_method: Method | None = None
    machine_detection: Detection | None = None
    amd_status_callback: Address | None = None


class Client(Markup):
    """A browser or an app, by its identity."""

    tag = "Client"
    text_in = "identity"

    noun: Literal["client"] = "client"
    identity: Annotated[str, Field(pattern=r"^[\w.+@-]{1,121}$")]
    url: Address | None = None
    method: Method | None = None
    status_callback: Address | None = None
    status_callback_event: Told | None = None
    status_callback_method: Method | None = None


class Conference(Markup):
    """A room, by its name; who comes first opens it."""

    tag = "Conference"
    text_in = "name"

    noun: Literal["conference"] = "conference"
    name: Name
    muted: bool | None = None
    beep: bool | Literal["onEnter", "onExit"] | None = None
    start_conference_on_enter: bool | None = None
    end_conference_on_exit: bool | None = None
    wait_url: Annotated[
        str | None, Field(max_length=2_000, description="Empty is silence."), AfterValidator(_music)
    ] = None
    wait_method: Method | None = None
    max_participants: Annotated[int | None, Field(ge=2, le=250)] = None
    record: Literal["do-not-record", "record-from-start"] | None = None
    region: Choice | None = None
    coach: Annotated[str | None, Field(pattern=r"^CA[0-9a-fA-F]{32}$")] = None
    trim: Literal["trim-silence", "do-not-trim"] | None = None
    status_callback: Address | None = None
    status_callback_event: (
        tuple[
            Literal["start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"], ...
        ]
        | None
    ) = None
    status_callback_method: Method | None = None
    recording_status_callback: Address | None = None
    event_callback_url: Address | None = None
    jitter_buffer_size: Literal["small", "medium", "large", "off"] | None = None
    participant_label: Name | None = None


Noun: TypeAlias = Annotated[Number | Sip | Client | Conference, Field(discriminator="noun")]


class Dial(Markup):
    """Connect the caller to somebody: the first who answers, or a conference."""

    tag = "Dial"
    inside = "to"

    verb: Literal["dial"] = "dial"
    to: Annotated[tuple[Noun, ...], Field(min_length=1, max_length=10)]
    action: Address | None = None
    method: Method | None = None
    timeout: Annotated[int | None, Field(ge=5, le=600)] = None
    hangup_on_star: bool | None = None
    time_limit: Seconds | None = None
    caller_id: Choice | None = None
    record: Recorded | None = None
    trim: Literal["trim-silence", "do-not-trim"] | None = None
    recording_track: Literal["inbound", "outbound", "both"] | None = None
    recording_status_callback: Address | None = None
    recording_status_callback_method: Method | None = None
    answer_on_bridge: bool | None = None
    ring_tone: Choice | None = None
    sequential: bool | None = None
    refer_url: Address | None = None
    refer_method: Method | None = None

    def model_post_init(self, context: object, /) -> None:
        """Raise `Invalid` for a conference beside somebody else."""
        rooms = any(isinstance(one, Conference) for one in self.to)
        refuse_if(rooms and len(self.to) > 1, "A conference is dialled alone.")
