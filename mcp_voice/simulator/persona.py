"""Who a simulated person is: a file of YAML, read and checked.

A persona has a voice, a line of some quality, and states. In a state it does
something (`say`, `beep`, `music`, `press`, `hang_up`), and then waits for one
of its rules under `when`; the first that holds is followed.

    states:
      greeting:
        say: Golden Lion, good evening. How can I help you?
        when:
          - words: [book, table]
            goto: party
          - silence: 6
            say: Hello? Is anybody there?

What `remember` (or the named groups of a rule's `matches`) finds in the agent's
words is a fact, and `{party}` in what is said stands for one. Everything that
can be wrong with a file is found when it is read, and named by its place.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mcp_voice.simulator.line import DIGITS

TRIGGERS: Final = ("words", "matches", "digits", "any", "silence", "after", "barge_in_after")
"""What a rule waits for; it has one of them, or only `knows` and `lacks`, which are asked at each word."""

PLACE: Final = re.compile(r"\{(\w+)\}")

Outcome: TypeAlias = Literal["picks_up", "busy", "no_answer"]


def _several(value: Any) -> Any:
    """Take one for a list of one."""
    return (value,) if isinstance(value, str) else value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(
            f"{value!r} is not a regular expression: {error} (write \\* for the key *)"
        ) from None
    return value


Texts: TypeAlias = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_several)]
Pattern: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_pattern)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=3_600)]
Length: TypeAlias = Annotated[float, Field(gt=0, le=3_600)]


class Shape(BaseModel):
    """A part of a persona; a name that it does not have is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Voice(Shape):
    """Who speaks: one of the voice engine's, at a factor of its speed."""

    voice: str | None = None
    language: str = "en-US"
    speed: Annotated[float, Field(ge=0.5, le=2.5)] = 1.0


