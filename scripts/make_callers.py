"""Make the simulator's callers: short phrases in a synthetic voice, as the telephone carries them.

flite speaks, the words are cut free of silence, brought to one level and
written as raw 8 kHz mu-law; pocketsphinx then says whether it understands them.
`manifest.json` lists what is there.

    apt-get install flite
    pip install 'mcp-voice[local]'
    python scripts/make_callers.py
"""

import json
import random
import shutil
import subprocess
import sys
import tempfile
import wave
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, sqrt
from pathlib import Path
from typing import Any, Final

from mcp_voice.core.audio import FRAME_BYTES, TELEPHONE, AudioFormat, Encoding, from_telephone, to_telephone
from mcp_voice.core.g711 import MULAW

CALLERS: Final = Path(__file__).parents[1] / "mcp_voice" / "simulator" / "callers"
LEVEL: Final = 0.1 * 32_768
"""The root mean square of speech: -20 dB below full scale."""
PEAK: Final = 32_000
WIDE: Final = AudioFormat(Encoding.PCM16, 16_000)
"""What the recogniser hears."""

PADDINGS: Final = ((0, 0), (777, 4_000), (1_300, 800), (1_920, 2_400), (1_920, 5_600), (2_400, 4_000))
"""Samples of silence around a phrase; it counts as understood if it is in every one of them."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """What to say; `stretch` slows the voice down."""

    name: str
    text: str
    voice: str = "rms"
    stretch: float = 1.0


PHRASES: Final = (
    Phrase("book-a-table", "good evening i would like to book a table"),
    Phrase("for-four", "for four people please"),
    Phrase("tomorrow", "tomorrow at seven o'clock"),
    Phrase("what-about-tuesday", "what about tuesday"),
    Phrase("tuesday-at-eight", "tuesday at eight o'clock"),
    Phrase("my-name", "my name is smith"),
    Phrase("number", "five five five one two three four"),
    Phrase("yes", "yes please"),
    Phrase("no", "no thank you"),
    Phrase("that-is-wrong", "no that is wrong"),
    Phrase("hello", "hello"),
    Phrase("repeat", "can you repeat that please"),
    Phrase("opening", "what time do you open"),
    Phrase("manager", "i would like to speak to a manager"),
    Phrase("wait-stop", "wait stop"),
    Phrase("hold-on", "hold on"),
    Phrase("goodbye", "goodbye"),
    Phrase("table", "i would like to book a table", voice="kal"),
    Phrase("menu", "what do you have on the menu", voice="kal"),
    Phrase("thanks", "thank you very much", voice="kal", stretch=1.1),
)


def speak(phrase: Phrase) -> bytes:
    """Return the phrase as mu-law at the house level, with 50 ms before it and 100 ms after."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "phrase.wav"
        stretch = f"duration_stretch={phrase.stretch}"
        subprocess.run(
            ["flite", "-voice", phrase.voice, "--setf", stretch, "-t", phrase.text, "-o", str(path)],
            check=True,
        )
        with wave.open(str(path)) as file:
            pcm, rate = file.readframes(file.getnframes()), file.getframerate()
    clip = MULAW.decode(to_telephone(pcm, AudioFormat(Encoding.PCM16, rate)))
    samples = array("h", clip)
    loud = [at for at, sample in enumerate(samples) if abs(sample) > 300]
    cut = samples[max(0, loud[0] - 400) : loud[-1] + 800]
    return MULAW.encode(levelled(cut).tobytes())


def levelled(samples: Iterable[float]) -> "array[int]":
    """Bring a sound to the house level, or as near as its peaks allow."""
    sound = list(samples)
    gain = LEVEL / sqrt(sum(sample * sample for sample in sound) / len(sound))
    gain = min(gain, PEAK / max(abs(sample) for sample in sound))
    return array("h", (round(sample * gain) for sample in sound))


def cough() -> bytes:
    """Return 200 ms of noise with two bursts: loud, and nobody's words."""
    dice = random.Random(20)
    noise, last = [], 0.0
    for at in range(1_600):
        last = 0.6 * last + dice.gauss(0, 1)
        noise.append(last * (exp(-at / 400) + 0.7 * exp(-(at - 700) / 500) * (at > 700)))
    return MULAW.encode(levelled(noise).tobytes())


def understood(decoder: Any, phrase: Phrase, sound: bytes) -> bool:
    """Say whether pocketsphinx transcribes the phrase word for word, however much silence surrounds it."""
    return all(
        dictated(decoder, b"\xff" * before + sound + b"\xff" * after) == phrase.text
        for before, after in PADDINGS
    )


def dictated(decoder: Any, sound: bytes) -> str:
    """Return what the recogniser hears, normalised over the whole utterance."""
    decoder.start_utt()
    decoder.process_raw(from_telephone(sound, WIDE), full_utt=True)
    decoder.end_utt()
    words = decoder.hyp()
    return words.hypstr if words else ""


def keep(name: str, sound: bytes, text: str, voice: str, dictation_ok: bool) -> dict[str, Any]:
    """Write one recording, whole frames; return its line of the manifest."""
    sound += b"\xff" * (-len(sound) % FRAME_BYTES)
    (CALLERS / f"{name}.ulaw").write_bytes(sound)
    seconds = TELEPHONE.duration_ms(len(sound)) / 1000
    return {"text": text, "voice": voice, "seconds": seconds, "dictation_ok": dictation_ok}


def main() -> int:
    """Make all of them."""
    if shutil.which("flite") is None:
        sys.stderr.write(
            "flite is missing. Install it (Debian, Ubuntu: apt-get install flite) and try again.\n"
        )
        return 1
    try:
        from pocketsphinx import Decoder
    except ImportError:
        sys.stderr.write(
            "pocketsphinx is missing. Install it (pip install 'mcp-voice[local]') and try again.\n"
        )
        return 1
    CALLERS.mkdir(exist_ok=True)
    decoder = Decoder(cmn="batch", loglevel="FATAL")
    manifest = {}
    for phrase in PHRASES:
        sound = speak(phrase)
        ok = understood(decoder, phrase, sound)
        manifest[phrase.name] = keep(phrase.name, sound, phrase.text, f"flite {phrase.voice}", ok)
        sys.stdout.write(f"{phrase.name}: {phrase.text!r} {'understood' if ok else 'NOT understood'}\n")
    manifest["cough"] = keep("cough", cough(), "", "noise", False)
    (CALLERS / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
