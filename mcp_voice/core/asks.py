"""What an agent waits for in a call, and what became of what it said.

Who waits for how long, and what has come of it, `conversation.py` knows.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from mcp_voice.core.digits import Collector

Outcome: TypeAlias = Literal[
    "reply", "noReply", "pending", "stale", "hungUp", "dtmf", "spoken", "answered", "voicemail", "beep",
    "human", "quiet", "failed",
]  # fmt: skip
Expect: TypeAlias = Literal["answer", "yesNo", "digits", "name", "spelling", "long"]
Until: TypeAlias = Literal["reply", "digits", "beep", "human", "quiet", "answer"]
"""What ends a wait: `answer` is somebody, or a machine, picking up."""

NO_REPLY: Final[dict[Expect, float]] = {
    "answer": 8.0, "yesNo": 6.0, "digits": 12.0, "name": 10.0, "spelling": 12.0, "long": 15.0,
}  # fmt: skip
"""Seconds of silence, after we have spoken, that mean that there is no answer."""


@dataclass(slots=True)
class Spoken:
    """What became of what the agent said."""

    text: str | None
    heard_by_caller: str | None
    interrupted: bool = False
    heard_fraction: float = 1.0
    cut_at_ms: int | None = None


@dataclass(slots=True, eq=False)
class Ask:
    """One thing an agent waits for: to have said `says`, if it says something, and an answer, if it listens.

    Silence means something only once it has been said; `part` is what it is called on its way, and `whole`
    all that is to be said, against which it is measured how much of it was heard. With a
    `collector` the answer is digits, or words if it `hears` too; `patience` is another than NO_REPLY. While
    it is `held` it has no outcome but the end of the call; `settled` is one that somebody else has found. It
    is `doubtful` when a voice has cut it that has said nothing yet: it may go on. It is `passed` when the
    agent has been told of something that came after it: its words, once said, may then be said again. What
    it has `pressed` is not pressed again for a client that has not been told, and has asked for nothing else.
    """

    says: str | None = None
    part: str = ""
    whole: str = ""
    listens: bool = True
    expect: Expect = "answer"
    until: Until = "reply"
    held: bool = False
    settled: Outcome | None = None
    quiet_since: float | None = None
    spoken: Spoken | None = None
    doubtful: bool = False
    passed: bool = False
    speech: bool = False
    replied: bool = False
    key_at: float | None = None
    failed: Exception | None = None
    collector: Collector | None = None
    hears: bool = True
    patience: float | None = None
    pressed: str = field(default="", repr=False)

    @property
    def said(self) -> bool:
        """Whether what it says has been said, as far as it will be."""
        return self.says is None or (self.spoken is not None and not self.doubtful)

    @property
    def over(self) -> bool:
        """Whether nobody waits for what it says any more: it was said, and the agent is further on."""
        return self.passed and self.said

    @property
    def bears(self) -> float:
        """Seconds of silence that mean that there is no answer."""
        return NO_REPLY[self.expect] if self.patience is None else self.patience

    def measure(self) -> None:
        """Tell how much was heard of all that was to be said, not only of what was made of it."""
        spoken, whole = self.spoken, self.whole
        if spoken is not None and spoken.text is not None and len(spoken.text) < len(whole):
            spoken.heard_fraction = round(spoken.heard_fraction * len(spoken.text) / len(whole), 3)
            spoken.text = whole
