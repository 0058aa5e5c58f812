"""`<Dial>`: other legs, and the bridge between two.

All that a `<Dial>` names ring at once; who picks up first is bridged, and the
rest are let go. When the other leg ends, the action is asked or the next verb done.

https://www.twilio.com/docs/voice/twiml/dial
"""

from functools import partial
from typing import TYPE_CHECKING, Final

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.twilio import amd, calls, conferences, recording
from mcp_voice.simulator.twilio.doing import Doing
from mcp_voice.simulator.twilio.effects import Hook
from mcp_voice.simulator.twilio.records import Call, Callbacks
from mcp_voice.simulator.twilio.twiml import Verb

if TYPE_CHECKING:
    from mcp_voice.simulator.twilio.account import Account

BAD_NUMBER: Final = 13_224
BAD_CALLER: Final = 13_214
NO_NOUN: Final = 13_201
RECORDED: Final = {
    "record-from-answer": "mono", "record-from-ringing": "mono", "true": "mono",
    "record-from-answer-dual": "dual", "record-from-ringing-dual": "dual",
}  # fmt: skip


class Bridged(Doing):
    """One end of a bridge: what is said here is heard there."""

    def __init__(self, network: "Account", other: Call) -> None:
        super().__init__()
        self.network, self.other = network, other

    def begins(self, text: str) -> None:
        """The other hears it begin."""
        self.network.speaks_to(self.other)

    def said(self, text: str) -> None:
        """The other has heard it."""
        self.network.told(self.other, text)

    def key(self, digit: str) -> None:
        """The other hears the key."""
        self.network.press(self.other, digit)


class Dialling(Bridged):
    """The calling end, from the first ring on."""

    def __init__(self, network: "Account", call: Call, verb: Verb) -> None:
        super().__init__(network, call)
        self.call, self.verb = call, verb
        self.legs: list[Call] = []
        self.answered: Call | None = None
        self.bridged_at: float | None = None
        self._over = False

    def ring(self, leg: Call, verb: Verb) -> None:
        """Call somebody."""
        self.legs.append(leg)
        self.network.calls[leg.sid] = leg
        leg.enters = partial(self._picked_up, leg, verb)
        leg.then = partial(self._bridge, leg)
        leg.tells.append(partial(self._hear_of, leg))
        self.network.timers.after(0, partial(calls.launch, self.network, leg))

    def begins(self, text: str) -> None:
        """Nobody hears it before the bridge stands."""
        if self.bridged_at is not None:
            super().begins(text)

    def said(self, text: str) -> None:
        """Nobody hears it before the bridge stands."""
        if self.bridged_at is not None:
            super().said(text)

    def key(self, digit: str) -> None:
        """A star lets the other go, where that is wanted."""
        if digit == "*" and self.verb.on("hangupOnStar"):
            for leg in self.legs:
                calls.hang_up(self.network, leg)
        elif self.bridged_at is not None:
            super().key(digit)

    def _picked_up(self, leg: Call, noun: Verb) -> None:
        if self.answered is not None or self._over:
            calls.hang_up(self.network, leg)
            return
        self.answered = leg
        for other in self.legs:
            if other is not leg:
                calls.hang_up(self.network, other)
        if noun.get("url"):
            url = Hook(noun.get("url"), noun.get("method", "POST"))
            leg.base = self.call.base
            self.network.fetch(leg, url)  # what only the one called hears
        else:
            self._bridge(leg)

    def _bridge(self, leg: Call) -> None:
        if self.bridged_at is not None or self._over:
            calls.hang_up(self.network, leg)
            return
        self.bridged_at, self.other = self.network.now, leg
        self.network.set_doing(leg, Bridged(self.network, self.call))
        if self.call.status == "ringing":
            calls.answer(self.network, self.call)
        if channels := RECORDED.get(self.verb.get("record")):
            form = recording.attributes(self.verb.attributes) | {"RecordingChannels": channels}
            recording.start(self.network, self.call, "DialVerb", form)
        if self.verb.get("timeLimit"):
            limit = self.verb.seconds("timeLimit", 14_400)
            end = partial(calls.hang_up, self.network, leg)
            self.timers.append(self.network.timers.after(limit, end))

    def _hear_of(self, leg: Call, event: str) -> None:
        if event == "completed" and not self._over and self.legs and all(one.over for one in self.legs):
            self._go_on(self.answered or leg)

    def _go_on(self, leg: Call) -> None:
        self._over = True
        if self.call.over:
            return
        after_dial(self.network, self.call, self.verb, self.form(leg))

    def form(self, leg: Call) -> dict[str, str]:
        """Return what the action is told of the other leg."""
        form = {
            "DialCallSid": leg.sid,
            "DialCallStatus": leg.status if self.bridged_at or leg is not self.answered else "no-answer",
            "DialBridged": str(self.bridged_at is not None).lower(),
        }
        if self.bridged_at is not None:
            form["DialCallDuration"] = str(round(self.network.now - self.bridged_at))
        taped = recording.current(self.network, self.call)
        if taped is not None and taped.source == "DialVerb":
            recording.finish(self.network, taped)
            form |= recording.fields(taped)
        return form

    def stop(self) -> None:
        """Let everybody go."""
        self._over = True
        for leg in self.legs:
            calls.hang_up(self.network, leg)


