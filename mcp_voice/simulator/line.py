"""What Twilio does on one media stream, made from its documentation.

A `Line` is the far end of a server's socket. It spells what Twilio sends, takes
what a server says back, and plays that in real time: audio joins the end of the
queue when it arrives, a mark comes back when the audio before it has been
played, and a clear throws the queue away and sends every waiting mark back.

    >>> line = Line(Names(call_sid="CA1", stream_sid="MZ1"))
    >>> connected, start = line.open(now=0.0)
    >>> line.receive('{"event": "mark", "streamSid": "MZ1", "mark": {"name": "idle"}}', now=1.0)
    ['{"event": "mark", "sequenceNumber": "2", "mark": {"name": "idle"}, "streamSid": "MZ1"}']

It reads no clock: `now` is in seconds and never goes back, and `wakes_at` says
when `play` has something to say. Happenings count their time from `open`.

https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

import json
import secrets
from base64 import b64encode
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from mcp_voice.errors import BadMessage, Invalid, Refused
from mcp_voice.simulator.commands import Clear, Mark, Media, read
from mcp_voice.simulator.track import PAUSE, RATE, Track

SIMULATED_ACCOUNT: Final = "AC" + "0" * 32
"""The account of every simulated call: one that Twilio can never give to anybody."""

LONGEST_QUEUE: Final = 600 * RATE
"""Ten minutes: Twilio throws away what is beyond (31931)."""

FIRST_MS: Final = 102
"""Where timestamps begin: not at zero on a real stream either, so nobody may count on that."""

LONGEST_PARAMETER: Final = 500
"""A `<Parameter>`'s name and value have to be shorter than this together."""

DIGITS: Final = frozenset("0123456789*#ABCD")

NOT_ASKED: Final = 31_924
CONGESTED: Final = 31_930
QUEUE_FULL: Final = 31_931

Kind: TypeAlias = Literal[
    "connected", "caller_speaks", "caller_silent", "agent_speaks", "agent_silent",
    "gap", "mark", "clear", "digit", "warning", "ended",
]  # fmt: skip

_TALKS: Final[Mapping[tuple[str, str], Kind]] = {
    ("caller", "speaks"): "caller_speaks",
    ("caller", "silent"): "caller_silent",
    ("agent", "speaks"): "agent_speaks",
    ("agent", "silent"): "agent_silent",
}


