"""The command line: what there is to do, and how to begin.

Each word is a module's business and imports it when it is said; `stdio`, which
a desktop client starts and waits for, imports nothing before it must.
"""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from mcp_voice.errors import VoiceError

if TYPE_CHECKING:
    from mcp_voice.ports import Providers
    from mcp_voice.settings import Settings

ABOUT: Final = "One process that gives any MCP agent a telephone."

EXAMPLES: Final = """\
examples:
  mcp-voice demo                      a whole call on this machine: no key, no phone
  mcp-voice serve                     tools on 127.0.0.1:8766/mcp, calls on 127.0.0.1:8765
  mcp-voice stdio                     the same, for a client that starts its servers itself
  mcp-voice simulate --help           be the caller of a server that runs
  mcp-voice call sim:restaurant       talk to a simulated restaurant by typing
  mcp-voice doctor                    what works here, and what would make the rest work
  mcp-voice serve --loopback-echo     a line test: callers hear themselves

Settings are MCP_VOICE_… variables, or a file: mcp-voice serve --config voice.toml
"""

SERVE: Final = """\
examples:
  mcp-voice serve                                   for agents and callers of this machine
  MCP_VOICE_PUBLIC_URL=https://voice.example.com TWILIO_AUTH_TOKEN=… mcp-voice serve
                                                    behind a tunnel to port 8765, for Twilio
  TWILIO_AUTH_TOKEN=… mcp-voice serve --tunnel ngrok
                                                    the same, and the tunnel too
  mcp-voice serve --public-port 0 --private-port 0  on two free ports

SIGTERM takes no more calls, waits MCP_VOICE_DRAIN_SECONDS for live ones, and ends.
"""

STDIO: Final = """\
For Claude Desktop, in claude_desktop_config.json:

  {"mcpServers": {"voice": {"command": "mcp-voice", "args": ["stdio"]}}}

Calls come in on MCP_VOICE_PUBLIC_PORT (8765) of the same process.
A client that asks server/discover and then shakes hands all the same: --protocol legacy.
"""


@dataclass(frozen=True)
class Word:
    """A subcommand: what it is for, its options, and what it does."""

    help: str
    add: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], int | None]
    epilog: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status.

    2 is what was asked wrongly, or of a machine that cannot: one sentence on stderr.
    """
    said = sys.argv[1:] if argv is None else list(argv)
    arguments = _parser(next((word for word in said if word in WORDS), None)).parse_args(said)
    try:
        return WORDS[arguments.word].run(arguments) or 0
    except VoiceError as error:
        print(f"mcp-voice: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser(chosen: str | None) -> ArgumentParser:
    """Build the parser; only the chosen word's options are asked for, and with them its module."""
    parser = ArgumentParser(
        prog="mcp-voice", description=ABOUT, epilog=EXAMPLES, formatter_class=RawDescriptionHelpFormatter
    )
    words: _SubParsersAction[ArgumentParser] = parser.add_subparsers(
        dest="word", metavar="word", required=True
    )
    for name, word in WORDS.items():
        made = words.add_parser(
            name,
            help=word.help,
            description=word.help,
            epilog=word.epilog,
            formatter_class=RawDescriptionHelpFormatter,
        )
        if name == chosen:
            word.add(made)
    return parser


# ─── serve, stdio ────────────────────────────────────────────────────────────


def _add_serve(parser: ArgumentParser) -> None:
    _add_common(parser)
    parser.add_argument("--host", help="where both listeners bind (127.0.0.1)")
    parser.add_argument("--private-host", help="where the private one binds, if elsewhere")
    parser.add_argument("--private-port", type=int, metavar="PORT", help="MCP and metrics (8766)")
    parser.add_argument("--public-url", metavar="URL", help="how carriers reach the public port: https://…")
    parser.add_argument("--tunnel", choices=("ngrok",), help="open one to the public port (pip extra: ngrok)")
    parser.add_argument(
        "--loopback-echo", action="store_true", default=None, help="play callers back to themselves"
    )


def _add_stdio(parser: ArgumentParser) -> None:
    _add_common(parser)
    parser.add_argument("--toolset", choices=("agent", "media", "all"), help="tools listed (agent)")
    parser.add_argument("--names", choices=("dotted", "underscore"), help="how they are spelled (underscore)")
    parser.add_argument(
        "--protocol", choices=("auto", "legacy"), default="auto", help="legacy: up to 2025-11-25"
    )
    parser.add_argument("--no-media", action="store_true", help="open no port for calls")


def _add_common(parser: ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="settings, as TOML or NAME=value lines")
    parser.add_argument("--store", metavar="URL", help="memory: or sqlite:///calls.db (the data folder)")
    parser.add_argument("--public-port", type=int, metavar="PORT", help="calls and webhooks (8765)")
    parser.add_argument("--vad", choices=("auto", "webrtc", "silero", "energy", "off"), help="voice detector")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))


