"""What passes between us and a carrier that hears and speaks itself.

Twilio's ConversationRelay sends the caller's words and takes ours as text. What
it tells beside words, and what it is told, is here; the words themselves are
`Partial` and `Final`, as of any ear.

https://www.twilio.com/docs/voice/conversationrelay/websocket-messages
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

RELAY: Final = "twilio-relay"
"""What a session says of who hears and who speaks in such a call."""

# ─── what it tells us ────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The caller cut our words off; `heard` is what was said of them, which may be nothing."""

    heard: str
    after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Voiced:
    """A voice begins, or has ended: the caller's, or the one that says our words."""

    who: Literal["agent", "caller"]
    on: bool


@dataclass(frozen=True, slots=True)
class Played:
    """These of our words have been said."""

    text: str


@dataclass(frozen=True, slots=True)
class Complained:
    """It could not do what it was told."""

    what: str


RelayEvent: TypeAlias = Interrupted | Voiced | Played | Complained

# ─── what a tool asks of it ──────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Press:
    """Press keys into the call, behind what is being said; `part` is what that is called in the log."""

    digits: str
    part: str = ""

    def __repr__(self) -> str:
        """Keys may be a secret: they are not shown."""
        return f"Press(part={self.part!r})"


@dataclass(frozen=True, slots=True)
class Switch:
    """From now on this language is spoken, or heard: a BCP 47 tag each."""

    speaks: str | None = None
    hears: str | None = None


# ─── what we tell it ─────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class SendText:
    """Words to say; `last` ends what is said in one go. None leaves it to the call's TwiML."""

    token: str
    last: bool = False
    language: str | None = None
    interruptible: bool | None = None
    preemptible: bool | None = None


@dataclass(frozen=True, slots=True)
class SendPlay:
    """A recording to play, by its URL; 0 times is a thousand."""

    source: str
    loop: int = 1
    interruptible: bool | None = None
    preemptible: bool | None = None


@dataclass(frozen=True, slots=True)
class SendDigits:
    """Keys to press."""

    digits: str

    def __repr__(self) -> str:
        """Keys may be a secret: they are not shown."""
        return "SendDigits(...)"


@dataclass(frozen=True, slots=True)
class SendLanguage:
    """The language to speak, or to hear, from now on."""

    speaks: str | None = None
    hears: str | None = None


@dataclass(frozen=True, slots=True)
class SendEnd:
    """End the session; `handoff` goes to whoever decides what becomes of the call."""

    handoff: str | None = None


RelayCommand: TypeAlias = SendText | SendPlay | SendDigits | SendLanguage | SendEnd
