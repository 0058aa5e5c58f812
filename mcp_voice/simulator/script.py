"""A whole call as a list of steps.

await place_call(url, [Listen(), Say("book-a-table"), Listen(), Press("1"), HangUp()])
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from mcp_voice.errors import NotLive
from mcp_voice.simulator.caller import Caller, check_digits
from mcp_voice.simulator.report import CallReport
from mcp_voice.simulator.sounds import Sound, load


@dataclass(frozen=True, slots=True)
class Say:
    """Say mu-law, a bundled recording or a file."""

    sound: Sound


@dataclass(frozen=True, slots=True)
class Press:
    """Press keys; a `w` waits half a second."""

    digits: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Say nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Listen:
    """Wait until the agent has spoken and been silent for `quiet` seconds, but not beyond `timeout`."""

    timeout: float = 10.0
    quiet: float = 0.7


@dataclass(frozen=True, slots=True)
class UntilHungUp:
    """Wait for the agent to end the call, but not beyond `timeout` seconds."""

    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class HangUp:
    """Say `stop` and close."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Lose the connection without a word."""


Step: TypeAlias = Say | Press | Silence | Listen | UntilHungUp | HangUp | Drop


async def place_call(url: str, script: Sequence[Step], **how: Any) -> CallReport:
    """Call, follow the script, hang up; `how` are `Caller`'s arguments.

    The script ends early when the agent ends the call. Everything in it is
    checked before anybody is called.

    Raises:
        CarrierFailed: nobody could be reached.
        NotFound: a recording or a file is not there.
        BadAudio: a file is not audio.
        Invalid: there is no such key, or a parameter is too long.
    """
    ready = [_checked(step) for step in script]
    async with Caller(url, **how) as caller:
        with suppress(NotLive):
            for step in ready:
                await _take(caller, step)
    return caller.report()


def _checked(step: Step) -> Step:
    match step:
        case Say(sound):
            return Say(load(sound))
        case Press(digits):
            check_digits(digits)
    return step


async def _take(caller: Caller, step: Step) -> None:
    match step:
        case Say(sound):
            await caller.say(sound)
        case Press(digits):
            await caller.press(digits)
        case Silence(seconds):
            await caller.silence(seconds)
        case Listen(timeout, quiet):
            await caller.until_spoken_to(timeout, quiet=quiet)
        case UntilHungUp(timeout):
            await caller.until_hung_up(timeout)
        case HangUp():
            await caller.hang_up()
        case Drop():
            await caller.drop()
