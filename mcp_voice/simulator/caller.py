"""Somebody who calls: a simulated caller on a real socket.

    async with Caller("ws://127.0.0.1:8080/twilio/media", parameters={"sessionId": "…"}) as caller:
        await caller.until_spoken_to(timeout=10)
        await caller.say("book-a-table")
        await caller.until_spoken_to(timeout=10)
        await caller.press("1")
        await caller.hang_up()
    caller.report().write(Path("call"))

A frame leaves every 20 ms, speech or silence, for as long as the call lasts, as
from Twilio; the schedule counts from the first frame, so it does not drift. At
pace `fast` what the caller says leaves at once and the line's clock is put
forward by as much: the silence between is still 50 frames a second.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mcp_voice.core.audio import SILENCE_FRAME, frames
from mcp_voice.errors import Invalid, NotLive
from mcp_voice.simulator.dialling import BROKEN, CLOSED_BY_SERVER, UNREAD, dial
from mcp_voice.simulator.line import DIGITS, Happening, Line, Names
from mcp_voice.simulator.report import CallReport, End, report_of
from mcp_voice.simulator.sounds import Sound, load
from mcp_voice.simulator.track import Talk

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

Pace: TypeAlias = Literal["real", "fast"]

FRAME: Final = 0.02
KEY: Final = 0.15
"""Seconds from one key to the next."""
WAIT: Final = 0.5
"""Seconds that a `w` among digits stands for."""
OVERHANG: Final = 1.0
"""Seconds that words begun before have to go on to count as spoken to the caller now."""
NOBODY: Final = "+12025550142"
NOWHERE: Final = "+12025550100"


@dataclass(slots=True, eq=False)
class _Utterance:
    """What is being said; `fast` leaves at once. It is over when its frames are."""

    frames: Iterator[bytes]
    fast: bool
    over: bool = False


class Caller:
    """A caller, connected inside `async with`.

    `parameters` come back to the server in `start`, with `from` and `to` beside
    them. With an auth `token` the upgrade is signed, over `signed_url` where
    that is not `url`. `on_happening` is called with each happening as it is
    found, and `carry` makes of each frame what arrives of it, None for nothing.
    Entering raises `CarrierFailed` (see `dialling`) and `Invalid`; leaving
    hangs up. Once the call is over, everything that needs it raises `NotLive`,
    with the reason.
    """

    def __init__(
        self,
        url: str,
        *,
        parameters: Mapping[str, str] | None = None,
        from_: str = NOBODY,
        to: str = NOWHERE,
        token: str | None = None,
        signed_url: str | None = None,
        pace: Pace = "real",
        names: Names | None = None,
        on_happening: Callable[[Happening], None] | None = None,
        carry: Callable[[bytes], bytes | None] | None = None,
    ) -> None:
        self.url = url
        self.line = Line(names, {"from": from_, "to": to, **(parameters or {})})
        self.end = End()
        self._token, self._signed_url = token, signed_url
        self._fast = pace == "fast"
        self._on_happening = on_happening
        self._carry = carry
        self._told = 0
        self._mouth: deque[_Utterance] = deque()
        self._answered = 0.0
        self._began = self._skipped = self._seconds = 0.0
        self._socket: ClientConnection
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()

    async def __aenter__(self) -> "Caller":
        self._socket = await dial(self.url, token=self._token, signed_url=self._signed_url)
        self._began = asyncio.get_running_loop().time()
        await self._send(*self.line.open(0.0))
        self._tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._talk())]
        for task in self._tasks:
            task.add_done_callback(lambda _: self._notify())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hang_up()

    # ─── what a caller does ──────────────────────────────────────────────────

    async def say(self, sound: Sound) -> None:
        """Say mu-law, a bundled recording or a file; return when it has been said.

        Cancelled, the caller falls silent. Raises `NotFound`, `BadAudio`, `NotLive`.
        """
        await self._utter(frames(load(sound)))

    async def silence(self, seconds: float) -> None:
        """Say nothing for so long; the agent may speak meanwhile. Raises `NotLive`."""
        await self._utter(iter([SILENCE_FRAME] * round(seconds / FRAME)))

    async def press(self, digits: str) -> None:
        """Press keys, `0-9 * # A-D`; a `w` waits half a second. Raises `Invalid`, `NotLive`."""
        check_digits(digits)
        for digit in digits:
            if digit == "w":
                await self.silence(WAIT)
                continue
            self._must_live()
            await self._send(self.line.press(digit, self.now))
            self._take_in()
            await self.silence(KEY)

    async def until_spoken_to(self, timeout: float = 10.0, *, quiet: float = 0.7) -> Talk | None:
        """Wait until the agent has spoken and then been silent for `quiet` seconds; None after `timeout`.

        Only words since the caller's own last, since its last key and since the
        last time this returned count: what was begun earlier has to go on for a
        second more.
        Raises `NotLive` when the call ends first.
        """

        def spoken() -> bool:
            talk = self._last_words()
            return talk is not None and self.now - talk.ended >= quiet

        if not await self._until(spoken, timeout):
            return None
        self._take_in()
        return replace(self.line.agent.talks[-1])

    async def until_hung_up(self, timeout: float = 10.0) -> End | None:
        """Wait until the agent ends the call; None after `timeout` seconds."""
        return self.end if await self._until(lambda: self.line.over, timeout) else None

    async def hang_up(self) -> None:
        """Say `stop` and close the socket. Nothing happens if the call is over."""
        if not self.line.over:
            now = self.now
            stop = self.line.stop(now)
            self._over(End("caller"), now)
            await self._send(stop)
            await self._socket.close()
        await asyncio.gather(*self._tasks)

    async def drop(self) -> None:
        """Lose the connection: no `stop`, no close frame. Nothing happens if the call is over."""
        if not self.line.over:
            self._over(End("dropped"), self.now)
            self._socket.transport.abort()
        await asyncio.gather(*self._tasks)

    async def happenings(self) -> AsyncIterator[Happening]:
        """Yield what happens, from the beginning, until the call is over."""
        seen = 0
        while True:
            while seen < len(self.line.happenings):
                yield self.line.happenings[seen]
                seen += 1
            if self.line.over:
                return
            await self._news.wait()

    async def news(self) -> None:
        """Wait until something has happened, or a frame been sent; raise what ended a task of the call."""
        for task in self._tasks:
            if task.done():
                task.result()
        if not self.line.over:
            await self._news.wait()

    @property
    def now(self) -> float:
        """Seconds since the call began, by the line's clock; where it ended, once it is over."""
        if self.line.over:
            return self._seconds
        return asyncio.get_running_loop().time() - self._began + self._skipped

    def report(self) -> CallReport:
        """Return what is known of the call so far."""
        return report_of(self.line, self.url, self.now, self.end)

    # ─── the two tasks: talking and hearing ──────────────────────────────────

    async def _talk(self) -> None:
        """Send a frame when it is due, and marks when they are reached, until the call is over."""
        due = 0.0
        while not self.line.over:
            await self._send(*self.line.play(self.now))
            wait, wakes_at = due - self.now, self.line.wakes_at
            if wait > 0:
                await asyncio.sleep(wait if wakes_at is None else max(0.0, min(wait, wakes_at - self.now)))
                continue
            await self._send_frame()
            due += FRAME
            self._notify()

    async def _send_frame(self) -> None:
        frame, fast = self._next_frame()
        if fast:
            self._skipped += FRAME
            await self._room()
        if self.line.over:
            return
        carried = self._carry(frame) if self._carry else frame
        if self._unread > UNREAD:
            self.line.lose(frame, self.now)
        elif carried is None:
            self.line.miss(frame)
        else:
            await self._send(self.line.speak(carried))

    async def _room(self) -> None:
        """Let the server keep up, for half a second at most."""
        await asyncio.sleep(0)
        for _ in range(25):
            if self._unread <= UNREAD or self.line.over:
                return
            await asyncio.sleep(FRAME)

    @property
    def _unread(self) -> int:
        return self._socket.transport.get_write_buffer_size()

    def _next_frame(self) -> tuple[bytes, bool]:
        while self._mouth:
            utterance = self._mouth[0]
            for frame in utterance.frames:
                return frame, utterance.fast
            self._mouth.popleft().over = True
            self._notify()
        return SILENCE_FRAME, False

    async def _hear(self) -> None:
        """Take what the server says until its socket closes."""
        from websockets.exceptions import ConnectionClosed

        with suppress(ConnectionClosed):
            async for message in self._socket:
                await self._send(*self.line.receive(message, self.now))
                self._notify()
        if self.line.over:
            return
        close = self._socket.protocol.close_rcvd
        if close is None:
            self.line.warn(BROKEN, "The socket broke without a close frame.", self.now)
            self._over(End("lost"), self.now)
            return
        if close.code != 1000:
            self.line.warn(CLOSED_BY_SERVER, f"The server closed with {close.code} {close.reason}.", self.now)
        self._over(End("agent", close.code, close.reason), self.now)

    async def _send(self, *messages: str) -> None:
        """Send; that the socket has closed meanwhile, the ear says."""
        from websockets.exceptions import ConnectionClosed

        with suppress(ConnectionClosed):
            for message in messages:
                await self._socket.send(message)

    # ─── waiting and ending ──────────────────────────────────────────────────

    async def _utter(self, sound: Iterator[bytes]) -> None:
        self._must_live()
        utterance = _Utterance(sound, self._fast)
        self._mouth.append(utterance)
        try:
            await self._until(lambda: utterance.over)
        finally:
            with suppress(ValueError):
                self._mouth.remove(utterance)

    async def _until(self, holds: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until something holds; say whether it did before `timeout`, by the line's clock."""
        gives_up = None if timeout is None else self.now + timeout
        while not holds():
            for task in self._tasks:
                if task.done():
                    task.result()
            self._must_live()
            if gives_up is not None and self.now >= gives_up:
                return False
            await self._news.wait()
        return True

    def _last_words(self) -> Talk | None:
        """Return what the agent said last, if it answers what the caller said last."""
        if not self.line.agent.talks:
            return None
        talk, own = self.line.agent.talks[-1], self.line.caller.talks
        since = max(self._answered, own[-1].ended if own else 0.0)
        return talk if talk.began >= since or talk.ended >= since + OVERHANG else None

    def _take_in(self) -> None:
        self._answered = self.now
        self.line.take_in(self._answered)
        self._notify()

    def _must_live(self) -> None:
        if self.line.over:
            raise NotLive(f"The call is over: {self.end}.", advice="")

    def _over(self, end: End, now: float) -> None:
        self.end, self._seconds = end, now
        self.line.close(now)
        self.line.happenings.append(Happening(now, "ended", {"by": end.by, "why": str(end)}))
        self._notify()

    def _notify(self) -> None:
        """Tell everybody who waits to look again."""
        if self._on_happening:
            for happening in self.line.happenings[self._told :]:
                self._on_happening(happening)
        self._told = len(self.line.happenings)
        news, self._news = self._news, asyncio.Event()
        news.set()


def check_digits(digits: str) -> None:
    """Raise `Invalid` unless these are keys, or a `w`."""
    if wrong := [digit for digit in digits if digit not in DIGITS | {"w"}]:
        raise Invalid(f"There is no key {wrong[0]!r}.", advice="Press 0-9, *, #, A-D; w waits half a second.")
