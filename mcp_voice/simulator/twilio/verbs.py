"""Which function does which verb. One that takes its time leaves a `Doing` on the leg."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from mcp_voice.simulator.twilio import bridging, calls, conferences, connecting, speaking
from mcp_voice.simulator.twilio.effects import Hook
from mcp_voice.simulator.twilio.records import Call
from mcp_voice.simulator.twilio.twiml import NOT_TWIML, Verb

if TYPE_CHECKING:
    from mcp_voice.simulator.twilio.account import Account


def redirect(network: "Account", call: Call, verb: Verb) -> None:
    """Do `<Redirect>`."""
    network.fetch(call, Hook(verb.text, verb.get("method", "POST")))


def hang_up(network: "Account", call: Call, verb: Verb) -> None:
    """Do `<Hangup>`."""
    network.finish(call)


def reject(network: "Account", call: Call, verb: Verb) -> None:
    """Do `<Reject>`: the only verb that does not answer the call."""
    if call.status == "ringing":
        calls.end(network, call, "busy" if verb.get("reason") == "busy" else "no-answer")
    else:
        network.alert(call, NOT_TWIML, "<Reject> comes too late; the call is answered.")
        network.finish(call)


def leave(network: "Account", call: Call, verb: Verb) -> None:
    """Do `<Leave>`: outside of a queue there is nothing to leave."""


VERBS: Final["Mapping[str, Callable[[Account, Call, Verb], None]]"] = {
    "Say": speaking.prompt,
    "Play": speaking.prompt,
    "Pause": speaking.prompt,
    "Gather": speaking.gather,
    "Record": speaking.record,
    "Dial": bridging.dial,
    "Enqueue": conferences.enqueue,
    "Leave": leave,
    "Connect": connecting.connect,
    "Start": connecting.start,
    "Stop": connecting.stop,
    "Redirect": redirect,
    "Hangup": hang_up,
    "Reject": reject,
}
