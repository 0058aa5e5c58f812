"""Who may use which tool how often.

`Rates` counts each use of a tool in a moving minute, against every name it is
given: the caller's, and that of the call which the arguments name. A use that
is refused counts against none of them.

The windows are a storage of the `limits` library, asked directly: a strategy
in between doubles the coroutines, and a use is in every tool call's time. The
library is imported at the first use; a client may list the tools before that.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mcp_voice.errors import TooFast

if TYPE_CHECKING:
    from limits.aio.storage import MovingWindowSupport

MINUTE: Final = 60

NAMES_A_CALL: Final = ("sessionId", "callSid", "streamSid", "connectionId")
"""Arguments that name a call, the strongest first."""

LONGEST_NAME: Final = 128
"""Characters of a name that count; the rest is not kept."""


class Rates:
    """The limiter of one process. `rpm` outranks the tools' own limits; 0 is none. `clock` counts seconds."""

    def __init__(
        self, rpm: Mapping[str, int] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rpm = {name.replace("_", ".", 1): limit for name, limit in (rpm or {}).items()}
        self._clock = clock

    async def take(self, tool: str, rpm: int, keys: Sequence[str]) -> None:
        """Count one use of `tool` against each key. Raises `TooFast` when one is at its limit."""
        rpm = self._rpm.get(tool, rpm)
        if not rpm:
            return
        first, *others = [f"{tool}/{key}" for key in keys]
        for window in others:
            if (await self._windows.get_moving_window(window, rpm, MINUTE))[1] >= rpm:
                raise TooFast(tool, await self._wait(window, rpm))
        for window in (first, *others):
            if not await self._windows.acquire_entry(window, rpm, MINUTE):
                raise TooFast(tool, await self._wait(window, rpm))

    async def _wait(self, window: str, rpm: int) -> float:
        """Seconds until the oldest use leaves the window, in whole milliseconds."""
        oldest, _ = await self._windows.get_moving_window(window, rpm, MINUTE)
        return math.ceil(max(0.0, oldest + MINUTE - self._clock()) * 1_000) / 1_000

    @cached_property
    def _windows(self) -> "MovingWindowSupport":
        from mcp_voice.server.windows import Windows

        return Windows(self._clock)


def names(caller: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The names that a use counts against: the caller, and the call if the arguments name one.

    A carrier's message names it too, in `message` or in the first of `messages`.
    """
    found = _call(arguments)
    if found is None and (message := arguments.get("message") or arguments.get("messages")):
        first = message[0] if isinstance(message, list) else message
        found = _call(first) if isinstance(first, Mapping) else None
    return (caller,) if found is None else (caller, f"call:{found}")


def _call(arguments: Mapping[str, Any]) -> str | None:
    for name in NAMES_A_CALL:
        if (value := arguments.get(name)) and isinstance(value, str):
            return value[:LONGEST_NAME]
    return None
