"""A media stream on a real socket: a person hears and speaks on it.

With an ear and a voice the person is who its persona says; without them it
makes a sound where it would speak, and knows of what it hears only that there
was something.

https://www.twilio.com/docs/voice/media-streams
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Final

from mcp_voice.core.audio import SILENCE_FRAME
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.events import Heard
from mcp_voice.ports import Ear, EarConfig, Voice, VoiceConfig
from mcp_voice.simulator.caller import Caller
from mcp_voice.simulator.dialling import BROKEN, failed
from mcp_voice.simulator.line import Line, Names
from mcp_voice.simulator.noises import BadLine, beep
from mcp_voice.simulator.people import Presence, Senses
from mcp_voice.simulator.persona import Persona
from mcp_voice.simulator.twilio.party import resumed, spoken_in
from mcp_voice.simulator.twilio.records import Call, Stream

Began = Callable[[], None]


class Murmur:
    """A voice without words: a tone for as long as the text takes."""

    name: str = "murmur"

    async def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[bytes, None]:
        """Yield the tone."""
        yield beep(spoken_in(text) / config.speed)

    async def voices(self) -> Sequence[Voice | str]:
        """There is one."""
        return [self.name]


class Dull:
    """An ear that hears that somebody speaks, and not what."""

    name: str = "dull"
    continuous: bool = False

    async def listen(self, config: EarConfig) -> Ear:
        """Open one."""
        return _Dull()


class _Dull:
    latency_ms: int | None = None
    errors = 0

    def __init__(self) -> None:
        self._finals: asyncio.Queue[FinalWords | None] = asyncio.Queue()

    def hear(self, audio: bytes, *, onset: bool = False) -> None:
        pass

    def finalize(self) -> None:
        self._finals.put_nowait(FinalWords("", latency_ms=0))

    async def heard(self) -> AsyncIterator[Heard]:
        while (final := await self._finals.get()) is not None:
            yield final

    async def aclose(self) -> None:
        self._finals.put_nowait(None)


DEAF: Final = Senses(Murmur(), Dull())


class Leg(Caller):
    """A caller whose stream is as its TwiML says: its names, its parameters and no others, its tracks."""

    def __init__(self, call: Call, stream: Stream, token: str | None, persona: Persona) -> None:
        super().__init__(
            stream.url, token=token, carry=BadLine(noise=persona.noise, loss=persona.packet_loss)
        )
        names = Names(call.sid, stream.sid, call.account_sid)
        self.line = Line(names, stream.parameters, tracks=stream.tracks)
        self._both = stream.both
        self.up = False

    async def _send_frame(self) -> None:
        if self._both:
            await super()._send_frame()
            return
        for track in self.line.tracks:
            await self._send(self.line.speak(SILENCE_FRAME, track=track))


async def hold(
    call: Call,
    stream: Stream,
    persona: Persona,
    token: str | None,
    senses: Senses,
    legs: dict[str, Leg],
    began: Began,
) -> tuple[Persona, bool]:
    """Be on a stream until it is over; return what has become of the person, and whether it hung up.

    Raises:
        CarrierFailed: the socket could not be opened (319xx), or it was lost (31903).
    """
    ear = await senses.ear.listen(EarConfig(phrases=persona.phrases)) if senses.ear and stream.both else None
    leg = legs[stream.sid] = Leg(call, stream, token, persona)
    try:
        async with leg:
            leg.up = True
            if stream.status != "in-progress":  # the call ended meanwhile
                return persona, False
            began()
            if not stream.both:
                while not leg.line.over:
                    await leg.news()
            else:
                presence = Presence(persona, leg, senses.voice, ear, None)
                await presence.hold()
                seen = presence.encounter()
                persona = resumed(persona, seen.states, seen.facts)
    finally:
        del legs[stream.sid]
        if ear is not None:
            await ear.aclose()
    if leg.end.by == "lost":
        raise failed(BROKEN, "The media socket broke.")
    return persona, leg.end.by == "caller"
