"""What can be set, read once.

The only reader of the environment: every other room is handed values. A
setting comes from, strongest first: the command line, `MCP_VOICE_…` in the
environment, and the file that `--config` or `MCP_VOICE_CONFIG` names (TOML, or
`NAME=value` lines). A nested one is spelled with two underscores:

    MCP_VOICE_MEDIA__VAD=off  MCP_VOICE_LIMITS__RPM='{"stt.connect": 60}'
    TWILIO_AUTH_TOKEN=…       # Twilio's own two names are read as well
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from mcp_voice.errors import Invalid, NotConfigured

PREFIX: Final = "MCP_VOICE_"
NESTED: Final = "__"
BORROWED: Final[Mapping[str, tuple[str, ...]]] = {
    "TWILIO_ACCOUNT_SID": ("twilio", "account_sid"),
    "TWILIO_AUTH_TOKEN": ("twilio", "auth_token"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("otel_endpoint",),
}
"""Names that other programs share with us; ours, if set, are stronger."""

Toolset: TypeAlias = Literal["agent", "media", "all"]
Spelling: TypeAlias = Literal["dotted", "underscore"]
Port: TypeAlias = Annotated[int, Field(ge=0, le=65_535)]

_FILE: ContextVar[Path | None] = ContextVar("settings_file", default=None)


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
    api_url: Annotated[
        str, Field(pattern=r"^https?://[^/]", description="Where its REST API is; a test may have its own.")
    ] = "https://api.twilio.com"


class Settings(BaseSettings):
    """Everything that can be set. `load` makes one."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=NESTED, extra="forbid", frozen=True, env_ignore_empty=True,
        env_parse_none_str="none", hide_input_in_errors=True,
    )  # fmt: skip

    host: Annotated[str, Field(min_length=1, description="Where the public listener binds.")] = "127.0.0.1"
    public_port: Annotated[Port, Field(description="Media sockets and webhooks; 0 takes a free one.")] = 8765
    private_host: Annotated[
        str | None, Field(description="Where the private listener binds; none is the same as `host`.")
    ] = None
    private_port: Annotated[Port, Field(description="MCP and metrics; 0 takes a free one.")] = 8766
    public_url: Annotated[
        str | None, Field(description="How carriers reach the public listener: `https://voice.example.com`.")
    ] = None
    token: Annotated[
        SecretStr | None, Field(description="What clients of the private listener must present.")
    ] = None
    store: Annotated[
        str | None, Field(description="Where sessions are kept; none takes the default place.")
    ] = None
    toolset: Annotated[Toolset, Field(description="Tools listed over stdio.")] = "agent"
    tool_names: Annotated[Spelling, Field(description="How tools are spelled over stdio.")] = "underscore"
    log: Log = Log()
    speech: Speech = Speech()
    media: Media = Media()
    recording: Recording = Recording()
    mcp: Protocol = Protocol()
    limits: Limits = Limits()
    outbound: Outbound = Outbound()
    twilio: Twilio = Twilio()
    simulator: Simulator = Simulator()
    otel_endpoint: Annotated[str | None, Field(description="Where spans are sent; none sends none.")] = None
    drain_seconds: Annotated[float, Field(ge=0, description="How long SIGTERM waits for live calls.")] = 10.0
    sweep_seconds: Annotated[float, Field(gt=0, description="How often idle sessions are looked for.")] = 60.0

    @field_validator("public_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is not None:
            TypeAdapter(HttpUrl).validate_python(url)
        return url and url.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Rank the sources: strongest first."""
        return (init_settings, env_settings, *_file_source(settings_cls, _FILE.get()), Borrowed(settings_cls))

    @property
    def private_bind(self) -> str:
        """The private listener's host."""
        return self.private_host or self.host

    def shown(self) -> dict[str, Any]:
        """Every setting as JSON shows it, secrets masked."""
        return self.model_dump(mode="json")


class Borrowed(PydanticBaseSettingsSource):
    """The names of `BORROWED`."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Nothing is looked up by field: `__call__` knows them all."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Read them into the shape of `Settings`."""
        path = _FILE.get()
        lines = dotenv_values(path) if path is not None and path.suffix != ".toml" else {}
        found: dict[str, Any] = {}
        for name, (*groups, field) in BORROWED.items():
            if value := os.environ.get(name) or lines.get(name):
                place = found
                for group in groups:
                    place = place.setdefault(group, {})
                place[field] = value
        return found


def load(file: str | Path | None = None, **given: Any) -> Settings:
    """Read the settings. `given`, from a command line, outranks all; None in it counts as not given.

    Raises `Invalid`, naming the variable to correct, and `NotConfigured` for a file that is not there.
    """
    file = file or os.environ.get(f"{PREFIX}CONFIG") or None
    path = Path(file).expanduser() if file else None
    if path is not None and not path.is_file():
        raise NotConfigured(
            f"There is no settings file {str(path)!r}.", advice="Correct --config or MCP_VOICE_CONFIG."
        )
    _refuse_strays()
    token = _FILE.set(path)
    try:
        return Settings(**_given(given))
    except ValidationError as error:
        raise Invalid(_faults(error), advice="Correct it and start again.") from None
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = variable(field[1]) if field else PREFIX
        raise Invalid(f"{name}…: the value is not JSON.", advice="Correct it and start again.") from None
    except ValueError as error:
        raise Invalid(f"{path} is not TOML: {error}.", advice="Correct it and start again.") from None
    finally:
        _FILE.reset(token)


def guard(settings: Settings) -> None:
    """Refuse to listen where strangers are without a lock on the door.

    Raises `NotConfigured`, naming the variable to set.
    """
    exposed = not is_loopback(settings.host) or not _is_local(settings.public_url)
    if exposed and settings.twilio.auth_token is None:
        raise NotConfigured(
            "Carriers reach the public listener from outside, and nothing proves that a caller is Twilio.",
            advice="Set TWILIO_AUTH_TOKEN or MCP_VOICE_TWILIO__AUTH_TOKEN, or bind to 127.0.0.1 "
            "without a public URL.",
        )
    if not is_loopback(settings.private_bind) and settings.token is None:
        raise NotConfigured(
            f"The private listener would offer every tool to whoever reaches {settings.private_bind}.",
            advice="Set MCP_VOICE_TOKEN to a long random secret, or MCP_VOICE_PRIVATE_HOST to 127.0.0.1.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a listener on `host`; of names, `localhost` alone is trusted to."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def variable(*path: str | int) -> str:
    """Name the environment variable of a field: `MCP_VOICE_MEDIA__VAD`."""
    return PREFIX + NESTED.join(str(part) for part in path).upper()


def _is_local(url: str | None) -> bool:
    return url is None or is_loopback(HttpUrl(url).host or "")


def _file_source(
    settings_cls: type[BaseSettings], path: Path | None
) -> tuple[PydanticBaseSettingsSource, ...]:
    if path is None:
        return ()
    if path.suffix == ".toml":
        return (TomlConfigSettingsSource(settings_cls, path),)
    return (DotEnvSettingsSource(settings_cls, env_file=path, dotenv_filtering="match_prefix"),)


def _refuse_strays() -> None:
    """Refuse a name of ours that is none, rather than start without what somebody meant to set."""
    for name in os.environ:
        field = name.upper().removeprefix(PREFIX).partition(NESTED)[0].lower()
        if name.upper().startswith(PREFIX) and field not in {*Settings.model_fields, "config"}:
            raise Invalid(f"{name}: there is no such setting.", advice="Correct or unset it and start again.")


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what was not given; `media__vad` goes to its group."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if value is not None:
            *groups, field = name.split(NESTED)
            place = found
            for group in groups:
                place = place.setdefault(group, {})
            place[field] = value
    return found


def _faults(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return " ".join(f"{variable(*fault['loc'][:2])}: {_said(fault)}." for fault in faults)


def _said(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "there is no such setting"
    message: str = fault["msg"]
    return message.removeprefix("Value error, ").rstrip(".")
