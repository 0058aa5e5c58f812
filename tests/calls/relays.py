"""A relayed call in virtual time: a carrier that says what it is sent, and a caller who cuts in."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mcp_voice.core.events import Effect, News, Note, Play, Tick
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.relay import RelayCall
from mcp_voice.core.relaying import Interrupted, Played, SendText, Voiced


@dataclass
class Mouth:
    """The carrier's voice: so many characters a second, from `lag` seconds behind the first of them."""

    rate: float = 17.0
    lag: float = 0.3
    text: str = ""
    said: float = 0.0
    starts_at: float | None = None

    def take(self, token: str, now: float) -> None:
        if not self.text:
            self.starts_at = now + self.lag
        self.text += token

    @property
    def ends_at(self) -> float | None:
        return None if self.starts_at is None else self.starts_at + len(self.text) / self.rate

    def until(self, now: float) -> str:
        """What has been said of it by now, in whole words."""
        if self.starts_at is None:
            return ""
        chars = max(0, round((now - self.starts_at) * self.rate))
        if chars >= len(self.text):
            return self.text.strip()
        return self.text[:chars].rpartition(" ")[0]

    def hush(self) -> None:
        self.text, self.starts_at = "", None


@dataclass
class VirtualRelay:
    """Drives a `RelayCall` as the pump does, on a clock of its own."""

    tells: bool = True
    """Whether the carrier tells of voices, and of words that have been said."""
    mouth: Mouth = field(default_factory=Mouth)
    call: RelayCall = field(default_factory=RelayCall)
    now: float = 100.0
    effects: list[tuple[float, Effect]] = field(default_factory=list)
    _due: list[tuple[float, News]] = field(default_factory=list)

    def take(self, *news: News) -> None:
        for each in news:
            for effect in self.call.take(each, self.now):
                self.effects.append((self.now, effect))
                if isinstance(effect, SendText) and effect.token:
                    self._speak(effect.token)

    def _speak(self, token: str) -> None:
        silent = self.mouth.starts_at is None
        self.mouth.take(token, self.now)
        if silent and self.tells:
            self._due.append((self.now + self.mouth.lag, Voiced("agent", True)))

    def say(self, *clauses: str, part: str = "p", interruptible: bool = True) -> None:
        """Let the agent say something, made clause by clause."""
        for at, clause in enumerate(clauses, start=1):
            self.take(Play(b"", clause, part=part, last=at == len(clauses), interruptible=interruptible))

    def cut_in(self, heard: str | None = None) -> None:
        """The caller talks over the agent, and the carrier falls silent."""
        said = self.mouth.until(self.now) if heard is None else heard
        self.mouth.hush()
        self._due.clear()
        self.take(Interrupted(said, 500))
        if self.tells:
            self.take(Voiced("agent", False))

    def caller(self, text: str, seconds: float = 1.0, stt: float = 0.4) -> None:
        """The caller says something."""
        if self.tells:
            self.take(Voiced("caller", True))
        self.pass_time(seconds)
        if self.tells:
            self.take(Voiced("caller", False))
        self.pass_time(stt)
        self.take(FinalWords(text))

    def pass_time(self, seconds: float) -> None:
        """Move the clock on; what falls due in between happens in its order."""
        until, steps = self.now + seconds, 0
        while (at := min(self._times(), default=until + 1)) <= until:
            self.now = max(self.now, at)
            steps += 1
            assert steps < 1_000, "it wants to be told the time again and again"
            self.take(*self._pop(at))
        self.now = until

    def _times(self) -> list[float]:
        times = [self.call.wakes_at, self.mouth.ends_at, *(at for at, _ in self._due)]
        return [at for at in times if at is not None]

    def _pop(self, at: float) -> list[News]:
        for due in self._due:
            if due[0] == at:
                self._due.remove(due)
                return [due[1]]
        if at == self.mouth.ends_at:
            text = self.mouth.text.strip()
            self.mouth.hush()
            return [Played(text), Voiced("agent", False)] if self.tells else []
        return [Tick()]

    def notes(self, *kinds: str) -> list[Note]:
        return [e for _, e in self.effects if isinstance(e, Note) and (not kinds or e.kind in kinds)]

    def kinds(self) -> list[str]:
        return [note.kind for note in self.notes()]

    def sent(self) -> str:
        return "".join(effect.token for _, effect in self.effects if isinstance(effect, SendText))

    def all(self, *kinds: type[Effect]) -> Sequence[Effect]:
        return [effect for _, effect in self.effects if isinstance(effect, kinds)]

    def when(self, kind: type[Effect] | str) -> float:
        return next(
            at
            for at, e in self.effects
            if (isinstance(e, Note) and e.kind == kind if isinstance(kind, str) else isinstance(e, kind))
        )
