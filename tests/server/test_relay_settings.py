"""How Twilio is told to hear and speak, against Twilio's own library."""

from inspect import signature
from typing import Any, Final

import pytest
from pydantic import ValidationError
from pydantic.alias_generators import to_snake

from mcp_voice.settings import Relay

NEWER: Final = {"ignore_backchannel", "eot_threshold", "speech_timeout"}
"""In the documentation, and passed through by the library's 9.13, which does not name them."""


def test_without_settings_keys_come_and_what_was_heard_is_told() -> None:
    assert Relay().attributes() == {
        "partialPrompts": "true",
        "interruptible": "any",
        "dtmfDetection": "true",
        "events": "speaker-events tokens-played",
    }


def test_every_attribute_is_one_that_twilio_has() -> None:
    twiml = pytest.importorskip("twilio.twiml.voice_response")
    known = NEWER | set(signature(twiml.Connect().conversation_relay).parameters)
    everything: dict[str, Any] = {
        "tts_provider": "ElevenLabs", "voice": "UgBBYS2sOqTuMpoF3BR0", "tts_text_normalization": "on",
        "transcription_provider": "Deepgram", "speech_model": "flux", "hints": "Kobe, sirloin",
        "asr_smart_format": False, "profanity_filter": True, "speech_timeout": 700, "eot_threshold": 0.8,
        "interruptible": "speech", "interrupt_sensitivity": "low", "ignore_backchannel": True,
        "echo_prompt_filtering": True, "report_input_during_agent_speech": "speech",
    }  # fmt: skip

    attributes = Relay(**everything).attributes()

    assert set(everything) <= {to_snake(name) for name in attributes}
    assert {to_snake(name) for name in attributes} <= known
    assert attributes["hints"] == "Kobe, sirloin"
    assert (attributes["asrSmartFormat"], attributes["speechTimeout"]) == ("false", "700")


@pytest.mark.parametrize(
    "wrong", [{"tts_provider": "google"}, {"speech_timeout": 100}, {"eot_threshold": 2}, {"bogus": "1"}]
)
def test_what_twilio_does_not_take_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Relay(**wrong)
