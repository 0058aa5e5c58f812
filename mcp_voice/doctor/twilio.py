"""Whether the account would carry calls: asked of Twilio itself."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Final

from mcp_voice.carriers.twilio.account import Account
from mcp_voice.carriers.twilio.numbers import Numbers, Owned
from mcp_voice.carriers.twilio.rest import TwilioRest
from mcp_voice.doctor.finding import Finding, bad, good, worth
from mcp_voice.errors import NotFound, VoiceError
from mcp_voice.server.account import account, hooks, leases
from mcp_voice.settings import Settings, variable

WHAT: Final = "Twilio account"
NUMBER: Final = "Twilio number"
WEBHOOK: Final = "webhook"
LITTLE: Final = Decimal(5)
"""A balance below which calls are about to end."""


async def twilio(settings: Settings) -> AsyncIterator[Finding]:
    """Ask the account how it is, and its number where its calls go."""
    async with account(settings.twilio) as rest:
        if rest is None:
            yield worth(WHAT, "none: simulated calls only", "set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")
            return
        try:
            async for finding in _asked(rest, settings):
                yield finding
        except VoiceError as error:
            yield bad(WHAT, error.args[0], error.next_step)


async def _asked(rest: TwilioRest, settings: Settings) -> AsyncIterator[Finding]:
    whole = Account(rest)
    standing = await whole.standing()
    if not standing.works:
        yield bad(WHAT, f"it is {standing.status}", "see https://console.twilio.com")
        return
    balance = await whole.balance()
    left = f"{balance.amount} {balance.currency} left"
    if standing.trial:
        yield worth(WHAT, f"on trial, {left}: it calls verified numbers only", "upgrade it in the console")
    elif balance.amount < LITTLE:
        yield worth(WHAT, f"active, {left}", "top it up: without money calls end")
    else:
        yield good(WHAT, f"active, {left}")
    if settings.twilio.number is None:
        owned = [one.number for one in await Numbers(rest).owned() if one.voice][:3]
        fix = f"set {variable('twilio', 'number')}={owned[0]}" if owned else "buy one in the console"
        yield worth(NUMBER, "none is set: nobody can be called", fix)
        return
    try:
        one = await Numbers(rest).find(settings.twilio.number)
    except NotFound:
        yield bad(
            NUMBER, f"{settings.twilio.number} is not the account's", "mcp-voice numbers list says which are"
        )
        return
    yield good(NUMBER, one.number) if one.voice else bad(NUMBER, f"{one.number} has no voice", "use another")
    yield await _webhook(rest, one, settings)


async def _webhook(rest: TwilioRest, one: Owned, settings: Settings) -> Finding:
    """Say where calls to the number go."""
    ours = hooks(settings)
    lease = (await leases(rest).all()).get(one.sid)
    if lease is not None and lease.judge(one.hooks) == "drifted":
        fix = f"mcp-voice numbers release {one.number}, then lease it again"
        return bad(WEBHOOK, f"somebody has pointed {one.number} elsewhere since it was leased", fix)
    if ours is None:
        return worth(WEBHOOK, "without a public address no call comes in", f"set {variable('public_url')}")
    goes = one.hooks.voice_url or "nowhere"
    if goes.partition("#")[0].startswith(ours.voice_url):
        return good(WEBHOOK, f"calls to {one.number} come here")
    return worth(WEBHOOK, f"calls to {one.number} go to {goes}", f"mcp-voice numbers lease {one.number}")
