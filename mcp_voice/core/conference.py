"""Who is in a call beside the agent, and what may be done to them.

A call begins with its caller. Whoever is added is a guest; adding the first
makes it a conference, and ending it leaves the caller. How somebody stands is
a state, and what changes it a table:

    >>> MOVES[Stand.TALKS, "hold"], MOVES.get((Stand.HELD, "hold"))
    (<Stand.HELD: 3>, None)

The record is the call's log: each step is an entry, and `rebuilt` reads them.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final, Literal, TypeAlias, get_args

from mcp_voice.core.session import Entry
from mcp_voice.errors import Invalid, NotFound, Refused, TooMany

Action: TypeAlias = Literal["add", "hold", "unhold", "mute", "unmute", "coach", "remove", "end"]
Role: TypeAlias = Literal["caller", "guest"]

KIND: Final = "conference"
"""What its entries are called in the log."""

CALLER: Final = "caller"
MOST: Final = 10
"""People in one call."""


class Stand(Enum):
    """How somebody stands in it."""

    TALKS = auto()
    MUTED = auto()  # hears, and is not heard
    HELD = auto()  # neither hears nor is heard
    HELD_MUTED = auto()
    COACHES = auto()  # hears all, and is heard by the agent alone


MOVES: Final[Mapping[tuple[Stand, Action], Stand]] = {
    (Stand.TALKS, "mute"): Stand.MUTED,
    (Stand.TALKS, "hold"): Stand.HELD,
    (Stand.TALKS, "coach"): Stand.COACHES,
    (Stand.MUTED, "unmute"): Stand.TALKS,
    (Stand.MUTED, "hold"): Stand.HELD_MUTED,
    (Stand.MUTED, "coach"): Stand.COACHES,
    (Stand.HELD, "unhold"): Stand.TALKS,
    (Stand.HELD, "mute"): Stand.HELD_MUTED,
    (Stand.HELD_MUTED, "unhold"): Stand.MUTED,
    (Stand.HELD_MUTED, "unmute"): Stand.HELD,
    (Stand.COACHES, "unmute"): Stand.TALKS,
    (Stand.COACHES, "mute"): Stand.MUTED,
    (Stand.COACHES, "hold"): Stand.HELD,
}
"""Every move of somebody who is in it; a pair that is absent is refused."""

GUESTS_ONLY: Final = frozenset({"coach", "remove"})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing done: to whom, and, when they are added, whom to dial."""

    action: Action
    name: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody in the call."""

    name: str
    role: Role = "guest"
    target: str | None = None
    stand: Stand = Stand.TALKS

    @property
    def muted(self) -> bool:
        """Whether nobody hears them by their own or the agent's wish."""
        return self.stand in (Stand.MUTED, Stand.HELD_MUTED)

    @property
    def on_hold(self) -> bool:
        """Whether they wait."""
        return self.stand in (Stand.HELD, Stand.HELD_MUTED)

    @property
    def coaching(self) -> bool:
        """Whether the agent alone hears them."""
        return self.stand is Stand.COACHES


@dataclass(frozen=True, slots=True)
class Conference:
    """Who is in the call, the caller first."""

    people: tuple[Participant, ...] = (Participant(CALLER, "caller"),)

    def find(self, name: str | None) -> Participant:
        """Return somebody by name or target. Raises `Invalid` when none is given, `NotFound`."""
        if name is None:
            raise Invalid("participant is missing.", advice="Name one: action list says who is in the call.")
        for one in self.people:
            if name in (one.name, one.target):
                return one
        raise NotFound("participant", name, advice="Action list says who is in the call.")

    def after(self, step: Step) -> "Conference":
        """Return it as it is after a step.

        Raises `Refused` for one that is not allowed now, `NotFound`, `Invalid`, `TooMany`.
        """
        match step.action:
            case "add":
                return self._with(step)
            case "end":
                if len(self.people) == 1:
                    raise Refused("There is no conference to end.", advice="telephony.hangup ends the call.")
                return Conference((self.people[0],))
        one = self.find(step.name)
        if one.role == "caller" and step.action in GUESTS_ONLY:
            raise Refused(f"The caller cannot be the one to {step.action}.", advice="Name a guest.")
        if step.action == "remove":
            return Conference(tuple(other for other in self.people if other is not one))
        stand = MOVES.get((one.stand, step.action))
        if stand is None:
            raise Refused(
                f"To {step.action} {one.name} would change nothing.", advice="Action list says how all are."
            )
        changed = replace(one, stand=stand)
        return Conference(tuple(changed if other is one else other for other in self.people))

    def _with(self, step: Step) -> "Conference":
        if not step.name or not step.target:
            raise Invalid("Whoever is added needs a name and a target.")
        if any(step.name == one.name or step.target == one.target for one in self.people):
            raise Refused(f"{step.name} is in the call already.", advice="Give another name and target.")
        if len(self.people) >= MOST:
            raise TooMany(f"{MOST} people are in the call.", advice="Remove one first.")
        return Conference((*self.people, Participant(step.name, target=step.target)))


_ACTIONS: Final[Mapping[str, Action]] = {action: action for action in get_args(Action)}


def begun(caller: str | None) -> Conference:
    """Return a call as it begins: with whoever called."""
    return Conference((Participant(CALLER, "caller", caller),))


def noted(step: Step) -> dict[str, Any]:
    """Return what the log says of a step."""
    said = {"action": step.action, "participant": step.name, "target": step.target}
    return {name: value for name, value in said.items() if value is not None}


def rebuilt(caller: str | None, entries: Iterable[Entry]) -> Conference:
    """Read from the log who is in the call; a line that fits no step is passed over."""
    conference = begun(caller)
    for entry in entries:
        action = _ACTIONS.get(entry.data.get("action", ""))
        if entry.kind == KIND and action is not None:
            with suppress(Refused, NotFound, Invalid):
                step = Step(action, entry.data.get("participant"), entry.data.get("target"))
                conference = conference.after(step)
    return conference
