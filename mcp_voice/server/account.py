"""The account that carries the calls, opened: its REST API, and the numbers taken over in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from mcp_voice.carriers.twilio.numbers import Hooks, Leases, Numbers
from mcp_voice.carriers.twilio.rest import API, TwilioRest, address
from mcp_voice.server.sockets import ROOT
from mcp_voice.settings import Settings, Twilio
from mcp_voice.stores import default_path

LEASES: Final = "numbers.json"
"""Where it is written down what a number's webhooks were before: beside the default store."""


@asynccontextmanager
async def account(twilio: Twilio) -> AsyncIterator[TwilioRest | None]:
    """Open the account's REST API; None where its credentials are not here."""
    key = twilio.api_key_sid if twilio.api_key_secret is not None else None
    secret = twilio.api_key_secret if key else twilio.auth_token
    if twilio.account_sid is None or secret is None:
        yield None
        return
    url = address(twilio.region, twilio.edge) if twilio.api_url == API else twilio.api_url
    rest = TwilioRest(twilio.account_sid, secret.get_secret_value(), url, key=key)
    try:
        yield rest
    finally:
        await rest.aclose()


def leases(rest: TwilioRest) -> Leases:
    """Return the numbers that have been taken over from this machine."""
    return Leases(Numbers(rest), default_path().parent / LEASES)


def hooks(settings: Settings) -> Hooks | None:
    """Return where a number's calls have to go to reach this server; None if there is no way in."""
    if settings.public_url is None:
        return None
    base = settings.public_url + ROOT
    return Hooks(
        voice_url=f"{base}/voice", voice_fallback_url=f"{base}/fallback", status_callback=f"{base}/status"
    )
