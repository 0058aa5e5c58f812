"""What this process can do with the telephone network, read off its settings; no secret comes out."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mcp_voice.core.ability import Ability

if TYPE_CHECKING:
    from mcp_voice.settings import Settings


def abilities(settings: "Settings") -> list[Ability]:
    """Say what works, what is missing for more, and what this version cannot do."""
    return [Ability("simulated calls", "ok"), *_incoming(settings), *_outgoing(settings)]


def _incoming(settings: "Settings") -> Iterator[Ability]:
    lacks = []
    if settings.twilio.auth_token is None:
        lacks.append("TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")
    if settings.public_url is None:
        lacks.append("MCP_VOICE_PUBLIC_URL to the https address by which Twilio reaches this server")
    yield _ability("incoming Twilio calls", lacks)


def _outgoing(settings: "Settings") -> Iterator[Ability]:
    twilio, lacks = settings.twilio, []
    secret = twilio.api_key_secret or twilio.auth_token
    if twilio.account_sid is None or secret is None:
        lacks.append("TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")
    if twilio.number is None:
        lacks.append("MCP_VOICE_TWILIO__NUMBER to a number of the account")
    if settings.public_url is None:
        lacks.append("MCP_VOICE_PUBLIC_URL to the https address by which Twilio reaches this server")
    yield _ability("calls through Twilio", lacks)


def _ability(what: str, lacks: list[str]) -> Ability:
    fix = f"Set {', and '.join(lacks)}, and start again." if lacks else None
    return Ability(what, "missing" if lacks else "ok", fix)
