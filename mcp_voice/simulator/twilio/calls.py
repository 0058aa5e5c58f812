"""The life of a call: placed, ringing, answered, over, and what is told of it meanwhile.

https://www.twilio.com/docs/voice/api/call-resource
"""

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from mcp_voice.simulator.casting import PREFIX
from mcp_voice.simulator.twilio import amd, connecting, forms, recording, transcribing
from mcp_voice.simulator.twilio.effects import Hook
from mcp_voice.simulator.twilio.party import KEY, WAIT
from mcp_voice.simulator.twilio.records import API, Call, Callbacks, rfc2822
from mcp_voice.simulator.twilio.refusals import ALWAYS_OURS, MAGIC_FROM, MAGIC_TO, refusal

if TYPE_CHECKING:
    from mcp_voice.simulator.twilio.account import Account

E164: Final = re.compile(r"\+[1-9]\d{6,14}")
ADDRESS: Final = re.compile(r"(sip|client):\S+", re.IGNORECASE)
DIGITS: Final = re.compile(r"[0-9A-D#*wW]{1,32}")
LONGEST_TWIML: Final = 4_000
BUFFER: Final = 5.0
"""Seconds that Twilio adds to `Timeout`."""
LEAD: Final = 0.05
"""Seconds from a call's launch to its first ring."""

EVENTS: Final = frozenset({"initiated", "ringing", "answered", "completed"})
SIP_CODES: Final[Mapping[str, str]] = {
    "completed": "200", "busy": "486", "no-answer": "487", "canceled": "487", "failed": "404",
}  # fmt: skip


# ─── placing ─────────────────────────────────────────────────────────────────


def dial(
    network: "Account",
    form: Mapping[str, str],
    *,
    events: frozenset[str] = frozenset(),
    enters: Callable[[Call], None] | None = None,
) -> Call:
    """Place a call, as `POST /Calls` does; `events` are its `StatusCallbackEvent`s.

    `enters` is where the call goes when it is answered, instead of to a document.

    Raises:
        CarrierFailed: Twilio refuses it; `details` have its number and status.
    """
    from_, to = check_ends(network, form)
    if enters is None:
        _check_document(form)
    if (digits := form.get("SendDigits", "")) and not DIGITS.fullmatch(digits):
        raise refusal(21221, digits)
    detection = None if digits else amd.wanted(form)
    call = Call(
        network.sid, from_, to, "outbound-api", network.now,
        voice=Hook(form.get("Url", ""), form.get("Method", "POST")),
        fallback=Hook(form.get("FallbackUrl", ""), form.get("FallbackMethod", "POST")),
        twiml=form.get("Twiml", ""),
        progress=callbacks(form, events),
        timeout=_seconds(form, "Timeout", 60, 600),
        time_limit=_seconds(form, "TimeLimit", 14_400, 14_400),
        send_digits=digits, detection=detection,
        record=form if form.get("Record", "").lower() == "true" else None,
        persona=network.who(to),
    )  # fmt: skip
    if enters is not None:
        call.enters = lambda: enters(call)
    network.calls[call.sid] = call
    at = max(network.now, network.next_launch) if network.cps else network.now
    if network.cps:
        network.next_launch = at + 1 / network.cps
    network.timers.at(at, lambda: launch(network, call))
    return call


def check_ends(network: "Account", form: Mapping[str, str]) -> tuple[str, str]:
    """Return who calls whom, if that may be. Raises `CarrierFailed`."""
    to, from_ = form.get("To", ""), form.get("From", "")
    if not to:
        raise refusal(21201)
    if not from_:
        raise refusal(21213)
    if from_ in MAGIC_FROM:
        raise refusal(MAGIC_FROM[from_], from_)
    if not (E164.fullmatch(from_) or ADDRESS.fullmatch(from_)):
        raise refusal(21212, from_)
    if from_ not in network.numbers and from_ != ALWAYS_OURS and not ADDRESS.fullmatch(from_):
        raise refusal(21210, from_)
    if to in MAGIC_TO:
        raise refusal(MAGIC_TO[to], to)
    if not (E164.fullmatch(to) or ADDRESS.fullmatch(to)):
        raise refusal(21211, to)
    return from_, to


