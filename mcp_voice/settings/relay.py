"""How Twilio hears and speaks in a relayed call: `MCP_VOICE_RELAY__<NAME>`."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from mcp_voice.settings.parts import Names, Part

Input: TypeAlias = Literal["none", "dtmf", "speech", "any"]


class Relay(Part):
    """The attributes of `<ConversationRelay>`; one that is not set is left to Twilio.

    https://www.twilio.com/docs/voice/twiml/connect/conversationrelay
    """

    tts_provider: Literal["Google", "Amazon", "ElevenLabs"] | None = None
    voice: Annotated[str | None, Field(max_length=100, description="One of that provider's.")] = None
    tts_text_normalization: Literal["auto", "on", "off"] | None = None
    transcription_provider: Literal["Deepgram", "Google"] | None = None
    speech_model: Annotated[str | None, Field(max_length=50, examples=["nova-3-general", "flux"])] = None
    hints: Annotated[Names, Field(description="Words that callers are likely to say.")] = ()
    asr_smart_format: bool | None = None
    profanity_filter: bool | None = None
    partial_prompts: Annotated[bool, Field(description="Words while they are spoken: a turn is seen.")] = True
    speech_timeout: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=600, le=5_000)] | None,
        Field(description="Milliseconds of silence that end a turn."),
    ] = None
    eot_threshold: Annotated[float | None, Field(ge=0.5, le=0.9)] = None
    interruptible: Annotated[Input, Field(description="What cuts the agent off.")] = "any"
    interrupt_sensitivity: Literal["high", "medium", "low"] | None = None
    ignore_backchannel: bool | None = None
    echo_prompt_filtering: bool | None = None
    report_input_during_agent_speech: Input | None = None

    def attributes(self) -> dict[str, str]:
        """Return them as TwiML has them, with what the tools cannot do without: keys, and what was heard."""
        given = {
            "ttsProvider": self.tts_provider,
            "voice": self.voice,
            "ttsTextNormalization": self.tts_text_normalization,
            "transcriptionProvider": self.transcription_provider,
            "speechModel": self.speech_model,
            "hints": ", ".join(self.hints) or None,
            "asrSmartFormat": self.asr_smart_format,
            "profanityFilter": self.profanity_filter,
            "partialPrompts": self.partial_prompts,
            "speechTimeout": self.speech_timeout,
            "eotThreshold": self.eot_threshold,
            "interruptible": self.interruptible,
            "interruptSensitivity": self.interrupt_sensitivity,
            "ignoreBackchannel": self.ignore_backchannel,
            "echoPromptFiltering": self.echo_prompt_filtering,
            "reportInputDuringAgentSpeech": self.report_input_during_agent_speech,
            "dtmfDetection": True,
            "events": "speaker-events tokens-played",
        }
        return {name: _spelled(value) for name, value in given.items() if value is not None}


def _spelled(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
