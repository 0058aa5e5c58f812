"""Media: how many calls a core carries, what a frame costs, what a call keeps.

Three servers, each in its own process on one core, loaded from another: the
floor, ours without a voice detector, ours with everything but a recogniser
(detector, ear, turns, records in SQLite). First each has a hundred calls, and
they are spoken to in turns, a second or two at a time: what a frame costs is
compared within a round, so that a busy moment of the machine spoils one round
and not the figure. Then each has more calls, and fewer, until it is known with
how many it keeps up.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from mcp_voice.core.audio import SILENCE_FRAME, frames
from mcp_voice.simulator.sounds import load as recording
from tests.bench import machine
from tests.bench.load import SILENCE, Load, Window
from tests.bench.machine import Died, Server, elapsed, say
from tests.bench.rows import Bar, Row

PART: Final = "media"
COMMON: Final = 100
"""Streams at which the servers are compared."""
TURN: Final = 1.5
"""Seconds that a server is spoken to, before the next one's turn: three are less than a ping's patience."""
UNFAIR_MS: Final = 10
"""How late the load may be, one frame in a hundred, for a server to be judged by it."""
A_SECOND: Final = 120
"""New calls in a second, while a load grows."""
MOST: Final = 1_000
"""Streams that the load itself can serve on a core of its own."""
STEP: Final = 10
NEAR: Final = 1.12
"""A capacity is known well enough when what fails is no further than this above what holds."""
SHORT_CALLS: Final = (100, 1_000, 2_000)
"""Calls after which memory is looked at: the first that are made, many, and as many again."""
BATCH: Final = 50
SHORT_FRAMES: Final = 40


@dataclass(frozen=True, slots=True)
class Plan:
    """How thoroughly to measure: rounds of turns, and seconds of each window and search."""

    rounds: int = 5
    window: float = 8.0
    settle: float = 1.5
    search: float = 28.0


QUICK: Final = Plan(rounds=2, window=3.0, settle=0.5, search=6.0)


@dataclass(frozen=True, slots=True)
class Subject:
    """A server to measure: how it is started, what it is sent."""

    name: str
    arguments: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    sounds: Sequence[bytes] = (SILENCE,)


class Trial:
    """One server at work, and what was found of it."""

    def __init__(self, subject: Subject, server: Server) -> None:
        self.name = subject.name
        self.server = server
        self.load = Load(server.public, subject.sounds)
        self.mib_a_call = 0.0
        self.windows: list[Window] = []
        self.streams = 0
        self.fails = MOST + STEP
        self.probes: list[Mapping[str, Any]] = []

    @property
    def cpu_us(self) -> float:
        """What a frame costs at the common load."""
        return median(window.cpu_us for window in self.windows)

    @property
    def p99_ms(self) -> float:
        """The slowest round trip but one in a hundred, at the common load."""
        return median(window.p99 for window in self.windows)


def run(*, quick: bool) -> tuple[list[Row], Mapping[str, Any]]:
    """Measure all three, and what a thousand calls leave behind."""
    plan = QUICK if quick else Plan()
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        subjects = (_floor(), _without_vad(folder / "1"), _with_all(folder / "2"))
        with ExitStack() as stack:
            trials = [
                Trial(subject, stack.enter_context(machine.server(*subject.arguments, **subject.env)))
                for subject in subjects
            ]
            _compare(trials, plan)
            for trial in trials:
                _search(trial, plan)
                trial.load.close()
        kept = _flatness(_with_all(folder / "3"))
    return [*_rows(*trials), *kept], {"probes": {trial.name: trial.probes for trial in trials}}


# ─── the servers ─────────────────────────────────────────────────────────────


def _floor() -> Subject:
    return Subject("floor", ("-m", "tests.bench.floor_server"))


def _without_vad(folder: Path) -> Subject:
    return _ours("without VAD", folder, "--vad", "off", "--store", "memory:")


def _with_all(folder: Path) -> Subject:
    store = f"sqlite:///{folder / 'calls.db'}"
    return _ours("with VAD", folder, "--vad", "webrtc", "--store", store, sounds=talk())


def _ours(name: str, folder: Path, *options: str, sounds: Sequence[bytes] = (SILENCE,)) -> Subject:
    """A server as shipped; with `--loopback-echo` its ear counts, and runs no recogniser."""
    folder.mkdir(parents=True)
    ports = ("--public-port", "0", "--private-port", "0")
    env = {"MCP_VOICE_MEDIA__MAX_CALLS": "5000", "XDG_DATA_HOME": str(folder)}
    return Subject(name, ("-m", "mcp_voice", "serve", "--loopback-echo", *ports, *options), env, sounds)


def talk() -> Sequence[bytes]:
    """What a caller sends: two sentences and the silences behind them, base64 of each frame's end."""
    sounds = (
        *frames(recording("book-a-table")),
        *[SILENCE_FRAME] * 75,
        *frames(recording("my-name")),
        *[SILENCE_FRAME] * 100,
    )
    return [b64encode(frame)[4:] for frame in sounds]


# ─── measuring ───────────────────────────────────────────────────────────────


