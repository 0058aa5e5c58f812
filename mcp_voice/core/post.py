"""Where a call keeps its lookout, while it is asked to `Watch`.

There are two who may say who answered: the lookout, from the line, and the
carrier, beside the stream. The first verdict stands, unless it was `unknown`,
and a lookout that has nothing left to watch for is given up.

Where no audio comes to us, who answered is told from the words alone, and from
when a voice begins and ends, if the carrier tells of that.
"""

from typing import TYPE_CHECKING, Final

from mcp_voice.core.events import AnsweredBy, Note, Partial, Watch
from mcp_voice.core.events import Final as FinalWords

if TYPE_CHECKING:
    from mcp_voice.core.answering import Answering, Verdict
    from mcp_voice.core.watch import Lookout

_NOBODY: Final = ("", "unknown")


class Post:
    """One call's. Its `lookout` is None while nothing is watched."""

    __slots__ = ("_answered_by", "_answering", "_since", "lookout")

    def __init__(self) -> None:
        self.lookout: Lookout | None = None
        self._answered_by = ""
        self._answering: Answering | None = None
        self._since = 0.0

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
        if who != "unknown":
            self._answering = None
        data = {"answeredBy": who, "by": "carrier", "why": news.who, "afterMs": news.after_ms}
        return self._seen([Note("amd", data)])

    def leave(self) -> None:
        """Watch no more."""
        self.lookout = self._answering = None

    # ─── without audio ───────────────────────────────────────────────────────

    @property
    def wakes_at(self) -> float | None:
        """When time alone may tell who answered a call without audio."""
        at = None if self._answering is None else self._answering.wakes_at
        return None if at is None else self._since + at

    def wait_for(self, asked: Watch, now: float) -> None:
        """Find out who answers, without audio; there is nothing else to be found."""
        if "machine" in asked.what and self._answering is None and self._answered_by in _NOBODY:
            from mcp_voice.core.answering import Answering  # it knows tones, by numpy

            self._answering, self._since = Answering(), now

    def voice(self, now: float, *, on: bool) -> list[Note]:
        """The caller's voice begins, or has ended."""
        return self._judged("VOICE" if on else "SILENCE", now)

    def said(self, news: Partial | FinalWords, now: float) -> list[Note]:
        """Take words. Of a voice of which nothing else is told they are the only sign."""
        if self._answering is None or not news.text:
            return []
        if (verdict := self._answering.words(news.text, now - self._since)) is not None:
            return self._verdict(verdict)
        if self._answering.speaks or not isinstance(news, FinalWords):
            return []
        return self._judged("VOICE", now - len(news.text) / 15) or self._judged("SILENCE", now)

    def time(self, now: float) -> list[Note]:
        """Take the time."""
        return self._judged("TIME", now)

    def _judged(self, heard: str, at: float) -> list[Note]:
        if self._answering is None:
            return []
        from mcp_voice.core.answering import Heard

        verdict = self._answering.hear(Heard[heard], max(0.0, at - self._since))
        return [] if verdict is None else self._verdict(verdict)

    def _verdict(self, verdict: "Verdict") -> list[Note]:
        self._answering = None
        if self._answered_by not in _NOBODY or self._answered_by == verdict.who:
            return []
        data = {"answeredBy": verdict.who, "by": "us", "why": verdict.why, "afterMs": verdict.after_ms}
        return self._seen([Note("amd", data)])

    def _seen(self, notes: list[Note]) -> list[Note]:
        """Keep who answered; give the lookout up when it has nothing left to watch for."""
        for note in notes:
            if note.kind == "amd":
                self._answered_by = note.data["answeredBy"]
        if notes and self.lookout is not None and self.lookout.done:
            self.lookout = None
        return notes
