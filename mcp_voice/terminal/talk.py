"""A call held by somebody who types.

It is held through the tools an agent has, and nothing else: `telephony.call`
dials, a line that is typed is a `telephony.say`, and what happens is the
session's log, followed by `telephony.wait`.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final, TextIO

import anyio
from anyio import to_thread

from mcp_voice.errors import VoiceError
from mcp_voice.server import logs
from mcp_voice.server.approvals import Result, Said
from mcp_voice.server.assembly import assemble
from mcp_voice.server.listeners import Listener, bind, listening, port_of
from mcp_voice.server.operator import Operator
from mcp_voice.server.tunnel import tunnelled
from mcp_voice.settings import Settings, guard

Tell = Callable[[str], None]

GOODBYE: Final = "Goodbye."
OVER: Final = 15.0
"""Seconds for a call that was hung up to say goodbye and be over."""

LOOK: Final = 20.0


class Failed(VoiceError):
    """A tool's error, as it would read to an agent."""

    code = "failed"


class Person:
    """Whoever sits at `seat`: asked before a telephone rings. With `yes` they have answered already."""

    brings: tuple[str, Said] | None = None

    def __init__(self, *, yes: bool, seat: TextIO | None = None) -> None:
        self._yes = yes
        self._seat = seat or sys.stdin

    async def ask(self, question: str, token: str) -> Said | Result | None:
        """Return what they say; None where there is no terminal to ask them at."""
        if self._yes:
            return "accept"
        if not self._seat.isatty():
            return None
        sys.stderr.write(f"{question}\n[y/N] ")
        sys.stderr.flush()
        answer = await to_thread.run_sync(self._seat.readline, abandon_on_cancel=True)
        return "accept" if answer.strip().lower() in ("y", "yes") else "decline"


async def hold(settings: Settings, wish: Mapping[str, Any], yes: bool, tell: Tell) -> int:
    """Call, talk, and hang up; return 0 if somebody answered, else 1.

    Raises `VoiceError` if the call could not be placed.
    """
    logs.configure(settings.log)
    async with _an_office(settings) as operator:
        read = sys.stdin.readline if sys.stdin.isatty() else None
        return await Terminal(operator, Person(yes=yes), tell, read).call(wish)


@asynccontextmanager
async def _an_office(settings: Settings) -> AsyncIterator[Operator]:
    """Open the house and its public door; yield who puts calls of tools through."""
    async with AsyncExitStack() as stack:
        guard(settings)
        bound = stack.enter_context(bind(settings.host, settings.public_port, "public_port"))
        settings = await stack.enter_async_context(tunnelled(settings, port_of(bound)))
        house = await stack.enter_async_context(assemble(settings, public_port=port_of(bound)))
        await stack.enter_async_context(listening(Listener(house.public, bound)))
        yield house.operator("all")


class Terminal:
    """One call. What is said is `read`, a line at a time and "" at the end; without it, only the first words.

    What happens is given to `tell`, a line each.
    """

    def __init__(
        self, operator: Operator, person: Person, tell: Tell, read: Callable[[], str] | None = None
    ) -> None:
        self._operator = operator
        self._person = person
        self._tell = tell
        self._read = read
        self._session_id = ""
        self._over = anyio.Event()
        self._answered = False
        self._failed: VoiceError | None = None

    async def use(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Use a tool; return its answer. Raises `Failed` with the tool's own sentence."""
        result = await self._operator.call(tool, arguments, "terminal", self._person)
        if result is None or result["isError"]:
            told = result["content"][0]["text"] if result else f"There is no tool {tool}."
            raise Failed(told)
        answer: dict[str, Any] = result["structuredContent"]
        return answer

    async def call(self, wish: Mapping[str, Any]) -> int:
        """Dial; then talk until one of the two hangs up."""
        called = await self.use("telephony.call", **wish, waitSeconds=0, forceNew=True)
        self._session_id = called["sessionId"]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._see_to, self._follow)
            tasks.start_soon(self._see_to, self._listen_once if self._read is None else self._type)
            try:
                await self._over.wait()
            except anyio.get_cancelled_exc_class():
                with anyio.move_on_after(OVER, shield=True), suppress(VoiceError):
                    await self.use("telephony.hangup", sessionId=self._session_id)
                raise
            tasks.cancel_scope.cancel()
        if self._failed is not None:
            raise self._failed
        return 0 if self._answered else 1

    async def _see_to(self, part: Callable[[], Awaitable[None]]) -> None:
        """Do a part of it; if that fails, the whole is over."""
        try:
            await part()
        except VoiceError as error:
            self._failed = error
            self._over.set()

    async def _follow(self) -> None:
        """Tell what happens in the call, until it is over."""
        seen = 0
        while not self._over.is_set():
            news = await self.use(
                "telephony.wait", sessionId=self._session_id, after=seen, waitSeconds=LOOK, **{"for": "call"}
            )
            seen = news["seq"]
            for event in news["events"]:
                self._answered |= event["kind"] == "answered"
                if line := shown(event["kind"], event["data"]):
                    self._tell(line)
            if news["status"] == "closed" and not news["events"]:
                self._over.set()

    async def _listen_once(self) -> None:
        """Hear what they say to the first words; then say goodbye."""
        reply: dict[str, Any] = {"outcome": "pending"}
        while reply["outcome"] == "pending":
            reply = await self.use("telephony.listen", sessionId=self._session_id, waitSeconds=LOOK)
        if reply["outcome"] != "hungUp":
            await self._bye()

    async def _type(self) -> None:
        """Say what is typed, until that is goodbye."""
        assert self._read is not None
        while line := await to_thread.run_sync(self._read, abandon_on_cancel=True):
            typed = line.strip()
            if typed == "/bye":
                break
            try:
                await self._do(typed)
            except Failed as error:
                self._tell(f"         ({error})")
        await self._bye()

    async def _do(self, typed: str) -> None:
        if typed.startswith("/press "):
            keys = typed.removeprefix("/press ").strip()
            await self.use("telephony.press", sessionId=self._session_id, digits=keys, waitSeconds=0)
        elif typed.startswith("/"):
            self._tell("         (there are /press, /wait and /bye)" if typed != "/wait" else "         …")
        elif typed:
            await self.use(
                "telephony.say", sessionId=self._session_id, text=typed, ifCallerSpoke="speak", waitSeconds=0
            )

    async def _bye(self) -> None:
        with suppress(Failed):  # they were quicker
            await self.use("telephony.hangup", sessionId=self._session_id, goodbye=GOODBYE)
        with anyio.move_on_after(OVER):
            await self._over.wait()
        self._over.set()


def shown(kind: str, data: Mapping[str, Any]) -> str | None:
    """Say on one line what happened, if it is worth one."""
    match kind:
        case "ringing":
            return "ringing …"
        case "final" if data.get("text"):
            return f"they     {data['text']}"
        case "agentSaid" if data.get("text"):
            return f"you      {data['text']}"
        case "interrupted":
            return "         (they cut in)"
        case "amd":
            return f"         (answered by: {data.get('answeredBy', 'unknown')})"
        case "dtmf":
            return f"they     pressed {data.get('digit', '')}"
        case "beep" | "answered" | "hold":
            return f"         ({kind})"
        case "error":
            return f"         ({data.get('message', 'an error')})"
        case "ended":
            return f"over     {data.get('reason', '')}"
    return None
