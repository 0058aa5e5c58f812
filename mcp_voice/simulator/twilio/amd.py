"""Answering machine detection: what it says of a person, and when.

A machine talks longer than `speech` seconds; its greeting ends when it has been
silent for `speech_end`. Who says nothing for `silence` seconds is unknown.

https://www.twilio.com/docs/voice/answering-machine-detection
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from mcp_voice.simulator.persona import Persona
from mcp_voice.simulator.twilio.effects import NONE, Hook
from mcp_voice.simulator.twilio.party import spoken_in
from mcp_voice.simulator.twilio.refusals import refusal

Verdict: TypeAlias = Literal[
    "human", "machine_start", "machine_end_beep", "machine_end_silence", "machine_end_other", "fax", "unknown"
]

KINDS: Final = frozenset({"Enable", "DetectMessageEnd"})


@dataclass(frozen=True, slots=True)
class Detection:
    """What is to be found out, and how long may be spent on it, in seconds."""

    to_the_end: bool = False
    asynchronous: bool = False
    hook: Hook = NONE
    timeout: float = 30.0
    speech: float = 2.4
    speech_end: float = 1.2
    silence: float = 5.0


def wanted(form: Mapping[str, str]) -> Detection | None:
    """Read the parameters of `POST /Calls`. Raises `CarrierFailed`: 21234, 21262, 20001."""
    kind = form.get("MachineDetection", "")
    asynchronous = form.get("AsyncAmd", "").lower() == "true"
    if not kind:
        if asynchronous:
            raise refusal(21262)
        return None
    if kind not in KINDS:
        raise refusal(21234, kind)
    return Detection(
        to_the_end=kind == "DetectMessageEnd",
        asynchronous=asynchronous,
        hook=Hook(form.get("AsyncAmdStatusCallback", ""), form.get("AsyncAmdStatusCallbackMethod", "POST")),
        timeout=_within(form, "MachineDetectionTimeout", 30, 3, 59),
        speech=_within(form, "MachineDetectionSpeechThreshold", 2_400, 1_000, 6_000) / 1_000,
        speech_end=_within(form, "MachineDetectionSpeechEndThreshold", 1_200, 500, 5_000) / 1_000,
        silence=_within(form, "MachineDetectionSilenceTimeout", 5_000, 2_000, 10_000) / 1_000,
    )


def _within(form: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    value = form.get(name, "")
    if not value:
        return default
    if not value.isdecimal() or not least <= int(value) <= most:
        raise refusal(20001, f"{name} must be between {least} and {most}")
    return int(value)


def verdict(persona: Persona, detection: Detection) -> tuple[Verdict, float]:
    """Return what is found out about a person who has just answered, and how many seconds that takes."""
    said, seconds = _found(persona, detection)
    return (said, seconds) if seconds <= detection.timeout else ("unknown", detection.timeout)


def _found(persona: Persona, detection: Detection) -> tuple[Verdict, float]:
    first = persona.states[persona.first]
    greeting = spoken_in(first.say[0]) if first.say else 0.0
    if not greeting:
        return "unknown", detection.silence
    if persona.yields:
        return "human", persona.thinks + min(greeting, detection.speech) + detection.speech_end
    if not detection.to_the_end:
        return "machine_start", persona.thinks + max(greeting, detection.speech)
    beep = next((doing.beep for _, doing in persona.doings() if doing.beep is not None), None)
    if beep is not None:
        return "machine_end_beep", persona.thinks + greeting + beep + 0.5
    return "machine_end_silence", persona.thinks + greeting + detection.speech_end
