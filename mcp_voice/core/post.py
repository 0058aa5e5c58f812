"""Where a call keeps its lookout, while it is asked to `Watch`.

There are two who may say who answered: the lookout, from the line, and the
carrier, beside the stream. The first verdict stands, unless it was `unknown`,
and a lookout that has nothing left to watch for is given up.
"""

from typing import TYPE_CHECKING, Final

from mcp_voice.core.events import AnsweredBy, Note, Partial, Watch
from mcp_voice.core.events import Final as FinalWords

if TYPE_CHECKING:
    from mcp_voice.core.watch import Lookout

_NOBODY: Final = ("", "unknown")


class Post:
    """One call's. Its `lookout` is None while nothing is watched."""

    __slots__ = ("_answered_by", "lookout")

    def __init__(self) -> None:
        self.lookout: Lookout | None = None
        self._answered_by = ""

    def watch(self, asked: Watch) -> bool:
        """Watch for these instead of those before; return whether a lookout had to be set for it."""
        what = asked.what if self._answered_by in _NOBODY else asked.what - {"machine"}
        if not what:
            self.lookout = None
        elif self.lookout is not None:
            self.lookout.watch(what)
        else:
            from mcp_voice.core.watch import Lookout  # numpy costs a start-up 100 ms

            self.lookout = Lookout(what)
            return True
        return False

    def hear(self, frame: bytes, *, speaks: bool) -> list[Note]:
        """Take 160 bytes of mu-law, and whether the caller speaks."""
        return [] if self.lookout is None else self._seen(self.lookout.hear(frame, speaks=speaks))

    def words(self, news: Partial | FinalWords) -> list[Note]:
        """Take what the ear has made out."""
        if self.lookout is None:
            return []
        return self._seen(self.lookout.words(news.text, final=isinstance(news, FinalWords)))

    def elapse(self, seconds: float) -> list[Note]:
        """The stream sent nothing for so long."""
        return [] if self.lookout is None else self._seen(self.lookout.elapse(seconds))

    def answered(self, news: AnsweredBy) -> list[Note]:
        """Take the carrier's verdict."""
        who = news.verdict
        if self._answered_by not in _NOBODY or self._answered_by == who:
            return []
        self._answered_by = who
        if self.lookout is not None and who != "unknown":
            self.lookout.answered(who)
        data = {"answeredBy": who, "by": "carrier", "why": news.who, "afterMs": news.after_ms}
        return self._seen([Note("amd", data)])

    def leave(self) -> None:
        """Watch no more."""
        self.lookout = None

    def _seen(self, notes: list[Note]) -> list[Note]:
        """Keep who answered; give the lookout up when it has nothing left to watch for."""
        for note in notes:
            if note.kind == "amd":
                self._answered_by = note.data["answeredBy"]
        if notes and self.lookout is not None and self.lookout.done:
            self.lookout = None
        return notes
