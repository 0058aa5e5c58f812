"""`mcp-voice call`: ring somebody up from a terminal, and talk by typing."""

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

EPILOG = """\
examples:
  mcp-voice call sim:restaurant --say "Good evening. Do you have a table for two tomorrow?"
  mcp-voice call +14155550123 --say "Your car is ready. Will you come today?" --public-url https://voice.example.com
  mcp-voice call sim:voicemail --say "Please call me back." --on-voicemail leave

While the call lasts, each line you type is said. A line that begins with a slash is
  /press 123#   keys    /wait   nothing, go on listening    /bye   goodbye, and hang up (as end of input is)

Without a terminal the call is: the first words, their answer, goodbye. The exit status
is 0 if somebody answered, 1 if nobody did, 2 if it could not be placed.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add its options."""
    parser.epilog = EPILOG
    parser.add_argument("to", help="+number with country code, sip:user@host, or sim:restaurant")
    parser.add_argument("--say", metavar="TEXT", help="the first words, made while it rings")
    parser.add_argument("--purpose", metavar="TEXT", help="for the record")
    parser.add_argument("--language", metavar="TAG", help="of whoever answers (en-US)")
    parser.add_argument("--voice", metavar="NAME", help="one of tts.voices")
    parser.add_argument(
        "--on-voicemail", choices=("report", "hangUp", "leave"), help="a machine answers (report)"
    )
    parser.add_argument("--mode", choices=("stream", "relay"), help="relay: Twilio hears and speaks (stream)")
    parser.add_argument("--max-minutes", type=int, metavar="N", help="then the call ends")
    parser.add_argument(
        "--record", action="store_true", default=None, help="both sides, if that is allowed here"
    )
    parser.add_argument("--yes", action="store_true", help="you approve of the call: do not ask")
    parser.add_argument("--config", metavar="FILE", help="settings, as TOML or NAME=value lines")
    parser.add_argument("--store", metavar="URL", help="memory: or sqlite:///calls.db (the data folder)")
    parser.add_argument("--public-port", type=int, metavar="PORT", help="where Twilio comes to (8765)")
    parser.add_argument("--public-url", metavar="URL", help="how Twilio reaches it: https://…")
    parser.add_argument("--tunnel", choices=("ngrok",), help="open one to the public port")


def run(arguments: Namespace) -> int:
    """Hold the call; return 0 if somebody answered, else 1."""
    import anyio

    from mcp_voice.settings import load
    from mcp_voice.terminal.talk import hold

    simulated = arguments.to.startswith("sim:")
    settings = load(
        arguments.config,
        store=arguments.store,
        public_port=0 if simulated and arguments.public_port is None else arguments.public_port,
        public_url=arguments.public_url,
        tunnel=arguments.tunnel,
        log__level="error",
    )
    return anyio.run(hold, settings, _wish(arguments), arguments.yes, _tell)


def _wish(arguments: Namespace) -> dict[str, Any]:
    """Say it as `telephony.call` takes it."""
    given = {
        "to": arguments.to,
        "opening": arguments.say,
        "purpose": arguments.purpose,
        "language": arguments.language,
        "voice": arguments.voice,
        "onVoicemail": arguments.on_voicemail,
        "mode": arguments.mode,
        "maxMinutes": arguments.max_minutes,
        "record": arguments.record,
    }
    return {name: value for name, value in given.items() if value is not None}


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
