r"""The same call many times, and whether each was a good one.

    trials = await Calling(persona, url, senses).often(50, parallel=5)
    print(table(trials), latencies(trials), sep="\n")
    Path("calls.xml").write_bytes(junit("restaurant", trials))

A persona's `expect` says what a good call is; beside that the agent has to have
been heard at all.
"""

import asyncio
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from mcp_voice.errors import VoiceError
from mcp_voice.simulator.line import Names
from mcp_voice.simulator.people import Encounter, Senses, converse
from mcp_voice.simulator.persona import Expect, Persona

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")
_HEAD: Final = (
    f"{'call':>4}  {'result':6}  {'seconds':>7}  {'ended by':8}  {'answers':>7}  {'median':>7}  states"
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One call; without an `encounter` it never came about, and `faults` say why."""

    number: int
    call_sid: str
    encounter: Encounter | None
    faults: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it was a good call."""
        return not self.faults

    @property
    def answers(self) -> Sequence[float]:
        """Seconds from the person's silence to the agent's first sound."""
        return self.encounter.answers if self.encounter else ()


@dataclass
class Calling:
    """How to call: `told` makes, for a call's SID, the source of the agent's words."""

    persona: Persona
    url: str
    senses: Senses
    told: Callable[[str], AsyncIterator[str]] | None = None
    how: dict[str, Any] = field(default_factory=dict)

    async def once(self, number: int) -> Trial:
        """Call once, and judge."""
        names = Names()
        told = self.told(names.call_sid) if self.told else None
        try:
            met = await converse(self.persona, self.url, self.senses, told=told, names=names, **self.how)
        except VoiceError as error:
            return Trial(number, names.call_sid, None, (str(error),))
        return Trial(number, names.call_sid, met, tuple(faults(self.persona.expect, met)))

    async def often(
        self, times: int, parallel: int = 1, tell: Callable[[Trial], None] = lambda _: None
    ) -> list[Trial]:
        """Call so many times, so many at once; `tell` hears of each call when it is over."""
        room = asyncio.Semaphore(parallel)

        async def one(number: int) -> Trial:
            async with room:
                trial = await self.once(number)
            tell(trial)
            return trial

        return list(await asyncio.gather(*(one(number) for number in range(1, times + 1))))


def faults(expect: Expect, met: Encounter) -> Iterator[str]:
    """Say what was not as expected."""
    if not met.report.agent_talks:
        yield "the agent was not heard"
    for state in expect.reached:
        if state not in met.states:
            yield f"{state} was not reached, only {', '.join(met.states)}"
    for name, pattern in expect.facts.items():
        if name not in met.facts:
            yield f"the fact {name} was not heard"
        elif not re.fullmatch(pattern, met.facts[name], re.IGNORECASE):
            yield f"the fact {name} is {met.facts[name]!r}, which is not {pattern}"
    if expect.ended_by is not None and met.ended_by != expect.ended_by:
        yield f"{met.report.end}, not the {expect.ended_by}"
    slowest = max(met.answers, default=0.0)
    if expect.answers_within is not None and slowest > expect.answers_within:
        yield f"an answer took {slowest:.2f} s, longer than {expect.answers_within:g} s"
    if expect.lasts_at_most is not None and met.report.seconds > expect.lasts_at_most:
        yield f"the call lasted {met.report.seconds:.1f} s, longer than {expect.lasts_at_most:g} s"


def table(trials: Sequence[Trial]) -> str:
    """Return a line for each call, and below it what was not as expected."""
    lines = [_HEAD]
    for trial in trials:
        lines.append(_line(trial))
        lines += [f"      {fault}" for fault in trial.faults]
    passed = sum(trial.passed for trial in trials)
    return "\n".join([*lines, f"{passed} of {len(trials)} calls as expected."])


def _line(trial: Trial) -> str:
    result, met = "ok" if trial.passed else "failed", trial.encounter
    if met is None:
        return f"{trial.number:4}  {result:6}"
    typical = f"{median(met.answers):5.2f} s" if met.answers else ""
    return (
        f"{trial.number:4}  {result:6}  {met.report.seconds:7.1f}  {met.ended_by:8}  "
        f"{len(met.answers):7}  {typical:>7}  {' > '.join(met.states)}"
    )


def latencies(trials: Sequence[Trial]) -> str:
    """Return how soon the agent answered, over all calls."""
    answers = sorted(answer for trial in trials for answer in trial.answers)
    if not answers:
        return "The agent answered nothing."
    found = ((name, _share(answers, share)) for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0)))
    told = "  ".join(f"{name} {seconds:.2f} s" for name, seconds in found)
    return f"person silent → agent's first sound, {len(answers)} answers:  {told}"


def _share(ordered: Sequence[float], share: float) -> float:
    """Return the value that so large a share does not exceed.

    >>> _share([1.0, 2.0, 3.0, 4.0], 0.5), _share([1.0, 2.0, 3.0, 4.0], 0.95)
    (2.0, 4.0)
    """
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def junit(name: str, trials: Sequence[Trial]) -> bytes:
    """Return the calls as JUnit's XML, which every CI can read."""
    failures = sum(not trial.passed and trial.encounter is not None for trial in trials)
    errors = sum(trial.encounter is None for trial in trials)
    seconds = [trial.encounter.report.seconds if trial.encounter else 0.0 for trial in trials]
    suite = ElementTree.Element(
        "testsuite", name=name, tests=str(len(trials)), failures=str(failures), errors=str(errors),
        time=f"{sum(seconds):.3f}",
    )  # fmt: skip
    for trial, took in zip(trials, seconds, strict=True):
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"simulate.{name}", name=f"call {trial.number}", time=f"{took:.3f}"
        )
        if trial.faults:
            kind = "failure" if trial.encounter else "error"
            ElementTree.SubElement(case, kind, message=_xml("; ".join(trial.faults)))
        ElementTree.SubElement(case, "system-out").text = _xml(transcript(trial))
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    written: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written


def transcript(trial: Trial) -> str:
    """Return what was said in a call, line by line."""
    lines = trial.encounter.lines if trial.encounter else ()
    said = [f"{line.at:7.2f} s  {line.by:6}  {line.text}" for line in lines]
    return "\n".join([f"call {trial.call_sid}", *said])


def _xml(text: str) -> str:
    """Leave out what XML has no way to write."""
    return _NOT_XML.sub("", text)
