"""How long each answer took: from the caller's last sound to the agent's first."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from mcp_voice.simulator.report import CallReport


@dataclass(frozen=True, slots=True)
class Moment:
    """Something the agent did or saw; `at` is in seconds of the caller's line."""

    at: float
    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, by its four moments, in seconds of the caller's line."""

    silent: float
    transcript: float
    tool: float
    audio: float

    @property
    def steps_ms(self) -> tuple[int, int, int, int]:
        """Silence → transcript, transcript → tool call done, tool call → audio, and all of it."""
        steps = (
            self.transcript - self.silent,
            self.tool - self.transcript,
            self.audio - self.tool,
            self.audio - self.silent,
        )
        first, second, third, whole = (round(step * 1000) for step in steps)
        return first, second, third, whole


def answers(moments: Sequence[Moment], report: CallReport) -> list[Answer]:
    """Match what the agent saw with what the line heard; a transcript without an answer is left out."""
    rows = []
    for moment in (m for m in moments if m.kind == "final"):
        silent = max((talk.ended for talk in report.caller_talks if talk.ended <= moment.at), default=None)
        tool = next((m.at for m in moments if m.kind == "says" and m.at >= moment.at), None)
        audio = next((talk.began for talk in report.agent_talks if talk.began >= moment.at), None)
        if silent is not None and tool is not None and audio is not None:
            rows.append(Answer(silent, moment.at, tool, audio))
    return rows


def table(rows: Sequence[Answer]) -> str:
    """Lay the answers out in columns, with their median."""
    columns = f"{'speech end → transcript':>24}{'→ tool call':>14}{'→ first audio':>16}{'in all':>10}"
    head = f"{'latency, ms':>11}  {columns}"
    lines = [_row(str(n), row.steps_ms) for n, row in enumerate(rows, 1)]
    if rows:
        steps = zip(*(row.steps_ms for row in rows), strict=True)
        first, second, third, whole = (round(median(step)) for step in steps)
        lines.append(_row("median", (first, second, third, whole)))
    return "\n".join([head, *lines, ""])


def _row(name: str, steps: tuple[int, int, int, int]) -> str:
    first, second, third, whole = steps
    return f"{name:>11}  {first:>24}{second:>14}{third:>16}{whole:>10}"
