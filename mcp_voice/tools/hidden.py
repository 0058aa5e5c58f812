"""Digits that nobody may see: kept in memory, named by a handle.

A caller's PIN or card number is collected here and sent on with
`telephony.press`; the agent that asks for both sees a handle. It is good for
ten minutes, and no longer than the call it was collected in.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from mcp_voice.errors import NotFound
from mcp_voice.ports import Desk

KEPT: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class _Secret:
    digits: str = field(repr=False)
    until: datetime
    needed: Callable[[], bool]


class Secrets:
    """The secrets of this process."""

    def __init__(self) -> None:
        self._kept: dict[str, _Secret] = {}

    def keep(self, digits: str, session_id: str, desk: Desk) -> str:
        """Keep digits of a call; return their handle, 128 random bits."""
        self._forget(desk.now())
        handle = f"dtmf_{secrets.token_hex(16)}"
        self._kept[handle] = _Secret(digits, desk.now() + KEPT, lambda: _lives(session_id, desk))
        return handle

    def reveal(self, handle: str, now: datetime) -> str:
        """Return the digits, to be pressed. Raises `NotFound`."""
        self._forget(now)
        if handle not in self._kept:
            raise NotFound(
                "secret",
                handle,
                advice="It is kept for ten minutes and while its call lasts: use telephony.gather again.",
            )
        return self._kept[handle].digits

    def __len__(self) -> int:
        return len(self._kept)

    async def sweep(self, now: datetime) -> None:
        """Forget those whose time or call is over."""
        self._forget(now)

    def _forget(self, now: datetime) -> None:
        self._kept = {name: it for name, it in self._kept.items() if now < it.until and it.needed()}

    async def aclose(self) -> None:
        """Forget all."""
        self._kept.clear()


def _lives(session_id: str, desk: Desk) -> bool:
    talk = desk.talks.known(session_id)
    live = desk.switchboard.call(session_id=session_id) is not None
    return live or (talk is not None and talk.conversation.away)