def _compare(trials: Sequence[Trial], plan: Plan) -> None:
    """Give each server the common load, and find what a call and a frame cost."""
    for trial in trials:
        trial.load.batch(BATCH // 10, SHORT_FRAMES)  # what is imported or opened once is not a call's
        empty = trial.server.memory()
        trial.load.grow(COMMON, A_SECOND)
        trial.load.run(TURN)
        trial.mib_a_call = (trial.server.memory() - empty) / COMMON
    for _ in range(plan.rounds):
        for trial in trials:
            trial.load.resume()
            trial.load.run(TURN / 10)
            trial.windows.append(trial.load.measure(TURN, trial.server.cpu))
        costs = ", ".join(f"{trial.name} {trial.windows[-1].cpu_us:.0f}" for trial in trials)
        say(f"media, {COMMON} streams each, µs a frame: {costs}")
    for trial in trials:
        if len(trial.load) < COMMON:
            raise Died(f"{len(trial.load)} of {COMMON} streams are left:\n{trial.server.last_words()}")
        trial.streams = COMMON if any(window.kept_up for window in trial.windows) else 0
        trial.load.shrink(0)


def _search(trial: Trial, plan: Plan) -> None:
    """Try more streams or fewer until the capacity is known well enough, or time is up.

    Not to keep up counts when it happens twice: once, it may have been the machine. And it
    does not count at all where the load itself was late.
    """
    ends, streams, failed = elapsed() + plan.search, _round(16_000 / trial.cpu_us), 0
    while elapsed() < ends and trial.streams < min(streams, MOST) and trial.fails > NEAR * trial.streams:
        kept_up, fair = _probe(trial, streams, plan)
        if kept_up:
            trial.streams = streams
        elif failed != streams or not fair:
            failed = streams
            continue
        else:
            trial.fails = streams
        between = (trial.streams + trial.fails) / 2 if trial.fails <= MOST else 1.25 * trial.streams
        streams = min(MOST, _round(between))


def _probe(trial: Trial, streams: int, plan: Plan) -> tuple[bool, bool]:
    """See whether so many streams are kept up with, and whether that was a fair trial."""
    load = trial.load
    if streams < len(load):
        load.shrink(streams)
    load.grow(streams, A_SECOND)
    load.run(plan.settle)
    window = load.measure(plan.window, trial.server.cpu)
    say(
        f"media, {trial.name}: {streams} streams, p99 {window.p99:.1f} ms, lost {window.lost:.2%}, "
        f"{window.cpu_us:.0f} µs a frame (the load itself {window.behind_p99:.1f} ms late)"
    )
    if len(load) < streams:
        say(f"media, {trial.name}: {streams - len(load)} calls broke: {trial.server.complaint()}")
    seen = {"streams": len(load), "p99_ms": window.p99, "lost": window.lost, "cpu_us": window.cpu_us}
    kept_up = window.kept_up and len(load) == streams
    trial.probes.append({**seen, "load_late_p99_ms": window.behind_p99, "kept_up": kept_up})
    return kept_up, window.behind_p99 <= UNFAIR_MS


def _round(streams: float) -> int:
    return max(STEP, round(streams / STEP) * STEP)


def _flatness(subject: Subject) -> list[Row]:
    """Make short calls, fifty at once; compare what the process has kept after few and after many."""
    kept: dict[int, float] = {}
    with machine.server(*subject.arguments, **subject.env) as server:
        load, made = Load(server.public, subject.sounds), 0
        while made < SHORT_CALLS[-1]:
            made += load.batch(BATCH, SHORT_FRAMES)
            if made in SHORT_CALLS:
                kept[made] = server.memory()
                say(f"media, short calls: {kept[made]:.1f} MiB after {made}")
        load.close()
    warm = SHORT_CALLS[
        -2
    ]  # until then caches fill: the database's pages, compiled queries, the allocator's pools
    flat = Bar("ratio", "most", 1.05)
    return [
        Row(
            PART,
            f"memory after {many} calls / after {few}",
            "MiB",
            kept[many],
            kept[few],
            flat if few == warm else None,
        )
        for few, many in pairwise(SHORT_CALLS)
    ]


def _rows(floor: Trial, bare: Trial, full: Trial) -> list[Row]:
    """Set ours beside the floor."""
    least, most = Bar("ratio", "least", 0.5), Bar("ratio", "most", 2)
    enough, little = Bar("ours", "least", 100), Bar("ours", "most", 0.3)

    def row(what: str, unit: str, ours: float, low: float, bar: Bar | None = None) -> Row:
        return Row(PART, what, unit, ours, low, bar)

    def cost(trial: Trial) -> float:
        pairs = zip(trial.windows, floor.windows, strict=True)
        return floor.cpu_us * median(own.cpu_us / low.cpu_us for own, low in pairs)

    return [
        row("streams kept up with, no VAD", "", bare.streams, floor.streams, least),
        row("streams kept up with, VAD and record", "", full.streams, floor.streams, enough),
        row("CPU a frame in and out, no VAD", "µs", cost(bare), floor.cpu_us, most),
        row("CPU a frame in and out, VAD and record", "µs", cost(full), floor.cpu_us),
        row(f"round trip p99, {COMMON} streams, no VAD", "ms", bare.p99_ms, floor.p99_ms),
        row(f"round trip p99, {COMMON} streams, VAD and record", "ms", full.p99_ms, floor.p99_ms),
        row("memory a call, no VAD", "MiB", bare.mib_a_call, floor.mib_a_call, little),
        row("memory a call, VAD and record", "MiB", full.mib_a_call, floor.mib_a_call, little),
    ]
