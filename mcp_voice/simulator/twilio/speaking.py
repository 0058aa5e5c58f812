"""`<Say>`, `<Play>`, `<Pause>`, `<Gather>`, `<Record>`: what is said to a person, and asked of it.

https://www.twilio.com/docs/voice/twiml/gather · /say · /play · /record
"""

import io
import wave
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from mcp_voice.simulator.twilio import forms, recording
from mcp_voice.simulator.twilio.doing import Doing
from mcp_voice.simulator.twilio.effects import Hook, Reply
from mcp_voice.simulator.twilio.party import KEY, PACE, WAIT, spoken_in
from mcp_voice.simulator.twilio.records import Call
from mcp_voice.simulator.twilio.twiml import Verb

if TYPE_CHECKING:
    from mcp_voice.simulator.twilio.account import Account, Answer

AUTO: Final = 1.0
"""Seconds of silence after which `speechTimeout="auto"` takes an utterance as finished."""
MANY: Final = 1_000
"""What `loop="0"` stands for."""
BITRATE: Final = 4_000
"""Bytes a second of a sound that is not WAV."""
UNPLAYABLE: Final = 12_400


class Prompt(Doing):
    """Something is said or played; `then` comes after."""

    def __init__(self, network: "Account", call: Call, verb: Verb, then: Callable[[], None]) -> None:
        super().__init__()
        self.network, self.call, self._then = network, call, then
        self._text = ""
        self._began = network.now
        loop = int(verb.seconds("loop", 1)) or MANY
        if verb.name == "Pause":
            self._later(verb.seconds("length", 1))
        elif verb.name == "Say":
            self._text = " ".join([verb.text] * loop) if loop < MANY else verb.text
            network.speaks_to(call)
            self._later(spoken_in(self._text))
        elif verb.get("digits"):
            self._later(self._press(verb.get("digits")))
        else:
            network.ask(call, Hook(verb.text, "GET"), {}, partial(self._play, loop))

    def _later(self, seconds: float) -> None:
        self.timers.append(self.network.timers.after(seconds, self._done))

    def _press(self, digits: str) -> float:
        wait = 0.0
        for digit in digits:
            wait += WAIT if digit in "wW" else KEY
            if digit not in "wW":  # a key is heard when it is let go
                press = partial(self.network.press, self.call, digit)
                self.timers.append(self.network.timers.after(wait, press))
        return wait

    def _play(self, loop: int, answer: "Answer") -> None:
        if isinstance(answer, Reply) and answer.status < 300:
            self._later(loop * _length(answer.body))
        else:
            self.network.alert(self.call, UNPLAYABLE, "What is to be played cannot be fetched.")
            self._done()

    def _done(self) -> None:
        text, self._text = self._text, ""
        if text:
            self.network.told(self.call, text)
        if not self.call.over:
            self._then()

    def stop(self) -> None:
        """Break off: what has been said was heard."""
        text, self._text = self._text, ""
        if text and not self.call.over:
            self.network.told(self.call, text[: int((self.network.now - self._began) * PACE)])


def _length(sound: bytes) -> float:
    """Return how many seconds a sound plays."""
    try:
        with wave.open(io.BytesIO(sound)) as reader:
            return float(reader.getnframes() / reader.getframerate())
    except (wave.Error, EOFError):
        return len(sound) / BITRATE


def prompt(network: "Account", call: Call, verb: Verb) -> None:
    """Do `<Say>`, `<Play>` or `<Pause>`."""
    network.set_doing(call, Prompt(network, call, verb, partial(network.go_on, call)))


