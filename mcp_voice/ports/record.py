"""Where sessions are kept: a store is one file of `stores/`, and passes the stores' suite."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime

from mcp_voice.core.finding import Found, Place
from mcp_voice.core.session import Change, Entry, Session, change
from mcp_voice.errors import NotFound, StaleVersion


class SessionStore(ABC):
    """Where sessions are kept. Every verb returns after the data is safe.

    The other verbs are abstract. `amend` is the rule built on them: read, move,
    swap, and try again when somebody else was quicker.
    """

    @abstractmethod
    async def add(self, session: Session) -> None:
        """Keep a new session. Raises `Refused` if its id is taken, `StoreFailed`."""

    @abstractmethod
    async def load(self, session_id: str) -> Session | None:
        """Return a session with all its turns, or None."""

    @abstractmethod
    async def named(self, call_sid: str) -> Session | None:
        """Return the newest session of a call, or None."""

    @abstractmethod
    async def commit(self, new: Change, expected: int) -> None:
        """Swap in a change if the stored version is `expected`.

        Raises:
            StaleVersion: it is another.
            NotFound: the session is gone.
            StoreFailed: it could not be written; nothing changed.
        """

    @abstractmethod
    async def entries(self, session_id: str, after: int = 0, limit: int = 1_000) -> Sequence[Entry]:
        """Return the event log behind `after`, in order of `seq`."""

    @abstractmethod
    async def find(
        self, *, idle_before: datetime | None = None, live: bool | None = None, limit: int = 1_000
    ) -> Sequence[Session]:
        """List sessions without their turns, newest first: live or closed ones,
        or those whose last activity is before a time.
        """

    @abstractmethod
    async def search(
        self,
        query: str = "",
        *,
        live: bool | None = None,
        party: str = "",
        before: Place | None = None,
        limit: int = 20,
    ) -> Sequence[Found]:
        """List sessions in which each word of `query` begins a word, newest first, behind `before`:
        live or closed ones, or those with this `party` at either end (words: `core.finding`).
        """

    @abstractmethod
    async def remove(self, session_ids: Sequence[str]) -> int:
        """Forget sessions, their turns and logs; return how many there were."""

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of the storage."""

    async def amend(
        self, session_id: str, move: Callable[[Session], Session | Change], *, tries: int = 20
    ) -> Session:
        """Read, move and swap until it fits; return what is stored now (turns as they were read).

        Raises what `move` raises, `NotFound`, `StoreFailed`, and `StaleVersion` after `tries`.
        """
        while True:
            old = await self.load(session_id)
            if old is None:
                raise NotFound("session", session_id, advice="Start one with session.create.")
            new = move(old)
            new = new if isinstance(new, Change) else change(new)
            try:
                await self.commit(new, old.version)
            except StaleVersion:
                tries -= 1
                if tries <= 0:
                    raise
            else:
                return new.session
