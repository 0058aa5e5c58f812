"""The voice of calls whose carrier speaks itself: it makes no sound.

What is to be said goes to the carrier as text. So a clause is made as soon as
it is asked for, and whoever makes clauses one by one need not know.
"""

from collections.abc import AsyncGenerator, Sequence

from mcp_voice.core.relaying import RELAY
from mcp_voice.ports import Voice, VoiceConfig


class Relayed:
    """Implements `ports.Speaks`."""

    name = RELAY

    async def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[bytes, None]:
        """Leave it to the carrier."""
        yield b""

    async def voices(self) -> Sequence[Voice | str]:
        """Name none: the carrier's are set where it is told to speak."""
        return ()
