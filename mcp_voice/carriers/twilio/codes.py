"""Twilio's error codes, and what we say of them (https://www.twilio.com/docs/api/errors).

A code comes in a REST answer, or in a callback's `ErrorCode`. Each is one
sentence of what happened and one of what to do next. Twilio's own sentence is
not handed on: it may quote what was sent, and that may be secret.

    >>> explained(11750)
    'The TwiML was longer than Twilio takes. It is a fault of this program: report it with the code.'
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from mcp_voice.errors import CarrierFailed, Invalid, NotConfigured, NotFound, TooMany, VoiceError

GONE: Final = frozenset({20404, 21220})
"""It does not know the call, or it is not in progress: it is over."""


class Trouble(NamedTuple):
    """What a code means: whose fault it is, what happened, and what to do next."""

    kind: type[VoiceError]
    says: str
    advice: str


_SETTINGS: Final = "Let the operator correct it and start again."
_NUMBER: Final = "Check the number with your user; give it with country code, as +14155550123."
_AGAIN: Final = "Try again in a moment."
_PUBLIC: Final = "Let the operator see that MCP_VOICE_PUBLIC_URL reaches this server from outside."
_OURS: Final = "It is a fault of this program: report it with the code."
_ELSE: Final = "Do not try it in another spelling; tell your user."


def _ours(says: str) -> Trouble:
    return Trouble(CarrierFailed, says, _OURS)


def _public(says: str) -> Trouble:
    return Trouble(CarrierFailed, says, _PUBLIC)


CODES: Final[Mapping[int, Trouble]] = {
    10004: Trouble(TooMany, "The account has as many calls as it may have.", "Try when one has ended."),
    11200: _public("Twilio got no usable answer from this server's webhook."),
    11205: _public("Twilio could not connect to this server's webhook."),
    11206: _public("Twilio did not understand this server's webhook: it is no HTTP."),
    11210: _public("Twilio did not find this server's webhook by its name."),
    11215: _public("Twilio was sent from one address to the next too often."),
    11220: _public("Twilio could not open TLS to this server's webhook."),
    11235: _public("Twilio does not trust the certificate of this server's webhook."),
    11237: _public("Twilio cannot follow the certificate of this server's webhook to its root."),
    11750: _ours("The TwiML was longer than Twilio takes."),
    11770: _public("This server's webhook answered with nothing."),
    12100: _ours("Twilio could not read the TwiML."),
    12200: _ours("Twilio does not know something in the TwiML."),
    12300: _ours("Twilio was answered with something that is no XML."),
    12400: _ours("Twilio failed while it ran the TwiML."),
    13224: Trouble(Invalid, "Twilio cannot dial that number: it is not valid.", _NUMBER),
    13225: Trouble(CarrierFailed, "Twilio does not dial that number: it is blocked.", _ELSE),
    13227: Trouble(
        NotConfigured, "Twilio may not dial that country for this account.",
        "Allow it in the console, Voice geographic permissions.",
    ),
    13335: Trouble(Invalid, "speechTimeout auto does not go with the default speech model.", "Name seconds."),
    16020: Trouble(TooMany, "The conference is full.", "Remove somebody first."),
    16022: Trouble(CarrierFailed, "The conference is over.", "Go on with the call, or begin another."),
    16025: Trouble(Invalid, "Somebody in the conference has that name already.", "Give another name."),
    16026: Trouble(Invalid, "Somebody in the conference has that name already.", "Give another name."),
    20003: Trouble(
        NotConfigured, "Twilio does not take the account's credentials.",
        "Correct TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN (each region has its own) and start again.",
    ),
    20404: Trouble(NotFound, "Twilio does not have it any more.", "It is over."),
    20429: Trouble(CarrierFailed, "Twilio is asked too much at once.", _AGAIN),
    20500: Trouble(CarrierFailed, "Twilio failed inside.", _AGAIN),
    20503: Trouble(CarrierFailed, "Twilio cannot serve at the moment.", _AGAIN),
    21201: Trouble(Invalid, "Nobody was named to be called.", _NUMBER),
    21205: Trouble(NotConfigured, "Twilio cannot use this server's address for callbacks.", _PUBLIC),
    21210: Trouble(
        NotConfigured, "The number that calls come from is not one of the account's, nor verified.",
        "Set MCP_VOICE_TWILIO__NUMBER to a number of the account, or verify it in the console.",
    ),
    21211: Trouble(Invalid, "Twilio cannot dial that number: it is not valid.", _NUMBER),
    21212: Trouble(
        NotConfigured, "The number that calls come from is not valid.",
        "Set MCP_VOICE_TWILIO__NUMBER to a number of the account, as +14155550123.",
    ),
    21214: Trouble(CarrierFailed, "Twilio cannot reach that number.", _NUMBER),
    21215: Trouble(
        NotConfigured, "Twilio may not dial that country for this account.",
        "Allow it in the console, Voice geographic permissions.",
    ),
    21216: Trouble(CarrierFailed, "Twilio does not dial that number: it is blocked.", _ELSE),
    21219: Trouble(
        NotConfigured, "A trial account may call verified numbers only, and this is none.",
        "Verify the number in the console, or upgrade the account.",
    ),
    21220: Trouble(NotFound, "The call is not in progress.", "It is over, or not answered yet."),
    21234: _ours("Twilio cannot use the thresholds for telling a machine."),
    21262: _ours("Twilio cannot use the way a machine is to be told."),
    21263: _ours("Twilio cannot use the time in which a machine is to be told."),
    31901: _public("Twilio's media stream could not connect in time."),
    31902: _public("Twilio's media stream was refused."),
    31904: _public("Twilio's media stream did not find this server."),
    31910: _public("Twilio's media stream could not open TLS."),
    31920: _public("Twilio's media stream was turned away by this server, or by what stands before it."),
    31921: Trouble(CarrierFailed, "The media stream was closed from this side.", _AGAIN),
    32001: Trouble(TooMany, "More SIP calls a second than the account may place.", _AGAIN),
    32009: Trouble(CarrierFailed, "Nobody is registered at that SIP address.", "Check it with your user."),
    32011: Trouble(CarrierFailed, "Twilio cannot reach that SIP address.", "Check it with your user."),
    32013: Trouble(TooMany, "More SIP calls a second than the account may place.", _AGAIN),
}  # fmt: skip


def explained(code: int) -> str | None:
    """Say what a code means and what to do; None for one that is not on the page."""
    trouble = CODES.get(code)
    return None if trouble is None else f"{trouble.says} {trouble.advice}"


def error_of(status: int, code: int | None, subject: tuple[str, str] | None = None) -> VoiceError:
    """Return what a refusal means; `subject` is what was asked about: `("live call at Twilio", "CA1")`."""
    if code is None and status in (401, 403):
        code = 20003
    if status == 404 or code in GONE:
        error: VoiceError = NotFound(*(subject or ("such thing at", "Twilio")), advice="It is over.")
    elif (trouble := CODES.get(code or 0)) is not None:
        error = trouble.kind(f"{trouble.says[:-1]} (error {code}).", advice=trouble.advice)
    else:
        error = CarrierFailed(
            f"Twilio refused with HTTP {status}, error {code or 'unknown'}.",
            advice=_AGAIN if status >= 500 else f"See https://www.twilio.com/docs/errors/{code or ''}.",
        )
    error.details |= {"twilioCode": code, "httpStatus": status}
    return error
