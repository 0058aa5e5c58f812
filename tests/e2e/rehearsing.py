"""A house full of simulated people, and an agent of few rules who calls them by its tools."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import anyio
import pytest
from mcp import Client, MCPError, types

from mcp_voice.core.session import Entry
from mcp_voice.providers import Registry
from mcp_voice.server import assembly
from mcp_voice.server.assembly import House
from tests.e2e.parrot import Parrot
from tests.server.test_assembly import at_home, settings

PACE: Final = 10.0
"""How much sooner people answer than their personas say."""

ENDPOINTS: Final = {"telephony.call": "/mcp", "telephony_call": "/mcp/agent"}
"""Where a spelling of the tools is at home."""

UNLIMITED: Final = [f"telephony.{tool}" for tool in ("answer", "call", "listen", "press", "say", "wait")]

TIMED_OUT: Final = types.REQUEST_TIMEOUT

Rules: TypeAlias = Sequence[tuple[str, str]]
"""What to say (right) to words that match (left), the first that does."""


@asynccontextmanager
async def a_house_of_parrots(parrot: Parrot) -> AsyncIterator[tuple[House, str, str]]:
    """Open a house where everybody speaks and hears as a parrot does; yield it and its two addresses."""
    given = settings(
        simulator__scripted=True,
        simulator__pace=PACE,
        limits__rpm=dict.fromkeys(UNLIMITED, 0),
        speech__stt="parrot",
        speech__tts="parrot",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            assembly,
            "_providers",
            lambda settings, counts, store: Registry(
                counts, hears="parrot", speaks="parrot", also={"parrot": parrot}
            ),
        )
        async with at_home(given) as found:
            yield found


@dataclass
class Agent:
    """Somebody with the agent tools in one spelling, and one call at a time.

    A `hasty` one has no `forceNew`: it may ask for the same call again and again.
    """

    client: Client
    spelling: str
    replies: list[dict[str, Any]] = field(default_factory=list)
    session_id: str | None = None
    hasty: bool = False
    gave_up: int = 0

    async def use(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Use a tool, in this agent's spelling."""
        name = f"telephony{'.' if '.' in self.spelling else '_'}{tool}"
        if self.session_id is not None and tool != "call":
            arguments = {"sessionId": self.session_id, **arguments}
        while (result := await self._tried(name, arguments)) is None:
            self.gave_up += 1
        assert not result.is_error, result.content
        assert result.structured_content is not None
        reply = dict(result.structured_content)
        self.session_id = reply.get("sessionId", self.session_id)
        self.replies.append(reply)
        return reply

    async def _tried(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult | None:
        """Ask once; None if it took longer than this client waits."""
        try:
            return await self.client.call_tool(name, arguments)
        except MCPError as error:
            if error.code != TIMED_OUT:
                raise
            return None

    async def call(self, to: str, opening: str | None = None, **how: Any) -> dict[str, Any]:
        """Ring somebody; return the first reply."""
        said = {} if opening is None else {"opening": opening}
        return await self.heard_out(await self.use("call", to=to, forceNew=not self.hasty, **said, **how))

    async def say(self, text: str, **how: Any) -> dict[str, Any]:
        """Say something, and wait for what comes of it."""
        return await self.heard_out(await self.use("say", text=text, **how))

    async def heard_out(self, reply: dict[str, Any], **how: Any) -> dict[str, Any]:
        """Listen until something has come of it."""
        while reply["outcome"] == "pending":
            reply = await self.use("listen", **how)
        return reply

    async def answer(self, reply: dict[str, Any], rules: Rules) -> dict[str, Any]:
        """Go by the rules until the call is over, or they say nothing; return the last reply."""
        while reply["outcome"] != "hungUp":
            words = " ".join(heard["text"] for heard in reply["heard"])
            found = next((text for pattern, text in rules if re.search(pattern, words)), None)
            reply = await (self.say(found) if found else self.heard_out(await self.use("listen")))
        return reply

    @property
    def sessions(self) -> set[str]:
        """The calls it was told of."""
        return {reply["sessionId"] for reply in self.replies}

    @property
    def heard(self) -> str:
        """What it was told, without what it was told before."""
        words = [heard for reply in self.replies for heard in reply.get("heard", ())]
        return " ".join(heard["text"] for heard in words if not heard["repeated"])


async def log_of(house: House, agent: Agent) -> Sequence[Entry]:
    """Return a call's log when the call is over."""
    assert agent.session_id is not None
    with anyio.fail_after(20):
        while True:
            session = await house.store.load(agent.session_id)
            if session is not None and session.closed:
                return await house.store.entries(agent.session_id)
            await anyio.sleep(0.02)


def texts(entries: Sequence[Entry], kind: str, name: str = "text") -> list[Any]:
    """Return what entries of a kind say."""
    return [entry.data.get(name) for entry in entries if entry.kind == kind]