class Gathering(Doing):
    """Keys or words are waited for, while prompts are said and for some seconds after."""

    def __init__(self, network: "Account", call: Call, verb: Verb) -> None:
        super().__init__()
        self.network, self.call, self.verb = network, call, verb
        kinds = verb.get("input", "dtmf").split()
        self._speech, self._keys = "speech" in kinds, "dtmf" in kinds
        self._prompts = list(verb.children)
        self._prompt: Prompt | None = None
        self._digits, self._words = "", ""
        self._speaking = False

    def begin(self) -> None:
        """Say the next prompt, or wait."""
        self._prompt = None
        if self._prompts:
            self._prompt = Prompt(self.network, self.call, self._prompts.pop(0), self.begin)
        elif not self._speaking:
            self._wait(self.verb.seconds("timeout", 5))

    def _wait(self, seconds: float) -> None:
        for timer in self.timers:
            timer.cancel()
        self.timers.append(self.network.timers.after(seconds, self._over))

    def _interrupt(self) -> None:
        prompt, self._prompt, self._prompts = self._prompt, None, []
        if prompt is not None:
            prompt.close()

    def begins(self, text: str) -> None:
        """Speech stops the prompts, if it may."""
        if self._speech and (self._prompt is None or self.verb.on("bargeIn", True)):
            self._speaking = True
            self._wait(3_600)
            self._interrupt()

    def said(self, text: str) -> None:
        """Words count, and more may follow."""
        if not self._speaking:
            return
        self._speaking = False
        self._words = f"{self._words} {text}".strip()
        partial_hook = self.verb.get("partialResultCallback")
        if partial_hook:
            method = self.verb.get("partialResultCallbackMethod", "POST")
            form = forms.standard(self.call) | {"StableSpeechResult": self._words, "UnstableSpeechResult": ""}
            self.network.tell(self.call, Hook(partial_hook, method), form)
        auto = self.verb.get("speechTimeout") in ("auto", "")
        self._wait(AUTO if auto else self.verb.seconds("speechTimeout", AUTO))

    def key(self, digit: str) -> None:
        """A key counts, or says that these were all."""
        if not self._keys:
            return
        self._interrupt()
        if digit == self.verb.get("finishOnKey", "#"):
            self._over(pressed=True)
            return
        self._digits += digit
        if len(self._digits) == int(self.verb.seconds("numDigits", 0)):
            self._over()
        else:
            self._wait(self.verb.seconds("timeout", 5))

    def stop(self) -> None:
        """Say no more."""
        self._interrupt()

    def _over(self, *, pressed: bool = False) -> None:
        form = {"Digits": self._digits} if self._digits or pressed else {}
        if self._words and not self._digits:
            form = {
                "SpeechResult": self._words,
                "Confidence": "0.95",
                "Language": self.verb.get("language", "en-US"),
            }
        if not form and not self.verb.on("actionOnEmptyResult"):
            self.network.go_on(self.call)
            return
        action = self.verb.get("action") or self.call.base
        self.network.fetch(self.call, Hook(action, self.verb.get("method", "POST")), form or {"Digits": ""})


def gather(network: "Account", call: Call, verb: Verb) -> None:
    """Do `<Gather>`."""
    gathering = Gathering(network, call, verb)
    network.set_doing(call, gathering)
    gathering.begin()


class Taping(Doing):
    """A message is taken until there is silence, a key, or too much of it."""

    def __init__(self, network: "Account", call: Call, verb: Verb) -> None:
        super().__init__()
        self.network, self.call, self.verb = network, call, verb
        self._recording = recording.start(network, call, "RecordVerb", recording.attributes(verb.attributes))
        self._spoken = False
        self._ends = network.timers.after(verb.seconds("maxLength", 3_600), partial(self._over, ""))
        self._quiet()

    def _quiet(self) -> None:
        self.timers.append(
            self.network.timers.after(self.verb.seconds("timeout", 5), partial(self._over, ""))
        )

    def begins(self, text: str) -> None:
        """It is not silent."""
        self._spoken = True
        for timer in self.timers:
            timer.cancel()

    def said(self, text: str) -> None:
        """Silence begins."""
        self._quiet()

    def key(self, digit: str) -> None:
        """A key ends it, if it is one of those."""
        if digit in self.verb.get("finishOnKey", "1234567890*#"):
            self._over(digit)

    def hung_up(self) -> None:
        """The caller is gone, and what was said is kept."""
        recording.finish(self.network, self._recording)
        if self._spoken and self.verb.get("action"):
            self.network.tell(self.call, self._action, forms.standard(self.call) | self._form("hangup"))

    def stop(self) -> None:
        """End the recording."""
        self._ends.cancel()
        recording.finish(self.network, self._recording)

    @property
    def _action(self) -> Hook:
        return Hook(self.verb.get("action") or self.call.base, self.verb.get("method", "POST"))

    def _form(self, digits: str) -> dict[str, str]:
        return {**recording.fields(self._recording), "Digits": digits}

    def _over(self, digits: str) -> None:
        recording.finish(self.network, self._recording)
        if self._spoken or digits:
            self.network.fetch(self.call, self._action, self._form(digits))
        else:
            self.network.go_on(self.call)


def record(network: "Account", call: Call, verb: Verb) -> None:
    """Do `<Record>`: the tone is heard as silence begins."""
    network.speaks_to(call)
    network.set_doing(call, Taping(network, call, verb))
    network.told(call, "")
