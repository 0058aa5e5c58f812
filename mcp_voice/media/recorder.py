"""Records one stream, off the frame path.

The pump feeds the `tap`, which is memory and arithmetic; a task of the
recorder's own takes what is finished to the disk, in a thread, every two
seconds. When the disk fails, or hangs for `STALLED`, the recording ends with an
`error` in the call's log, and the call goes on.

    pump ─ frames ─▶ tap (core.Stereo) ─ take ─▶ task ─▶ thread ─▶ <session>.wav

It pauses while anybody wants it: the agent that asked for it, or a secret that
is being typed. `seconds` counts from the file's beginning.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import anyio
from anyio import to_thread

from mcp_voice.core.events import Note
from mcp_voice.core.stereo import Stereo
from mcp_voice.errors import NotConfigured, NotLive, RecordingFailed, Refused
from mcp_voice.media.shelf import STALLED, Shelf, WavFile, failed, stalled
from mcp_voice.ports import Recording, RecordingState

ASKED: Final = "asked"
SECRET: Final = "secret"
"""Who wants a pause."""


class Recorder:
    """The recording of one stream. Implements `ports.Records`."""

    def __init__(
        self,
        shelf: Shelf | None,
        session_id: str,
        put: Callable[[Note], None],
        plays_until: Callable[[], float],
        *,
        clock: Callable[[], float] = time.monotonic,
        patience: float = STALLED,
    ) -> None:
        self.tap: Stereo | None = None
        """What hears the frames; None while nothing is recorded."""
        self._shelf = shelf
        self._session_id = session_id
        self._put = put
        self._plays_until = plays_until
        self._clock = clock
        self._patience = patience
        self._file: WavFile | None = None
        self._before = 0.0
        self._rest = b""
        self._pauses: set[str] = set()
        self._ended = asyncio.Event()
        self._over = False
        self.left: RecordingState = "off"
        """How it stood when the stream ended."""
        self._task: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._was: RecordingState = "off"

    @property
    def status(self) -> Recording:
        """How it stands."""
        tap, file = self.tap, self._file
        if tap is None or file is None:
            return Recording(self._was, round(self._before, 2))
        state: RecordingState = "paused" if tap.paused else "recording"
        return Recording(state, round(self._before + tap.seconds(self._clock()), 2))

    # ─── what is asked ───────────────────────────────────────────────────────

    async def start(self, *, paused: bool = False) -> Recording:
        """Begin, behind what the session's file has; one that is recorded already goes on as it is.

        Raises:
            NotConfigured: there is nowhere to keep it.
            RecordingFailed: the file cannot be opened.
            NotLive: the stream has ended.
        """
        async with self._opening:
            if self.tap is None:
                await self._begin(paused)
        return self.status

    async def _begin(self, paused: bool) -> None:
        if self._shelf is None:
            raise NotConfigured("There is nowhere to keep a recording.", advice="Do without it.")
        await self._written()
        file = await self._shelf.open(self._session_id)
        if self._over:
            file.close()
            raise NotLive("The call's stream has ended.")
        now = self._clock()
        self._file, self._before, self._rest = file, file.seconds, b""
        self._ended.clear()
        self._pauses = (self._pauses & {SECRET}) | ({ASKED} if paused else set())
        self.tap = tap = Stereo(now, self._plays_until())
        self._tell("started")
        if self._pauses:
            tap.pause(now)
            self._tell("paused")
        self._task = asyncio.create_task(self._write(tap, file), name="recorder")

    def pause(self, why: str = ASKED) -> Recording:
        """Keep silence until it is resumed. Raises `Refused` when nothing is recorded."""
        tap = self._running()
        self._pauses.add(why)
        if not tap.paused:
            tap.pause(self._clock())
            self._tell("paused", why)
        return self.status

    def resume(self, why: str = ASKED) -> Recording:
        """Go on, unless somebody else wants the pause too. Raises `Refused` when nothing is recorded."""
        tap = self._running()
        self._pauses.discard(why)
        if tap.paused and not self._pauses:
            tap.resume(self._clock())
            self._tell("resumed", why)
        return self.status

    def secret(self, begins: bool) -> None:
        """A secret is being typed, or no more: it is not recorded, also if recording starts meanwhile."""
        if self.tap is not None:
            (self.pause if begins else self.resume)(SECRET)
        elif begins:
            self._pauses.add(SECRET)
        else:
            self._pauses.discard(SECRET)

    def _running(self) -> Stereo:
        if self.tap is None:
            raise Refused("Nothing is recorded now.", advice="Begin with action start.")
        return self.tap

    async def stop(self) -> Recording:
        """End it, and wait until the file is whole."""
        self.cut(self._clock())
        await self._written()
        return self.status

    def cut(self, now: float) -> None:
        """Hear no more; what is still to be played never will be."""
        if self.tap is None:
            return
        self._rest = self.tap.end(now)
        self._before += self.tap.seconds(now)
        self.tap, self._was = None, "stopped"
        self._ended.set()

    def leave(self, now: float) -> None:
        """The stream has ended."""
        if not self._over:
            self._over, self.left = True, self.status.state
            self.cut(now)

    # ─── what is written ─────────────────────────────────────────────────────

    def _tell(self, state: str, why: str = ASKED) -> None:
        """Put a line into the call's log."""
        because = {} if why == ASKED else {"why": why}
        self._put(Note("recording", {"state": state, "seconds": self.status.seconds, **because}))

    async def _written(self) -> None:
        """Wait until what was recorded is on the disk."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _write(self, tap: Stereo, file: WavFile) -> None:
        """Take it to the disk until it ends, or fails."""
        try:
            while not self._ended.is_set():
                with anyio.move_on_after(max(0.0, tap.wakes_at - self._clock())):
                    await self._ended.wait()
                await self._append(file, b"" if self._ended.is_set() else tap.take(self._clock()))
            await self._append(file, self._rest)
            await self._off_the_loop(file.close)
            self._before = file.seconds
        except TimeoutError:
            self._fail(stalled(file.path, self._patience), None)
        except OSError as error:
            self._fail(failed(error, file.path), file)
        self._rest = b""
        lost = {"lostMs": tap.lost // 8} if tap.lost else {}
        self._put(Note("recording", {"state": "stopped", "seconds": self.status.seconds, **lost}))

    async def _append(self, file: WavFile, stretch: bytes) -> None:
        if stretch:
            await self._off_the_loop(lambda: file.append(stretch))

    async def _off_the_loop(self, do: Callable[[], None]) -> None:
        limiter = None if self._shelf is None else self._shelf.limiter
        with anyio.fail_after(self._patience):
            await to_thread.run_sync(do, limiter=limiter, abandon_on_cancel=True)

    def _fail(self, error: RecordingFailed, file: WavFile | None) -> None:
        """End a recording that cannot go on; a file that may hang on closing is left."""
        self.cut(self._clock())
        self._before = self._before if file is None else file.seconds
        self._put(Note("error", {"code": error.code, "message": str(error), "recovered": False}))
        if file is not None:
            file.close()
