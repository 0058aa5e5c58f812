"""What Twilio would drop or refuse without a word to the caller, refused here."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from mcp_voice.errors import Invalid

LONGEST: Final = 4_000
"""Characters that Twilio takes as the `Twiml` of a REST call; a webhook may answer more."""

LONGEST_PARAMETER: Final = 499
"""Name and value together have to stay below 500 characters."""

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not (section 2.2)."""


def parameter(name: str, value: str) -> None:
    """Check a `<Parameter>` (https://www.twilio.com/docs/voice/twiml/stream#custom-parameters)."""
    size = len(name) + len(value)
    refuse_if(not name, "A parameter has no name.")
    refuse_if(
        size > LONGEST_PARAMETER,
        f"Parameter {name[:40]!r} has {size} characters with its name; Twilio takes {LONGEST_PARAMETER}.",
    )


def short(twiml: str) -> str:
    """Check that a document may be the `Twiml` of a REST call."""
    refuse_if(
        len(twiml) > LONGEST, f"The TwiML has {len(twiml)} characters; Twilio takes {LONGEST}: shorten it."
    )
    return twiml


def socket(url: str, name: str = "wsUrl") -> str:
    """Check the address of a media socket."""
    parts = _parts(name, url)
    secure = parts.scheme == "wss" or (parts.scheme == "ws" and _loopback(parts.hostname or ""))
    refuse_if(not secure, f"{name} {url[:100]!r} has to begin with wss://; ws:// is for this machine only.")
    refuse_if("?" in url, f"{name} has a query string, which Twilio drops: send `parameters` instead.")
    return url


def callback(name: str, url: str | None) -> str | None:
    """Check the address of a webhook."""
    if url is not None:
        scheme = _parts(name, url).scheme
        refuse_if(scheme not in ("http", "https"), f"{name} {url[:100]!r} has to begin with https://.")
    return url


def _parts(name: str, url: str) -> SplitResult:
    """Split an absolute address. A port outside 0..65535 and a broken IPv6 host are `ValueError`s there."""
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise Invalid(f"{name} {url[:100]!r} is not a URL: {error}.") from None
    refuse_if(not whole or url != "".join(url.split()), f"{name} {url[:100]!r} is not an absolute URL.")
    refuse_if("#" in url or "@" in parts.netloc, f"{name} must have neither a fragment nor a password in it.")
    return parts


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def given(**attributes: str | None) -> dict[str, str]:
    """Return the attributes that there are, checked."""
    return {name: text_of(name, value) for name, value in attributes.items() if value is not None}


def text_of(name: str, text: str) -> str:
    """Check a text for what XML cannot hold."""
    strange = _NOT_XML.search(text)
    refuse_if(
        strange is not None, f"{name} has a character that XML cannot hold: {strange and strange[0]!r}."
    )
    return text


def refuse_if(wrong: bool, why: str) -> None:
    """Raise `Invalid` if it is wrong."""
    if wrong:
        raise Invalid(why)
