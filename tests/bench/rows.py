"""What is measured, as rows: ours, the floor of the same run, their ratio, and the bar.

An absolute figure belongs to the machine it was taken on. A ratio moves less,
so a bar is on the ratio wherever there is a floor.

    >>> row = Row("tools", "CPU a call", "ms", ours=0.5, floor=0.4, bar=Bar("ratio", "most", 1.15))
    >>> row.ratio, row.inside
    (1.25, False)
"""

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Literal

from tests.bench.machine import CORES

_SIGN: Final = {"most": "≤", "least": "≥"}


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit of our figure, or of its ratio to the floor's."""

    of: Literal["ours", "ratio"]
    at: Literal["most", "least"]
    limit: float

    def holds(self, figure: float) -> bool:
        """Whether a figure is on the right side."""
        return figure <= self.limit if self.at == "most" else figure >= self.limit

    def __str__(self) -> str:
        return f"{_SIGN[self.at]} {self.limit:g}" + (" x floor" if self.of == "ratio" else "")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. Without a bar it only informs."""

    part: str
    what: str
    unit: str
    ours: float
    floor: float | None = None
    bar: Bar | None = None

    @property
    def ratio(self) -> float | None:
        """Ours by the floor."""
        return self.ours / self.floor if self.floor else None

    @property
    def inside(self) -> bool | None:
        """Whether the bar holds; None without one, or without the figure that it is on."""
        figure = self.ours if self.bar is None or self.bar.of == "ours" else self.ratio
        return None if self.bar is None or figure is None else self.bar.holds(figure)

    def cells(self) -> tuple[str, ...]:
        """The row as a person reads it."""
        mark = {None: "", True: "✓", False: "✗"}[self.inside]
        floor, ratio = (_figure(value) for value in (self.floor, self.ratio))
        return self.what, _figure(self.ours), floor, self.unit, ratio, str(self.bar or ""), mark


HEADS: Final = ("what", "ours", "floor", "unit", "ratio", "bar", "")
_RIGHT: Final = frozenset({1, 2, 4})


def table(rows: Sequence[Row]) -> str:
    """Lay rows out in columns, a heading for each part."""
    cells = [HEADS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADS))]
    lines = [_line(HEADS, widths)]
    for part, group in groupby(rows, key=lambda row: row.part):
        lines += [f"── {part} ".ljust(len(lines[0]), "─")]
        lines += [_line(row.cells(), widths) for row in group]
    return "\n".join(lines)


def machine() -> Mapping[str, Any]:
    """When and where this was measured."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": len(CORES),
        "processor": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def write(path: Path, rows: Iterable[Row], more: Mapping[str, Any]) -> None:
    """Write rows, and what else was seen, as JSON."""
    lines = [
        {key: value for key, value in asdict(row).items() if key != "bar"}
        | {"ratio": row.ratio, "bar": str(row.bar) if row.bar else None, "inside": row.inside}
        for row in rows
    ]
    path.write_text(json.dumps({**machine(), **more, "rows": lines}, indent=2, ensure_ascii=False) + "\n")


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    placed = (
        cell.rjust(width) if column in _RIGHT else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(placed).rstrip()