def make_sid(prefix: str) -> str:
    """Return a name as Twilio makes them: two letters and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Names:
    """What the call and its stream are called."""

    call_sid: str = field(default_factory=lambda: make_sid("CA"))
    stream_sid: str = field(default_factory=lambda: make_sid("MZ"))
    account_sid: str = SIMULATED_ACCOUNT


@dataclass(frozen=True, slots=True)
class Happening:
    """Something worth telling; `at` is in seconds since the stream began.

    It is told when it is found: a `silent` half a second after its `at`.
    """

    at: float
    kind: Kind
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Fault:
    """A kind of mistake: told once a stream, as Twilio does, and counted each time."""

    code: int
    why: str
    count: int = 1


@dataclass(slots=True)
class Tally:
    """What went over the wire."""

    frames_sent: int = 0
    frames_lost: int = 0
    messages_received: int = 0
    media_received: int = 0
    bytes_received: int = 0


class Line:
    """One media stream as Twilio runs it.

    `tracks` with `outbound` among them is a `<Start><Stream>`: it only listens,
    and has no digits and no marks.
    """

    def __init__(
        self,
        names: Names | None = None,
        parameters: Mapping[str, str] | None = None,
        *,
        tracks: tuple[str, ...] = ("inbound",),
    ) -> None:
        for name, value in (parameters or {}).items():
            if len(name) + len(value) >= LONGEST_PARAMETER:
                raise Invalid(
                    f"The parameter {name!r} and its value have {LONGEST_PARAMETER} characters or more."
                )
        self.names = names or Names()
        self.parameters = dict(parameters or {})
        self.tracks = tracks
        self.caller, self.agent = Track(), Track()
        self.happenings: list[Happening] = []
        self.faults: dict[int, Fault] = {}
        self.tally = Tally()
        self.over = False
        self._began = 0.0
        self._sequence = 0
        self._chunks: Counter[str] = Counter()
        self._marks: deque[tuple[int, str]] = deque()
        self._fed = False  # the queue has held sound, and no clear has emptied it since

    # ─── what Twilio sends ───────────────────────────────────────────────────

    def open(self, now: float) -> list[str]:
        """Begin: `connected`, then `start`."""
        self._began = now
        self._tell(now, "connected")
        names = self.names
        start = {
            "accountSid": names.account_sid,
            "streamSid": names.stream_sid,
            "callSid": names.call_sid,
            "tracks": list(self.tracks),
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": RATE, "channels": 1},
            "customParameters": self.parameters,
        }
        connected = json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        return [connected, self._spell("start", start)]

    def speak(self, sound: bytes, *, track: str = "inbound") -> str:
        """Return the caller's next sound, 20 ms of it, as a `media` message."""
        self._chunks[track] += 1
        body = {
            "track": track,
            "chunk": str(self._chunks[track]),
            "timestamp": str(FIRST_MS + len(self.caller.sound) * 1000 // RATE),
            "payload": b64encode(sound).decode(),
        }
        if track == "inbound":
            self._say(sound)
        self.tally.frames_sent += 1
        return self._spell("media", body)

    def lose(self, sound: bytes, now: float) -> None:
        """Say it, but to a socket that takes no more."""
        self.miss(sound)
        self.warn(CONGESTED, "The server does not read; audio is lost.", now)

    def miss(self, sound: bytes) -> None:
        """Say it, but it never arrives: it leaves a hole in chunks and timestamps."""
        self._chunks["inbound"] += 1
        self._say(sound)
        self.tally.frames_lost += 1

    def press(self, digit: str, now: float) -> str:
        """Return a key as a `dtmf` message.

        Raises:
            Invalid: there is no such key.
            Refused: a stream that only listens has no digits.
        """
        if digit not in DIGITS:
            raise Invalid(f"There is no key {digit!r}.", advice="Keys are 0-9, *, # and A-D.")
        if self._only_listens:
            raise Refused("A <Start><Stream> carries no digits.")
        self._tell(now, "digit", digit=digit)
        return self._spell("dtmf", {"track": "inbound_track", "digit": digit})

    def take_in(self, now: float) -> None:
        """Take what the agent said so far as said: its next sound is a talk of its own."""
        self._talks("agent", self.agent.hush(self._at(now)))

    def stop(self, now: float) -> str:
        """End: the caller has hung up."""
        self.close(now)
        return self._spell("stop", {"accountSid": self.names.account_sid, "callSid": self.names.call_sid})

    def close(self, now: float) -> None:
        """End without a word: what is queued is never played."""
        if self.over:
            return
        self.agent.cut(self._at(now))
        self._marks.clear()
        self._talks("caller", self.caller.hush(len(self.caller.sound)))
        self._talks("agent", self.agent.hush(self._at(now)))
        self.over = True

    # ─── what a server says ──────────────────────────────────────────────────

    def receive(self, message: str | bytes, now: float) -> list[str]:
        """Take one message; return what Twilio sends because of it. A wrong one only leaves a `Fault`."""
        if self.over:
            return []
        echoes = self.play(now)
        self.tally.messages_received += 1
        try:
            command = read(message, self.names.stream_sid)
        except BadMessage as bad:
            self.warn(bad.details["code"], bad.args[0], now)
            return echoes
        if self._only_listens:
            self.warn(NOT_ASKED, "A <Start><Stream> takes no messages.", now)
            return echoes
        match command:
            case Media(sound):
                self._queue(sound, now)
                return echoes
            case Mark(name):
                self._marks.append((max(len(self.agent.sound), self._at(now)), name))
                return echoes + self.play(now)
            case Clear():
                return echoes + self._clear(now)

    def play(self, now: float) -> list[str]:
        """Play on to `now`; return the marks that were reached, in order."""
        at, echoes = self._at(now), []
        while self._marks and self._marks[0][0] <= at:
            echoes.append(self._echo(now, cleared=False))
        self._listen(now)
        return echoes

    @property
    def wakes_at(self) -> float | None:
        """When the next mark is reached; None while there is none."""
        return self._began + self._marks[0][0] / RATE if self._marks else None

    def queued(self, now: float) -> float:
        """Return how many seconds of the server's audio are still to be played."""
        return max(0, len(self.agent.sound) - self._at(now)) / RATE

    def heard(self, now: float) -> bytes:
        """Return the audio of the server that has truly been played, put together."""
        return self.agent.played(self._at(now))

    # ─── inside ──────────────────────────────────────────────────────────────

    @property
    def _only_listens(self) -> bool:
        return "outbound" in self.tracks

    def _at(self, now: float) -> int:
        return round((now - self._began) * RATE)

    def _spell(self, event: str, body: Mapping[str, Any]) -> str:
        self._sequence += 1
        sequence, stream = str(self._sequence), self.names.stream_sid
        return json.dumps({"event": event, "sequenceNumber": sequence, event: body, "streamSid": stream})

    def _say(self, sound: bytes) -> None:
        self._talks("caller", self.caller.listen(self.caller.lay(sound, at=0) + len(sound)))

    def _queue(self, sound: bytes, now: float) -> None:
        self.tally.media_received += 1
        self.tally.bytes_received += len(sound)
        if not sound:
            return
        at = self._at(now)
        dry = at - len(self.agent.sound)
        if self._fed and 0 < dry <= PAUSE * RATE:
            self._tell(now, "gap", seconds=dry / RATE)
        room = LONGEST_QUEUE - max(0, -dry)
        if len(sound) > room:
            self.warn(QUEUE_FULL, "More than 10 minutes are queued; the rest is thrown away.", now)
        self.agent.lay(sound[:room], at)
        self._fed = True

    def _clear(self, now: float) -> list[str]:
        dropped = self.agent.cut(self._at(now))
        self._talks("agent", self.agent.hush(self._at(now)))
        self._tell(now, "clear", dropped_seconds=dropped / RATE, marks=len(self._marks))
        self._fed = False
        return [self._echo(now, cleared=True) for _ in range(len(self._marks))]

    def _echo(self, now: float, *, cleared: bool) -> str:
        _, name = self._marks.popleft()
        self._tell(now, "mark", name=name, cleared=cleared)
        return self._spell("mark", {"name": name})

    def _listen(self, now: float) -> None:
        self._talks("agent", self.agent.listen(self._at(now)))

    def _talks(self, who: str, found: list[tuple[str, float]]) -> None:
        self.happenings += [Happening(at, _TALKS[who, what]) for what, at in found]

    def warn(self, code: int, why: str, now: float) -> None:
        """Note one of Twilio's warnings or errors: told the first time, counted every time."""
        if fault := self.faults.get(code):
            fault.count += 1
            return
        self.faults[code] = Fault(code, why)
        self._tell(now, "warning", code=code, why=why)

    def _tell(self, now: float, kind: Kind, **data: Any) -> None:
        self.happenings.append(Happening(now - self._began, kind, data))
