"""The caller's side of a held call: what they hear, say and press."""

import contextlib
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import anyio

from mcp_voice.core.audio import Framer
from mcp_voice.core.dtmf import Keypad
from mcp_voice.core.events import Audio, Digit, Started
from mcp_voice.media.calls import HeldLeg
from tests.tools.desk import Office
from tests.twins import sound

UTTERANCE = sound((True, 600), (False, 700))


async def a_call(office: Office) -> HeldLeg:
    """Take on a call whose socket the test holds."""
    return await office.calls.hold(Started("MZ1", "CA1"))


def talk(held: HeldLeg, audio: bytes = UTTERANCE) -> None:
    """Say something, in frames."""
    held.hear([Audio(audio[at : at + 160]) for at in range(0, len(audio), 160)])


def press_keys(held: HeldLeg, keys: str) -> None:
    """Press keys, as the carrier tells of them."""
    held.hear([Digit(key) for key in keys])


async def eventually(so: Callable[[], object], seconds: float = 5.0) -> None:
    """Let others go on until it is so."""
    with anyio.fail_after(seconds):
        while not so():
            await anyio.lowlevel.checkpoint()


async def gathered(office: Office, held: HeldLeg, keys: str, **arguments: Any) -> dict[str, Any]:
    """Gather, with a caller who presses keys once something goes out to them."""
    answers = []

    async def gather() -> None:
        answers.append(await office.use("telephony.gather", **arguments))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gather)
        await eventually(lambda: held.leg.talk.conversation.waiting)
        press_keys(held, keys)
    return dict(answers[0])


class Ear:
    """What goes out to the caller, and the keys that are in it."""

    def __init__(self, held: HeldLeg) -> None:
        self.audio = bytearray()
        self.keys = ""
        self._held = held
        self._framer = Framer()
        self._keypad = Keypad()

    async def hears(self, keys: str, seconds: float = 5.0) -> None:
        """Listen until these keys have come, and no other."""
        with contextlib.suppress(TimeoutError), anyio.fail_after(seconds):
            while len(self.keys) < len(keys):
                self._listen()
                await anyio.sleep(0.01)
        assert self.keys == keys

    def _listen(self) -> None:
        for message in self._held.outbound():
            if message["event"] == "media":
                audio = b64decode(message["media"]["payload"])
                self.audio += audio
                for frame in self._framer.push(audio):
                    self.keys += self._keypad.hear(frame) or ""
