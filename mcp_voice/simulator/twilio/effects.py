"""What the network wants done outside of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from mcp_voice.simulator.twilio.party import Party
    from mcp_voice.simulator.twilio.records import Call, Stream


@dataclass(frozen=True, slots=True)
class Hook:
    """An address of the customer's."""

    url: str
    method: str = "POST"

    def __bool__(self) -> bool:
        """Whether there is one."""
        return bool(self.url)


NONE: Final = Hook("")


@dataclass(frozen=True, slots=True)
class Post:
    """Ask an address of the customer's; the answer is wanted if there is a `ticket`."""

    hook: Hook
    form: Mapping[str, str]
    call_sid: str
    ticket: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the customer's server answered."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Open a media socket."""

    call: "Call"
    stream: "Stream"


@dataclass(frozen=True, slots=True)
class EndStream:
    """Say `stop` on a media socket and close it."""

    stream_sid: str


@dataclass(frozen=True, slots=True)
class OpenRelay:
    """Open a ConversationRelay socket, on which this person talks."""

    call: "Call"
    session_sid: str
    url: str
    attributes: Mapping[str, str]
    party: "Party"
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndRelay:
    """Close a ConversationRelay socket: the call has gone elsewhere, or is over."""

    session_sid: str


Effect: TypeAlias = Post | OpenStream | EndStream | OpenRelay | EndRelay
