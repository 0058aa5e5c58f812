"""What an examination finds, a line each, and how it is shown.

✓ voice            espeak says a sentence in 41 ms
! public address   none: Twilio cannot reach this machine
                   → set MCP_VOICE_PUBLIC_URL, or serve with --tunnel ngrok
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Final, Literal, TypeAlias

State: TypeAlias = Literal["ok", "warn", "bad"]
"""It works; something else works for want of it; what was set up does not work."""

MARKS: Final[Mapping[State, str]] = {"ok": "✓", "warn": "!", "bad": "✗"}
COLOURS: Final[Mapping[State, str]] = {"ok": "32", "warn": "33", "bad": "31"}
WIDTH: Final = 17
"""Columns for the name of what was looked at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing, how it is, and what would mend it."""

    what: str
    state: State
    told: str
    fix: str = ""

    def line(self, *, colours: bool = False) -> str:
        """Show it to a person."""
        mark = MARKS[self.state]
        if colours:
            mark = f"\x1b[{COLOURS[self.state]}m{mark}\x1b[0m"
        told = f"{mark} {self.what:<{WIDTH}} {self.told}"
        return f"{told}\n  {'':<{WIDTH}} → {self.fix}" if self.fix else told


def good(what: str, told: str) -> Finding:
    """It works."""
    return Finding(what, "ok", told)


def worth(what: str, told: str, fix: str) -> Finding:
    """Something would work better, or at all, if that were done."""
    return Finding(what, "warn", told, fix)


def bad(what: str, told: str, fix: str) -> Finding:
    """What was set up does not work."""
    return Finding(what, "bad", told, fix)


def summed(findings: Iterable[Finding]) -> str:
    """Say in one line how it stands."""
    states = [finding.state for finding in findings]
    wrong, lacking = states.count("bad"), states.count("warn")
    if wrong:
        return f"{_counted(wrong, 'thing does', 'things do')} not work."
    if lacking:
        return f"All that is set up works; {_counted(lacking, 'line says', 'lines say')} what more could be."
    return "Everything works."


def as_json(findings: Iterable[Finding]) -> str:
    """Show them to a program."""
    return json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
