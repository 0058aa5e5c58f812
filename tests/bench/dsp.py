"""What is done with one frame, in process: microseconds for 20 ms, the best of several rounds.

A floor is the same work done by the cheapest thing that does it: a compiled
library where there is one (`audioop`, `soxr`, `webrtcvad`), else the statements
alone. A core has 20 000 µs for a frame of each of its calls.
"""

import warnings
from base64 import b64encode
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from itertools import count
from time import perf_counter
from typing import Any, Final, TypeVar

import msgspec

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.audio import SILENCE_FRAME, frames
from mcp_voice.core.call import Call
from mcp_voice.core.events import Audio, SendAudio, Watch
from mcp_voice.core.g711 import MULAW
from mcp_voice.core.listener import Listener
from mcp_voice.core.resample import Resampler
from mcp_voice.core.voice import EnergyVad, VoiceEdges
from mcp_voice.providers.vad import WebrtcVad
from mcp_voice.simulator.sounds import load
from tests.bench.rows import Row

T = TypeVar("T")

PART: Final = "dsp"
SPEECH: Final = [frame for name in ("book-a-table", "number", "manager") for frame in frames(load(name))]
SILENCE: Final = [SILENCE_FRAME] * len(SPEECH)
SID: Final = "MZ" + "0" * 32
START: Final = (
    f'{{"event":"start","streamSid":"{SID}","start":{{"streamSid":"{SID}","callSid":"CA1","tracks":["inbound"],'
    '"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}'
)


class _Body(msgspec.Struct):
    payload: str


class _Media(msgspec.Struct, rename="camel"):
    media: _Body
    stream_sid: str


def run(*, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """Measure each step of a frame's way."""
    rounds = 10 if quick else 40

    def row(what: str, ours: float, floor: float | None = None) -> Row:
        return Row(PART, what, "µs", ours, floor)

    def cost(do: Callable[[T], object], things: Sequence[T]) -> float:
        return _cost(do, things, rounds)

    pcm = [MULAW.decode(frame) for frame in SPEECH]
    said = [SendAudio(frame) for frame in SPEECH]
    g711 = _audioop()
    found = [
        row("wire.receive, a media message", cost(_wire().receive, _messages()), cost(_read, _messages())),
        row("wire.send, a media message", cost(_wire().send, said), cost(_spell, SPEECH)),
        row("mu-law to PCM", cost(MULAW.decode, SPEECH), cost(lambda codes: g711.ulaw2lin(codes, 2), SPEECH)),
        row("PCM to mu-law", cost(MULAW.encode, pcm), cost(lambda sound: g711.lin2ulaw(sound, 2), pcm)),
        row("resample 8 to 16 kHz", cost(Resampler(8_000, 16_000).push, pcm), cost(_soxr(), pcm)),
        row("voice edges, webrtc", cost(VoiceEdges(WebrtcVad()).hear, SPEECH), cost(WebrtcVad(), pcm)),
        row("voice edges, energy", cost(VoiceEdges(EnergyVad()).hear, SPEECH), cost(EnergyVad(), pcm)),
        row("Call.take, silence", cost(_call(), SILENCE), cost(WebrtcVad(), [bytes(320)] * len(SILENCE))),
        row("Call.take, speech", cost(_call(), SPEECH), cost(WebrtcVad(), pcm)),
        row("Call.take, speech, watching for a machine", cost(_watching(), SPEECH), cost(_call(), SPEECH)),
    ]  # fmt: skip
    return found, {}


def _cost(do: Callable[[T], object], things: Sequence[T], rounds: int) -> float:
    """Return the microseconds that one thing takes, in the best round."""
    best = float("inf")
    for _ in range(rounds):
        began = perf_counter()
        for thing in things:
            do(thing)
        best = min(best, perf_counter() - began)
    return 1e6 * best / len(things)


def _wire() -> TwilioWire:
    wire = TwilioWire()
    wire.receive(START)
    return wire


def _messages() -> list[str]:
    return [
        f'{{"event":"media","sequenceNumber":"{n}","media":{{"track":"inbound","chunk":"{n}",'
        f'"timestamp":"{20 * n}","payload":"{b64encode(frame).decode()}"}},"streamSid":"{SID}"}}'
        for n, frame in enumerate(SPEECH)
    ]


_media = msgspec.json.Decoder(_Media).decode


def _read(message: str) -> bytes:
    return a2b_base64(_media(message).media.payload)


def _spell(frame: bytes) -> str:
    payload = b2a_base64(frame, newline=False).decode()
    return f'{{"event":"media","streamSid":"{SID}","media":{{"payload":"{payload}"}}}}'


def _call() -> Callable[[bytes], object]:
    call, times = Call(Listener(WebrtcVad())), count()
    return lambda frame: call.take(Audio(frame), next(times) * 0.02)


def _watching() -> Callable[[bytes], object]:
    """A call that is asked again and again who has answered: once it knows, it looks no longer."""
    call, times, often = Call(Listener(WebrtcVad())), count(), 25

    def take(frame: bytes) -> object:
        number = next(times)
        if number % often == 0:
            call.take(Watch(frozenset({"machine", "beep"})), number * 0.02)
        return call.take(Audio(frame), number * 0.02)

    return take


def _audioop() -> Any:
    """The standard library's G.711, or its heir's from Python 3.13 on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop
    return audioop


def _soxr() -> Callable[[bytes], bytes]:
    import numpy as np
    import soxr  # type: ignore[import-untyped]  # it has none

    push = soxr.ResampleStream(8_000, 16_000, 1, dtype="int16", quality="HQ").resample_chunk
    return lambda pcm: push(np.frombuffer(pcm, "<i2")).tobytes()
