"""What an agent has been told of a call, and what it is waiting for.

A conversation reads the call's log as it is written. What the caller said is
kept until the agent has had it: told once, it counts as had when the agent
asks for something again, unless it says up to where it has read; the rest is
told again, `repeated`. An `Ask` is one thing an agent waits for; `outcome` says when there
is something to tell, and what.

    ask ─▶ pending … spoken … (silence) ─▶ noReply
                 └ final ─▶ reply    └ ended ─▶ hungUp    └ dtmf ─▶ dtmf

It belongs to the call, not to a stream of it: it goes on when a stream ends and
another takes its place, and what was heard last can be told when all is over.

What a voice has cut is in doubt until there are words: it may be `resumed`.

It reads no clock: `now` is seconds, and `wakes_at` says when time alone could
change the outcome.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from mcp_voice.core.asks import Ask, Outcome, Spoken
from mcp_voice.core.digits import Collector
from mcp_voice.core.events import Collect
from mcp_voice.core.problems import Problems, deafens
from mcp_voice.core.session import Entry

LONGEST_WAIT: Final = 25.0
SHORTEST_WAIT: Final = 0.3
"""Seconds a request is held at most, and at least whatever its client bears."""

MOST_ASKS: Final = 8
"""Requests that wait on one call at once; an older one has its answer when its time is over."""

NEXT_KEY: Final = 2.0
"""Seconds to wait for another key before the digits are told."""

QUIET: Final = 2.0
"""Seconds without a voice that count as quiet."""

WHO_ANSWERED: Final = 6.0
"""Seconds after an answer in which it may still be found out whether a person or a machine gave it."""

BEHIND_BEEP: Final = "machine_end_beep"
"""A carrier that says so of a machine has heard its beep."""

MACHINES: Final = frozenset({"machine", "fax"})


@dataclass(slots=True)
class Words:
    """Something the caller said; `repeated` if it was told before and not acknowledged."""

    seq: int
    text: str
    confidence: float | None = None
    rejected: bool = False
    repeated: bool = False


class Conversation:
    """One call's, from its agent's side."""

    def __init__(self, longest: float = LONGEST_WAIT) -> None:
        self.seq = 0
        self.ended = False
        self.answered_at: float | None = None
        self.answered_by: str | None = None
        self.beeps = 0
        self.patience = longest
        """The longest wait that this agent's client has shown to bear, in seconds."""
        self.owes = ""
        """What the other side has to be told before anything else."""
        self.back_by: float | None = None
        """Until when a call that was sent round is expected back on another stream."""
        self.away = False
        self.rings = False
        """Whether nobody has picked up yet: their silence means nothing."""
        self.deaf = False
        """Whether what the caller says makes no words: then nobody waits for the end of it."""
        self.problems = Problems()
        self.collecting: Collect | None = None
        """What is being collected: a new stream of the call has to be asked for it as well."""
        self._asks: list[Ask] = []
        self._heard: list[Words] = []
        self._told: set[int] = set()
        self._digits = ""
        self._beep_untold = False

    # ─── what happens ────────────────────────────────────────────────────────

    def read(self, entries: Iterable[Entry], now: float) -> None:
        """Take new lines of the log; those it has had already are left out."""
        for entry in entries:
            if entry.seq > self.seq:
                self.seq = entry.seq
                self._read(entry, now)

    def _read(self, entry: Entry, now: float) -> None:
        data = entry.data
        if entry.kind == "final":
            self.deaf = False
        match entry.kind:
            case "final" if data.get("text") and not data.get("backchannel"):
                self._heard.append(
                    Words(entry.seq, data["text"], data.get("confidence"), bool(data.get("rejected")))
                )
            case "dtmf" if _everyones(entry):
                self._digits += data["digit"]
            case "amd":
                self.answered_by = data.get("answeredBy")
                if data.get("why") == BEHIND_BEEP:
                    self._beeped()
            case "beep":
                self._beeped()
            case "error" if deafens(data):
                self.deaf = True
                self.problems.ear(data.get("message", ""))
            case "ended" if self.back_by is not None and now < self.back_by:
                self.away = True
            case "ended":
                self.ended = True
            case "ringing":
                self.rings = self.answered_at is None
            case "answered":
                self.rings = False
                self.back_by = None if self.away else self.back_by
                self.ended = self.away = False
                self.answered_at = now if self.answered_at is None else self.answered_at
        for ask in self._asks:
            self._wait(ask, entry, now)

    def _beeped(self) -> None:
        """Tell of a beep whoever waits for it, or will."""
        self.beeps, self._beep_untold = self.beeps + 1, True
        for ask in self._asks:
            if ask.until == "beep":
                ask.settled = "beep"

    def _wait(self, ask: Ask, entry: Entry, now: float) -> None:
        data = entry.data
        match entry.kind:
            case "speechStarted" if not self.deaf:
                ask.speech = True
            case "speechStarted":
                ask.quiet_since = now
            case "error" if deafens(data):  # there will be no words to end what they say
                ask.speech, ask.quiet_since = False, now
            case "final":
                ask.speech, ask.quiet_since = False, now
                if data.get("text") and not data.get("backchannel"):
                    ask.replied, ask.doubtful = True, False
            case "dtmf" if _everyones(entry):
                ask.key_at = now
            case "answered" | "agentSaid" | "interrupted" | "agentCut" if _listens_on(ask):
                ask.quiet_since = now
            case "human" if ask.until == "human":
                ask.settled = "human"
            case "agentSaid" if ask.part and data.get("part") == ask.part:
                ask.spoken = Spoken(data.get("text"), data.get("text"))
                ask.quiet_since = now
                ask.measure()
            case "resumed" if ask.part and data.get("part") == ask.part:
                ask.spoken, ask.doubtful = None, False
            case "interrupted" | "agentCut" if ask.part and data.get("part") == ask.part:
                heard, share, ms = (data.get(key) for key in ("heardByCaller", "heardFraction", "heardMs"))
                ask.spoken = Spoken(data.get("text"), heard, True, share or 0.0, ms or 0)
                ask.quiet_since, ask.doubtful = now, bool(data.get("doubtful"))
                ask.measure()
            case "error" if ask.part and data.get("part") == ask.part:
                self.problems.voice(data.get("message", ""), data.get("unsaid", ""))

    def send_round(self, back_by: float) -> None:
        """The carrier takes the call from its stream, and brings it back on another by then."""
        self.back_by = back_by

    def lost(self, now: float) -> bool:
        """Whether a call that was sent round has not come back."""
        return self.away and self.back_by is not None and now >= self.back_by

    def press(self, key: str, now: float) -> None:
        """Take a key for whoever collects them."""
        for ask in self._asks:
            if ask.collector is not None:
                ask.collector.press(key, now)

    # ─── what the agent is told ──────────────────────────────────────────────

    def acknowledge(self, after: int | None = None) -> None:
        """The agent asks for something again: it has had what it was told, or what is up to `after`."""
        had = self._told if after is None else {seq for seq in self._told if seq <= after}
        self._heard = [words for words in self._heard if words.seq not in had]
        self._told -= had

    @property
    def untold(self) -> bool:
        """Whether the caller has said something that the agent was never told."""
        return any(words.seq not in self._told for words in self._heard)

    def tell(self) -> list[Words]:
        """Hand over what has been heard and not yet acknowledged, oldest first."""
        told = [replace(words, repeated=words.seq in self._told) for words in self._heard]
        self._told.update(words.seq for words in told)
        return told

    def said_since(self, seq: int) -> str:
        """What the caller has said behind a line of the log."""
        return " ".join(words.text for words in self._heard if words.seq > seq)

    def digits(self) -> str:
        """Hand over the keys pressed since the last time."""
        digits, self._digits = self._digits, ""
        return digits

    # ─── what the agent waits for ────────────────────────────────────────────

    def begin(self, ask: Ask, now: float) -> Ask:
        """Wait for something new; silence counts from now unless something is said first.

        While the very same words wait for their answer they are not said again: their ask goes on.
        """
        for known in self._asks:
            same = known.says == ask.says and known.collector is ask.collector
            if same and known.says is not None and not known.over:
                return known
        for known in self._asks:
            known.pressed = ""
        ask.quiet_since = now if ask.says is None else None
        ask.replied = self.untold
        ask.key_at = now if self._digits else None
        if ask.until == "beep" and self._beep_untold:
            ask.settled = "beep"
        collects = [known for known in self._asks if known.collector is not None]
        others = [known for known in self._asks if known.collector is None]
        self._asks = [*collects, *others[1 - MOST_ASKS :], ask]
        return ask

    def pressing(self, keys: str) -> Ask | None:
        """Return the ask that has pressed these already, for a client that does not know."""
        return next((ask for ask in self._asks if keys and ask.pressed == keys), None)

    def join(self, ask: Ask, now: float) -> Ask:
        """Wait on for what was begun before; if that is over, for what comes next, unheard words included."""
        if ask in self._asks and not ask.over:
            return ask
        joined = self.begin(Ask(expect=ask.expect, until=ask.until), now)
        joined.replied = bool(self._heard)
        return joined

    @property
    def waiting(self) -> tuple[Ask, ...]:
        """What is waited for, oldest first."""
        return tuple(self._asks)

    def leave(self, ask: Ask, waited: float) -> None:
        """Its client has gone after so many seconds: wait less long from now on."""
        if ask.says is None and not ask.pressed and ask in self._asks:
            self._asks.remove(ask)
        self.gave_up(waited)

    def gave_up(self, waited: float) -> None:
        """A client has shown how long it bears to wait."""
        self.patience = max(SHORTEST_WAIT, min(self.patience, 0.8 * waited))

    def finish(self, ask: Ask) -> None:
        """It has its outcome, and what was begun before it is passed."""
        if ask.settled == "beep":
            self._beep_untold = False
        if ask not in self._asks:
            return
        for earlier in self._asks[: self._asks.index(ask)]:
            earlier.passed = not earlier.held
        self._asks.remove(ask)

    def outcome(self, ask: Ask, now: float) -> Outcome:
        """Say what has come of it; `pending` while nothing has."""
        said = ask.said
        if ask.failed is not None:
            return "failed"
        if ask.settled is not None:
            return ask.settled
        if self.ended or self.lost(now):
            return "hungUp"
        if ask.held:
            return "pending"
        if ask.until == "answer":
            return self._answer(now)
        if said and not ask.listens:
            return "spoken"
        if ask.collector is not None:
            return self._collected(ask, ask.collector, now)
        return self._reply(ask, said, now)

    def _answer(self, now: float) -> Outcome:
        """Say who has picked up, once it is known, or can be waited for no longer."""
        if self.answered_at is None or (self.answered_by is None and now < self.answered_at + WHO_ANSWERED):
            return "pending"
        return "voicemail" if self.answered_by in MACHINES else "answered"

    def _reply(self, ask: Ask, said: bool, now: float) -> Outcome:
        quiet_since = ask.quiet_since if said and not ask.speech and not self._busy else None
        match ask.until:
            case "reply" if ask.replied and said and not ask.speech:
                return "reply"
            case "reply" | "digits":
                if ask.key_at is not None and now >= ask.key_at + NEXT_KEY:
                    return "dtmf"
                if quiet_since is not None and now >= quiet_since + ask.bears:
                    return "noReply"
            case "quiet" if quiet_since is not None and now >= quiet_since + QUIET:
                return "quiet"
        return "pending"

    @property
    def _busy(self) -> bool:
        """Whether it is not the caller's turn to be silent: it rings, or something is being said to them."""
        return self.rings or any(
            not ask.said and ask.failed is None and not ask.settled for ask in self._asks
        )

    def _collected(self, ask: Ask, collector: Collector, now: float) -> Outcome:
        """Say what has come of an ask for digits; while words come instead, no time is up."""
        if ask.quiet_since is not None:
            collector.open(ask.quiet_since)
        if ask.hears and not collector.digits and (ask.speech or ask.replied):
            return "pending" if ask.speech else "reply"
        collector.tell(now)
        if collector.ended is None:
            return "pending"
        return "noReply" if collector.ended == "timeout" and not collector.digits else "dtmf"

    def wakes_at(self, ask: Ask) -> float | None:
        """When time alone could change the outcome; None if it could not."""
        if ask.collector is not None:
            return None if ask.hears and ask.speech and not ask.collector.digits else ask.collector.wakes_at
        times = [] if ask.key_at is None else [ask.key_at + NEXT_KEY]
        if self.away and self.back_by is not None:
            times.append(self.back_by)
        if ask.until == "answer" and self.answered_at is not None:
            times.append(self.answered_at + WHO_ANSWERED)
        if ask.said and ask.quiet_since is not None and not ask.speech and not self._busy:
            times.append(ask.quiet_since + (QUIET if ask.until == "quiet" else ask.bears))
        return min(times, default=None)


def _everyones(key: Entry) -> bool:
    """Whether a key that was pressed is not somebody's who collects them."""
    return "digit" in key.data and not key.data.get("gathered")


def _listens_on(ask: Ask) -> bool:
    """Whether it waits in silence for what others have begun: the silence begins when that is over."""
    return ask.says is None and ask.quiet_since is not None
