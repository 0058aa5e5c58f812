"""What media streams and ConversationRelay have in common: an address, parameters, and what comes after."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mcp_voice.simulator.dialling import BAD_SCHEME, check, failed
from mcp_voice.simulator.line import LONGEST_PARAMETER
from mcp_voice.simulator.twilio.effects import Hook
from mcp_voice.simulator.twilio.records import Call
from mcp_voice.simulator.twilio.twiml import NOT_TWIML, Verb

if TYPE_CHECKING:
    from mcp_voice.simulator.twilio.account import Account


def check_socket(url: str) -> None:
    """Raise `CarrierFailed` unless Twilio would dial this; `ws://` only on this machine."""
    parts = check(url)
    if parts.scheme == "ws" and not _here(parts.hostname or ""):
        raise failed(BAD_SCHEME, f"{url!r} does not begin with wss://.", "Only this machine's may be ws://.")


def _here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parameters_of(network: "Account", call: Call, noun: Verb) -> dict[str, str]:
    """Return the `<Parameter>`s that are not too long."""
    kept = {name: value for name, value in noun.parameters.items() if len(name + value) < LONGEST_PARAMETER}
    for name in noun.parameters.keys() - kept.keys():
        network.alert(call, NOT_TWIML, f"<Parameter> {name!r} has {LONGEST_PARAMETER} characters or more.")
    return kept


def after_connect(network: "Account", call: Call, verb: Verb, form: Mapping[str, str]) -> None:
    """Go on after a `<Connect>`: to its action, or to the next verb."""
    if verb.get("action"):
        network.fetch(call, Hook(verb.get("action"), verb.get("method", "POST")), form)
    else:
        network.go_on(call)
