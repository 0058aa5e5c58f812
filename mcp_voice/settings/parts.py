"""The groups of settings: `MCP_VOICE_<GROUP>__<NAME>`."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, IPvAnyNetwork, SecretStr
from pydantic_settings import NoDecode


def _listed(value: Any) -> Any:
    """Take `a, b` for a list of two."""
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


Names: TypeAlias = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Country: TypeAlias = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Prefix: TypeAlias = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{0,14}$")]
Numbers: TypeAlias = Annotated[
    tuple[Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")], ...], NoDecode, BeforeValidator(_listed)
]


class Part(BaseModel):
    """A group of settings; a name that it does not have is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Log(Part):
    """What is written on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Annotated[
        Literal["auto", "json", "pretty"],
        Field(description="`auto` is pretty on a terminal and JSON elsewhere."),
    ] = "auto"


class Speech(Part):
    """Who hears and who speaks when a call does not say."""

    stt: Annotated[str, Field(min_length=1, description="The ear; local is this machine's own.")] = "local"
    tts: Annotated[str, Field(min_length=1, description="The voice engine.")] = "local"
    voice: Annotated[str | None, Field(description="One of the engine's voices; none takes its default.")] = (
        None
    )
    cache_mb: Annotated[
        int,
        Field(ge=0, le=10_000, description="Disk for what was said before; 0 keeps nothing."),
    ] = 50
    fillers: Annotated[
        Literal["auto", "off"],
        Field(description="`auto` passes the time with a word while a slow agent thinks."),
    ] = "auto"


class Media(Part):
    """How a call is listened to and spoken into."""

    vad: Literal["auto", "webrtc", "silero", "energy", "off"] = "auto"
    endpointing_ms: Annotated[int, Field(ge=50, le=10_000, description="Silence that ends a turn.")] = 500
    barge_in_ms: Annotated[int, Field(ge=20, le=5_000, description="Voice that cuts the agent off.")] = 250
    start_seconds: Annotated[
        float, Field(gt=0, le=60, description="A socket says `start` in this time or goes.")
    ] = 5.0
    lead_ms: Annotated[
        int, Field(ge=100, le=5_000, description="How far audio is sent ahead of its playing.")
    ] = 500
    max_calls: Annotated[int, Field(ge=1, description="Live calls at once.")] = 250
    loopback_echo: Annotated[bool, Field(description="Play the caller's own voice back: a line test.")] = (
        False
    )


class Recording(Part):
    """Whether calls may be recorded. What the law asks differs from place to place and is the operator's to
    know: for a caller whose place is unknown keep to the strictest, `off` or `announce`.
    """

    policy: Annotated[
        Literal["off", "announce", "on"],
        Field(description="off: never. announce: the announcement is said whole first. on: at once."),
    ] = "off"
    announcement: Annotated[str, Field(min_length=1, max_length=500, description="What is said first.")] = (
        "This call is recorded."
    )
    days: Annotated[float, Field(gt=0, le=36_600, description="How long a recording is kept.")] = 30
    folder: Annotated[
        str | None,
        Field(min_length=1, description="Where recordings are kept; none is beside the default store."),
    ] = None


class Protocol(Part):
    """How MCP is spoken."""

    max_wait_seconds: Annotated[
        float, Field(ge=1, le=600, description="No tool waits longer; then it answers `pending`.")
    ] = 25.0
    moment_seconds: Annotated[
        float,
        Field(ge=0, description="An agent away for so long: its caller is asked to wait. 0 is never."),
    ] = 20.0
    leave_seconds: Annotated[
        float, Field(ge=0, description="And for so long: the call ends with an apology. 0 is never.")
    ] = 60.0
    allowed_hosts: Annotated[
        Names, Field(description="Host headers taken; `name:*` is any port. Loopback always is.")
    ] = ()
    allowed_origins: Annotated[Names, Field(description="Origin headers taken; loopback always is.")] = ()


class Limits(Part):
    """How often a caller may use a tool."""

    rpm: Annotated[
        dict[str, Annotated[int, Field(ge=0)]],
        Field(description="Calls a minute by tool's name; 0 is no limit."),
    ] = {}


class Simulator(Part):
    """The simulated people who can be called at `sim:…`."""

    personas: Annotated[Path | None, Field(description="A folder of yours with more of them, *.yaml.")] = None
    scripted: Annotated[bool, Field(description="They are told what is said, and need no ear.")] = False
    pace: Annotated[
        float, Field(gt=0, le=100, description="How much sooner they answer, and shorter they let wait.")
    ] = 1.0


class Outbound(Part):
    """Who may be dialled, and how much: `core/policy.py` is the rules. Nothing is, unless it is listed."""

    home: Annotated[Country | None, Field(description="The country whose own spelling is read: `US`.")] = None
    countries: Annotated[
        Annotated[tuple[Country, ...], NoDecode, BeforeValidator(_listed)],
        Field(description="ISO codes of countries whose ordinary numbers may be dialled."),
    ] = ()
    numbers: Annotated[Numbers, Field(description="Numbers that may be dialled, in E.164.")] = ()
    domains: Annotated[
        Names, Field(description="Domains of `sip:` addresses that may be called, and `client:<name>`.")
    ] = ()
    denied: Annotated[
        Annotated[tuple[Prefix, ...], NoDecode, BeforeValidator(_listed)],
        Field(description="Numbers, or how they begin, that are never dialled."),
    ] = ()
    do_not_call: Annotated[Numbers, Field(description="Numbers whose holders asked not to be called.")] = ()
    concurrent: Annotated[int, Field(ge=0, description="Calls being made at once.")] = 2
    per_number_per_day: Annotated[int, Field(ge=0, description="Calls a day to one number.")] = 3
    calls_per_day: Annotated[int, Field(ge=0, description="Calls a day (UTC).")] = 50
    minutes_per_day: Annotated[
        int, Field(ge=0, description="Minutes a day; a call sets its longest aside.")
    ] = 120
    spend_per_day: Annotated[Decimal, Field(ge=0, description="Money a day, in the price's currency.")] = (
        Decimal(10)
    )
    price_per_minute: Annotated[Decimal, Field(ge=0, description="What a minute is taken to cost.")] = (
        Decimal("0.10")
    )
    ask_above: Annotated[
        Decimal | None, Field(ge=0, description="A dearer call needs a human's approval; none asks for none.")
    ] = None
    max_minutes: Annotated[int, Field(ge=1, le=240, description="The longest call.")] = 30
    quiet_hours: Annotated[bool, Field(description="Ask before calling somebody at night.")] = True
    from_hour: Annotated[int, Field(ge=0, le=23, description="The callee's day begins.")] = 8
    until_hour: Annotated[int, Field(ge=1, le=24, description="The callee's day ends.")] = 21
    approval: Annotated[
        Literal["ask", "always", "refuse"],
        Field(description="ask a human about what is not listed; always ask; refuse instead of asking."),
    ] = "ask"
    disclosure: Annotated[
        str | None,
        Field(min_length=1, max_length=300, description="Said first; none says nothing."),
    ] = "This is an AI assistant calling."


class Twilio(Part):
    """The account that carries the calls."""

    account_sid: Annotated[str | None, Field(pattern=r"^AC[0-9a-fA-F]{32}$")] = None
    auth_token: SecretStr | None = None
    number: Annotated[
        str | None,
        Field(pattern=r"^\+[1-9][0-9]{6,14}$", description="Whom calls come from: a number of the account."),
    ] = None
    api_key_sid: Annotated[
        str | None, Field(pattern=r"^SK[0-9a-fA-F]{32}$", description="An API key, instead of the token.")
    ] = None
    api_key_secret: SecretStr | None = None
    region: Annotated[
        Literal["us1", "ie1", "au1"] | None, Field(description="Where calls are processed; keys are its own.")
    ] = None
    edge: Annotated[
        str | None, Field(pattern=r"^[a-z-]{3,20}$", description="Where its network is entered: `dublin`.")
    ] = None
    byoc: Annotated[
        str | None, Field(pattern=r"^BY[0-9a-fA-F]{32}$", description="A trunk of yours that carries calls.")
    ] = None
    sip_username: Annotated[str | None, Field(description="For `sip:` addresses that ask who calls.")] = None
    sip_password: SecretStr | None = None
    auth_token_secondary: Annotated[
        SecretStr | None,
        Field(description="The next token, while it is changed."),
    ] = None
    shared_keys: Annotated[
        dict[str, SecretStr], Field(description="Shared keys that webhooks may be signed with, by id.")
    ] = {}
    tickets: Annotated[
        bool, Field(description="A media socket's address is good once; off for TwiML of your own.")
    ] = True
    trusted_proxy: Annotated[
        Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_listed)],
        Field(description="Proxies whose X-Forwarded-Proto and -Host are believed: 10.0.0.0/8."),
    ] = ()
    api_url: Annotated[
        str, Field(pattern=r"^https?://[^/]", description="Where its REST API is; a test may have its own.")
    ] = "https://api.twilio.com"
