"""`mcp-voice simulate twilio`: a telephone network on this machine, for whoever speaks Twilio."""

import argparse
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mcp_voice.errors import Invalid, NotConfigured, VoiceError
from mcp_voice.ports import Providers
from mcp_voice.simulator.line import SIMULATED_ACCOUNT

if TYPE_CHECKING:
    from mcp_voice.simulator.people import Senses
    from mcp_voice.simulator.persona import Persona
    from mcp_voice.simulator.twilio.account import Who
    from mcp_voice.simulator.twilio.exchange import Exchange

Serve: TypeAlias = Callable[[Any, str, int, Callable[[int], None]], None]
"""Serves an ASGI app on a host and a port until it is told to stop; tells the port that it got."""
Vendors: TypeAlias = Callable[[], Providers]

NUMBER: Final = "+12025550100"
PORT: Final = 8089

DESCRIPTION: Final = """\
A telephone network that speaks Twilio, on this machine: no account, no telephone, no cost.

It has the REST API (calls, conferences, recordings, streams, transcriptions, numbers),
posts signed webhooks, performs TwiML, and opens media and ConversationRelay sockets.
Whoever is called is a simulated person (see simulate people)."""

EXAMPLES: Final = """\
examples:
  mcp-voice simulate twilio --answers restaurant
      Everybody who is called is the restaurant. What it prints is what a server needs:

  MCP_VOICE_TWILIO__API_URL=http://127.0.0.1:8089 TWILIO_ACCOUNT_SID=AC0… TWILIO_AUTH_TOKEN=… \\
      mcp-voice serve
      A server whose calls go over it.

  mcp-voice simulate twilio --answers restaurant,+12025550143=busy,+12025550144=voicemail
      One number is engaged, another a machine.

  mcp-voice simulate twilio --voice-url http://127.0.0.1:8765/twilio/voice
  curl -d From=+12025550142 -d persona=guest http://127.0.0.1:8089/simulate/incoming
      Somebody calls the number, and the server is asked what to do.

  curl -H 'Content-Type: application/json' -d '{"duplicate": true}' \\
      http://127.0.0.1:8089/simulate/faults
      Each webhook comes twice; also reorder, forge, stale, lose. What was delivered is at
      /simulate/webhooks, and what Twilio's debugger would show at /simulate/alerts.

  TwilioHttpClient: swap https://api.twilio.com for http://127.0.0.1:8089 in request(), and
      Twilio's own SDK talks to it.
"""


def add_arguments(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the word to those of `simulate`."""
    parser = words.add_parser(
        "twilio",
        help="be Twilio, for a server on this machine",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="where to listen (127.0.0.1)")
    add("--port", type=int, default=PORT, help=f"the port; 0 takes a free one ({PORT})")
    add("--account-sid", default=SIMULATED_ACCOUNT, metavar="AC…", help="the account (AC and 32 zeros)")
    add("--auth-token", metavar="TOKEN", help="its auth token (a new one)")
    add(
        "--number",
        action="append",
        metavar="+1…",
        help=f"a number of the account's; may be repeated ({NUMBER})",
    )
    add(
        "--answers", default="restaurant", metavar="PERSONA[,NUMBER=PERSONA…]",
        help="who answers: everybody, and single numbers (restaurant)",
    )  # fmt: skip
    add("--voice-url", metavar="URL", help="what is asked when somebody calls one of the numbers")
    add("--status-url", metavar="URL", help="what is told when such a call has ended")
    add("--cps", type=float, metavar="N", help="calls a second, as an account has (no limit)")
    add("--wordless", action="store_true", help="no ear, no voice: people on media streams make a sound")
    add("--people", type=Path, metavar="DIR", help="a folder with more personas")


def run(args: argparse.Namespace, vendors: Vendors | None, serve: Serve | None) -> int:
    """Serve until told to stop; return the exit status."""
    from mcp_voice.simulator.twilio.api import app

    try:
        if serve is None:
            raise NotConfigured("Nothing can serve here.", advice="Run mcp-voice simulate twilio.")
        exchange = _exchange(args, None if args.wordless else vendors)
        serve(app(exchange), args.host, args.port, lambda port: _announce(args, exchange, port))
    except VoiceError as error:
        sys.stderr.write(f"mcp-voice simulate twilio: {error}\n")
        return 2
    return 0


def _exchange(args: argparse.Namespace, vendors: Vendors | None) -> "Exchange":
    """Check the arguments and make the network. Raises `VoiceError`."""
    from mcp_voice.simulator.twilio.account import Account
    from mcp_voice.simulator.twilio.calls import E164, is_url
    from mcp_voice.simulator.twilio.exchange import Exchange

    if not re.fullmatch(r"AC[0-9a-f]{32}", args.account_sid):
        raise Invalid(f"--account-sid {args.account_sid} is not AC and 32 hexadecimal digits.")
    numbers = args.number or [NUMBER]
    for number in numbers:
        if not E164.fullmatch(number):
            raise Invalid(f"--number {number} is no number.", advice="Write it as +12025550100.")
    for option, url in (("--voice-url", args.voice_url), ("--status-url", args.status_url)):
        if url and not is_url(url):
            raise Invalid(f"{option} {url} is not an address.", advice="Write it as http://127.0.0.1:8765/…")
    account = Account(args.account_sid, answerers(args.answers, args.people), numbers=numbers, cps=args.cps)
    for number in account.numbers.values():
        number.fields |= {"voice_url": args.voice_url or "", "status_callback": args.status_url or ""}
    return Exchange(account, args.auth_token or secrets.token_hex(16), senses=_senses(vendors))


def answerers(said: str, folder: Path | None = None) -> "Who":
    """Return who answers at a number, or at `sim:name`. Raises `NotFound`, `Invalid`."""
    from mcp_voice.simulator.casting import PREFIX, cast

    folders = [folder] if folder else []
    everybody: Persona = cast("restaurant")
    single: dict[str, Persona] = {}
    for part in filter(None, said.split(",")):
        number, equals, name = part.rpartition("=")
        if equals:
            single[number] = cast(name, folders)
        else:
            everybody = cast(name, folders)

    def who(number: str) -> "Persona":
        return cast(number, folders) if number.startswith(PREFIX) else single.get(number, everybody)

    return who


def _senses(vendors: Vendors | None) -> "Senses | None":
    """Return an ear and a voice, if there are engines for them."""
    from mcp_voice.simulator.people import Senses

    if vendors is None:
        return None
    try:
        providers = vendors()
        return Senses(providers.voice(), providers.ear())
    except VoiceError as error:
        sys.stderr.write(f"People make a sound instead of words: {error}\n")
        return None


def _announce(args: argparse.Namespace, exchange: "Exchange", port: int) -> None:
    """Tell a person at a terminal what to set, and what to do next."""
    base = f"http://{args.host}:{port}"
    settings: Mapping[str, str] = {
        "MCP_VOICE_TWILIO__API_URL": base,
        "TWILIO_ACCOUNT_SID": exchange.account.sid,
        "TWILIO_AUTH_TOKEN": exchange.token,
    }
    told = [f"A Twilio of your own listens on {base}.", "Set for the server:"]
    told += [f"  {name}={value}" for name, value in settings.items()]
    told += [f"Numbers: {', '.join(exchange.account.numbers)}. Somebody calls in with:"]
    told += [f"  curl -d From=+12025550142 -d persona=guest {base}/simulate/incoming"]
    sys.stderr.write("\n".join(told) + "\n")
    sys.stderr.flush()
