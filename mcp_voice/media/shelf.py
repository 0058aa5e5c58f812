"""Where recordings are kept: one WAV file a session, which only this user may read.

Writing keeps the file whole: sound first, then the sizes in its head. A process
that is killed between the two leaves a file that is a stretch longer than its
head says, which every player reads; who goes on with it counts that in.
"""

import os
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from math import inf
from pathlib import Path
from typing import Final

from anyio import CapacityLimiter, fail_after, to_thread

from mcp_voice.core.stereo import FRAME, HEADER_BYTES, header, seconds_in
from mcp_voice.errors import NotFound, RecordingFailed
from mcp_voice.ports import Kept

THREADS: Final = 4
"""Threads that wait for the disk at once; a disk that hangs takes none from others."""

STALLED: Final = 10.0
"""A disk that takes nothing for so many seconds has failed. What a call gathers meanwhile is 160 kB."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class WavFile:
    """A recording that grows. Each verb waits for the disk, and raises `OSError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        there = max(0, os.fstat(descriptor).st_size - HEADER_BYTES)
        self.size = there - there % FRAME
        try:
            self._put(0, header(self.size))
        except OSError:
            self.close()
            raise

    @property
    def seconds(self) -> float:
        """How long it is."""
        return seconds_in(HEADER_BYTES + self.size)

    def append(self, stretch: bytes) -> None:
        """Put sound behind what is there."""
        self._put(HEADER_BYTES + self.size, stretch)
        self._put(0, header(self.size + len(stretch)))
        self.size += len(stretch)

    def _put(self, at: int, data: bytes) -> None:
        self._file.seek(at)
        while data:
            data = data[self._file.write(data) :]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class Shelf:
    """The recordings of a folder. Implements `ports.Recordings`. `days` is how long they are kept."""

    def __init__(self, folder: Path, days: float = 30) -> None:
        self.folder = folder
        self._days = days
        self.limiter = CapacityLimiter(THREADS)

    def _path(self, session_id: str) -> Path:
        if not _NAME.fullmatch(session_id):
            raise NotFound("recording of session", session_id, advice="")
        return self.folder / f"{session_id}.wav"

    async def open(self, session_id: str) -> WavFile:
        """Open a session's recording to go on with it, or begin one. Raises `RecordingFailed`."""
        path = self._path(session_id)

        def make() -> WavFile:
            if not self.folder.is_dir():
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return WavFile(path)

        try:
            with fail_after(STALLED):
                return await to_thread.run_sync(make, limiter=self.limiter, abandon_on_cancel=True)
        except TimeoutError:
            raise stalled(path, STALLED) from None
        except OSError as error:
            raise failed(error, path) from None

    async def find(self, session_id: str) -> Kept | None:
        """Return a session's recording, if there is one. Raises `RecordingFailed`."""
        path = self._path(session_id)
        try:
            return Kept(path, (await to_thread.run_sync(path.stat, limiter=self.limiter)).st_size)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise failed(error, path) from None

    async def read(self, path: Path) -> bytes:
        """Read a recording, as far as it has come. Raises `NotFound` when it has gone, `RecordingFailed`."""
        try:
            return await to_thread.run_sync(path.read_bytes, limiter=self.limiter)
        except FileNotFoundError:
            raise NotFound("recording", path.stem, advice="It was removed.") from None
        except OSError as error:
            raise failed(error, path) from None

    async def remove(self, session_ids: Iterable[str]) -> int:
        """Remove sessions' recordings; return how many there were. Raises `RecordingFailed`."""
        paths = [self._path(session_id) for session_id in session_ids]
        return await to_thread.run_sync(_removed, paths, limiter=self.limiter)

    async def sweep(self, now: datetime) -> int:
        """Remove what is older than may be kept; return how much there was. Raises `RecordingFailed`."""
        before = (now - timedelta(days=self._days)).timestamp()

        def remove() -> int:
            return _removed(self.folder.glob("*.wav"), before)

        return await to_thread.run_sync(remove, limiter=self.limiter)


def _removed(paths: Iterable[Path], before: float = inf) -> int:
    count = 0
    for path in paths:
        try:
            if path.stat().st_mtime < before:
                path.unlink()
                count += 1
        except FileNotFoundError:
            continue
        except OSError as error:
            raise failed(error, path) from None
    return count


def failed(error: OSError, path: Path) -> RecordingFailed:
    """Say what the disk said."""
    return RecordingFailed(f"The recording {path} failed: {error.strerror or type(error).__name__}.")


def stalled(path: Path, seconds: float) -> RecordingFailed:
    """Say that the disk said nothing."""
    return RecordingFailed(f"The recording {path} failed: the disk took nothing for {seconds:.0f} s.")
