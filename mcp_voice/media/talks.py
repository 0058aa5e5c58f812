"""The conversations of this process: one for each call, whatever becomes of its streams.

A `Talk` reads the call's log as it is written, wakes whoever waits for it, and
knows whether an agent is still there. It is made when somebody first asks for
it, and kept for a while after the call has ended: the caller's last words may
be told then.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import anyio

from mcp_voice.core.asks import Ask, Outcome
from mcp_voice.core.attendance import Absence, Attendance, Duty
from mcp_voice.core.conversation import LONGEST_WAIT, Conversation
from mcp_voice.core.session import Entry

KEPT_SECONDS: Final = 600.0
"""How long the conversation of an ended call is kept for an agent that has not had all of it."""

MOST_KEPT: Final = 1_000


class Talk:
    """One call's conversation. Implements `ports.Talk`."""

    def __init__(self, session_id: str, clock: Callable[[], float], longest: float, absence: Absence) -> None:
        self.session_id = session_id
        self.conversation = Conversation(longest)
        self.attendance = Attendance(absence)
        self.ended_at: float | None = None
        self._clock = clock
        self._news = anyio.Event()

    def read(self, entries: Sequence[Entry]) -> None:
        """Take what has been written in the call's log."""
        now = self._clock()
        self.conversation.read(entries, now)
        self.ended_at = now if self.conversation.ended else None
        self.wake()

    def press(self, key: str) -> None:
        """Take a key for whoever collects them."""
        self.conversation.press(key, self._clock())
        self.wake()

    def fail(self, ask: Ask, error: Exception) -> None:
        """Let whoever waits for it know that it cannot be."""
        ask.failed = error
        self.wake()

    def settle(self, ask: Ask, outcome: Outcome | None) -> None:
        """Something has come of it that is in no log; or it is held no longer."""
        ask.settled, ask.held = outcome, False
        self.wake()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        news, self._news = self._news, anyio.Event()
        news.set()

    @contextmanager
    def present(self) -> Iterator[None]:
        """Count a request as its agent's presence in the call."""
        self.attendance.come(self._clock())
        self.wake()
        try:
            yield
        finally:
            self.attendance.go(self._clock())
            self.wake()

    async def duty(self) -> Duty | None:
        """Wait until something has to be done for want of the agent; None once the call has ended."""
        while not self.conversation.ended:
            now = self._clock()
            if duty := self.attendance.due(now):
                return duty
            wakes_at = self.attendance.wakes_at
            with anyio.move_on_after(None if wakes_at is None else max(0.0, wakes_at - now)):
                await self._news.wait()
        return None

    async def outcome(self, ask: Ask, seconds: float) -> Outcome:
        """Wait until something has come of it, so many seconds at most."""
        until = self._clock() + seconds
        while True:
            now = self._clock()
            found = self.conversation.outcome(ask, now)
            if found != "pending" or now >= until:
                return found
            wakes_at = self.conversation.wakes_at(ask)
            with anyio.move_on_after(max(0.0, min(until, wakes_at or until) - now)):
                await self._news.wait()

    async def until(self, so: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until it is so; False if it is not after so many seconds."""
        with anyio.move_on_after(seconds):
            while not so():
                await self._news.wait()
        return so()


class Talks:
    """All of them. Implements `ports.Talks`."""

    def __init__(
        self,
        *,
        longest: float = LONGEST_WAIT,
        absence: Absence | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._longest = longest
        self._absence = absence or Absence()
        self._clock = clock
        self._talks: dict[str, Talk] = {}
        self._news = anyio.Event()

    def __len__(self) -> int:
        return len(self._talks)

    def of(self, session_id: str) -> Talk:
        """Return the conversation of a session."""
        talk = self._talks.get(session_id)
        if talk is None:
            self._tidy()
            talk = Talk(session_id, self._clock, self._longest, self._absence)
            self._talks[session_id] = talk
        return talk

    def latest(self) -> Talk | None:
        """Return the newest conversation that an agent has held."""
        return next((talk for talk in reversed(self._talks.values()) if talk.attendance.begun), None)

    def known(self, session_id: str) -> Talk | None:
        """Return the conversation of a session that has one."""
        return self._talks.get(session_id)

    def written(self, session_id: str, entries: Sequence[Entry]) -> None:
        """The store has kept a change of a session, with these lines of its log."""
        talk = self._talks.get(session_id)
        if talk is not None and entries:
            talk.read(entries)
        news, self._news = self._news, anyio.Event()
        news.set()

    @property
    def bell(self) -> anyio.Event:
        """Set at the next change of any session's record."""
        return self._news

    def forget(self, session_id: str) -> None:
        """A call is over: keep its conversation only if an agent may still want to hear of it."""
        talk = self._talks.get(session_id)
        if talk is not None and not talk.attendance.begun:
            del self._talks[session_id]

    def _tidy(self) -> None:
        """Drop what ended long ago, and the oldest of too many."""
        ended = [talk for talk in self._talks.values() if talk.ended_at is not None]
        before = self._clock() - KEPT_SECONDS
        for at, talk in enumerate(sorted(ended, key=lambda talk: talk.ended_at or 0.0)):
            if len(ended) - at > MOST_KEPT or (talk.ended_at or 0.0) < before:
                del self._talks[talk.session_id]
