"""`mcp-voice numbers`: where calls to the account's numbers go, and letting them come here for a while."""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from mcp_voice.errors import NotConfigured

if TYPE_CHECKING:
    from mcp_voice.carriers.twilio.rest import TwilioRest
    from mcp_voice.settings import Settings

EPILOG: Final = """\
examples:
  mcp-voice numbers list
  MCP_VOICE_PUBLIC_URL=https://voice.example.com mcp-voice numbers lease +14155550123
  mcp-voice numbers release +14155550123      what was there before is put back

A lease is written down on this machine. A number that somebody has changed meanwhile has
drifted: releasing it leaves what they set.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add its options."""
    parser.epilog = EPILOG
    words = parser.add_subparsers(dest="action", metavar="list | lease | release", required=True)
    for name, about in (
        ("list", "list the account's numbers, and where their calls go"),
        ("lease", "let a number's calls come to MCP_VOICE_PUBLIC_URL"),
        ("release", "put back what was there before"),
    ):
        word = words.add_parser(
            name, help=about, description=about, formatter_class=RawDescriptionHelpFormatter
        )
        word.add_argument("--config", metavar="FILE", help="settings, as TOML or NAME=value lines")
        if name != "list":
            word.add_argument("number", help="as +14155550123, or its SID")


def run(arguments: Namespace) -> int:
    """Do it; return 0. Raises `VoiceError`."""
    import anyio

    from mcp_voice.settings import load

    return anyio.run(_done, load(arguments.config), arguments)


async def _done(settings: "Settings", arguments: Namespace) -> int:
    from mcp_voice.server.account import account

    async with account(settings.twilio) as rest:
        if rest is None:
            raise NotConfigured(
                "Numbers belong to an account.", advice="Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN."
            )
        await ACTIONS[arguments.action](rest, settings, arguments)
    return 0


async def _list(rest: "TwilioRest", settings: "Settings", arguments: Namespace) -> None:
    from mcp_voice.carriers.twilio.numbers import Numbers
    from mcp_voice.server.account import leases

    owned, held = await Numbers(rest).owned(), await leases(rest).all()
    for one in owned:
        lease = held.get(one.sid)
        state = "" if lease is None else f"   ({lease.judge(one.hooks)})"
        _tell(f"{one.number:<16} {one.hooks.voice_url or one.hooks.voice_application_sid or '-'}{state}")
    if not owned:
        _tell("The account has no numbers.")


async def _lease(rest: "TwilioRest", settings: "Settings", arguments: Namespace) -> None:
    from mcp_voice.server.account import hooks, leases

    ours = hooks(settings)
    if ours is None:
        raise NotConfigured("There is no address to point it at.", advice="Set MCP_VOICE_PUBLIC_URL.")
    lease = await leases(rest).take(arguments.number, ours)
    _tell(f"Calls to {lease.number} come to {ours.voice_url}.")
    _tell(f"Before: {lease.before.voice_url or lease.before.voice_application_sid or 'nothing'}.")


async def _release(rest: "TwilioRest", settings: "Settings", arguments: Namespace) -> None:
    from mcp_voice.server.account import leases

    state = await leases(rest).release(arguments.number)
    _tell(
        "Somebody has changed it meanwhile: what they set stays."
        if state == "drifted"
        else "What was there before is there again."
    )


ACTIONS: Final[Mapping[str, Callable[["TwilioRest", "Settings", Namespace], Awaitable[None]]]] = {
    "list": _list, "lease": _lease, "release": _release,
}  # fmt: skip


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
