"""ConversationRelay, the far end of it: what a person says goes out as text, text that comes in is said.

A talk reads no clock. Tokens are spoken at the pace of speech, in the order in
which they came, so at any time it is known how much of them has been heard; a
person who begins to speak meanwhile cuts them off, if they may be cut off.

    >>> from mcp_voice.simulator.casting import cast
    >>> talk = Talk(Party(cast("restaurant"), 0.0), {"welcomeGreeting": "Hello."}, {}, now=0.0)
    >>> talk.receive('{"type": "text", "token": "Good ", "last": false}', now=1.0)
    []

https://www.twilio.com/docs/voice/conversationrelay/websocket-messages
"""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from mcp_voice.errors import BadMessage, CarrierFailed
from mcp_voice.simulator.dialling import failed
from mcp_voice.simulator.twilio.party import (
    KEY,
    PACE,
    WAIT,
    Beeped,
    Begins,
    Deed,
    Left,
    Party,
    Pressed,
    Said,
    spoken_in,
)
from mcp_voice.simulator.twilio.relay_commands import read

MOST_MALFORMED: Final = 10
MALFORMED: Final = 1_007
ENDED: Final = 64_105
PLAYS: Final = 3.0
"""Seconds that a `play` is taken to last: its source is not fetched."""
MANY: Final = 1_000


@dataclass(frozen=True, slots=True)
class Piece:
    """Something to be said or played; `last` ends what the agent says in one go."""

    text: str
    seconds: float
    interruptible: str
    preemptible: bool
    last: bool


@dataclass(frozen=True, slots=True)
class Over:
    """How a session ended: who ended it, what it hands over, and the close that is due."""

    by: Literal["server", "caller", "fault"]
    handoff: str | None = None
    code: int = 1_000
    reason: str = "Closing websocket session"
    error: CarrierFailed | None = None


