"""What Twilio's REST API refuses with: a number, a sentence and an HTTP status.

    >>> refusal(21201).details["status"], refusal(20404, "/Calls/CA1").details["code"]
    (400, 20404)

https://www.twilio.com/docs/api/errors
"""

from collections.abc import Mapping
from typing import Any, Final

from mcp_voice.errors import CarrierFailed

REFUSALS: Final[Mapping[int, tuple[int, str]]] = {
    20001: (400, "{}"),
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20404: (404, "The requested resource {} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "An internal server error has occurred"),
    20503: (503, "Service unavailable"),
    21201: (400, "No 'To' number is specified"),
    21205: (400, "Url is not a valid URL: {}"),
    21210: (400, "The source phone number provided, {}, is not yet verified for your account."),
    21211: (400, "The phone number you are attempting to call, {}, is not valid."),
    21212: (400, "The source phone number provided, {}, is not valid."),
    21213: (400, "No 'From' number is specified"),
    21214: (400, "The phone number you are attempting to call, {}, cannot be reached."),
    21215: (400, "Account not authorized to call {}. Perhaps you need to enable some permissions."),
    21216: (400, "Account not allowed to call {}"),
    21217: (400, "The phone number you are attempting to call, {}, is not valid."),
    21218: (400, "ApplicationSid {} is not valid."),
    21220: (400, "Call is not in-progress. Cannot redirect."),
    21221: (400, "Invalid digits {}"),
    21234: (400, "Invalid machineDetection value: {}"),
    21609: (400, "Invalid 'StatusCallback' url: {}"),
    16025: (400, "A participant with the label {} is already in the conference"),
    21262: (400, "AsyncAmd needs MachineDetection"),
}
"""The sentences are ours where the documentation has none; programs read the number."""

MAGIC_TO: Final[Mapping[str, int]] = {
    "+15005550001": 21217,
    "+15005550002": 21214,
    "+15005550003": 21215,
    "+15005550004": 21216,
}
"""https://www.twilio.com/docs/iam/test-credentials#test-calls"""
MAGIC_FROM: Final = {"+15005550001": 21212}
ALWAYS_OURS: Final = "+15005550006"


def refusal(code: int, what: str = "") -> CarrierFailed:
    """Make the error that the API answers with; `details` have its `code` and HTTP `status`."""
    status, sentence = REFUSALS[code]
    return CarrierFailed(sentence.format(what), advice="", code=code, status=status)


def body(error: CarrierFailed) -> dict[str, Any]:
    """Spell it as Twilio does."""
    code = error.details["code"]
    return {
        "code": code,
        "message": error.args[0],
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": error.details["status"],
    }
