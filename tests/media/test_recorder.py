"""Live calls, recorded into real files."""

import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from struct import unpack_from
from typing import Any

import anyio
import pytest

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.counts import Counts
from mcp_voice.core.events import Audio, Clear, Note, Play, Started
from mcp_voice.core.stereo import HEADER_BYTES, Stereo
from mcp_voice.errors import NotConfigured, NotFound, RecordingFailed, Refused
from mcp_voice.media.calls import Calls, HeldLeg
from mcp_voice.media.endpoint import Endpoint
from mcp_voice.media.recorder import Recorder
from mcp_voice.media.shelf import Shelf, WavFile
from mcp_voice.stores.memory import MemoryStore
from tests.media.test_endpoint import CONNECTED, Socket, until
from tests.twins import VOICE_FRAME, Clock, Vendors, loud
from tests.wires.test_twilio import CALL, MEDIA, START, STREAM

STARTED = Started("MZ1", "CA1")


def wav(path: Path) -> tuple[bytes, bytes]:
    """Read a file as a player does: by its chunks; return its left and right side."""
    data = path.read_bytes()
    riff, _, wave = unpack_from("<4sI4s", data)
    assert (riff, wave) == (b"RIFF", b"WAVE")
    at, chunks = 12, {}
    while at < len(data):
        name, size = unpack_from("<4sI", data, at)
        chunks[name] = data[at + 8 : at + 8 + size]
        assert len(chunks[name]) == size
        at += 8 + size
        if name == b"data":
            break
    assert unpack_from("<HHIIHH", chunks[b"fmt "]) == (7, 2, 8_000, 16_000, 2, 8)
    assert unpack_from("<I", chunks[b"fact"])[0] * 2 == len(chunks[b"data"])
    return chunks[b"data"][0::2], chunks[b"data"][1::2]


class Room:
    def __init__(self, calls: Calls, store: MemoryStore, shelf: Shelf, clock: Clock, counts: Counts) -> None:
        self.calls, self.store, self.shelf, self.clock, self.counts = calls, store, shelf, clock, counts

    async def log(self, session_id: str, *kinds: str) -> list[dict[str, Any]]:
        return [dict(e.data) for e in await self.store.entries(session_id) if e.kind in kinds]

    def file(self, held: HeldLeg) -> Path:
        return self.shelf.folder / f"{held.session_id}.wav"


@asynccontextmanager
async def a_room(folder: Path) -> AsyncIterator[Room]:
    store, clock, counts, shelf = MemoryStore(), Clock(), Counts(), Shelf(folder / "kept" / "recordings")
    calls = Calls(
        store=store, providers=Vendors(), counts=counts, make_vad=lambda: loud, make_wire=TwilioWire,
        shelf=shelf, now=clock,
    )  # fmt: skip
    async with calls:
        yield Room(calls, store, shelf, clock, counts)


async def test_a_call_through_the_door_leaves_a_file_with_both_sides(tmp_path: Path) -> None:
    async with a_room(tmp_path) as room, anyio.create_task_group() as tasks:
        socket, endpoint = Socket(), Endpoint(room.calls, TwilioWire, room.counts)
        tasks.start_soon(endpoint, {"type": "websocket", "headers": []}, socket.receive, socket.send)
        socket.say(CONNECTED, START)
        await until(lambda: room.calls.call(stream_sid=STREAM))
        leg = room.calls.call(stream_sid=STREAM)
        assert leg is not None
        await leg.recorder.start()
        socket.say(*[MEDIA] * 5)
        leg.ask(Play(b"\x21" * 1_600, "hello"))
        await until(lambda: len(socket.texts) >= 2 and room.counts.media_chunks == 5)
        await anyio.sleep(0.3)
        socket.say({"event": "stop", "streamSid": STREAM, "stop": {"callSid": CALL}})
        await leg.done.wait()

        kept = await room.shelf.find(leg.session_id)
        log = await room.log(leg.session_id, "recording")
        tasks.cancel_scope.cancel()

    assert kept is not None
    path = kept.path
    left, right = wav(path)
    assert right.count(b"\x21") == 1_600
    assert left.count(b"\xff") > 2_400 - 5 * 160
    assert [line["state"] for line in log] == ["started", "stopped"]
    assert log[-1]["seconds"] == pytest.approx(len(left) / 8_000, abs=0.01)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_what_was_cut_is_not_in_the_file(tmp_path: Path) -> None:
    async with a_room(tmp_path) as room:
        held = await room.calls.hold(STARTED)
        await held.recorder.start()
        held.ask(Play(b"\x21" * 16_000, "a long sentence"))
        await anyio.sleep(0.1)
        held.ask(Clear())
        await anyio.sleep(0.2)
        await held.recorder.stop()

        _, right = wav(room.file(held))
        await room.calls.release("MZ1", "stop")
        [cut] = await room.log(held.session_id, "agentCut")

    assert 0 < cut["heardMs"] < 2_000
    assert right.count(b"\x21") == pytest.approx(cut["heardMs"] * 8, abs=8)


