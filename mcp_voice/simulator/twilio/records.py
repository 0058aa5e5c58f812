"""What an account has: calls, numbers, recordings, streams. Times are in seconds since the epoch."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

from mcp_voice.simulator.line import make_sid
from mcp_voice.simulator.twilio.amd import Detection
from mcp_voice.simulator.twilio.effects import NONE, Hook

if TYPE_CHECKING:
    from mcp_voice.simulator.persona import Persona
    from mcp_voice.simulator.twilio.doing import Doing
    from mcp_voice.simulator.twilio.party import Party
    from mcp_voice.simulator.twilio.timers import Timer
    from mcp_voice.simulator.twilio.twiml import Verb

API: Final = "2010-04-01"
OVER: Final = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})


def rfc2822(at: float | None) -> str | None:
    """Spell a time as the 2010 API does: `Tue, 24 Mar 2026 18:15:40 +0000`."""
    return None if at is None else formatdate(at)


@dataclass(slots=True, eq=False)
class Callbacks:
    """Where the progress of a call is told, and which of it."""

    hook: Hook = NONE
    events: frozenset[str] = frozenset({"completed"})


@dataclass(slots=True, eq=False)
class Call:
    """One leg."""

    account_sid: str
    from_: str
    to: str
    direction: str
    created: float
    sid: str = field(default_factory=lambda: make_sid("CA"))
    parent_sid: str = ""
    status: str = "queued"
    started: float | None = None
    ended: float | None = None
    answered_by: str | None = None
    caller_name: str = ""
    forwarded_from: str = ""
    voice: Hook = NONE
    fallback: Hook = NONE
    twiml: str = ""
    progress: Callbacks = field(default_factory=Callbacks)
    timeout: float = 60.0
    time_limit: float = 14_400.0
    send_digits: str = ""
    detection: Detection | None = None
    record: Mapping[str, str] | None = None
    sip_code: str = ""
    # What it is doing.
    persona: "Persona | None" = None
    party: "Party | None" = None
    parked: bool = False
    base: str = ""
    program: "deque[Verb]" = field(default_factory=deque)
    doing: "Doing | None" = None
    turn: int = 0
    sequence: int = 0
    wakes: "Timer | None" = None
    enters: "Callable[[], None] | None" = None
    then: "Callable[[], None] | None" = None
    tells: "list[Callable[[str], None]]" = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status in OVER

    @property
    def seconds(self) -> int | None:
        """How long it lasted."""
        if self.ended is None:
            return None
        return 0 if self.started is None else max(0, round(self.ended - self.started))

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        uri = f"/{API}/Accounts/{self.account_sid}/Calls/{self.sid}"
        lists = ("Events", "Notifications", "Payments", "Recordings", "Siprec", "Streams", "Transcriptions",
                 "UserDefinedMessages", "UserDefinedMessageSubscriptions")  # fmt: skip
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "parent_call_sid": self.parent_sid or None,
            "to": self.to,
            "to_formatted": self.to,
            "from": self.from_,
            "from_formatted": self.from_,
            "phone_number_sid": None,
            "status": self.status,
            "start_time": rfc2822(self.started),
            "end_time": rfc2822(self.ended),
            "duration": None if self.seconds is None else str(self.seconds),
            "price": None,
            "price_unit": "USD",
            "direction": self.direction,
            "answered_by": self.answered_by,
            "api_version": API,
            "forwarded_from": self.forwarded_from or None,
            "group_sid": None,
            "caller_name": self.caller_name or None,
            "queue_time": "0",
            "trunk_sid": "",
            "annotation": None,
            "date_created": rfc2822(self.created),
            "date_updated": rfc2822(self.ended or self.started or self.created),
            "uri": f"{uri}.json",
            "subresource_uris": {_snake(name): f"{uri}/{name}.json" for name in lists},
        }


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


@dataclass(slots=True, eq=False)
class Number:
    """A number of the account's, and what is done when it is called."""

    account_sid: str
    phone_number: str
    created: float
    sid: str = field(default_factory=lambda: make_sid("PN"))
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def voice(self) -> Hook:
        """What is asked when somebody calls."""
        return Hook(self.fields.get("voice_url", ""), self.fields.get("voice_method", "POST"))

    @property
    def fallback(self) -> Hook:
        """What is asked when that fails."""
        return Hook(
            self.fields.get("voice_fallback_url", ""), self.fields.get("voice_fallback_method", "POST")
        )

    @property
    def status(self) -> Hook:
        """What is told when a call has ended."""
        return Hook(self.fields.get("status_callback", ""), self.fields.get("status_callback_method", "POST"))

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        plain = dict.fromkeys(NUMBER_FIELDS, "") | {"voice_method": "POST", "voice_fallback_method": "POST"}
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "phone_number": self.phone_number,
            **plain,
            "friendly_name": self.phone_number,
            "status_callback_method": "POST",
            **self.fields,
            "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
            "api_version": API,
            "origin": "twilio",
            "status": "in-use",
            "date_created": rfc2822(self.created),
            "date_updated": rfc2822(self.created),
            "uri": f"/{API}/Accounts/{self.account_sid}/IncomingPhoneNumbers/{self.sid}.json",
        }


