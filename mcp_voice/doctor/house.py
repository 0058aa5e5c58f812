"""What is looked at on this machine: engines, ports, the store, the disk."""

import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

import anyio

from mcp_voice.core.counts import Counts
from mcp_voice.core.events import Final as Words
from mcp_voice.doctor.finding import Finding, bad, good, worth
from mcp_voice.errors import VoiceError
from mcp_voice.ports import EarConfig, VoiceConfig
from mcp_voice.providers import Registry
from mcp_voice.providers.vad import make_vad
from mcp_voice.server.listeners import bind
from mcp_voice.settings import Settings, guard, variable
from mcp_voice.stores import default_path, open_store

SENTENCE: Final = "yes please"
"""Said by the voice and given to the ear."""

PATIENCE: Final = 30.0
"""Seconds that an engine has to say or hear it."""

LEAST_FREE: Final = 200_000_000
"""Bytes below which a disk is about to be full."""


async def engines(settings: Settings) -> AsyncIterator[Finding]:
    """Let the voice say something, and the ear hear it."""
    speech = settings.speech
    registry = Registry(Counts(), hears=speech.stt, speaks=speech.tts)
    try:
        finding, audio = await _voice(registry, settings)
        yield finding
        yield await _ear(registry, audio)
    finally:
        await registry.aclose()
    try:
        make_vad(settings.media.vad)
    except VoiceError as error:
        yield bad("voice detector", error.args[0], error.next_step)
    else:
        off = settings.media.vad == "off"
        yield (
            worth("voice detector", "off: nobody is listened to", f"unset {variable('media', 'vad')}")
            if off
            else good("voice detector", settings.media.vad)
        )


async def _voice(registry: Registry, settings: Settings) -> tuple[Finding, bytes]:
    audio, began, first = bytearray(), time.monotonic(), 0.0
    try:
        voice = registry.voice()
        with anyio.fail_after(PATIENCE):
            async with aclosing(voice.speak(SENTENCE, VoiceConfig(settings.speech.voice))) as pieces:
                async for piece in pieces:
                    first = first or time.monotonic() - began
                    audio += piece
    except VoiceError as error:
        return bad("voice", error.args[0], error.next_step), b""
    except TimeoutError:
        return bad(
            "voice", f"said nothing for {PATIENCE:.0f} s", f"choose another: {variable('speech', 'tts')}"
        ), b""
    seconds = len(audio) / 8_000
    return good(
        "voice", f"{voice.name}: {seconds:.1f} s of speech, the first after {first * 1000:.0f} ms"
    ), bytes(audio)


async def _ear(registry: Registry, audio: bytes) -> Finding:
    try:
        hears = registry.ear()
        with anyio.fail_after(PATIENCE):
            ear = await hears.listen(EarConfig(phrases=(SENTENCE,)))
            try:
                began = time.monotonic()
                ear.hear(audio + bytes([0xFF]) * 4_000, onset=True)
                ear.finalize()
                async for words in ear.heard():
                    if isinstance(words, Words):
                        break
                seconds = time.monotonic() - began
            finally:
                await ear.aclose()
    except VoiceError as error:
        return bad("ear", error.args[0], error.next_step)
    except TimeoutError:
        return bad(
            "ear", f"heard nothing for {PATIENCE:.0f} s", f"choose another: {variable('speech', 'stt')}"
        )
    if not audio:
        return worth("ear", f"{hears.name} opens; there was no voice to try it on", "see to the voice first")
    return good("ear", f"{hears.name} took {seconds * 1000:.0f} ms for {len(audio) / 8_000:.1f} s of speech")


async def ports(settings: Settings) -> AsyncIterator[Finding]:
    """See whether the listeners could listen, or do."""
    try:
        guard(settings)
    except VoiceError as error:
        yield bad("locks", error.args[0], error.next_step)
    for name, host, port, setting in (
        ("public port", settings.host, settings.public_port, "public_port"),
        ("private port", settings.private_bind, settings.private_port, "private_port"),
    ):
        try:
            bind(host, port, setting).close()
        except VoiceError as error:
            if await running(host, port):
                yield good(name, f"{port}: mcp-voice is running there")
            else:
                yield bad(name, error.args[0], error.next_step)
        else:
            yield good(name, f"{port} on {host} is free")


async def running(host: str, port: int) -> bool:
    """Whether a server of ours answers at that port of this machine."""
    import httpx2

    from mcp_voice.server.http import address

    try:
        async with httpx2.AsyncClient(timeout=5.0) as client:
            answer = await client.get(f"{address(host, port)}/healthz")
            return answer.status_code == 200 and answer.json().get("status") == "ok"
    except (httpx2.HTTPError, ValueError, AttributeError):
        return False


async def disk(settings: Settings) -> AsyncIterator[Finding]:
    """See whether calls can be written down."""
    try:
        store = open_store(settings.store)
        try:
            kept = len(await store.find(limit=1_000))
        finally:
            await store.aclose()
    except VoiceError as error:
        yield bad("store", error.args[0], error.next_step)
        return
    place = getattr(store, "path", None)
    many = "1000 or more" if kept >= 1_000 else str(kept)
    yield (
        good("store", f"{place or 'memory'}, {many} calls")
        if place
        else worth("store", "memory: calls are forgotten when the server ends", f"unset {variable('store')}")
    )
    for finding in _room(settings):
        yield finding


def _room(settings: Settings) -> Iterator[Finding]:
    """See whether recordings find room; a folder is made when the first one is."""
    folder = Path(settings.recording.folder or default_path().parent / "recordings").expanduser()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if settings.recording.policy != "off" and not os.access(folder, os.W_OK):
        yield bad("recordings", f"{folder} cannot be written", f"set {variable('recording', 'folder')}")
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        yield worth("disk", f"{free // 1_000_000} MB are free at {folder}", "make room")


def python() -> Finding:
    """See what runs this."""
    import mcp_voice

    return good("mcp-voice", f"{mcp_voice.__version__} on Python {sys.version.split()[0]}, {sys.platform}")