async def test_nothing_is_kept_of_what_is_said_in_a_pause_and_a_secret_is_one(tmp_path: Path) -> None:
    async with a_room(tmp_path) as room:
        held = await room.calls.hold(STARTED)
        await held.recorder.start()
        held.recorder.pause()
        held.leg._do(Note("secret", {"state": "began"}), 0.0)
        held.recorder.resume()
        held.hear([Audio(VOICE_FRAME)] * 5)
        held.ask(Play(b"\x21" * 800))
        state = held.recorder.status.state
        await anyio.sleep(0.15)
        held.leg._do(Note("secret", {"state": "ended"}), 0.0)
        await anyio.sleep(0.1)
        await room.calls.release("MZ1", "stop")

        left, right = wav(room.file(held))
        log = await room.log(held.session_id, "recording", "secret")

    assert state == "paused"
    assert set(left) == {0xFF}
    assert set(right) == {0xFF}
    assert [line["state"] for line in log] == ["started", "paused", "began", "ended", "resumed", "stopped"]


async def test_a_secret_that_is_alone_pauses_the_recording_by_itself(tmp_path: Path) -> None:
    async with a_room(tmp_path) as room:
        held = await room.calls.hold(STARTED)
        held.leg._do(Note("secret", {"state": "began"}), 0.0)
        before = (await held.recorder.start()).state
        held.leg._do(Note("secret", {"state": "ended"}), 0.0)
        between = held.recorder.status.state
        held.leg._do(Note("secret", {"state": "began"}), 0.0)
        after = held.recorder.status.state
        await held.recorder.stop()
        log = await room.log(held.session_id, "recording")

    assert (before, between, after) == ("paused", "recording", "paused")
    assert log == [] or log[0]["state"] == "started"


async def test_a_call_that_comes_back_goes_on_in_the_same_file(tmp_path: Path) -> None:
    async with a_room(tmp_path) as room:
        first = await room.calls.hold(STARTED)
        await first.recorder.start()
        first.hear([Audio(VOICE_FRAME)])
        await room.calls.release("MZ1", "stop")
        before, _ = wav(room.file(first))
        again = await room.calls.hold(Started("MZ2", "CA1"))
        await until(lambda: again.recorder.status.state == "recording")
        again.hear([Audio(VOICE_FRAME)])
        await room.calls.release("MZ2", "hangup")
        third = await room.calls.hold(Started("MZ3", "CA2"))

        left, _ = wav(room.file(again))
        log = await room.log(first.session_id, "recording")

    assert again.session_id == first.session_id
    assert left.startswith(before)
    assert left.count(VOICE_FRAME) == 2
    assert [line["state"] for line in log] == ["started", "stopped"] * 2
    assert log[2]["seconds"] == pytest.approx(len(before) / 8_000, abs=0.01)
    assert third.recorder.status.state == "off"


async def test_a_recording_that_was_stopped_goes_on_behind_what_there_is(tmp_path: Path) -> None:
    async with a_room(tmp_path) as room:
        held = await room.calls.hold(STARTED)
        await held.recorder.start()
        again = await held.recorder.start()
        held.hear([Audio(VOICE_FRAME)])
        stopped = await held.recorder.stop()
        more = await held.recorder.start()
        await held.recorder.stop()
        with pytest.raises(Refused, match="Nothing is recorded"):
            held.recorder.pause()

    assert (again.state, stopped.state, more.state) == ("recording", "stopped", "recording")
    assert more.seconds >= stopped.seconds > 0


# ─── what goes wrong ─────────────────────────────────────────────────────────