NUMBER_FIELDS: Final = (
    "friendly_name", "voice_url", "voice_method", "voice_fallback_url", "voice_fallback_method",
    "voice_application_sid", "voice_receive_mode", "voice_caller_id_lookup", "status_callback",
    "status_callback_method", "sms_url", "sms_method", "sms_fallback_url", "sms_fallback_method",
    "sms_application_sid", "trunk_sid", "emergency_status", "emergency_address_sid", "address_sid",
    "identity_sid", "bundle_sid",
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Recording:
    """What was recorded, and of whom."""

    account_sid: str
    call_sid: str
    source: str
    started: float
    sid: str = field(default_factory=lambda: make_sid("RE"))
    conference_sid: str | None = None
    channels: int = 1
    track: str = "both"
    status: str = "in-progress"
    ended: float | None = None
    progress: Callbacks = field(default_factory=Callbacks)

    @property
    def seconds(self) -> int:
        """How long it is."""
        return 0 if self.ended is None else max(0, round(self.ended - self.started))

    @property
    def uri(self) -> str:
        """Where it is, without an ending."""
        return f"/{API}/Accounts/{self.account_sid}/Recordings/{self.sid}"

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "call_sid": self.call_sid,
            "conference_sid": self.conference_sid,
            "api_version": API,
            "channels": self.channels,
            "track": self.track,
            "source": self.source,
            "status": self.status,
            "duration": str(self.seconds if self.ended else -1),
            "start_time": rfc2822(self.started),
            "date_created": rfc2822(self.started),
            "date_updated": rfc2822(self.ended or self.started),
            "price": None,
            "price_unit": "USD",
            "error_code": None,
            "encryption_details": None,
            "uri": f"{self.uri}.json",
            "media_url": f"https://api.twilio.com{self.uri}",
        }


@dataclass(slots=True, eq=False)
class Stream:
    """A media socket of a call: `both` ways in a `<Connect>`, else only listening."""

    account_sid: str
    call_sid: str
    url: str
    both: bool
    tracks: tuple[str, ...] = ("inbound",)
    sid: str = field(default_factory=lambda: make_sid("MZ"))
    name: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    hook: Hook = NONE
    status: str = "in-progress"
    began: bool = False

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        return _part(self, "Streams", name=self.name or self.sid)


@dataclass(slots=True, eq=False)
class Transcription:
    """Words of a call, as they come."""

    account_sid: str
    call_sid: str
    fields: Mapping[str, str]
    sid: str = field(default_factory=lambda: make_sid("GT"))
    status: str = "in-progress"
    sequence: int = 0

    @property
    def name(self) -> str:
        """What it can be stopped by."""
        return self.fields.get("name", "") or self.sid

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        return _part(self, "Transcriptions", name=self.name)


def _part(of: Stream | Transcription, kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "sid": of.sid,
        "account_sid": of.account_sid,
        "call_sid": of.call_sid,
        **fields,
        "status": of.status,
        "date_updated": None,
        "uri": f"/{API}/Accounts/{of.account_sid}/Calls/{of.call_sid}/{kind}/{of.sid}.json",
    }
