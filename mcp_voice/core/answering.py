"""Who answered: a person, a machine, a fax.

A person says "Hello?" and waits; a machine has a sentence or two to say and
does not. So the length of the first speech tells, and the silence after it:

    no voice for `nothing`                                 unknown
    speech of up to `greeting`, then `settled` of silence  human
    speech of up to `machine`, then `patience` of silence  human
    speech of `machine` or more, however it pauses         machine
    a phrase of a voicemail, or a beep                     machine
    a fax's tone                                           fax

It guesses: a person who answers with a long sentence is taken for a machine, as
is music, and a voicemail that says "Bob. Leave one." for a person, unless the
ear makes out a phrase in time. One verdict is given, and it is not taken back.

    >>> answering = Answering()
    >>> answering.hear(Heard.VOICE, 1.0), answering.hear(Heard.SILENCE, 1.5), answering.wakes_at
    (None, None, 2.3)
    >>> answering.hear(Heard.TIME, 2.3)
    Verdict(who='human', why='0.5 s of speech, then silence', after_ms=2300)
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from mcp_voice.core.beep import Tone
from mcp_voice.core.events import Who
from mcp_voice.core.sayings import VOICEMAIL, said

Heard = Enum("Heard", "VOICE SILENCE TONES BEEP TIME")
"""The callee's edges, a silence after what was no voice, a voicemail's beep, and time passing."""

_EPSILON: Final = 1e-6
"""So that sums of 0.02 do not decide what is in time."""

_CED: Final = range(2_085, 2_116)
_CED_MS: Final = 500
"""A fax that answers sends 2 100 Hz, ±15, for 2.6 to 4 s (ITU-T T.30, 4.3.3.1); half a second is enough."""

_CNG: Final = range(1_062, 1_139)
_CNG_MS: Final = range(400, 601)
_CNG_EVERY: Final = (3.0, 4.1)
"""One that calls sends 1 100 Hz, ±38, 0.5 s on and 3 s off, ±15 % (T.30, 4.3.3.2): the second one tells."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the lines are drawn, in seconds."""

    greeting: float = 1.8
    """Asterisk's AMD takes 1.5; "Good morning, Smith and Sons" needs a little more."""
    machine: float = 4.5
    """Twilio's MachineDetectionSpeechThreshold is 2.4, for calls to people's homes. A business says its name,
    who speaks and how they can help, which takes four; and to hang up on a person is the worse mistake."""
    settled: float = 0.8
    """Asterisk's after_greeting_silence. Longer than a pause for breath, shorter than a person's patience."""
    patience: float = 1.6
    """After a greeting that could be either's; Twilio's MachineDetectionSpeechEndThreshold is 1.2."""
    nothing: float = 5.0
    """Twilio's MachineDetectionSilenceTimeout."""
    blip: float = 0.12
    """A voice this short is a click or a cough; Asterisk's min_word_length is 0.1."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who answered, in a few words why, and how long it took to know."""

    who: Who
    why: str
    after_ms: int


class Answering:
    """The first seconds after a call is answered. Times are seconds since then."""

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        self._at = thresholds or Thresholds()
        self._began: float | None = None  # the first voice
        self._voice_at: float | None = None  # the voice that goes on
        self._silent_at = 0.0
        self._cng_at: float | None = None
        self.verdict: Verdict | None = None

    @property
    def wakes_at(self) -> float | None:
        """When it may know more without having heard more."""
        if self.verdict is not None:
            return None
        if self._began is None:
            fax = 0.0 if self._cng_at is None else self._cng_at + _CNG_EVERY[1]
            return max(self._at.nothing, fax)
        if self._voice_at is not None:
            return max(self._began + self._at.machine, self._voice_at + self._at.blip)
        return self._silent_at + self._waits(self._silent_at - self._began)

    @property
    def speaks(self) -> bool:
        """Whether a voice has been heard."""
        return self._began is not None

    def hear(self, heard: Heard, at: float) -> Verdict | None:
        """Take one piece of news; return the verdict if it is the one that decides."""
        if self.verdict is not None:
            return None
        found = self._timely(at)
        match heard:
            case _ if found is not None:
                return found
            case Heard.VOICE if self._voice_at is None:
                self._voice_at = at
                self._began = at if self._began is None else self._began
            case Heard.SILENCE if self._voice_at is not None:
                self._fall_silent(at)
            case Heard.TONES if self._voice_at is not None:
                self._began = None if self._began == self._voice_at else self._began
                self._voice_at = None
            case Heard.BEEP if self._cng_at is None or at - self._cng_at > _CNG_EVERY[0]:
                return self._decide("machine", "a beep", at)
        return None

    def words(self, text: str, at: float) -> Verdict | None:
        """Take what the ear has made out so far."""
        phrase = said(VOICEMAIL, text)
        if self.verdict is not None or phrase is None:
            return None
        return self._decide("machine", f'it said "{phrase}"', at)

    def tone(self, tone: Tone, at: float, *, ended: bool) -> Verdict | None:
        """Take a single tone, as long as it is by now."""
        if self.verdict is not None:
            return None
        if tone.hz in _CED and tone.ms >= _CED_MS:
            return self._decide("fax", "a fax's answering tone", at)
        if ended and tone.hz in _CNG and tone.ms in _CNG_MS:
            former, self._cng_at = self._cng_at, at
            if former is not None and _CNG_EVERY[0] <= at - former <= _CNG_EVERY[1]:
                return self._decide("fax", "a fax's calling tone", at)
        return None

    def _fall_silent(self, at: float) -> None:
        began, self._voice_at = self._voice_at, None
        if began == self._began and began is not None and at - began < self._at.blip:
            self._began = None
            return
        self._silent_at = at

    def _waits(self, spoke: float) -> float:
        return self._at.settled if spoke <= self._at.greeting + _EPSILON else self._at.patience

    def _timely(self, at: float) -> Verdict | None:
        """See what the time alone decides."""
        wakes_at = self.wakes_at
        if wakes_at is None or at < wakes_at - _EPSILON:
            return None
        if self._began is None:
            return self._decide("unknown", f"no voice for {at:.0f} s", at)
        if self._voice_at is not None:
            return self._decide(
                "machine", f"{at - self._began:.1f} s of speech without a pause to answer", at
            )
        return self._decide("human", f"{self._silent_at - self._began:.1f} s of speech, then silence", at)

    def _decide(self, who: Who, why: str, at: float) -> Verdict:
        self.verdict = Verdict(who, why, round(at * 1000))
        return self.verdict
