"""What a call watches for, while it is asked to: a beep, a machine, a person.

A lookout owns the detectors and gives each what it needs: frames, whether a
voice has them, words. Its clock is the audio, twenty milliseconds a frame from
the moment it is set, so a recording played fast gives the same verdicts. It
returns lines for the record, and knows nothing of the call.

    >>> lookout = Lookout(frozenset({"machine"}))
    >>> [note] = lookout.elapse(6.0)
    >>> note.kind, note.data["answeredBy"], note.data["why"], note.data["afterMs"]
    ('amd', 'unknown', 'no voice for 5 s', 5000)
"""

from collections.abc import Iterator
from typing import Final

from mcp_voice.core.answering import Answering, Heard, Verdict
from mcp_voice.core.audio import FRAME_MS, SILENCE_FRAME
from mcp_voice.core.beep import Beeps
from mcp_voice.core.events import Note, Who
from mcp_voice.core.holding import Change, Holding
from mcp_voice.core.spectrum import TONAL, tonality

_TAIL: Final = 200 // FRAME_MS
"""A voice detector goes on hearing a tone for up to 150 ms; webrtc's does."""


class Lookout:
    """Watches one line for a set of things: `beep`, `machine`, `human`."""

    def __init__(self, what: frozenset[str]) -> None:
        self._clock = self._since = 0  # frames: now, and when `machine` was asked for
        self._voiced = False
        self._since_tone = _TAIL
        self._voice: list[bytes] = []  # that goes on, while `machine` is asked for
        self._beeps: Beeps | None = None
        self._answering: Answering | None = None
        self._holding: Holding | None = None
        self._wants_beeps = False
        self.watch(what)

    def watch(self, what: frozenset[str]) -> None:
        """Watch for these from now on; what was watched for before goes on where it was."""
        self._wants_beeps = "beep" in what
        if "machine" in what:
            if self._answering is None:
                self._answering, self._since, self._voiced = Answering(), self._clock, False
        else:
            self._answering = None
        self._holding = (self._holding or Holding()) if "human" in what else None
        self._beeps = (self._beeps or Beeps()) if self._wants_beeps or self._answering else None

    @property
    def done(self) -> bool:
        """Whether there is nothing left to watch for."""
        return self._beeps is None and self._holding is None

    def hear(self, frame: bytes, *, speaks: bool) -> list[Note]:
        """Take 160 bytes of mu-law, and whether the caller speaks; return what is to be written down."""
        self._clock += 1
        notes: list[Note] = []
        beep = None
        if self._beeps is not None:
            beep = self._beeps.hear(frame)
            speaks = speaks and not self._toned(self._beeps)
        if self._answering is not None:
            notes += self._answer(self._answering, frame, beeped=beep is not None, speaks=speaks)
        if beep is not None and self._wants_beeps:
            notes.append(Note("beep", {"hz": beep.hz, "ms": beep.ms}))
        if self._holding is not None:
            notes += _told(self._holding.hear(frame, voiced=speaks))
        self._voiced = speaks
        return notes

    def words(self, text: str, *, final: bool) -> list[Note]:
        """Take what the ear has made out."""
        notes: list[Note] = []
        if self._answering is not None:
            notes += self._judged(self._answering.words(text, self._now))
        if self._holding is not None:
            notes += _told(self._holding.words(text, final=final))
        return notes

    def elapse(self, seconds: float) -> list[Note]:
        """The stream sent nothing for so long: silence, as far as anybody knows."""
        frames = round(seconds * 1_000 / FRAME_MS)
        return [note for _ in range(frames) for note in self.hear(SILENCE_FRAME, speaks=False)]

    @property
    def _now(self) -> float:
        return (self._clock - self._since) * FRAME_MS / 1_000

    def _answer(self, answering: Answering, frame: bytes, *, beeped: bool, speaks: bool) -> list[Note]:
        beeps, now, verdict = self._beeps, self._now, None
        if beeps is not None and (tone := beeps.ended or beeps.sounding) is not None:
            verdict = answering.tone(tone, now, ended=beeps.ended is not None)
        if beeped:
            verdict = verdict or answering.hear(Heard.BEEP, now)
        return self._judged(verdict or answering.hear(self._edge(frame, speaks=speaks), now))

    def _edge(self, frame: bytes, *, speaks: bool) -> Heard:
        if speaks:
            self._voice.append(frame)
            return Heard.TIME if self._voiced else Heard.VOICE
        if not self._voiced:
            return Heard.TIME
        voice = b"".join(self._voice)
        self._voice.clear()
        return Heard.TONES if tonality(voice, partials=1) >= TONAL else Heard.SILENCE

    def _toned(self, beeps: Beeps) -> bool:
        """Whether a tone sounds, or just did: a voice detector hears it a little longer."""
        self._since_tone = 0 if beeps.sounding is not None else self._since_tone + 1
        return self._since_tone < _TAIL

    def _judged(self, verdict: Verdict | None) -> list[Note]:
        """Write a verdict down; it is the last that is asked for."""
        if verdict is None:
            return []
        self.answered(verdict.who)
        data = {"answeredBy": verdict.who, "by": "us", "why": verdict.why, "afterMs": verdict.after_ms}
        return [Note("amd", data)]

    def answered(self, who: Who) -> None:
        """Who answered is known, from here or from the carrier."""
        self._answering = None
        if not self._wants_beeps:
            self._beeps = None
        if self._holding is not None and who in ("machine", "fax"):
            self._holding.disown()


def _told(changes: list[Change]) -> Iterator[Note]:
    for change in changes:
        if change.kind == "human":
            yield Note("human", {"why": change.why})
        else:
            yield Note("hold", {"state": change.kind, "why": change.why})
