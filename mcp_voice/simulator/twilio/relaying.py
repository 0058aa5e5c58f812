"""`<Connect><ConversationRelay>`: the person talks as text, until the session is over.

https://www.twilio.com/docs/voice/twiml/connect/conversationrelay
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.line import make_sid
from mcp_voice.simulator.twilio import forms
from mcp_voice.simulator.twilio.doing import Doing
from mcp_voice.simulator.twilio.effects import EndRelay, Hook, OpenRelay
from mcp_voice.simulator.twilio.records import Call
from mcp_voice.simulator.twilio.sockets import after_connect, check_socket, parameters_of
from mcp_voice.simulator.twilio.twiml import Verb

if TYPE_CHECKING:
    from mcp_voice.simulator.twilio.account import Account

INVALID_ATTRIBUTE: Final = 64_101
NOT_CONNECTED: Final = 64_102


class OnRelay(Doing):
    """The person talks as text, on a socket that takes text."""

    def __init__(self, network: "Account", call: Call, verb: Verb) -> None:
        super().__init__()
        self.network, self.call, self.verb = network, call, verb
        self.session_sid = make_sid("VX")
        self.began = network.now
        self.open = True

    def hung_up(self) -> None:
        """The caller is gone: the action is told, and its answer is of no use."""
        self.finish("completed", {})
        action = Hook(urljoin(self.call.base, self.verb.get("action")), self.verb.get("method", "POST"))
        if self.verb.get("action"):
            self.network.tell(self.call, action, forms.standard(self.call) | self.form("completed", {}))

    def finish(self, status: str, more: Mapping[str, str]) -> dict[str, str]:
        """Take the session as over; return what its action is told."""
        self.open = False
        self.network.want(EndRelay(self.session_sid))
        return self.form(status, more)

    def form(self, status: str, more: Mapping[str, str]) -> dict[str, str]:
        """Return what the action is told of the session."""
        seconds = str(round(self.network.now - self.began))
        return {"SessionId": self.session_sid, "SessionStatus": status, "SessionDuration": seconds, **more}

    def stop(self) -> None:
        """Close the socket, if it is open, and have the person back."""
        if self.open:
            self.open = False
            self.network.want(EndRelay(self.session_sid))
        self.network.come_back(self.call)


def connect(network: "Account", call: Call, verb: Verb, noun: Verb) -> None:
    """Do `<Connect><ConversationRelay>`."""
    doing, url = OnRelay(network, call, verb), urljoin(call.base, noun.get("url"))
    party = network.park(call)
    if party is None:
        return
    try:
        check_socket(url.partition("?")[0])
    except CarrierFailed as error:
        network.come_back(call)
        network.alert(call, INVALID_ATTRIBUTE, error.args[0])
        after_connect(network, call, verb, doing.form("failed", _said(INVALID_ATTRIBUTE, error.args[0])))
        return
    network.set_doing(call, doing)
    parameters = parameters_of(network, call, noun)
    network.want(OpenRelay(call, doing.session_sid, url, noun.attributes, party, parameters))


def _said(code: int, why: str) -> dict[str, str]:
    return {"ErrorCode": str(code), "ErrorMessage": why}


def ended(
    network: "Account",
    call: Call,
    session_sid: str,
    now: float,
    *,
    handoff: str | None = None,
    error: CarrierFailed | None = None,
    left: bool = False,
) -> None:
    """The session is over: the server ended it, the socket failed, or the person has hung up."""
    from mcp_voice.simulator.twilio import calls

    network.advance(now)
    doing = call.doing
    if not isinstance(doing, OnRelay) or doing.session_sid != session_sid:
        return
    if left:
        calls.end(network, call, "completed")
        return
    if error is None:
        after_connect(
            network,
            call,
            doing.verb,
            doing.finish("ended", {} if handoff is None else {"HandoffData": handoff}),
        )
        return
    code = error.details.get("code", NOT_CONNECTED)
    network.alert(call, code, error.args[0])
    form = doing.finish("failed", _said(code, error.args[0]))
    if doing.verb.get("action"):
        after_connect(network, call, doing.verb, form)
    else:
        network.finish(call)
