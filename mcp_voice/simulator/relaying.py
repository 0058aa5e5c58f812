"""A simulated person at the other end of a relay: the other side of ConversationRelay, in words.

    ended_by = await converse_in_words(cast("restaurant"), "ws://127.0.0.1:8765/twilio/relay")

No sound is made. What is said takes as long as it would, a voice's `RATE`
characters a second; who talks over the agent for `CUTS` seconds cuts it off,
and the server is told what had been said by then. The messages are those of
https://www.twilio.com/docs/voice/conversationrelay/websocket-messages.
"""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal

from mcp_voice.simulator.dialling import dial
from mcp_voice.simulator.line import Names, make_sid
from mcp_voice.simulator.person import (
    Act,
    Beep,
    Done,
    HangUp,
    Hush,
    Key,
    Music,
    News,
    Person,
    Press,
    Say,
    Silent,
    Speaks,
    Tick,
    Words,
)
from mcp_voice.simulator.persona import Persona

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

RATE: Final = 17.0
"""Characters that are said in a second, by either side."""

CUTS: Final = 0.3
"""Seconds of talking over the agent that cut it off."""

UNDERSTOOD: Final = 0.3
"""Seconds from the end of what is said to its words."""

EndedBy = Literal["person", "agent", "lost"]


class Telephone:
    """The carrier and the person at it: messages and the time go in, `sent` is what comes out."""

    def __init__(self, persona: Persona, now: float) -> None:
        self._person = Person(persona, now)
        self.sent: list[dict[str, Any]] = []
        self.heard: list[str] = []
        """What the agent has said, as far as it was heard."""
        self.over = False
        self._acts: deque[Act] = deque()
        self._until: float | None = None
        self._began = 0.0
        self._agent = ""
        self._agent_at: float | None = None
        self._whole = self._firm = False
        self._told = 0

    # ─── the agent ───────────────────────────────────────────────────────────

    def receive(self, message: Mapping[str, Any], now: float) -> None:
        """Take what the server says."""
        match message.get("type"):
            case "text":
                self._agent += message["token"]
                self._whole, self._firm = bool(message.get("last")), message.get("interruptible") is False
                if self._agent_at is None and self._agent:
                    self._agent_at = now
                    self._tell("info", name="agentSpeaking", value="on")
                    self._take(Speaks(), now)
            case "sendDigits":
                for key in message["digits"].replace("w", ""):
                    self._take(Key(key), now)
            case "end":
                self.over = True
        self.pass_time(now)

    @property
    def _agent_until(self) -> float | None:
        return None if self._agent_at is None else self._agent_at + len(self._agent) / RATE

    def _agent_done(self, now: float) -> None:
        """All that was sent has been said."""
        text = self._agent.strip()
        self._tell("info", name="tokensPlayed", value=text)
        self._fall_silent(text, now)

    def _fall_silent(self, heard: str, now: float) -> None:
        self._tell("info", name="agentSpeaking", value="off")
        self._agent, self._agent_at = "", None
        if heard:
            self.heard.append(heard)
            self._take(Words(heard), now)
        self._take(Silent(now), now)

    def _cut_in(self, now: float) -> None:
        """Cut the agent off: the server is told what it had said."""
        said = self._agent[: round((now - (self._agent_at or now)) * RATE)].rpartition(" ")[0].strip()
        milliseconds = round((now - (self._agent_at or now)) * 1000)
        self._tell("interrupt", utteranceUntilInterrupt=said, durationUntilInterruptMs=milliseconds)
        self._fall_silent(said, now)

    # ─── the person ──────────────────────────────────────────────────────────

    @property
    def wakes_at(self) -> float | None:
        """When it next wants to be told the time."""
        wishes = [self._person.wakes_at, self._until]
        if self._agent_until is not None and (self._whole or self._told < len(self._agent)):
            wishes.append(self._agent_until)
        if self._cuts:
            wishes.append(max(self._began, self._agent_at or 0.0) + CUTS)
        return min((at for at in wishes if at is not None), default=None)

    @property
    def _cuts(self) -> bool:
        talks = bool(self._acts) and isinstance(self._acts[0], Say) and self._until is not None
        return talks and self._agent_at is not None and not self._firm

    def pass_time(self, now: float) -> None:
        """Do what is due."""
        if self._cuts and now >= max(self._began, self._agent_at or 0.0) + CUTS:
            self._cut_in(now)
        if self._agent_until is not None and now >= self._agent_until:
            self._told = len(self._agent)
            if self._whole:
                self._agent_done(now)
        if self._until is not None and now >= self._until:
            self._finish(now)
        if self._person.wakes_at is not None and now >= self._person.wakes_at:
            self._take(Tick(), now)

    def _take(self, news: News, now: float) -> None:
        for act in self._person.take(news, now):
            if isinstance(act, Hush):
                self._hush(now)
            else:
                self._acts.append(act)
        if self._until is None and self._acts:
            self._begin(self._acts[0], now)

    def _begin(self, act: Act, now: float) -> None:
        """Begin with what comes next."""
        self._began = now
        match act:
            case Say(text):
                self._tell("info", name="clientSpeaking", value="on")
                self._until = now + len(text) / RATE + UNDERSTOOD
            case Press(digits):
                for key in digits.replace("w", ""):
                    self._tell("dtmf", digit=key)
                self._until = now
            case Beep(seconds) | Music(seconds):
                self._until = now + seconds
            case _:
                self.over = isinstance(act, HangUp)

    def _finish(self, now: float) -> None:
        act, self._until = self._acts.popleft(), None
        if isinstance(act, Say):
            self._say(act.text)
        self._take(Done(), now)

    def _hush(self, now: float) -> None:
        """Stop; what had been said of it was heard."""
        if self._until is not None and isinstance(act := self._acts[0], Say):
            self._say(act.text[: round((now - self._began) * RATE)])
        self._acts.clear()
        self._until = None

    def _say(self, text: str) -> None:
        self._tell("info", name="clientSpeaking", value="off")
        if text.strip():
            self._tell("prompt", voicePrompt=text.strip(), lang="en-US", last=True)

    def _tell(self, type: str, **fields: Any) -> None:
        self.sent.append({"type": type, **fields})


