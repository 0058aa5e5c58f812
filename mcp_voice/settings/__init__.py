"""What can be set, read once.

The only reader of the environment: every other room is handed values. A
setting comes from, strongest first: the command line, `MCP_VOICE_…` in the
environment, and the file that `--config` or `MCP_VOICE_CONFIG` names (TOML, or
`NAME=value` lines). A nested one is spelled with two underscores:

    MCP_VOICE_MEDIA__VAD=off  MCP_VOICE_LIMITS__RPM='{"stt.connect": 60}'
    TWILIO_AUTH_TOKEN=…       # the names that Twilio's own programs have are read as well
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from dotenv import dotenv_values
from pydantic import Field, HttpUrl, SecretStr, TypeAdapter, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from mcp_voice.errors import Invalid, NotConfigured
from mcp_voice.settings.inbound import Inbound
from mcp_voice.settings.parts import (
    Country,
    Limits,
    Log,
    Media,
    Names,
    Numbers,
    Outbound,
    Part,
    Prefix,
    Protocol,
    Recording,
    Simulator,
    Speech,
    Twilio,
)
from mcp_voice.settings.relay import Relay

__all__ = [
    "BORROWED",
    "NESTED",
    "PREFIX",
    "Borrowed",
    "Country",
    "Inbound",
    "Limits",
    "Log",
    "Media",
    "Names",
    "Numbers",
    "Outbound",
    "Part",
    "Port",
    "Prefix",
    "Protocol",
    "Recording",
    "Relay",
    "Settings",
    "Simulator",
    "Speech",
    "Spelling",
    "Toolset",
    "Twilio",
    "guard",
    "is_loopback",
    "load",
    "variable",
]

PREFIX: Final = "MCP_VOICE_"
NESTED: Final = "__"
BORROWED: Final[Mapping[str, tuple[str, ...]]] = {
    "TWILIO_ACCOUNT_SID": ("twilio", "account_sid"),
    "TWILIO_AUTH_TOKEN": ("twilio", "auth_token"),
    "TWILIO_API_KEY": ("twilio", "api_key_sid"),
    "TWILIO_API_SECRET": ("twilio", "api_key_secret"),
    "TWILIO_PHONE_NUMBER": ("twilio", "number"),
    "TWILIO_REGION": ("twilio", "region"),
    "TWILIO_EDGE": ("twilio", "edge"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("otel_endpoint",),
}
"""Names that other programs share with us; ours, if set, are stronger."""

Toolset: TypeAlias = Literal["agent", "media", "all"]
Spelling: TypeAlias = Literal["dotted", "underscore"]
Port: TypeAlias = Annotated[int, Field(ge=0, le=65_535)]

_FILE: ContextVar[Path | None] = ContextVar("settings_file", default=None)


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
    tunnel: Annotated[
        Literal["ngrok"] | None, Field(description="Opened to the public listener when there is no address.")
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
    inbound: Inbound = Inbound()
    outbound: Outbound = Outbound()
    twilio: Twilio = Twilio()
    relay: Relay = Relay()
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
    exposed = not (is_loopback(settings.host) and _is_local(settings.public_url) and settings.tunnel is None)
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
