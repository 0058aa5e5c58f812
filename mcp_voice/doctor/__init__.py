"""`mcp-voice doctor`: what works, what does not, and what to do about it.

Everything is tried, not looked up: the voice says something, the ear hears it,
the store is opened, and the public address is called from outside.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from mcp_voice.doctor.finding import Finding, as_json, summed

if TYPE_CHECKING:
    from mcp_voice.settings import Settings


def add_arguments(parser: ArgumentParser) -> None:
    """Add its options."""
    parser.add_argument("--config", metavar="FILE", help="settings, as TOML or NAME=value lines")
    parser.add_argument("--offline", action="store_true", help="ask nobody outside this machine")
    parser.add_argument("--json", action="store_true", help="write what was found as JSON")
    parser.add_argument("--settings", action="store_true", help="show every setting too, secrets masked")


def run(arguments: Namespace) -> int:
    """Examine this machine; return 0 if everything set up works, else 1."""
    import anyio

    from mcp_voice.server import logs
    from mcp_voice.settings import Log, load

    settings = load(arguments.config)
    logs.configure(Log(level="error"))
    found = anyio.run(_examined, settings, arguments)
    if arguments.json:
        sys.stdout.write(as_json(found) + "\n")
    else:
        sys.stdout.write(f"\n{summed(found)}\n")
    return int(any(finding.state == "bad" for finding in found))


async def _examined(settings: "Settings", arguments: Namespace) -> list[Finding]:
    found: list[Finding] = []
    if arguments.settings and not arguments.json:
        _show(settings)
    async for finding in examination(settings, offline=arguments.offline):
        found.append(finding)
        if not arguments.json:
            sys.stdout.write(finding.line(colours=sys.stdout.isatty()) + "\n")
            sys.stdout.flush()
    return found


async def examination(settings: "Settings", *, offline: bool) -> AsyncIterator[Finding]:
    """Look at one thing after the other."""
    from mcp_voice.doctor import house
    from mcp_voice.doctor.reach import reach
    from mcp_voice.doctor.twilio import twilio

    yield house.python()
    parts = [house.engines, house.ports, house.disk, *([] if offline else [reach, twilio])]
    for part in parts:
        async for finding in part(settings):
            yield finding


def _show(settings: "Settings") -> None:
    from pprint import pformat

    sys.stdout.write(f"{pformat(settings.shown(), sort_dicts=False)}\n\n")
