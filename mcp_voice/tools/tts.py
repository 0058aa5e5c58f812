"""`tts.*`: a voice by hand: text into telephone audio.

`tts.synthesize` waits for the audio, or with `stream` returns at once;
`tts.status` looks at a synthesis and hands out chunks, `tts.cancel` stops it.
"""

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from mcp_voice.core.relaying import RELAY
from mcp_voice.errors import NotConfigured
from mcp_voice.ports import Desk, Speaks, VoiceConfig
from mcp_voice.tools._audio import AudioChunk
from mcp_voice.tools.catalogue import Answer, Arguments, tool
from mcp_voice.tools.syntheses import Outcome, Syntheses

PAGE: Final = 150
"""Chunks that tts.status hands out at once: half a minute."""

LONGEST_TEXT: Final = 5_000
SynthesisId = Annotated[str, Field(min_length=1, max_length=64, description="From tts.synthesize.")]


def _words(text: str) -> str:
    words = text.strip()
    if not words:
        raise ValueError("there is nothing to say")
    if len(words) > LONGEST_TEXT:
        raise ValueError(
            f"it has {len(words)} characters: split it at sentences, {LONGEST_TEXT} at most in a call"
        )
    return words


Text = Annotated[
    str,
    AfterValidator(_words),
    Field(
        description=f"Plain words, no markup, at most {LONGEST_TEXT} characters.",
        examples=["Good morning, how can I help?"],
    ),
]


# ─── tts.synthesize ──────────────────────────────────────────────────────────


class Speaking(Arguments):
    """How to say it."""

    provider: Annotated[
        str | None,
        Field(
            max_length=64,
            description="The voice engine; left out, the server's default.",
            examples=["espeak"],
        ),
    ] = None
    voice: Annotated[
        str | None,
        Field(max_length=100, description="One of the engine's; one that it does not have is its default."),
    ] = None
    speed: Annotated[float, Field(ge=0.5, le=2.0, description="1 is as the voice was made.")] = 1.0
    language: Annotated[str, Field(max_length=35, description="BCP 47.", examples=["en-US"])] = "en-US"


class Synthesize(Arguments):
    """What to say, and how."""

    text: Text
    config: Speaking = Speaking()
    stream: Annotated[bool, Field(description="Return at once; fetch the audio with tts.status.")] = False


class Spoken(Answer):
    """The audio."""

    synthesis_id: Annotated[
        str, Field(description="For tts.status and tts.cancel, until 5 minutes after its end.")
    ]
    status: Outcome
    chunks: Annotated[
        list[AudioChunk], Field(description="200 ms each; timestamp counts from the speech's start.")
    ]
    first_byte_ms: Annotated[
        int | None, Field(description="From text to first audio; null if there is none yet.")
    ]


@tool("tts.synthesize", title="Turn text into audio", rpm=100, open_world=True)
async def synthesize(ask: Synthesize, desk: Desk) -> Spoken:
    """Turn text into telephone audio (mu-law, 8 kHz).

    To say it in a call, hand it to twilio.sendAudio, with the text. Waits until everything is made; with
    stream it returns at once, and you fetch the audio as it is made: tts.status with after.
    """
    config = VoiceConfig(ask.config.voice or desk.voice, ask.config.language, ask.config.speed)
    speaks = _voice(desk, ask.config.provider)
    synthesis_id, synthesis = desk.drawer(Syntheses).start(speaks, ask.text, config, desk)
    if not ask.stream:
        await synthesis.over()
    return Spoken(
        synthesis_id=synthesis_id,
        status=synthesis.status,
        chunks=[] if ask.stream else synthesis.chunks(),
        first_byte_ms=synthesis.first_byte_ms,
    )


def _voice(desk: Desk, provider: str | None) -> Speaks:
    """Return the voice engine of that name. Raises `NotFound`, `NotConfigured`."""
    if provider == RELAY:
        raise NotConfigured("Twilio speaks in a relayed call, and hands out no audio.", advice="Use another.")
    return desk.providers.voice(provider)


# ─── tts.cancel ──────────────────────────────────────────────────────────────


class Cancel(Arguments):
    """Which synthesis."""

    synthesis_id: SynthesisId


class Cancelled(Answer):
    """Whether it was stopped."""

    cancelled: Annotated[bool, Field(description="False if it was over before.")]


@tool("tts.cancel", title="Stop a synthesis", rpm=100, repeats=True, open_world=True)
async def cancel(ask: Cancel, desk: Desk) -> Cancelled:
    """Stop making audio. What is made already can still be fetched with tts.status."""
    synthesis = desk.drawer(Syntheses).get(ask.synthesis_id, desk.now())
    synthesis.cancel()
    return Cancelled(cancelled=synthesis.status == "cancelled")


# ─── tts.status ──────────────────────────────────────────────────────────────


class Ask(Arguments):
    """Which synthesis, and which of its chunks."""

    synthesis_id: SynthesisId
    after: Annotated[
        int | None,
        Field(ge=0, le=100_000, description="How many chunks you have; the next come with the answer."),
    ] = None


class Progress(Answer):
    """How far it is."""

    status: Outcome
    progress: Annotated[float, Field(description="0..1, estimated from the length of the text; 1 when done.")]
    chunks_generated: int
    chunks: Annotated[
        list[AudioChunk],
        Field(description=f"Those behind `after`, at most {PAGE}; empty if after is left out."),
    ]
    error: Annotated[str | None, Field(description="Why it failed.")] = None


@tool("tts.status", title="Look at a synthesis", rpm=60, reads=True)
async def status(ask: Ask, desk: Desk) -> Progress:
    """See how far a synthesis is, and fetch its audio.

    To fetch a stream: call with after 0, then with the number of chunks you have, until status is not
    running and you have chunksGenerated.
    """
    synthesis = desk.drawer(Syntheses).get(ask.synthesis_id, desk.now())
    return Progress(
        status=synthesis.status,
        progress=synthesis.progress,
        chunks_generated=synthesis.chunk_count,
        chunks=[] if ask.after is None else synthesis.chunks(ask.after, PAGE),
        error=str(synthesis.error) if synthesis.error else None,
    )


# ─── tts.benchmark ───────────────────────────────────────────────────────────


class Benchmark(Arguments):
    """Which voice engine, and what to say."""

    provider: Annotated[str, Field(max_length=64, description="The voice engine.", examples=["espeak"])]
    text: Text


class Measured(Answer):
    """How long it took."""

    first_byte_ms: Annotated[int, Field(description="From text to first audio.")]
    total_ms: Annotated[int, Field(description="From text to the end of the audio.")]
    chunk_count: Annotated[int, Field(description="Chunks of 200 ms.")]


@tool("tts.benchmark", title="Time a voice engine", rpm=10, reads=True, open_world=True)
async def benchmark(ask: Benchmark, desk: Desk) -> Measured:
    """Measure how fast a voice engine is: synthesize the text now, and throw the audio away.

    A vendor charges for it as for any other text.
    """
    speaks = _voice(desk, ask.provider)
    drawer = desk.drawer(Syntheses)
    synthesis_id, synthesis = drawer.start(speaks, ask.text, VoiceConfig(desk.voice), desk)
    try:
        await synthesis.over()
    finally:
        drawer.forget(synthesis_id)
    return Measured(
        first_byte_ms=synthesis.first_byte_ms or 0,
        total_ms=synthesis.total_ms,
        chunk_count=synthesis.chunk_count,
    )
