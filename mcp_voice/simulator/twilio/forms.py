"""What is said of a call in a webhook.

https://www.twilio.com/docs/voice/twiml#request-parameters
https://www.twilio.com/docs/voice/api/call-resource#statuscallback
"""

from collections.abc import Mapping
from typing import Final

from mcp_voice.simulator.twilio.records import API, Call

_PLACES: Final = ("City", "State", "Zip", "Country")


def standard(call: Call) -> dict[str, str]:
    """Every webhook of a call has these."""
    form = {
        "AccountSid": call.account_sid,
        "ApiVersion": API,
        "CallSid": call.sid,
        "CallStatus": call.status,
        "Direction": call.direction,
        "From": call.from_,
        "To": call.to,
        "Caller": call.from_,
        "Called": call.to,
    }
    for who in ("From", "To", "Caller", "Called"):
        form |= _place(who, form[who])
    optional = {
        "ParentCallSid": call.parent_sid,
        "ForwardedFrom": call.forwarded_from,
        "CallerName": call.caller_name,
        "StirVerstat": "TN-Validation-Passed-A" if call.direction == "inbound" else "",
    }
    return form | {name: value for name, value in optional.items() if value}


def _place(who: str, number: str) -> Mapping[str, str]:
    """Say where a number is from; the simulated network knows only the country."""
    country = "US" if number.startswith("+1") else ""
    return {f"{who}{place}": country if place == "Country" else "" for place in _PLACES}