async def converse_in_words(
    persona: Persona,
    url: str,
    *,
    names: Names | None = None,
    parameters: Mapping[str, str] | None = None,
    from_: str = "",
    to: str = "",
    token: str | None = None,
    signed_url: str | None = None,
) -> EndedBy:
    """Be a person in one relayed call, to its end; return who ended it.

    Raises `CarrierFailed` if nobody could be reached.
    """
    from websockets.exceptions import ConnectionClosed

    names = names or Names()
    socket = await dial(url, token=token, signed_url=signed_url)
    clock = asyncio.get_running_loop().time
    phone = Telephone(persona, clock())
    phone.sent.append(_setup(names, parameters or {}, from_, to))
    inbox: asyncio.Queue[Mapping[str, Any] | None] = asyncio.Queue()
    reading = asyncio.create_task(_read(socket, inbox), name="relayed")
    try:
        while not phone.over:
            with suppress(ConnectionClosed):
                while phone.sent:
                    await socket.send(json.dumps(phone.sent.pop(0)))
            message: Mapping[str, Any] | None = {}
            with suppress(TimeoutError):
                wakes_at = phone.wakes_at
                async with asyncio.timeout(None if wakes_at is None else max(0.0, wakes_at - clock())):
                    message = await inbox.get()
            if message is None:
                return "lost" if socket.close_code not in (1000, None) else "agent"
            phone.receive(message, clock())
            if message.get("type") == "end":
                return "agent"
        return "person"
    finally:
        reading.cancel()
        await socket.close(1000, "Closing websocket session")


async def _read(socket: "ClientConnection", inbox: "asyncio.Queue[Mapping[str, Any] | None]") -> None:
    from websockets.exceptions import ConnectionClosed

    with suppress(ConnectionClosed):
        async for message in socket:
            inbox.put_nowait(json.loads(message))
    inbox.put_nowait(None)


def _setup(names: Names, parameters: Mapping[str, str], from_: str, to: str) -> dict[str, Any]:
    return {
        "type": "setup",
        "sessionId": make_sid("VX"),
        "accountSid": names.account_sid,
        "parentCallSid": "",
        "callSid": names.call_sid,
        "from": from_,
        "to": to,
        "forwardedFrom": "",
        "callType": "PSTN",
        "callerName": "",
        "direction": "outbound-api",
        "callStatus": "IN_PROGRESS",
        "customParameters": dict(parameters),
    }
