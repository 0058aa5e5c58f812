"""Heard: how often the record of an interruption says what the carrier truly played.

Callers speak up at random instants, in virtual time. The carrier is the
simulator's; messages take up to 150 ms each way, echoes and clears too; words
are up to half longer or shorter than their letters make one think, and behind
commas and full stops there are pauses that nobody is told of.
"""

from collections import Counter
from random import Random
from typing import Any, Final

from tests.bench.machine import say
from tests.bench.rows import Bar, Row
from tests.calls.crossings import SENTENCES, Voice, interrupted, jitter

PART: Final = "heard"
CUTS: Final = 500
MOST_CLAUSES: Final = 8


def run(*, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """Interrupt often; compare what was told with what was played."""
    many = CUTS // 5 if quick else CUTS
    off, chance = Counter[int](), Random(1)
    while off.total() < many:
        cut = interrupted(
            " ".join(chance.sample(SENTENCES, chance.randint(1, 2))),
            Voice(chance, letter_ms=chance.uniform(50, 80)),
            jitter(chance),
            when=chance.random(),
            making=[chance.uniform(0.02, 0.6) for _ in range(MOST_CLAUSES)],
        )
        if cut is not None:
            off[cut.off] += 1
    say("heard, words told less words played: " + ", ".join(f"{at:+d} {off[at]}" for at in sorted(off)))
    near = 100 * sum(off[at] for at in (-1, 0, 1)) / many
    rows = [
        Row(PART, f"of {many} cuts, told within a word of played", "%", near, bar=Bar("ours", "least", 95)),
        Row(PART, "told exactly as played", "%", 100 * off[0] / many),
        Row(PART, "told a word or more too few", "%", 100 * sum(off[at] for at in off if at < 0) / many),
        Row(PART, "told a word or more too many", "%", 100 * sum(off[at] for at in off if at > 0) / many),
    ]
    return rows, {"words_off": {str(at): off[at] for at in sorted(off)}}