def after_dial(network: "Account", call: Call, verb: Verb, form: dict[str, str]) -> None:
    """Ask the action, or do the next verb."""
    if verb.get("action"):
        network.fetch(call, Hook(verb.get("action"), verb.get("method", "POST")), form)
    else:
        network.go_on(call)


def dial(network: "Account", call: Call, verb: Verb) -> None:
    """Do `<Dial>`."""
    nouns = verb.children or ((Verb("Number", {}, verb.text),) if verb.text else ())
    if not nouns:
        network.alert(call, NO_NOUN, "<Dial> names nobody.")
        return
    if nouns[0].name == "Conference":
        conferences.dial(network, call, verb, nouns[0])
        return
    if nouns[0].name == "Queue":
        conferences.dequeue(network, call, verb, nouns[0])
        return
    caller = verb.get("callerId") or (call.from_ if call.direction == "inbound" else call.to)
    if verb.get("callerId") and caller not in (*network.numbers, call.from_, call.to):
        network.alert(call, BAD_CALLER, f"<Dial> may not show {caller} as the caller.")
        after_dial(network, call, verb, {"DialCallStatus": "failed", "DialBridged": "false"})
        return
    dialling = Dialling(network, call, verb)
    legs = [leg for noun in nouns if (leg := _leg(network, call, verb, noun, caller)) is not None]
    if not legs:
        after_dial(network, call, verb, {"DialCallStatus": "failed", "DialBridged": "false"})
        return
    network.set_doing(call, dialling)
    for leg, noun in zip(legs, nouns, strict=False):
        dialling.ring(leg, noun)


def _leg(network: "Account", call: Call, verb: Verb, noun: Verb, caller: str) -> Call | None:
    """Make the leg that a noun names; None if there is no such number."""
    to = noun.text or next((child.text for child in noun.children if child.name == "Identity"), "")
    to = {"Client": f"client:{to}"}.get(noun.name, to)
    if not (calls.E164.fullmatch(to) or calls.ADDRESS.fullmatch(to)):
        network.alert(call, BAD_NUMBER, f"<{noun.name}> {to!r} cannot be called.")
        return None
    names = {
        "machineDetection": "MachineDetection",
        "machineDetectionTimeout": "MachineDetectionTimeout",
        "amdStatusCallback": "AsyncAmdStatusCallback",
    }
    wanted = {there: noun.get(here) for here, there in names.items() if noun.get(here)}
    if wanted:
        wanted["AsyncAmd"] = "true"  # on a noun it never keeps the call waiting
    try:
        detection = amd.wanted(wanted)
    except CarrierFailed as error:
        network.alert(call, error.details["code"], error.args[0])
        detection = None
    hook = Hook(noun.get("statusCallback"), noun.get("statusCallbackMethod", "POST"))
    events = frozenset(noun.get("statusCallbackEvent", "completed").split())
    return Call(
        network.sid, caller, to, "outbound-dial", network.now,
        parent_sid=call.sid, progress=Callbacks(hook, events), timeout=verb.seconds("timeout", 30),
        send_digits=noun.get("sendDigits"), detection=detection, persona=network.who(to),
    )  # fmt: skip