async def test_a_folder_that_cannot_be_written_is_named_and_the_call_goes_on(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    async with a_room(tmp_path) as room:
        held = await room.calls.hold(STARTED)

        with pytest.raises(RecordingFailed, match=r"recordings/sess_.*MCP_VOICE_RECORDING__FOLDER"):
            await held.recorder.start()

        assert held.recorder.status.state == "off"
        held.hear([Audio(VOICE_FRAME)])
        assert len(room.calls) == 1


class FullDisk(WavFile):
    """A file on a disk that is full from now on."""

    def append(self, stretch: bytes) -> None:
        raise OSError(28, "No space left on device")


class HungDisk(WavFile):
    """A file on a disk that has gone to sleep."""

    woken = threading.Event()

    def append(self, stretch: bytes) -> None:
        self.woken.wait(5)


class OneFile(Shelf):
    """A shelf that opens files of a kind."""

    kind: type[WavFile] = FullDisk

    async def open(self, session_id: str) -> WavFile:
        self.folder.mkdir(exist_ok=True)
        return self.kind(self.folder / f"{session_id}.wav")


@pytest.mark.parametrize(
    ("kind", "patience", "why"), [(FullDisk, 30, "No space left"), (HungDisk, 0.05, "took nothing for")]
)
async def test_a_disk_that_fails_ends_the_recording_with_an_error_in_the_log(
    tmp_path: Path, kind: type[WavFile], patience: float, why: str
) -> None:
    shelf, notes, now = OneFile(tmp_path), list[Note](), [100.0]
    shelf.kind = kind
    HungDisk.woken.clear()
    recorder = Recorder(shelf, "sess_1", notes.append, lambda: 0.0, clock=lambda: now[0], patience=patience)
    await recorder.start()
    file = recorder._file
    assert recorder.tap is not None
    now[0] += 2.9999

    recorder.tap.caller(VOICE_FRAME, now[0])
    now[0] += 0.1
    await recorder.stop()

    assert recorder.status.state == "stopped"
    assert recorder.tap is None
    assert [note.kind for note in notes] == ["recording", "error", "recording"]
    assert notes[1].data["code"] == "recording_failed"
    assert why in notes[1].data["message"]
    HungDisk.woken.set()
    assert file is not None
    file.close()


async def test_without_a_place_nothing_is_recorded(tmp_path: Path) -> None:
    async with Calls(
        store=MemoryStore(), providers=Vendors(), counts=Counts(), make_vad=None, make_wire=TwilioWire
    ) as calls:
        held = await calls.hold(STARTED)

        with pytest.raises(NotConfigured):
            await held.recorder.start()


KILLED = """
import os, signal, sys
from pathlib import Path
from mcp_voice.media.shelf import WavFile
file = WavFile(Path(sys.argv[1]))
file.append(b"LR" * 1_000)
file._put(58 + file.size, b"lr" * 500)  # the sound of a second stretch, but not its head
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_leaves_a_file_that_can_be_read_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "sess_1.wav"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, env=os.environ, timeout=60)

    after_the_kill = wav(path)
    file = WavFile(path)
    file.append(b"MS" * 100)
    file.close()

    assert done.returncode == -9
    assert after_the_kill == (b"L" * 1_000, b"R" * 1_000)
    assert wav(path) == (b"L" * 1_000 + b"l" * 500 + b"M" * 100, b"R" * 1_000 + b"r" * 500 + b"S" * 100)


def test_recording_takes_little_memory_however_long_it_is(tmp_path: Path) -> None:
    tap, file, now = Stereo(now=0.0), WavFile(tmp_path / "sess_1.wav"), 0.0

    tracemalloc.start()
    try:
        for number in range(10 * 3_000):
            now += 0.02
            tap.caller(VOICE_FRAME, now, number * 20)
            if number % 25 == 0:
                tap.agent(b"\x21" * 4_000, now)
            if now >= tap.wakes_at:
                file.append(tap.take(now))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        file.close()

    assert file.seconds > 590
    assert most < 140 * 1024


# ─── how long it is kept ─────────────────────────────────────────────────────


async def test_recordings_go_when_they_have_been_kept_long_enough_or_their_session_goes(
    tmp_path: Path,
) -> None:
    shelf, now = Shelf(tmp_path, days=30), datetime(2026, 3, 1, tzinfo=UTC)
    for name, days in (("sess_old", 31), ("sess_new", 29), ("sess_gone", 1)):
        (tmp_path / f"{name}.wav").write_bytes(b"RIFF")
        at = (now - timedelta(days=days)).timestamp()
        os.utime(tmp_path / f"{name}.wav", (at, at))
    (tmp_path / "notes.txt").write_text("not ours")

    swept, removed = await shelf.sweep(now), await shelf.remove(["sess_gone", "sess_never"])

    assert (swept, removed) == (1, 1)
    assert sorted(os.listdir(tmp_path)) == ["notes.txt", "sess_new.wav"]
    assert await Shelf(tmp_path / "nowhere").sweep(now) == 0


@pytest.mark.parametrize("name", ["../secret", "a/b", "", "x" * 65, "sess.wav"])
async def test_a_name_that_is_none_of_ours_reaches_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        await Shelf(tmp_path).find(name)


def test_a_file_that_is_shorter_than_a_head_is_begun_afresh(tmp_path: Path) -> None:
    path = tmp_path / "sess_1.wav"
    path.write_bytes(b"RI")

    file = WavFile(path)
    file.append(b"LR")
    file.close()

    assert path.stat().st_size == HEADER_BYTES + 2
    assert wav(path) == (b"L", b"R")
