"""What is known of a simulated call when it is over.

report = await place_call("ws://127.0.0.1:8080/twilio/media", [Say("hello"), Listen()])
report.write(Path("call"))  # call/call.wav and call/report.json
print(report.summary())
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from mcp_voice.simulator.line import Fault, Happening, Line, Tally
from mcp_voice.simulator.recording import write
from mcp_voice.simulator.track import RATE, Talk

Ender: TypeAlias = Literal["caller", "agent", "dropped", "lost", "nobody"]
"""Who ended a call: one side hung up, the caller's line was cut, the agent's socket broke; nobody yet."""

_TRANSFER: Final = "transfer "


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended; `code` and `reason` are those of the server's close frame."""

    by: Ender = "nobody"
    code: int | None = None
    reason: str = ""

    @property
    def transferred_to(self) -> str | None:
        """Whom the caller was handed to: a server says so with the close reason `transfer <target>`."""
        return self.reason.removeprefix(_TRANSFER) if self.reason.startswith(_TRANSFER) else None

    def __str__(self) -> str:
        said = f" ({self.code} {self.reason}".rstrip() + ")" if self.code else ""
        return _ENDED[self.by] + said


_ENDED: Final[dict[Ender, str]] = {
    "caller": "the caller hung up",
    "agent": "the agent hung up",
    "dropped": "the caller's line was cut",
    "lost": "the agent's socket broke",
    "nobody": "the call goes on",
}


@dataclass(frozen=True, slots=True)
class Answered:
    """The agent spoke after the caller; times in seconds, `after` from silence to sound."""

    at: float
    after: float


@dataclass(frozen=True, slots=True)
class CallReport:
    """One call: times in seconds since it began, sound as 8 kHz mu-law from then on."""

    url: str
    call_sid: str
    stream_sid: str
    seconds: float
    end: End
    tally: Tally
    faults: tuple[Fault, ...]
    happenings: tuple[Happening, ...]
    caller_talks: tuple[Talk, ...]
    agent_talks: tuple[Talk, ...]
    caller_sound: bytes
    agent_sound: bytes

    @property
    def transferred_to(self) -> str | None:
        """Whom the caller was handed to, if the agent did so."""
        return self.end.transferred_to

    @property
    def both_heard(self) -> bool:
        """Whether something audible went each way."""
        return bool(self.caller_talks and self.agent_talks and self.tally.frames_sent)

    @property
    def answers(self) -> tuple[Answered, ...]:
        """The agent's first sound after each time the caller fell silent, if it came before he went on."""
        found = []
        next_words = [talk.began for talk in self.caller_talks[1:]] + [self.seconds]
        for talk, until in zip(self.caller_talks, next_words, strict=False):
            spoken = [other.began for other in self.agent_talks if talk.ended <= other.began < until]
            found += [Answered(spoken[0], spoken[0] - talk.ended)] if spoken else []
        return tuple(found)

    def of(self, kind: str) -> list[Happening]:
        """Return the happenings of one kind, in order."""
        return [happening for happening in self.happenings if happening.kind == kind]

    def as_json(self) -> dict[str, Any]:
        """Return everything but the sound, in plain JSON types and the product's spelling."""
        return {
            "url": self.url, "callSid": self.call_sid, "streamSid": self.stream_sid,
            "seconds": round(self.seconds, 3),
            "endedBy": self.end.by, "closeCode": self.end.code, "closeReason": self.end.reason,
            "transferredTo": self.transferred_to, "bothHeard": self.both_heard,
            "framesSent": self.tally.frames_sent, "framesLost": self.tally.frames_lost,
            "messagesReceived": self.tally.messages_received,
            "framesReceived": self.tally.media_received, "bytesReceived": self.tally.bytes_received,
            "callerSeconds": _spoken(self.caller_talks), "agentSeconds": _spoken(self.agent_talks),
            "answers": [{"at": round(a.at, 3), "after": round(a.after, 3)} for a in self.answers],
            "marks": [_line(mark) for mark in self.of("mark")],
            "clears": [_line(clear) for clear in self.of("clear")],
            "gaps": [_line(gap) for gap in self.of("gap")],
            "digits": "".join(digit.data["digit"] for digit in self.of("digit")),
            "warnings": [{"code": f.code, "why": f.why, "count": f.count} for f in self.faults],
            "happenings": [{"kind": h.kind, **_line(h)} for h in self.happenings],
        }  # fmt: skip

    def write(self, folder: Path) -> None:
        """Write `call.wav` (left the caller, right the agent) and `report.json`; make the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "call.wav", self.caller_sound, self.agent_sound)
        (folder / "report.json").write_text(json.dumps(self.as_json(), indent=2) + "\n")

    def summary(self) -> str:
        """Return what a person wants to know, a few lines."""
        gaps = [gap.data["seconds"] for gap in self.of("gap")]
        lines = [
            f"{self.seconds:.1f} s; {self.end}.",
            f"Caller: {_spoken(self.caller_talks):.1f} s spoken, {self.tally.frames_sent} frames sent.",
            f"Agent: {_spoken(self.agent_talks):.1f} s heard, {self.tally.media_received} messages of audio, "
            f"{len(self.of('mark'))} marks, {len(self.of('clear'))} clears.",
        ]
        if self.transferred_to:
            lines.append(f"The caller was handed to {self.transferred_to}.")
        if self.answers:
            lines.append("Answered after " + ", ".join(f"{a.after:.2f} s" for a in self.answers) + ".")
        if gaps:
            lines.append(f"Gaps: {len(gaps)}, the longest {max(gaps) * 1000:.0f} ms.")
        lines += [f"{fault.code}, {fault.count} times: {fault.why}" for fault in self.faults]
        return "\n".join(lines)


def report_of(line: Line, url: str, seconds: float, end: End) -> CallReport:
    """Draw the report of a line as it is now."""
    length = round(seconds * RATE)
    return CallReport(
        url=url,
        call_sid=line.names.call_sid,
        stream_sid=line.names.stream_sid,
        seconds=seconds,
        end=end,
        tally=line.tally,
        faults=tuple(line.faults.values()),
        happenings=tuple(sorted(line.happenings, key=lambda happening: happening.at)),
        caller_talks=tuple(line.caller.talks),
        agent_talks=tuple(line.agent.talks),
        caller_sound=bytes(line.caller.sound),
        agent_sound=bytes(line.agent.sound[:length]),
    )


def _spoken(talks: Sequence[Talk]) -> float:
    return round(sum(talk.ended - talk.began for talk in talks), 3)


def _line(happening: Happening) -> dict[str, Any]:
    names = {"dropped_seconds": "droppedSeconds"}
    return {
        "at": round(happening.at, 3),
        **{names.get(name, name): _short(value) for name, value in happening.data.items()},
    }


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
