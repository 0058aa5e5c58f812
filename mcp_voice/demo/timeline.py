"""The call, drawn: both voices on one time line, and what happened when."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mcp_voice.core.g711 import MULAW
from mcp_voice.demo.latency import Moment, answers
from mcp_voice.simulator.report import CallReport

CALLER: Final = "#2a6f97"
AGENT: Final = "#c1666b"
INK: Final = "#333333"


def draw(path: Path, moments: Sequence[Moment], report: CallReport) -> None:
    """Write the picture."""
    mpl.rcParams.update({"font.size": 9, "axes.edgecolor": INK, "text.color": INK})
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    axes = figure.subplots()
    _voice(axes, report.caller_sound, 1.0, CALLER)
    _voice(axes, report.agent_sound, -1.0, AGENT)
    for row in answers(moments, report):
        axes.annotate("", (row.audio, 0), (row.silent, 0), arrowprops={"arrowstyle": "->", "color": INK})
        axes.text(
            (row.silent + row.audio) / 2, 0.07, f"{row.steps_ms[3]} ms", ha="center", va="bottom", fontsize=8
        )
        axes.plot([row.transcript], [0], "|", color=CALLER, markersize=11)
        axes.plot([row.tool], [0], "|", color=AGENT, markersize=11)
    for began, words in _captions(moments, report):
        axes.text(began, 1.95, fill(words, 24), color=CALLER, ha="left", va="top", fontsize=8)
    for at in (happening.at for happening in report.happenings if happening.kind == "clear"):
        axes.axvline(at, color=AGENT, linestyle=":", linewidth=1)
        axes.text(at, -1.75, " cut in", color=AGENT, ha="left", va="bottom")
    axes.set(xlim=(0, report.seconds), ylim=(-1.9, 2.0), xlabel="seconds")
    axes.set_yticks([1, 0, -1], ["caller", "answer\nafter", "agent"])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(
        "Arrows: from the caller's last sound to the agent's first; | transcript read, | audio sent",
        loc="left",
    )
    figure.savefig(path, dpi=110)


def _captions(moments: Sequence[Moment], report: CallReport) -> Iterator[tuple[float, str]]:
    """Yield what was understood of each of the caller's talks, and when the talk began."""
    for moment in (m for m in moments if m.kind == "final"):
        began = max((talk.began for talk in report.caller_talks if talk.ended <= moment.at), default=None)
        if began is not None:
            yield began, moment.text


def _voice(axes: "mpl.axes.Axes", sound: bytes, at: float, colour: str) -> None:
    """Draw a voice's envelope, 20 ms a step."""
    samples = np.frombuffer(MULAW.decode(sound), dtype="<i2").astype(float) / 32768
    whole = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    peak = np.abs(whole).max(axis=1) if len(whole) else np.zeros(0)
    seconds = np.arange(len(peak)) * 0.02
    axes.fill_between(seconds, at - 0.75 * peak, at + 0.75 * peak, color=colour, linewidth=0)