class Doing(Shape):
    """What is done, in this order, and where it leads."""

    say: Annotated[Texts, Field(description="One text, or one for each visit; the last is repeated.")] = ()
    press: Annotated[str, Field(description="Keys, 0-9 * # A-D; w waits half a second.")] = ""
    beep: Annotated[Length | None, Field(description="Seconds of a tone.")] = None
    music: Annotated[Length | None, Field(description="Seconds of music.")] = None
    hang_up: bool = False
    goto: str | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is done that takes time."""
        return not (self.say or self.press or self.beep or self.music or self.hang_up)


class Rule(Doing):
    """What to do when something is heard, pressed, or has lasted."""

    words: Annotated[Texts, Field(description="Any of these, as whole words, in any case.")] = ()
    matches: Annotated[Pattern | None, Field(description="A pattern; its named groups are facts.")] = None
    digits: Annotated[
        Pattern | None, Field(description="A regular expression of all keys in this state.")
    ] = None
    any: Annotated[bool, Field(description="Whatever was heard, even if it was not understood.")] = False
    silence: Annotated[Length | None, Field(description="Nobody has spoken for so many seconds.")] = None
    after: Annotated[Seconds | None, Field(description="So many seconds in this state.")] = None
    barge_in_after: Annotated[
        Seconds | None, Field(description="The agent has been speaking for so long: speak over it.")
    ] = None
    knows: Annotated[Texts, Field(description="Only if these facts are known.")] = ()
    lacks: Annotated[Texts, Field(description="Only if these facts are not known.")] = ()
    times: Annotated[int | None, Field(ge=1, description="How often in one visit.")] = None

    @property
    def timed(self) -> bool:
        """Whether it waits for time to pass."""
        return self.silence is not None or self.after is not None or self.barge_in_after is not None

    @model_validator(mode="after")
    def _does_one_thing(self) -> "Rule":
        given = [name for name in TRIGGERS if getattr(self, name) not in (None, (), False)]
        if len(given) > 1:
            raise ValueError(f"a rule waits for one thing, not for {' and '.join(given)}: make it two rules")
        if not given and not (self.knows or self.lacks):
            raise ValueError(f"a rule needs one of {', '.join(TRIGGERS)}, or knows or lacks")
        if self.idle and self.goto is None:
            raise ValueError("a rule that does nothing: give it say, goto or hang_up")
        return self


class State(Doing):
    """What is done on coming here, and what is waited for then. Without `when`, `goto` is followed."""

    unless: Annotated[Texts, Field(description="Facts that, all known, make it go straight to `goto`.")] = ()
    yields: Annotated[bool | None, Field(description="For this state instead of the persona's.")] = None
    when: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _leads_somewhere(self) -> "State":
        if self.unless and self.goto is None:
            raise ValueError("unless needs goto: where to go when these facts are known")
        if self.goto is not None and self.when and not self.unless:
            raise ValueError("goto and when: a state that waits moves on by a rule; leave one of them out")
        return self


class Expect(Shape):
    """What makes a call a good one. What is not named does not matter."""

    reached: Annotated[Texts, Field(description="States that have been visited.")] = ()
    facts: Annotated[dict[str, Pattern], Field(description="What facts match, from end to end.")] = {}
    ended_by: Annotated[Literal["person", "agent"] | None, Field(description="Who hangs up.")] = None
    answers_within: Annotated[Length | None, Field(description="Seconds of the slowest answer.")] = None
    lasts_at_most: Annotated[Length | None, Field(description="Seconds of the call.")] = None


class Persona(Shape):
    """A person, or a machine, who answers a telephone."""

    description: Annotated[str, Field(min_length=1, max_length=300)]
    voice: Voice = Voice()
    answers: Annotated[Outcome, Field(description="What happens when it rings.")] = "picks_up"
    rings: Annotated[Seconds, Field(description="Seconds before that.")] = 2.0
    thinks: Annotated[Seconds, Field(description="Seconds of silence before an answer.")] = 0.6
    yields: Annotated[bool, Field(description="Lets the agent finish, and falls silent if cut off.")] = True
    patience: Annotated[Length, Field(description="Seconds before it hangs up whatever happens.")] = 300
    noise: Annotated[float | None, Field(ge=-80, le=-20, description="Of the room, in dB.")] = None
    packet_loss: Annotated[float, Field(ge=0, le=0.5, description="Share of frames that get lost.")] = 0.0
    facts: Annotated[dict[str, str], Field(description="What it knows at the beginning.")] = {}
    remember: Annotated[
        dict[str, Pattern],
        Field(description="Facts found in any words: the last group that matched."),
    ] = {}
    phrases: Annotated[Texts, Field(description="What its ear can expect to hear.")] = ()
    grammar: Annotated[str | None, Field(description="The same as JSGF, instead of phrases.")] = None
    sure: Annotated[float, Field(ge=0, le=1, description="Words that the ear rejects count from here.")] = 0.3
    begin: str | None = None
    states: Annotated[dict[str, State], Field(min_length=1)]
    expect: Expect = Expect()

    @property
    def first(self) -> str:
        """The state it begins in."""
        return self.begin or next(iter(self.states))

    def hastened(self, pace: float) -> "Persona":
        """Return somebody who rings, thinks and plays music for a `pace`th of the time; the rest stays."""
        if pace == 1.0:
            return self
        states = {name: _hastened(state, pace) for name, state in self.states.items()}
        faster = {"rings": self.rings / pace, "thinks": self.thinks / pace, "states": states}
        return self.model_copy(update=faster)

    @model_validator(mode="after")
    def _fits_together(self) -> "Persona":
        faults = [*self._strangers(), *self._unknown_facts(), *self._bad_keys(), *self._circles()]
        if self.phrases and self.grammar:
            faults.append("grammar: there are phrases too; give one of them")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def doings(self) -> Iterator[tuple[str, Doing]]:
        """Yield every state and every rule, with its place."""
        for name, state in self.states.items():
            yield f"states.{name}", state
            for number, rule in enumerate(state.when):
                yield f"states.{name}.when[{number}]", rule

    def _strangers(self) -> Iterator[str]:
        there_are = f"there are {', '.join(self.states)}"
        goes = [(f"{place}.goto", doing.goto) for place, doing in self.doings()]
        goes += [("begin", self.begin), *(("expect.reached", name) for name in self.expect.reached)]
        for place, name in goes:
            if name is not None and name not in self.states:
                yield f"{place}: there is no state {name!r}; {there_are}"

    def _unknown_facts(self) -> Iterator[str]:
        known = {*self.facts, *self.remember}
        for _, doing in self.doings():
            if isinstance(doing, Rule):
                known |= re.compile(doing.matches or doing.digits or "").groupindex.keys()
        for place, doing in self.doings():
            used = [(f"{place}.say", name) for text in doing.say for name in PLACE.findall(text)]
            if isinstance(doing, Rule):
                used += [(f"{place}.knows", name) for name in (*doing.knows, *doing.lacks)]
            if isinstance(doing, State):
                used += [(f"{place}.unless", name) for name in doing.unless]
            for where, name in used:
                if name not in known:
                    yield f"{where}: nothing finds the fact {name!r}; list it under remember or facts"
        for name in self.expect.facts:
            if name not in known:
                yield f"expect.facts: nothing finds the fact {name!r}; list it under remember or facts"

    def _bad_keys(self) -> Iterator[str]:
        for place, doing in self.doings():
            if wrong := sorted(set(doing.press) - DIGITS - {"w"}):
                yield f"{place}.press: there is no key {wrong[0]!r}; keys are 0-9, *, #, A-D, and w waits"

    def _circles(self) -> Iterator[str]:
        """Name states that lead back to themselves without anything being done or waited for."""
        leads: Mapping[str, str | None] = {
            name: state.goto if (state.idle and not state.when) or state.unless else None
            for name, state in self.states.items()
        }
        for name in leads:
            seen, at = set[str](), leads[name]
            while at is not None and at not in seen and at != name:
                seen.add(at)
                at = leads.get(at)
            if at == name:
                yield f"states.{name}.goto: it leads back to itself at once"


def _hastened(state: State, pace: float) -> State:
    def music(doing: Doing) -> dict[str, Any]:
        return {} if doing.music is None else {"music": doing.music / pace}

    rules = tuple(rule.model_copy(update=music(rule)) for rule in state.when)
    return state.model_copy(update={**music(state), "when": rules})