def _check_document(form: Mapping[str, str]) -> None:
    url, twiml = form.get("Url", ""), form.get("Twiml", "")
    if form.get("ApplicationSid"):
        raise refusal(21218, form["ApplicationSid"])
    if not url and not twiml:
        raise refusal(21205, "Url parameter is required.")
    if url and not is_url(url):
        raise refusal(21205, url)
    if not url and len(twiml) > LONGEST_TWIML:
        raise refusal(20001, f"Twiml has more than {LONGEST_TWIML} characters")


def is_url(url: str) -> bool:
    """Whether Twilio would ask it."""
    return re.fullmatch(r"https?://[^/\s?#]+([/?#]\S*)?", url) is not None


def callbacks(form: Mapping[str, str], events: frozenset[str], prefix: str = "StatusCallback") -> Callbacks:
    """Read where progress is to be told. Raises `CarrierFailed`, 21609."""
    url = form.get(prefix, "")
    if url and not is_url(url):
        raise refusal(21609, url)
    return Callbacks(Hook(url, form.get(f"{prefix}Method", "POST")), events or frozenset({"completed"}))


def _seconds(form: Mapping[str, str], name: str, default: float, most: float) -> float:
    value = form.get(name, "")
    if value and not value.isdecimal():
        raise refusal(20001, f"{name} must be an integer")
    return min(float(value or default), most)


def incoming(network: "Account", from_: str, to: str, persona: str = "") -> Call:
    """Let somebody call one of the account's numbers.

    Raises:
        CarrierFailed: 21211, it is none of the account's.
    """
    number = network.numbers.get(to)
    if number is None:
        raise refusal(21211, to)
    who = network.who(f"{PREFIX}{persona}" if persona else from_)
    call = Call(
        network.sid, from_, to, "inbound", network.now, status="ringing",
        voice=number.voice, fallback=number.fallback, progress=Callbacks(number.status), persona=who,
    )  # fmt: skip
    network.calls[call.sid] = call
    if number.voice:
        network.fetch(call, number.voice)
    else:
        network.alert(call, 11_200, f"The number {to} has no voice URL.")
        end(network, call, "failed")
    return call


# ─── ringing and answering ───────────────────────────────────────────────────


def launch(network: "Account", call: Call) -> None:
    """Let the network look for whoever is called."""
    if call.over:
        return
    progress(network, call, "initiated")
    network.timers.after(LEAD, lambda: ring(network, call))


def ring(network: "Account", call: Call) -> None:
    """Ring, until somebody picks up, or does not."""
    if call.over:
        return
    call.status = "ringing"
    progress(network, call, "ringing")
    persona, patience = call.persona, call.timeout + BUFFER
    assert persona is not None
    if persona.answers == "no_answer" or persona.rings > patience:
        network.timers.after(patience, lambda: end(network, call, "no-answer"))
    elif persona.answers == "busy":
        network.timers.after(persona.rings, lambda: end(network, call, "busy"))
    else:
        network.timers.after(persona.rings, lambda: answer(network, call))


def answer(network: "Account", call: Call) -> None:
    """Pick up: the document is asked for, and when there is something on the line, so is the person."""
    if call.over or call.status == "in-progress":
        return
    call.status, call.started = "in-progress", network.now
    progress(network, call, "answered")
    if call.direction == "inbound" or call.send_digits:
        network.arrive(call)
    network.timers.after(call.time_limit, lambda: end(network, call, "completed"))
    if call.direction == "inbound":
        return
    if call.record is not None:
        recording.start(network, call, "OutboundAPI", call.record)
    wait = _send_digits(network, call)
    if call.detection is not None and call.persona is not None:
        said, seconds = amd.verdict(call.persona, call.detection)
        network.timers.after(seconds, lambda: _judge(network, call, said, seconds))
        if not call.detection.asynchronous:
            return
    if wait:
        network.timers.after(wait, lambda: begin(network, call))
    else:
        begin(network, call)


def begin(network: "Account", call: Call) -> None:
    """Perform the call's own document, or go where it is to go."""
    if call.over:
        return
    verdict = {"AnsweredBy": call.answered_by} if call.answered_by else {}
    if call.enters is not None:
        network.arrive(call)
        call.enters()
    elif call.voice:
        network.fetch(call, call.voice, verdict)
    else:
        network.perform(call, call.twiml)


