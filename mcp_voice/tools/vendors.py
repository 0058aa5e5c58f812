"""`tts.voices` and `stt.providers`: what can speak and hear here, and what is missing for more."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import anyio
from pydantic import Field

from mcp_voice.core.audio import TELEPHONE
from mcp_voice.errors import ProviderFailed, VoiceError
from mcp_voice.ports import Desk, Speaks, Voice
from mcp_voice.tools.catalogue import Answer, Arguments, tool

MOST: Final = 40
PATIENCE: Final = 10.0
"""Seconds for a vendor to name its voices."""


class Missing(Answer):
    """A vendor that cannot be used, and what to do."""

    provider: str
    why: str


def default_of(find: Callable[[], Any]) -> tuple[str | None, str | None]:
    """Return the name of the default vendor, or why there is none."""
    try:
        return find().name, None
    except VoiceError as error:
        return None, str(error)


def lacking(find: Callable[[str], Any], names: Sequence[str]) -> list[Missing]:
    """Return those of the vendors that cannot be used."""
    found = []
    for name in names:
        try:
            find(name)
        except VoiceError as error:
            found.append(Missing(provider=name, why=str(error)))
    return found


def _names(desk: Desk, does: str) -> list[str]:
    """Name those that do it; one that cannot be loaded may do anything."""
    return sorted(name for name, able in desk.providers.names().items() if does in able or not able)


# ─── stt.providers ───────────────────────────────────────────────────────────


class Providers(Arguments):
    """Nothing has to be said."""


class Hearing(Answer):
    """A recogniser."""

    provider: str
    continuous: Annotated[bool, Field(description="It finds the end of a turn itself.")]


class Vendors(Answer):
    """Who hears and who speaks."""

    hears: list[Hearing]
    speaks: Annotated[list[str], Field(description="Their voices: tts.voices.")]
    default_ear: str | None = None
    default_voice: str | None = None
    missing: Annotated[list[Missing], Field(description="What cannot be used, and how to get it.")]


@tool("stt.providers", title="Who hears and speaks here", rpm=60, reads=True, toolsets=("media", "agent"))
async def providers(ask: Providers, desk: Desk) -> Vendors:
    """List the recognisers and voice engines that work here, the defaults, and how to get the others."""
    ears, mouths = _names(desk, "hears"), _names(desk, "speaks")
    deaf, mute = lacking(desk.providers.ear, ears), lacking(desk.providers.voice, mouths)
    missing = {lack.provider: lack for lack in (*deaf, *mute)}
    able = [desk.providers.ear(name) for name in ears if name not in {lack.provider for lack in deaf}]
    return Vendors(
        hears=[Hearing(provider=ear.name, continuous=ear.continuous) for ear in able],
        speaks=[name for name in mouths if name not in {lack.provider for lack in mute}],
        default_ear=default_of(desk.providers.ear)[0],
        default_voice=default_of(desk.providers.voice)[0],
        missing=list(missing.values()),
    )


# ─── tts.voices ──────────────────────────────────────────────────────────────


class Voices(Arguments):
    """Which voices."""

    provider: Annotated[
        str | None, Field(max_length=64, description="Left out: every engine that works here.")
    ] = None
    language: Annotated[
        str | None, Field(min_length=2, max_length=35, description="BCP 47: en finds en-US.", examples=["en"])
    ] = None


class Speaking(Answer):
    """A voice."""

    name: Annotated[str, Field(description="Pass it as `voice`.")]
    language: str | None = None
    gender: str | None = None
    sample_rate: Annotated[int, Field(description="As a call hears it, in Hz.")]
    provider: str


class Choir(Answer):
    """The voices."""

    voices: list[Speaking]
    default: Annotated[str | None, Field(description="Who speaks when nobody chooses.")] = None
    missing: list[Missing]
    hint: Annotated[str | None, Field(description="How to see the others.")] = None


@tool("tts.voices", title="Voices that speak here", rpm=60, reads=True, toolsets=("media", "agent"))
async def voices(ask: Voices, desk: Desk) -> Choir:
    """List the voices that can speak in a call here, by language, and what is missing for more."""
    if ask.provider is not None:
        desk.providers.voice(ask.provider)  # one that is not there is an error with its reason
    names = [ask.provider] if ask.provider else _names(desk, "speaks")
    missing = lacking(desk.providers.voice, names)
    found: list[Speaking] = []
    for name in names:
        if name not in {lack.provider for lack in missing}:
            try:
                found += await _voices_of(desk.providers.voice(name), ask.language)
            except VoiceError as error:
                missing.append(Missing(provider=name, why=str(error)))
    more = len(found) - MOST
    hint = f"{more} more: give a language, or a provider." if more > 0 else None
    return Choir(voices=found[:MOST], default=await _default(desk), missing=missing, hint=hint)


async def _voices_of(speaks: Speaks, language: str | None) -> list[Speaking]:
    return [
        Speaking(
            name=voice.name,
            language=voice.language,
            gender=voice.gender,
            sample_rate=TELEPHONE.sample_rate,
            provider=speaks.name,
        )
        for voice in await _named(speaks)
        if language is None or _speaks_it(voice, language)
    ]


async def _default(desk: Desk) -> str | None:
    """Name the voice of a call that chooses none."""
    if desk.voice is not None:
        return desk.voice
    try:
        return next((voice.name for voice in await _named(desk.providers.voice())), None)
    except VoiceError:
        return None


async def _named(speaks: Speaks) -> list[Voice]:
    try:
        with anyio.fail_after(PATIENCE):
            named = await speaks.voices()
    except TimeoutError:
        raise ProviderFailed(
            f"The voice {speaks.name!r} did not name its voices in {PATIENCE:.0f} s."
        ) from None
    return [voice if isinstance(voice, Voice) else Voice(voice) for voice in named]


def _speaks_it(voice: Voice, language: str) -> bool:
    """Whether a voice is of a language, or of one of its regions."""
    tag, wanted = ((text or "").lower().replace("_", "-") for text in (voice.language, language))
    return tag == wanted or tag.startswith(f"{wanted}-")