def _common(arguments: Namespace) -> dict[str, Any]:
    return {
        "store": arguments.store,
        "public_port": arguments.public_port,
        "media__vad": arguments.vad,
        "log__level": arguments.log_level,
    }


def _serve(arguments: Namespace) -> None:
    from mcp_voice.server import serve
    from mcp_voice.settings import load

    settings = load(
        arguments.config,
        host=arguments.host,
        private_host=arguments.private_host,
        private_port=arguments.private_port,
        public_url=arguments.public_url,
        tunnel=arguments.tunnel,
        media__loopback_echo=arguments.loopback_echo,
        **_common(arguments),
    )
    serve.run(settings, _announce)


def _stdio(arguments: Namespace) -> None:
    # Thousands of classes are about to be made and none thrown away; the collector would look for some.
    import gc

    gc.disable()
    from mcp_voice.server import stdio
    from mcp_voice.settings import load

    settings = load(
        arguments.config, toolset=arguments.toolset, tool_names=arguments.names, **_common(arguments)
    )
    stdio.run(settings, handshake_only=arguments.protocol == "legacy", media=not arguments.no_media)


def _announce(settings: "Settings", public_port: int, private_port: int) -> None:
    """Tell a person at a terminal what listens where, and what to do next."""
    public, private = _address(settings.host, public_port), _address(settings.private_bind, private_port)
    told = f"""\
mcp-voice listens.
  calls    {settings.public_url or f"http://{public}"}   (what a tunnel may expose)
  tools    http://{private}/mcp   (an agent's alone: /mcp/agent; also /metrics, /readyz)
Next:
  Claude Code      claude mcp add --transport http voice http://{private}/mcp/agent
  Claude Desktop   stop this, and add to claude_desktop_config.json (it starts its own):
                   {{"mcpServers": {{"voice": {{"command": "mcp-voice", "args": ["stdio"]}}}}}}
  no phone at hand mcp-voice simulate --help
"""
    print(told, file=sys.stderr, end="", flush=True)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# ─── schemas, version, and words of other rooms ──────────────────────────────


def _add_schemas(parser: ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if something is stale")
    parser.add_argument("--dir", default="schemas", help="where they are (schemas)")


def _schemas(arguments: Namespace) -> int:
    from os.path import relpath
    from pathlib import Path

    from mcp_voice.server import schemas
    from mcp_voice.tools.catalogue import gather

    if not arguments.check:
        for path in schemas.write(gather(), Path(arguments.dir)):
            print(relpath(path))
        return 0
    found = schemas.stale(gather(), Path(arguments.dir))
    print("\n".join([*found, "Run 'mcp-voice schemas' and commit what it writes."] if found else []), end="")
    return int(bool(found))


def _version(_: Namespace) -> None:
    import mcp_voice

    print(mcp_voice.__version__)


def _nothing(_: ArgumentParser) -> None:
    """Add no options."""


def _simulate(arguments: Namespace) -> int:
    from mcp_voice.simulator import cli

    return cli.run(arguments, _vendors, _alone)


def _alone(app: Any, host: str, port: int, announce: Callable[[int], None]) -> None:
    """Serve one app, for the simulated Twilio."""
    from mcp_voice.server.alone import run

    run(app, host, port, announce)


def _vendors() -> "Providers":
    """The ears and voices of this machine, for simulated people."""
    from mcp_voice.core.counts import Counts
    from mcp_voice.providers import Registry
    from mcp_voice.settings import load

    speech = load().speech
    return Registry(Counts(), hears=speech.stt, speaks=speech.tts)


def _elsewhere(module: str, help: str) -> Word:
    """A word whose module has `add_arguments(parser)` and `run(arguments)`."""
    return Word(
        help,
        lambda parser: import_module(module).add_arguments(parser),
        lambda arguments: import_module(module).run(arguments),
    )


WORDS: Final = {
    "serve": Word("Serve tools over HTTP and calls over WebSockets.", _add_serve, _serve, SERVE),
    "stdio": Word("Serve one client on stdin and stdout, and calls beside it.", _add_stdio, _stdio, STDIO),
    "simulate": Word(
        "Call a running server, as a carrier would.",
        lambda parser: import_module("mcp_voice.simulator.cli").add_arguments(parser),
        _simulate,
    ),
    "demo": _elsewhere("mcp_voice.demo", "Have a whole call on this machine, without key or phone."),
    "call": _elsewhere("mcp_voice.terminal", "Ring somebody up, and talk by typing."),
    "numbers": _elsewhere("mcp_voice.terminal.numbers", "Let calls to the account's numbers come here."),
    "doctor": _elsewhere("mcp_voice.doctor", "Say what works here, what does not, and what to do about it."),
    "schemas": Word("Write schemas/ and the README's table from the catalogue.", _add_schemas, _schemas),
    "version": Word("Print the version.", _nothing, _version),
}
