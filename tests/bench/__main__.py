"""The command line of the bench."""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from tests.bench import machine, rows
from tests.bench.machine import elapsed, say

PARTS: Final = ("dsp", "heard", "barge", "start", "tools", "turns", "playout", "webhook", "media")

ABOUT: Final = """\
Measure the hot paths, each beside a floor taken in the same run.

  dsp     what is done with one 20 ms frame, in process
  heard   whether the record of an interruption says what was played
  barge   how soon a voice that cuts in is obeyed
  start   from `mcp-voice stdio` to the answer of tools/list
  tools   processor time of a tool call over streamable HTTP
  turns   how long a caller waits for us, engines aside
  playout what callers hear of a blocked loop; calls lost in conversation
  webhook how long a call waits for its TwiML while a hundred others talk
  media   calls on one core; what a frame costs, a call, a thousand calls
"""

EXAMPLES: Final = """\
examples:
  make bench                                    everything, about 5 minutes
  python -m tests.bench --quick                 shorter windows, for a first look
  python -m tests.bench tools heard             these parts alone
  python -m tests.bench --json build/bench.json the figures for a program too

`ours` and `floor` move with the machine and with what else it does; `ratio` is what
counts. The server has one core and the load another: leave them two. Progress goes to
stderr, the table to stdout. Exit status: 0; 1 when a figure is outside its bar (✗);
2 when a server died.
docs/benchmarks.md says what each row means.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what the command line says; return the exit status."""
    asked = _parser().parse_args(argv)
    machine.settle_down(machine.LOAD_CORE)
    machine.allow_files()
    found: list[rows.Row] = []
    more: dict[str, Any] = {}
    for part in (*asked.parts, *(asked.only or ())) or PARTS:
        say(f"{part} …")
        try:
            lines, facts = import_module(f"tests.bench.{part}").run(quick=asked.quick)
        except machine.Died as died:
            say(str(died))
            return 2
        found += lines
        more |= facts
    sys.stdout.write(rows.table(found) + "\n")
    outside = sum(row.inside is False for row in found)
    bars = sum(row.inside is not None for row in found)
    sys.stdout.write(f"{bars - outside} of {bars} bars hold. {elapsed():.0f} s.\n" if bars else "")
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        rows.write(asked.json, found, {"quick": asked.quick, "seconds": round(elapsed()), **more})
    return int(outside > 0)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m tests.bench",
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="part", help="measure these alone")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part alone")
    parser.add_argument("--quick", action="store_true", help="a rough look: shorter windows, fewer rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
