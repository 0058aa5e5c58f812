"""espeak-ng at work: text to mu-law, a piece at a time.

The library is GPL-3 and stays in this process; nothing of it is linked into the
server. Its state is global, so pieces are said one after another, at about a
thousand times real time. `Speaker` is all of its C interface that is needed
(`speak_lib.h`).
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from ctypes import POINTER, c_char_p, c_int, c_short, c_size_t, c_uint, c_void_p
from pathlib import Path
from typing import Any, ClassVar, Final

import espeakng_loader
import msgspec

from mcp_voice.core.g711 import MULAW
from mcp_voice.core.resample import Resampler
from mcp_voice.providers.workers.line import Line
from mcp_voice.providers.workers.messages import ListVoices, Said, Say, Saying, SpeakingAsk, Voices

CHUNK_MS: Final = 60  # of sound in each callback
_SYNCHRONOUS: Final = 2  # the output mode; 1 returns before there is any sound
_STAY: Final = 0x8000  # initialise: return an error, do not exit the process
_UTF8: Final = 1
_PAUSE: Final = 0x1000  # at the end of the text, a sentence's pause
_RATE: Final = 1  # the parameter: words a minute
_CALLBACK: Final = ctypes.CFUNCTYPE(c_int, POINTER(c_short), c_int, c_void_p)


class _Voice(ctypes.Structure):
    """`espeak_VOICE`; `languages` is a run of (priority byte, text, NUL), ended by a zero priority."""

    _fields_: ClassVar[list[tuple[str, Any]]] = [
        ("name", c_char_p),
        ("languages", c_void_p),
        ("identifier", c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", c_int),
        ("spare", c_void_p),
    ]


class Speaker:
    """The library. Raises `RuntimeError` when it does not start."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL(espeakng_loader.get_library_path())
        self._lib.espeak_ListVoices.restype = POINTER(POINTER(_Voice))
        self._lib.espeak_SetVoiceByName.argtypes = [c_char_p]
        self._lib.espeak_Synth.argtypes = [
            c_char_p, c_size_t, c_uint, c_int, c_uint, c_uint, c_void_p, c_void_p,
        ]  # fmt: skip
        self._data = espeakng_loader.get_data_path()
        self.sample_rate = self._lib.espeak_Initialize(_SYNCHRONOUS, CHUNK_MS, os.fsencode(self._data), _STAY)
        if self.sample_rate <= 0:
            raise RuntimeError(f"espeak-ng does not start: error {self.sample_rate}")

    def voices(self) -> Voices:
        """List the voices by identifier (`gmw/en-US`), and the variants (`f3`)."""
        listed = self._lib.espeak_ListVoices(None)
        found: list[tuple[str, tuple[str, ...]]] = []
        while listed[len(found)]:
            voice = listed[len(found)].contents
            found.append((voice.identifier.decode(), tuple(_languages(voice.languages))))
        variants = Path(self._data, "voices", "!v")
        return Voices(tuple(found), tuple(sorted(path.name for path in variants.iterdir())))

    def say(self, ask: Say, take: Callable[[bytes], bool]) -> None:
        """Make the sound of a piece of text: PCM at `sample_rate`, until `take` returns False."""

        def taken(sound: Any, samples: int, _: Any) -> int:
            return 0 if take(ctypes.string_at(sound, 2 * samples) if sound and samples > 0 else b"") else 1

        text = ask.text.encode(errors="replace")
        callback = _CALLBACK(taken)
        self._lib.espeak_SetVoiceByName(ask.voice.encode())
        self._lib.espeak_SetParameter(_RATE, ask.words_per_minute, 0)
        self._lib.espeak_SetSynthCallback(callback)
        self._lib.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8 | (_PAUSE if ask.more else 0), None, None)


def _languages(at: int) -> Iterator[str]:
    """Read a voice's languages, the one that it is best at first."""
    ranked = []
    while priority := ctypes.string_at(at, 1)[0]:
        language = ctypes.string_at(at + 1)
        ranked.append((priority, language.decode()))
        at += len(language) + 2
    return (language for _, language in sorted(ranked, key=lambda pair: pair[0]))


def say(line: Line[SpeakingAsk], job: int, ask: Say, speaker: Speaker) -> None:
    """Answer one `Say`; stop at once when nobody listens any more."""
    narrower = Resampler(speaker.sample_rate, 8_000)

    def take(pcm: bytes) -> bool:
        if sound := MULAW.encode(narrower.push(pcm)):
            line.reply(job, Saying(), sound)
        return not line.over(job)

    if not line.over(job):
        speaker.say(ask, take)
        line.reply(job, Said(), MULAW.encode(narrower.flush()))


def main() -> None:
    """Serve the parent."""
    line: Line[SpeakingAsk] = Line(msgspec.msgpack.Decoder(SpeakingAsk))
    speaker = Speaker()
    for frame in line:
        match frame.ask:
            case ListVoices():
                line.reply(frame.job, speaker.voices())
            case Say():
                say(line, frame.job, frame.ask, speaker)


if __name__ == "__main__":
    main()