class Talk:
    """One session. `over` says how it ended, once it has."""

    def __init__(
        self, party: Party, attributes: Mapping[str, str], setup: Mapping[str, Any], now: float
    ) -> None:
        self.party, self.over, self.malformed = party, None if not party.gone else Over("caller"), 0
        self.heard: list[str] = []
        """What the agent has said, as far as it was heard."""
        self._attributes, self._setup = attributes, setup
        self._language = attributes.get("transcriptionLanguage") or attributes.get("language", "en-US")
        self._queue: deque[Piece] = deque()
        self._piece: Piece | None = None
        self._piece_began = self._talk_began = now
        self._talk: str | None = None  # what has been said in this go, without the piece in progress
        self._partials: deque[tuple[float, str]] = deque()
        self._keys: deque[tuple[float, str]] = deque()
        self._in_a_row = 0
        self._now = now

    # ─── what goes out ───────────────────────────────────────────────────────

    def open(self, now: float) -> list[str]:
        """Begin: `setup`, and the greeting."""
        sent = [_spell({"type": "setup", **self._setup})]
        greeting = self._attributes.get("welcomeGreeting", "")
        if greeting:
            may = self._attributes.get("welcomeGreetingInterruptible", "any").lower()
            sent += self._add(Piece(greeting, spoken_in(greeting), may, False, True), now)
        return sent

    @property
    def wakes_at(self) -> float | None:
        """When `tick` has something to do."""
        if self.over is not None:
            return None
        due = [at for at in (self.party.wakes_at, self._piece_ends) if at is not None]
        due += [line[0][0] for line in (self._partials, self._keys) if line]
        return min(due) if due else None

    def tick(self, now: float) -> list[str]:
        """Let time pass: what is due is done in the order of its times."""
        sent: list[str] = []
        while self.over is None and (at := self.wakes_at) is not None and at <= now:
            self._now = max(self._now, at)
            if self._piece_ends is not None and self._piece_ends <= at:
                sent += self._end_piece(self._piece_ends)
            elif self._partials and self._partials[0][0] <= at:
                sent.append(self._prompt(self._partials.popleft()[1], last=False))
            elif self._keys and self._keys[0][0] <= at:
                sent += self._take(self.party.key(self._keys.popleft()[1], at), at)
            else:
                before = self.party.wakes_at
                sent += self._take(self.party.tick(at), at)
                if self.party.wakes_at == before:  # it only looked at the time
                    break
        return sent

    # ─── what comes in ───────────────────────────────────────────────────────

    def receive(self, message: str | bytes, now: float) -> list[str]:
        """Take one message of the server; return what is sent because of it."""
        sent = self.tick(now)
        if self.over is not None:
            return sent
        try:
            fields = read(message)
        except BadMessage as bad:
            return sent + self._refuse(message, bad)
        self._in_a_row = 0
        match fields["type"]:
            case "text":
                sent += self._say(fields, now)
            case "play":
                loop = fields.get("loop", 1) or MANY
                sent += self._add(self._made("", PLAYS * loop, fields, last=True), now)
            case "sendDigits":
                at = now
                for digit in fields["digits"]:
                    at += WAIT if digit == "w" else KEY
                    if digit != "w":
                        self._keys.append((at, digit))
            case "language":
                self._language = fields.get("transcriptionLanguage", self._language)
            case "end":
                self.over = Over("server", fields.get("handoffData"))
        return sent

    def _refuse(self, message: str | bytes, bad: BadMessage) -> list[str]:
        self.malformed += 1
        self._in_a_row += 1
        if self._in_a_row >= MOST_MALFORMED:
            why = "Too many consecutive malformed messages"
            self.over = Over("fault", None, MALFORMED, why, failed(ENDED, f"{why}."))
        said = message if isinstance(message, str) else "(binary)"
        return [_spell({"type": "error", "description": f"Invalid message received: {said} ({bad.args[0]})"})]

    def _say(self, fields: Mapping[str, Any], now: float) -> list[str]:
        text = fields["token"]
        return self._add(self._made(text, spoken_in(text), fields, last=fields.get("last", False)), now)

    def _made(self, text: str, seconds: float, fields: Mapping[str, Any], *, last: bool) -> Piece:
        may = self._attributes.get("interruptible", "any").lower()
        may = {"true": "any", "false": "none"}.get(may, may)
        if "interruptible" in fields:
            may = "any" if fields["interruptible"] else "none"
        preemptible = self._attributes.get("preemptible", "false").lower() == "true"
        return Piece(text, seconds, may, fields.get("preemptible", preemptible), last)

    # ─── the agent's mouth ───────────────────────────────────────────────────

    @property
    def _piece_ends(self) -> float | None:
        return None if self._piece is None else self._piece_began + self._piece.seconds

    @property
    def speaking(self) -> bool:
        """Whether the agent is saying something, or about to go on."""
        return self._talk is not None

    def _add(self, piece: Piece, now: float) -> list[str]:
        """Put something behind what is to be said; it comes at once where that may be preempted."""
        sent: list[str] = []
        last = self._queue[-1] if self._queue else self._piece
        if last is not None and last.last and last.preemptible:
            sent += self._cut(now)
        self._queue.append(piece)
        return sent + (self._next(now) if self._piece is None else [])

    def _next(self, now: float) -> list[str]:
        sent: list[str] = []
        if self._piece is None and self._queue:
            self._piece, self._piece_began = self._queue.popleft(), now
            if self._talk is None:
                self._talk, self._talk_began = "", now
                sent += self._info("speaker-events", "agentSpeaking", "on")
                sent += self._take(self.party.spoken_to(now), now)
        return sent

    def _end_piece(self, now: float) -> list[str]:
        piece, self._piece = self._piece, None
        assert piece is not None
        self._talk = (self._talk or "") + piece.text
        sent = self._info("tokens-played", "tokensPlayed", piece.text)
        return sent + (self._end_talk(now) if piece.last else []) + self._next(now)

    def _end_talk(self, now: float) -> list[str]:
        text, self._talk = self._talk or "", None
        self.heard.append(text)
        return self._info("speaker-events", "agentSpeaking", "off") + self._take(
            self.party.told(text, now), now
        )

    def _cut(self, now: float) -> list[str]:
        """Say no more of what is to be said."""
        self._queue.clear()
        if self._talk is None:
            return []
        self._talk, self._piece = self._so_far(now), None
        return self._end_talk(now)

    def _so_far(self, now: float) -> str:
        piece = self._piece.text[: int((now - self._piece_began) * PACE)] if self._piece else ""
        return (self._talk or "") + piece

    def _interrupted(self, now: float, how: str) -> list[str]:
        """Let the person cut in, if that may be."""
        may = self._piece.interruptible if self._piece is not None else "any"
        if not self.speaking or may not in ("any", how):
            return []
        interrupt = {
            "type": "interrupt",
            "utteranceUntilInterrupt": self._so_far(now).rstrip(),
            "durationUntilInterruptMs": round((now - self._talk_began) * 1_000),
        }
        return [_spell(interrupt), *self._cut(now)]

    # ─── the person ──────────────────────────────────────────────────────────

    def _take(self, deeds: list[Deed], now: float) -> list[str]:
        sent: list[str] = []
        for deed in deeds:
            match deed:
                case Begins(text):
                    sent += self._info("speaker-events", "clientSpeaking", "on")
                    sent += self._interrupted(now, "speech")
                    self._plan_partials(text, now)
                case Said(text):
                    self._partials.clear()
                    sent += self._info("speaker-events", "clientSpeaking", "off")
                    sent += [self._prompt(text, last=True)] if self._reports("speech") else []
                case Pressed(digit):
                    sent += self._interrupted(now, "dtmf")
                    if self._attributes.get("dtmfDetection", "").lower() == "true" and self._reports("dtmf"):
                        sent.append(_spell({"type": "dtmf", "digit": digit}))
                case Left():
                    self.over = self.over or Over("caller")
                case Beeped():
                    pass
        return sent

    def _reports(self, what: str) -> bool:
        """Whether what the person does is told: while the agent speaks, only where that is asked for."""
        wanted = self._attributes.get("reportInputDuringAgentSpeech", "none").lower()
        return not self.speaking or wanted in ("any", what)

    def _plan_partials(self, text: str, now: float) -> None:
        if self._attributes.get("partialPrompts", "").lower() != "true":
            return
        words = text.split()
        for count in range(3, len(words), 3):
            so_far = " ".join(words[:count])
            self._partials.append((now + spoken_in(so_far), so_far))

    def _prompt(self, text: str, *, last: bool) -> str:
        return _spell({"type": "prompt", "voicePrompt": text, "lang": self._language, "last": last})

    def _info(self, event: str, name: str, value: str) -> list[str]:
        if event not in self._attributes.get("events", "").split():
            return []
        return [_spell({"type": "info", "name": name, "value": value})]


def _spell(message: Mapping[str, Any]) -> str:
    return json.dumps(message)
