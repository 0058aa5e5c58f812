"""The bench judges as it says: bars, ratios, and when a server keeps up."""

import json
from pathlib import Path

from tests.bench import rows
from tests.bench.load import COUNTERS, NUMBERS, SILENCE, Window
from tests.bench.rows import Bar, Row


def test_a_bar_on_the_ratio_is_judged_by_the_floor_of_the_same_run() -> None:
    bar = Bar("ratio", "most", 1.15)

    assert Row("p", "w", "ms", ours=0.23, floor=0.2, bar=bar).inside is True
    assert Row("p", "w", "ms", ours=0.24, floor=0.2, bar=bar).inside is False


def test_a_row_without_a_bar_only_informs() -> None:
    row = Row("p", "w", "ms", ours=2.0, floor=1.0)

    assert row.ratio == 2.0
    assert row.inside is None


def test_a_figure_outside_its_bar_is_marked_in_the_table() -> None:
    bar = Bar("ours", "least", 100)

    table = rows.table([Row("p", "enough", "", 120, bar=bar), Row("p", "few", "", 90, bar=bar)])

    assert "✓" in table.splitlines()[2]
    assert "✗" in table.splitlines()[3]


def test_figures_are_written_for_a_program_too(tmp_path: Path) -> None:
    rows.write(
        tmp_path / "bench.json", [Row("p", "w", "µs", 3.0, 2.0, Bar("ratio", "most", 2))], {"quick": True}
    )

    told = json.loads((tmp_path / "bench.json").read_text())
    assert told["quick"] is True
    assert told["rows"][0]["ratio"] == 1.5
    assert told["rows"][0]["inside"] is True


def test_a_server_keeps_up_while_a_hundredth_at_most_is_late_or_lost() -> None:
    in_time = [0.01] * 1_000

    assert Window(sent=1_000, trips=in_time).kept_up
    assert Window(sent=1_010, trips=in_time).kept_up
    assert not Window(sent=1_011, trips=in_time).kept_up
    assert not Window(sent=1_020, trips=[*in_time, *[0.05] * 20]).kept_up


def test_a_frame_that_counts_is_a_whole_frame_and_as_good_as_silent() -> None:
    assert len(NUMBERS) == len(COUNTERS) == 4_096
    assert {len(counter + SILENCE) for counter in COUNTERS} == {216}
