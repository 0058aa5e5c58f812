"""`telephony.record`: who may, what is said before it, and what it answers."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from mcp_voice.core.events import Clear, Started
from mcp_voice.errors import NotLive, PolicyDenied, ProviderFailed, Refused
from mcp_voice.media.calls import HeldLeg
from mcp_voice.media.shelf import Shelf
from mcp_voice.ports import RecordingRules, VoiceConfig
from tests.tools.desk import Office, an_office
from tests.twins import Speaker, Vendors, until


@asynccontextmanager
async def a_studio(
    folder: Path, policy: Any = "on", speaker: Speaker | None = None
) -> AsyncIterator[tuple[Office, HeldLeg]]:
    """An office that may record, and a call in it."""
    async with an_office(Vendors(speaker=speaker or Speaker(ms_per_character=2))) as office:
        shelf = Shelf(folder)
        office.calls._shelf = shelf
        office.desk.recordings, office.desk.recording = shelf, RecordingRules(policy)
        yield office, await office.calls.hold(Started("MZ1", "CA1"))


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def log(office: Office, held: HeldLeg, *kinds: str) -> list[tuple[str, dict[str, Any]]]:
    entries = await office.desk.store.entries(held.session_id)
    return [(entry.kind, dict(entry.data)) for entry in entries if entry.kind in kinds]


async def test_where_recording_is_off_it_is_refused_and_the_setting_named(tmp_path: Path) -> None:
    async with a_studio(tmp_path, "off") as (office, _):
        with pytest.raises(PolicyDenied, match="MCP_VOICE_RECORDING__POLICY") as refused:
            await office.use("telephony.record", action="start")
        status = await office.use("telephony.record", action="status")

    assert refused.value.code == "policy_denied"
    assert (status["recording"], status["recordingUri"]) == ("off", None)
    assert kept(tmp_path) == []


async def test_a_call_is_recorded_paused_resumed_and_stopped(tmp_path: Path) -> None:
    async with a_studio(tmp_path) as (office, held):
        answers = [
            await office.use("telephony.record", action=action)
            for action in ("start", "status", "pause", "resume", "stop", "stop")
        ]
        await until(lambda: held.leg.talk.conversation.seq >= 5)
        lines = await log(office, held, "recording")

    states = [answer["recording"] for answer in answers]
    assert states == ["recording", "recording", "paused", "recording", "stopped", "stopped"]
    assert answers[0]["recordingUri"] == f"voice://sessions/{held.session_id}/recording"
    assert answers[-1]["file"] == str(tmp_path / f"{held.session_id}.wav")
    assert [data["state"] for _, data in lines] == ["started", "paused", "resumed", "stopped"]
    assert all(0 <= data["seconds"] < 60 for _, data in lines)


async def test_what_is_not_recorded_cannot_be_paused(tmp_path: Path) -> None:
    async with a_studio(tmp_path) as (office, _):
        for action in ("pause", "resume"):
            with pytest.raises(Refused, match="action start"):
                await office.use("telephony.record", action=action)


async def test_the_caller_is_told_to_the_end_before_a_sample_is_kept(tmp_path: Path) -> None:
    async with a_studio(tmp_path, "announce") as (office, held):
        answer = await office.use("telephony.record", action="start")
        again = await office.use("telephony.record", action="start")
        await office.use("telephony.record", action="stop")
        await until(lambda: held.leg.talk.conversation.seq >= 4)
        lines = await log(office, held, "agentSaid", "recording")

    assert (answer["recording"], again["recording"]) == ("recording", "recording")
    assert [text for text, _ in office.vendors.speaker.said] == ["This call is recorded."]
    assert [kind for kind, _ in lines] == ["agentSaid", "recording", "recording"]
    assert lines[0][1]["text"] == "This call is recorded."
    assert lines[1][1] == {"state": "started", "seconds": 0.0}


async def test_who_does_not_wait_for_the_announcement_is_told_that_it_is_being_said(
    tmp_path: Path,
) -> None:
    async with a_studio(tmp_path, "announce", Speaker(ms_per_character=40)) as (office, held):
        office.desk.recording = RecordingRules("announce", patience=0.05)
        answer = await office.use("telephony.record", action="start")
        status = await office.use("telephony.record", action="status")
        with anyio.fail_after(30):
            while held.recorder.status.state != "recording":
                await anyio.lowlevel.checkpoint()
        later = await office.use("telephony.record", action="status")

    assert answer["recording"] == status["recording"] == "announcing"
    assert "status" in answer["nextStep"]
    assert later["recording"] == "recording"
    assert len(office.vendors.speaker.said) == 1


async def test_an_announcement_that_is_cut_off_or_not_made_records_nothing(tmp_path: Path) -> None:
    for fails in ([], [ProviderFailed("The voice is hoarse.")] * 2):
        async with a_studio(tmp_path, "announce", Speaker(ms_per_character=60, fails=list(fails))) as (
            office,
            held,
        ):
            refused: list[Exception] = []

            async def start(office: Office = office, refused: list[Exception] = refused) -> None:
                try:
                    await office.use("telephony.record", action="start")
                except (Refused, ProviderFailed) as error:
                    refused.append(error)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(start)
                if not fails:
                    await until(held.outbound)
                    held.ask(Clear())

            assert ("hoarse" if fails else "not said to its end") in str(refused[0])
            assert held.recorder.status.state == "off"
    assert kept(tmp_path) == []


class Fading(Speaker):
    """Says one thing, and no more."""

    async def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[bytes, None]:
        if self.said:
            raise ProviderFailed("The voice is gone.")
        async for piece in super().speak(text, config):
            yield piece


async def test_an_announcement_whose_end_could_not_be_made_records_nothing(tmp_path: Path) -> None:
    async with a_studio(tmp_path, "announce", Fading(ms_per_character=2)) as (office, held):
        told = "This call goes on as usual. It is recorded from now on."
        office.desk.recording = RecordingRules("announce", told)

        with pytest.raises(Refused, match="not said to its end"):
            await office.use("telephony.record", action="start")

        assert held.recorder.status.state == "off"
    assert kept(tmp_path) == []


@pytest.mark.parametrize("how", ["hang up", "stop"])
async def test_a_call_or_a_wish_that_ends_before_the_announcement_records_nothing(
    tmp_path: Path, how: str
) -> None:
    async with a_studio(tmp_path, "announce", Speaker(ms_per_character=60)) as (office, held):
        refused: list[Exception] = []

        async def start() -> None:
            with pytest.raises((NotLive, Refused)) as error:
                await office.use("telephony.record", action="start")
            refused.append(error.value)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(start)
            await until(held.outbound)
            if how == "stop":
                await office.use("telephony.record", action="stop")
            else:
                await office.calls.end(held.session_id, "done")

    assert len(refused) == 1
    assert kept(tmp_path) == []


async def test_a_call_that_is_over_says_where_its_recording_is_until_its_record_goes(tmp_path: Path) -> None:
    async with a_studio(tmp_path) as (office, held):
        await office.use("telephony.record", action="start")
        await office.calls.end(held.session_id, "done")

        over = await office.use("telephony.record", action="status", sessionId=held.session_id)
        office.clock.advance(100)
        await office.use("session.cleanup", olderThan=1)

    assert over["recording"] == "stopped"
    assert (over["status"], over["file"]) == ("closed", str(tmp_path / f"{held.session_id}.wav"))
    assert kept(tmp_path) == []


def test_the_tool_is_small_enough_for_an_agents_list() -> None:
    from tests.tools.desk import CATALOGUE

    tool = CATALOGUE.get("telephony.record")
    assert tool is not None
    assert "agent" in tool.toolsets
    assert len(tool.description.split()) <= 55
