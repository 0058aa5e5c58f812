"""`mcp-voice demo`: a whole call on this machine, without key, phone or network.

A server in a process of its own, a simulated caller on its media socket, and
an agent at its tools over HTTP. They share nothing but those two addresses.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from mcp_voice.providers.extras import require


def add_arguments(parser: ArgumentParser) -> None:
    """Add the demo's options."""
    parser.add_argument(
        "--out", type=Path, default=Path("mcp-voice-demo"), metavar="DIR",
        help="where call.wav, transcript.json and timeline.png go (mcp-voice-demo)",
    )  # fmt: skip


def run(arguments: Namespace) -> int:
    """Hold the call; return 0 if the agent heard words and the caller heard the agent, else 1.

    Raises `NotConfigured` where the engines of the `demo` extra are not installed.
    """
    require("pocketsphinx", "The demo's ear", extra="demo")
    require("espeakng_loader", "The demo's voice", extra="demo")
    import anyio

    from mcp_voice.demo.show import show

    arguments.out.mkdir(parents=True, exist_ok=True)
    return anyio.run(show, arguments.out, _tell)


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
