"""Whether anybody is there: hold music, announcements, or a person.

A person speaks for a while and then waits for an answer. Music goes on; an
announcement is followed by music, or by itself again. Three kinds of evidence:

    sound    a second of music has partials that are held (`spectrum.tonality`);
             three such seconds of four are hold
    silence  0.3 to 6 s of speech that is not music, then 0.8 s of neither
             voice nor music: a person waits
    words    an announcement's phrase, or one heard before, is a machine;
             a greeting's, or a question, is a person

Sound is the surest: on made-up music and on recorded speech it does not err by
itself, though singing without a band, or a noisy line, hides it. Silence is
the least sure: an announcement that is followed by a pause is taken for a
person until the words are known, and `began` is told again then. Without an
ear, take `human` as a reason to say "Hello?", not as a fact.

    >>> from mcp_voice.core.audio import SILENCE_FRAME
    >>> Holding().words("Please hold, your call is important to us.", final=True)
    [Change(kind='began', why='it said "please hold"')]
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from mcp_voice.core.audio import FRAME_MS
from mcp_voice.core.sayings import ANNOUNCEMENTS, GREETINGS, VOICEMAIL, said, words
from mcp_voice.core.spectrum import TONAL, loud_share, tonality


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much is enough. Times are seconds."""

    tonal: float = TONAL
    """Of a second, between speech (0.35 at most) and music (0.6 at least). See the tests."""
    loud: float = 0.6
    """Of a second of music. A ringing tone of 2 s fills two seconds so far at most, wherever they are cut."""
    shortest: float = 0.3
    """Of speech: "Hello?" lasts 0.5."""
    longest: float = 6.0
    """Of speech without a pause: a person has said who they are by then."""
    waits: float = 0.8
    """Silence after it; within it, a shorter one is a breath."""


@dataclass(frozen=True, slots=True)
class Change:
    """Hold `began` or `ended`, or a `human` seems to be there; and in a few words why."""

    kind: Literal["began", "ended", "human"]
    why: str


_SECOND: Final = 1_000 // FRAME_MS
_OF: Final = 4  # seconds, of which
_MUSICAL: Final = 3
_KNOWN_WORDS: Final = 4  # a phrase shorter than this may well be said twice
_ALIKE: Final = 0.7  # of two phrases' words in common: an ear mishears one of five
_REMEMBERED: Final = 50  # phrases


def _frames(seconds: float) -> int:
    return round(seconds * 1_000 / FRAME_MS)


class Holding:
    """The line of somebody who may have put us on hold."""

    def __init__(self, evidence: Evidence | None = None) -> None:
        self._enough = evidence or Evidence()
        self._on_hold = False
        self._met = False  # a person, since hold began
        self._second: list[bytes] = []
        self._musical: deque[bool] = deque(maxlen=_OF)
        self._speech: list[bytes] = []  # from the first voice to the last, breaths too
        self._wait: list[bytes] = []  # what came after it
        self._machine = False  # what is being said now is not a person
        self._heard: deque[frozenset[str]] = deque(maxlen=_REMEMBERED)

    def hear(self, frame: bytes, *, voiced: bool) -> list[Change]:
        """Take 160 bytes of mu-law, and whether a voice has them; return what has changed."""
        changes: list[Change] = []
        self._second.append(frame)
        if len(self._second) == _SECOND:
            changes += self._listen()
        if voiced:
            self._voice(frame)
        elif self._speech:
            self._wait.append(frame)
            if len(self._wait) >= _frames(self._enough.waits):
                changes += self._judge()
        return changes

    def words(self, text: str, *, final: bool) -> list[Change]:
        """Take what the ear has made out; only final words are taken for a person's."""
        phrase = said(ANNOUNCEMENTS, text) or said(VOICEMAIL, text)
        if phrase is not None:
            self._machine = bool(self._speech)
            return self._begin(f'it said "{phrase}"')
        if not final:
            return []
        if self._repeated(text):
            self._machine = bool(self._speech)
            return self._begin("it said the same again")
        phrase = said(GREETINGS, text)
        if phrase is not None or text.rstrip().endswith("?"):
            return self._meet(f'somebody said "{phrase}"' if phrase else "somebody asked a question")
        return []

    def disown(self) -> None:
        """What is being said now is known to be a machine's."""
        self._machine = bool(self._speech)

    # ─── sound ───────────────────────────────────────────────────────────────

    def _listen(self) -> list[Change]:
        """Judge the second that is full."""
        sound = b"".join(self._second)
        self._second.clear()
        musical = tonality(sound) >= self._enough.tonal
        self._musical.append(musical and loud_share(sound) > self._enough.loud)
        if musical:  # a voice detector takes it for speech; what comes next may be that
            self._forget()
        return self._begin("music") if sum(self._musical) >= _MUSICAL else []

    def _voice(self, frame: bytes) -> None:
        if len(self._speech) <= _frames(self._enough.longest):
            self._speech += self._wait
            self._speech.append(frame)
        self._wait.clear()

    def _judge(self) -> list[Change]:
        """See who it was, now that they have waited."""
        speech, wait, machine = b"".join(self._speech), b"".join(self._wait), self._machine
        count = len(self._speech)
        self._forget()
        enough = self._enough
        if machine or not _frames(enough.shortest) <= count <= _frames(enough.longest):
            return []
        if self._tonal(speech) or self._tonal(wait):
            return []
        return self._meet(f"{count * FRAME_MS / 1_000:.1f} s of speech, then silence")

    def _forget(self) -> None:
        self._speech.clear()
        self._wait.clear()
        self._machine = False

    def _tonal(self, sound: bytes) -> bool:
        return tonality(sound, partials=1) >= self._enough.tonal

    # ─── words ───────────────────────────────────────────────────────────────

    def _repeated(self, text: str) -> bool:
        """Whether these words, near enough, were heard before; remember them."""
        now = frozenset(words(text))
        if len(now) < _KNOWN_WORDS:
            return False
        again = any(len(now & then) >= _ALIKE * len(now | then) for then in self._heard)
        if not again:
            self._heard.append(now)
        return again

    # ─── what has changed ────────────────────────────────────────────────────

    def _begin(self, why: str) -> list[Change]:
        if self._on_hold:
            return []
        self._on_hold, self._met = True, False
        return [Change("began", why)]

    def _meet(self, why: str) -> list[Change]:
        if self._met:
            return []
        ended = [Change("ended", why)] if self._on_hold else []
        self._on_hold, self._met = False, True
        self._musical.clear()
        return [*ended, Change("human", why)]
