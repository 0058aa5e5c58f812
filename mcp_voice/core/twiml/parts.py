"""What the verbs of TwiML are made of: elements, addresses, and the nouns that stream a call."""

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mcp_voice.core.twiml import checks


class Markup(BaseModel):
    """An element: its fields are its attributes, but for the text and what is inside."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="forbid", defer_build=True
    )

    tag: ClassVar[str]
    text_in: ClassVar[str | None] = None
    """The field that is the element's text."""
    inside: ClassVar[str | None] = None
    """The field that is the elements in it."""


def _address(url: str) -> str:
    checks.callback("An address", url)
    return url


def _socket(url: str) -> str:
    return checks.socket(url, "The stream's url")


def _parameters(given: dict[str, str]) -> dict[str, str]:
    for name, value in given.items():
        checks.parameter(name, value)
    return given


Address: TypeAlias = Annotated[str, Field(max_length=2_000), AfterValidator(_address)]
"""Where Twilio asks for TwiML, or tells something: https."""
Socket: TypeAlias = Annotated[str, Field(max_length=2_000), AfterValidator(_socket)]
"""Where Twilio opens a socket: wss, without a query."""
Method: TypeAlias = Literal["GET", "POST"]
Seconds: TypeAlias = Annotated[int, Field(ge=0, le=86_400)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=128)]
Words: TypeAlias = Annotated[str, Field(min_length=1, max_length=3_000)]
Choice: TypeAlias = Annotated[str, Field(min_length=1, max_length=100)]
Track: TypeAlias = Literal["inbound_track", "outbound_track", "both_tracks"]
Parameters: TypeAlias = Annotated[dict[str, str], Field(max_length=99), AfterValidator(_parameters)]


class Stream(Markup):
    """The call's audio, on a socket (https://www.twilio.com/docs/voice/twiml/stream)."""

    tag = "Stream"

    kind: Literal["stream"] = "stream"
    url: Socket
    name: Name | None = None
    track: Track | None = None
    status_callback: Address | None = None
    status_callback_method: Method | None = None
    connector_name: Name | None = None
    parameters: Annotated[Parameters, Field(default_factory=dict)]


class Language(Markup):
    """What a relay does in one language."""

    tag = "Language"

    code: Choice
    tts_provider: Choice | None = None
    voice: Choice | None = None
    transcription_provider: Choice | None = None
    speech_model: Choice | None = None
    hints: Words | None = None
    asr_smart_format: bool | None = None
    tts_text_normalization: Literal["auto", "on", "off"] | None = None
    tts_language_text_normalization: Choice | None = None


Interruption: TypeAlias = Literal["none", "dtmf", "speech", "any"]


class Relay(Markup):
    """The call's words, on a socket: Twilio hears and speaks.

    Twilio's library writes whatever attribute it is given; these are those that there are
    (https://www.twilio.com/docs/voice/twiml/connect/conversationrelay).
    """

    tag = "ConversationRelay"
    inside = "languages"

    kind: Literal["relay"] = "relay"
    url: Socket
    welcome_greeting: Words | None = None
    welcome_greeting_interruptible: Interruption | None = None
    language: Choice | None = None
    tts_language: Choice | None = None
    transcription_language: Choice | None = None
    tts_provider: Literal["Google", "Amazon", "ElevenLabs"] | None = None
    voice: Choice | None = None
    transcription_provider: Literal["Deepgram", "Google"] | None = None
    speech_model: Choice | None = None
    profanity_filter: bool | None = None
    dtmf_detection: bool | None = None
    interruptible: Interruption | bool | None = None
    interrupt_sensitivity: Literal["high", "medium", "low"] | None = None
    preemptible: bool | None = None
    report_input_during_agent_speech: Interruption | None = None
    partial_prompts: bool | None = None
    partial_prompt_on_hangup: bool | None = None
    hints: Words | None = None
    eot_threshold: Annotated[float | None, Field(ge=0.5, le=0.9)] = None
    eager_eot_threshold: Annotated[float | None, Field(ge=0.3, le=0.9)] = None
    speech_timeout: Annotated[int, Field(ge=600, le=5_000)] | Literal["auto"] | None = None
    deepgram_smart_format: bool | None = None
    asr_smart_format: bool | None = None
    tts_text_normalization: Literal["auto", "on", "off"] | None = None
    tts_language_text_normalization: Choice | None = None
    elevenlabs_text_normalization: Literal["auto", "on", "off"] | None = None
    ignore_backchannel: bool | None = None
    background_noise_reduction: bool | None = None
    echo_prompt_filtering: bool | None = None
    turn_detection: bool | None = None
    include_in_prompt: tuple[Literal["turn-state", "prompt-segments"], ...] | None = None
    events: tuple[Literal["speaker-events", "tokens-played"], ...] | None = None
    debug: Literal["debugging"] | None = None
    intelligence_service: Choice | None = None
    conversation_configuration: Choice | None = None
    conversation_id: Choice | None = None
    customer_name: Choice | None = None
    application_reconnect: bool | None = None
    parameters: Annotated[Parameters, Field(default_factory=dict)]
    languages: tuple[Language, ...] = ()


def held(node: Markup) -> tuple[Any, ...]:
    """Return the elements inside one."""
    found = getattr(node, node.inside) if node.inside else ()
    return found if isinstance(found, tuple) else (found,)
