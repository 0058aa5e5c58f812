"""One account on a telephone network, made from Twilio's documentation.

    >>> from mcp_voice.simulator.casting import cast
    >>> from mcp_voice.simulator.twilio import calls
    >>> account = Account("AC" + "0" * 32, who=lambda number: cast("restaurant"), numbers=["+12025550100"])
    >>> call = calls.dial(account, {"To": "+12025550142", "From": "+12025550100", "Twiml": "<Response/>"})
    >>> call.status, account.advance(3.0), call.status
    ('queued', None, 'completed')

It is a machine: it reads no clock and opens no socket. `advance` tells it the
time, in seconds since the epoch; what it wants done is in `take`; `wakes_at` is
when something happens by itself. What a customer's server answers comes back
with `answered`, what happens on a socket with the functions of `connecting`.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urljoin

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.dialling import failed
from mcp_voice.simulator.twilio import forms, twiml
from mcp_voice.simulator.twilio.effects import NONE, Effect, Hook, Post, Reply
from mcp_voice.simulator.twilio.party import Beeped, Begins, Deed, Left, Party, Pressed, Said
from mcp_voice.simulator.twilio.records import Call, Number, Recording, Stream, Transcription
from mcp_voice.simulator.twilio.timers import Timers

if TYPE_CHECKING:
    from mcp_voice.simulator.persona import Persona
    from mcp_voice.simulator.twilio.conferences import Conference
    from mcp_voice.simulator.twilio.doing import Doing

HTTP_FAILED: Final = 11_200
NOT_EXECUTED: Final = 12_200
LEAST: Final = 0.001
"""Seconds before a person is told the time again."""
MOST_TURNS: Final = 500
"""Documents in one call, before it is taken for a loop."""

Answer: TypeAlias = Reply | CarrierFailed
Who: TypeAlias = "Callable[[str], Persona]"


class Account:
    """The calls of one account, and everything about them."""

    def __init__(
        self, sid: str, who: Who, *, numbers: Sequence[str] = (), now: float = 0.0, cps: float | None = None
    ) -> None:
        self.sid, self.who = sid, who
        self.timers = Timers(now)
        self.cps = cps
        self.next_launch = now
        self.numbers = {number: Number(sid, number, now) for number in numbers}
        self.calls: dict[str, Call] = {}
        self.conferences: dict[str, Conference] = {}
        self.recordings: dict[str, Recording] = {}
        self.streams: dict[str, Stream] = {}
        self.transcriptions: dict[str, Transcription] = {}
        self.alerts: list[tuple[str, twiml.Alert]] = []
        self._effects: list[Effect] = []
        self._asked: dict[int, tuple[Call, Callable[[Answer], None]]] = {}
        self._tickets = 0

    # ─── time, and what comes of it ──────────────────────────────────────────

    @property
    def now(self) -> float:
        """What time it is, as far as has been told."""
        return self.timers.now

    @property
    def wakes_at(self) -> float | None:
        """When it next wants the time."""
        return self.timers.wakes_at

    def advance(self, now: float) -> None:
        """Let time pass."""
        self.timers.run(now)

    def take(self) -> list[Effect]:
        """Return what is to be done, in order, and forget it."""
        effects, self._effects = self._effects, []
        return effects

    def want(self, effect: Effect) -> None:
        """Want something done outside."""
        self._effects.append(effect)

    def alert(self, call: Call, code: int, why: str) -> None:
        """Show something in the debugger."""
        self.alerts.append((call.sid, twiml.Alert(code, why)))

    # ─── asking the customer's server ────────────────────────────────────────

    def tell(self, call: Call, hook: Hook, form: Mapping[str, str]) -> None:
        """Send news that needs no answer."""
        if hook:
            self.want(Post(hook, form, call.sid))

    def ask(self, call: Call, hook: Hook, form: Mapping[str, str], then: Callable[[Answer], None]) -> None:
        """Ask for something; `then` is done with the answer."""
        self._tickets += 1
        self._asked[self._tickets] = (call, then)
        self.want(Post(hook, form, call.sid, self._tickets))

    def answered(self, ticket: int, answer: Answer, now: float) -> None:
        """Take what the customer's server answered, or why it did not."""
        self.advance(now)
        call, then = self._asked.pop(ticket)
        if not call.over:
            then(answer)

    def fetch(self, call: Call, hook: Hook, form: Mapping[str, str] | None = None) -> None:
        """Ask for a document and perform it; what the leg was at ends."""
        self.leave_off(call)
        call.turn += 1
        turn, fallback = call.turn, NONE if hook is call.fallback else call.fallback
        hook = hook if hook is call.fallback else Hook(urljoin(call.base, hook.url), hook.method)
        if call.turn > MOST_TURNS:
            self.alert(call, HTTP_FAILED, "The documents lead round in a circle.")
            self.finish(call)
            return

        def got(answer: Answer) -> None:
            if call.turn != turn:
                return
            try:
                verbs, alerts = _document(answer)
            except CarrierFailed as error:
                self._fall_back(call, hook, fallback, error)
                return
            self._perform(call, verbs, alerts, hook.url)

        self.ask(call, hook, forms.standard(call) | dict(form or {}), got)

    def perform(self, call: Call, document: str, base: str = "") -> None:
        """Perform a document that is at hand."""
        self.leave_off(call)
        call.turn += 1
        try:
            verbs, alerts = twiml.read(document.encode())
        except CarrierFailed as error:
            self._fall_back(call, Hook(base), call.fallback, error)
            return
        self._perform(call, verbs, alerts, base)

    def _fall_back(self, call: Call, hook: Hook, fallback: Hook, error: CarrierFailed) -> None:
        """Try the customer's other address, or give the call up."""
        code = error.details.get("code", HTTP_FAILED)
        self.alert(call, code, error.args[0])
        if fallback:
            self.fetch(call, fallback, {"ErrorCode": str(code), "ErrorUrl": hook.url})
        else:
            self.finish(call)

    # ─── performing documents ────────────────────────────────────────────────

    def _perform(
        self, call: Call, verbs: Sequence[twiml.Verb], alerts: Sequence[twiml.Alert], base: str
    ) -> None:
        self.alerts += [(call.sid, alert) for alert in alerts]
        call.program, call.base = deque(verbs), base
        self.arrive(call)
        self.go_on(call)

    def go_on(self, call: Call) -> None:
        """Do the next verb; after the last one the call ends, unless it has somewhere to go."""
        from mcp_voice.simulator.twilio.verbs import VERBS

        self.leave_off(call)
        while not call.over and call.doing is None:
            if not call.program:
                (call.then or (lambda: self.finish(call)))()
                return
            verb = call.program.popleft()
            if call.status == "ringing" and verb.name != "Reject":
                self.pick_up(call)
            turn = call.turn
            VERBS[verb.name](self, call, verb)
            if call.turn != turn:
                return

    def set_doing(self, call: Call, doing: "Doing") -> None:
        """Let the leg be at something that takes its time."""
        call.doing = doing

    def leave_off(self, call: Call) -> None:
        """End what the leg is at."""
        doing, call.doing = call.doing, None
        if doing is not None:
            doing.close()

    def pick_up(self, call: Call) -> None:
        """Answer a call that comes in."""
        from mcp_voice.simulator.twilio import calls

        calls.answer(self, call)

    def finish(self, call: Call) -> None:
        """Hang up."""
        from mcp_voice.simulator.twilio import calls

        calls.end(self, call, "completed" if call.status == "in-progress" else "failed")

    # ─── the person on a leg ─────────────────────────────────────────────────

    def arrive(self, call: Call) -> None:
        """Let the person on a leg begin, if it has not."""
        if call.party is None and call.persona is not None and call.status == "in-progress":
            call.party = Party(call.persona, self.now)
            self._wake(call)

    def park(self, call: Call) -> Party | None:
        """Let the person be elsewhere, on a socket, where somebody else tells it the time."""
        call.parked = True
        if call.wakes is not None:
            call.wakes.cancel()
        return call.party

    def come_back(self, call: Call, persona: "Persona | None" = None) -> None:
        """Have the person back; as somebody who knows more, if it was on a media socket."""
        call.parked = False
        if persona is not None:
            call.party = Party(persona, self.now)
        self._wake(call)

    def speaks_to(self, call: Call) -> None:
        """Begin to speak to the person."""
        if call.party is not None and not call.parked:
            self.happened(call, call.party.spoken_to(self.now))

    def told(self, call: Call, text: str) -> None:
        """Have said something to the person."""
        from mcp_voice.simulator.twilio import transcribing

        transcribing.heard(self, call, text, "outbound_track")
        if call.party is not None and not call.parked:
            self.happened(call, call.party.told(text, self.now))

    def press(self, call: Call, digit: str) -> None:
        """Let the person hear a key."""
        if call.party is not None and not call.parked:
            self.happened(call, call.party.key(digit, self.now))

    def happened(self, call: Call, deeds: Sequence[Deed]) -> None:
        """Take what the person has done."""
        from mcp_voice.simulator.twilio import calls, transcribing

        for deed in deeds:
            if call.over:
                return
            doing = call.doing
            match deed:
                case Begins(text):
                    if doing is not None:
                        doing.begins(text)
                case Said(text):
                    transcribing.heard(self, call, text, "inbound_track")
                    if doing is not None:
                        doing.said(text)
                case Pressed(digit):
                    if doing is not None:
                        doing.key(digit)
                case Beeped():
                    pass
                case Left():
                    calls.end(self, call, "completed")
        self._wake(call)

    def _wake(self, call: Call) -> None:
        """See that the person is told the time when it wants to know it."""
        if call.wakes is not None:
            call.wakes.cancel()
        party = call.party
        if party is None or call.over or call.parked or (at := party.wakes_at) is None:
            return
        at = max(at, self.now + LEAST)
        call.wakes = self.timers.at(at, lambda: self.happened(call, party.tick(self.now)))


def _document(answer: Answer) -> tuple[tuple[twiml.Verb, ...], list[twiml.Alert]]:
    if isinstance(answer, CarrierFailed):
        raise answer
    if answer.status >= 300:
        raise failed(HTTP_FAILED, f"The server answered HTTP {answer.status}.")
    if answer.status == 204:
        return (), []
    twiml.check_type(answer.content_type)
    return twiml.read(answer.body)
