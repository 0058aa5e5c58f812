"""Stock phrases, made before anybody wants them.

A while after the start, one phrase at a time, and only with a voice that keeps
what it has said: a start is measured, and an idle server should be idle.
"""

from typing import Final

import anyio

from mcp_voice.core.phrases import FILLERS, PHRASES
from mcp_voice.errors import VoiceError
from mcp_voice.ports import Providers, VoiceConfig
from mcp_voice.providers.cached import Cached

LATE_SECONDS: Final = 15.0
PAUSE_SECONDS: Final = 0.5

TAGS: Final = {"en": "en-US"}
"""How a language is spelled where a call does not say; others go by their two letters."""


async def warm(providers: Providers, voice: str | None, late: float = LATE_SECONDS) -> None:
    """Have the default voice say every stock phrase once; English comes first."""
    await anyio.sleep(late)
    try:
        speaks = providers.voice()
        if not isinstance(speaks, Cached):
            return
        for tongue, said in PHRASES.items():
            config = VoiceConfig(voice, TAGS.get(tongue, tongue))
            for text in (*said.values(), *FILLERS.get(tongue, ())):
                if not speaks.knows(text, config):
                    async for _ in speaks.speak(text, config):
                        pass
                    await anyio.sleep(min(PAUSE_SECONDS, late))
    except VoiceError:
        return  # there is no voice, or it has failed: whoever needs it will hear of it