def _judge(network: "Account", call: Call, said: str, seconds: float) -> None:
    if call.over or call.detection is None:
        return
    call.answered_by = said
    if not call.detection.asynchronous:
        begin(network, call)
        return
    found = {"AnsweredBy": said, "MachineDetectionDuration": str(round(seconds * 1_000))}
    network.tell(call, call.detection.hook, forms.standard(call) | found)


def _send_digits(network: "Account", call: Call) -> float:
    """Press the keys that were to be pressed; return how long that takes."""
    wait = 0.0
    for digit in call.send_digits:
        if digit in "wW":
            wait += WAIT if digit == "w" else 2 * WAIT
            continue
        network.timers.after(wait, partial(network.press, call, digit))
        wait += KEY
    return wait


# ─── changing and ending ─────────────────────────────────────────────────────


def update(network: "Account", call: Call, form: Mapping[str, str]) -> None:
    """Change a live call, as `POST /Calls/{sid}` does. Raises `CarrierFailed`, 21220 above all."""
    status, url, twiml = form.get("Status", ""), form.get("Url", ""), form.get("Twiml", "")
    if status not in ("", "completed", "canceled"):
        raise refusal(20001, f"Status {status} is neither canceled nor completed")
    if url and twiml:
        raise refusal(20001, "Url and Twiml are mutually exclusive")
    if url and not is_url(url):
        raise refusal(21205, url)
    if len(twiml) > LONGEST_TWIML:
        raise refusal(20001, f"Twiml has more than {LONGEST_TWIML} characters")
    if call.over:
        raise (
            refusal(20404, f"/{API}/Accounts/{call.account_sid}/Calls/{call.sid}")
            if status
            else refusal(21220)
        )
    if form.get("StatusCallback"):
        call.progress = callbacks(form, call.progress.events)
    if form.get("FallbackUrl"):
        call.fallback = Hook(form["FallbackUrl"], form.get("FallbackMethod", "POST"))
    if status == "completed":
        hang_up(network, call)
    elif status == "canceled":
        if call.status in ("queued", "ringing"):
            end(network, call, "canceled")
    elif url or twiml:
        if call.status != "in-progress":
            raise refusal(21220)
        call.then = None
        if url:
            network.fetch(call, Hook(url, form.get("Method", "POST")))
        else:
            network.perform(call, twiml)


def hang_up(network: "Account", call: Call) -> None:
    """End a call, whatever it is at."""
    end(network, call, "completed" if call.status == "in-progress" else "canceled")


def end(network: "Account", call: Call, status: str) -> None:
    """End a call with a status; nothing happens if it is over, or was answered in time."""
    if call.over or (call.status == "in-progress" and status != "completed"):
        return
    call.status, call.ended = status, network.now
    call.turn += 1
    call.program.clear()
    if call.wakes is not None:
        call.wakes.cancel()
    doing = call.doing
    if doing is not None:
        doing.hung_up()
    network.leave_off(call)
    connecting.end_all(network, call)
    transcribing.end_all(network, call)
    recording.end_all(network, call)
    progress(network, call, "completed")


def progress(network: "Account", call: Call, event: str) -> None:
    """Tell that a call has come so far to whoever wants to know."""
    for told in list(call.tells):
        told(event)
    if not call.progress.hook or event not in call.progress.events:
        return
    form = forms.standard(call) | {
        "CallbackSource": "call-progress-events",
        "SequenceNumber": str(call.sequence),
        "Timestamp": rfc2822(network.now) or "",
    }
    if event == "initiated":
        form["CallStatus"] = "initiated"
    if event == "completed":
        seconds = call.seconds or 0
        form |= {"CallDuration": str(seconds), "Duration": str(math.ceil(seconds / 60))}
        form["SipResponseCode"] = call.sip_code or SIP_CODES[call.status]
        form |= recording.last_of(network, call)
        if call.answered_by:
            form["AnsweredBy"] = call.answered_by
    call.sequence += 1
    network.tell(call, call.progress.hook, form)
