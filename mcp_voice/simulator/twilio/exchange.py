"""The network at work: an `Account`, its sockets, its webhooks, and the clock.

    async with Exchange(account, token) as exchange:
        call = exchange.do(lambda: calls.incoming(account, "+12025550142", "+12025550100"))

What happens in the account is decided there; this carries it out. News of one
call is delivered in order, unless a fault says otherwise; documents are asked for at once.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.twilio import connecting, media, relay, relaying
from mcp_voice.simulator.twilio.account import Account
from mcp_voice.simulator.twilio.effects import Effect, EndRelay, EndStream, OpenRelay, OpenStream, Post
from mcp_voice.simulator.twilio.hooks import Hooks

if TYPE_CHECKING:
    from mcp_voice.simulator.people import Senses

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong with one request of the API: it takes `seconds`, and is answered with `code`.

    With `after`, what was asked for has been done all the same, and only the answer is lost.
    """

    code: int | None = None
    after: bool = False
    seconds: float = 0.0


class Exchange:
    """Carries out what an account wants, inside `async with`."""

    def __init__(self, account: Account, token: str, *, senses: "Senses | None" = None) -> None:
        self.account, self.token = account, token
        self.hooks: Hooks
        self.troubles: deque[Trouble] = deque()
        self._senses = senses or media.DEAF
        self._began = time.time()
        self._zero = 0.0
        self._nudge = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._order: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._legs: dict[str, media.Leg] = {}
        self._sessions: dict[str, asyncio.Event] = {}
        self._clock: asyncio.Task[None]

    async def __aenter__(self) -> "Exchange":
        import httpx2

        self._zero = asyncio.get_running_loop().time()
        self.hooks = Hooks(self.token, httpx2.AsyncClient(trust_env=False, follow_redirects=False))
        self._clock = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        broken = self._clock.done() and not self._clock.cancelled()
        tasks = [self._clock, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.hooks.http.aclose()
        if broken:
            self._clock.result()

    @property
    def now(self) -> float:
        """Seconds since the epoch, by the loop's clock."""
        return self._began + asyncio.get_running_loop().time() - self._zero

    def do(self, what: Callable[[], T]) -> T:
        """Do something with the account, now. Raises what that raises."""
        self.account.advance(self.now)
        try:
            return what()
        finally:
            self._nudge.set()

    async def _run(self) -> None:
        """Tell the account the time, and begin what it wants."""
        while True:
            self._nudge.clear()
            self.account.advance(self.now)
            for effect in self.account.take():
                task = asyncio.create_task(self._carry_out(effect))
                self._tasks.add(task)
                task.add_done_callback(self._ended)
            at = self.account.wakes_at
            with suppress(TimeoutError):
                async with asyncio.timeout(None if at is None else max(0.0, at - self.now)):
                    await self._nudge.wait()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """See that a mistake of ours does not go unnoticed."""
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._clock.cancel(f"{task.exception()!r}")
            task.result()

    async def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Post(ticket=None):
                async with self._order[effect.call_sid]:
                    await self.hooks.deliver(effect)
            case Post(ticket=ticket):
                answer = await self.hooks.deliver(effect)
                assert ticket is not None
                self.do(lambda: self.account.answered(ticket, answer, self.now))
            case OpenStream():
                await self._stream(effect)
            case EndStream(sid):
                if sid in self._legs and self._legs[sid].up:
                    await self._legs[sid].hang_up()
            case OpenRelay():
                await self._relay(effect)
            case EndRelay(sid):
                if sid in self._sessions:
                    self._sessions[sid].set()

    async def _stream(self, effect: OpenStream) -> None:
        call, stream, party = effect.call, effect.stream, effect.call.party
        if party is None:
            return

        def began() -> None:
            self.do(lambda: connecting.stream_began(self.account, stream.sid, self.now))

        try:
            persona, left = await media.hold(
                call, stream, party.resumed(), self.token, self._senses, self._legs, began
            )
        except CarrierFailed as error:
            why = error
            self.do(lambda: connecting.stream_ended(self.account, stream.sid, self.now, why))
        else:
            self.do(
                lambda: connecting.stream_ended(
                    self.account, stream.sid, self.now, left=left, persona=persona
                )
            )

    async def _relay(self, effect: OpenRelay) -> None:
        account, sid = self.account, effect.session_sid
        leave = self._sessions[sid] = asyncio.Event()
        try:
            over = await relay.hold(effect, self.token, leave, lambda: self.now)
        except CarrierFailed as failed:
            error = failed
            self.do(lambda: relaying.ended(account, effect.call, sid, self.now, error=error))
        else:
            self.do(
                lambda: relaying.ended(
                    account, effect.call, sid, self.now,
                    handoff=over.handoff, error=over.error, left=over.by == "caller",
                )
            )  # fmt: skip
        finally:
            del self._sessions[sid]
