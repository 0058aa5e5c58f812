"""The TwiML that connects a call to us.

A carrier that has a call asks what to do with it; this is the answer. Two ways
to take a call: `stream`, its audio on our media socket, and `relay`, Twilio's
ConversationRelay, which hears and speaks itself and sends text. What Twilio
would drop or refuse without a word to the caller is refused here
(https://www.twilio.com/docs/voice/twiml/stream).

    >>> stream_twiml("wss://example.com/ws").partition("?>")[2]
    '<Response><Connect><Stream url="wss://example.com/ws" /></Connect></Response>'
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import SplitResult, urlsplit

from mcp_voice.core.dtmf import pressable
from mcp_voice.errors import Invalid

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Mode: TypeAlias = Literal["stream", "relay"]

LONGEST: Final = 4_000
"""Characters that Twilio takes as the `Twiml` of a REST call; a webhook may answer more."""

LONGEST_PARAMETER: Final = 499
"""Name and value together have to stay below 500 characters."""

_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>'
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not (section 2.2)."""


def stream_twiml(
    url: str,
    parameters: Mapping[str, str] | None = None,
    *,
    mode: Mode = "stream",
    greeting: str | None = None,
    status_callback: str | None = None,
    action_url: str | None = None,
    language: str | None = None,
    voice: str | None = None,
    press: str | None = None,
) -> str:
    """Return TwiML that connects a call to the socket at `url`.

    `parameters` come back in the stream's `start`. The `greeting` is spoken by
    the carrier: before the stream opens, or by the relay as its first words.
    `action_url` is asked for TwiML when we let go of the call; without it the
    call ends then. `status_callback` hears of the stream's start, end and errors.
    Before all that the carrier may `press` keys into the call.

    Raises:
        Invalid: Twilio would not take it; the sentence says which part and why.
    """
    from xml.etree.ElementTree import Element, SubElement, tostring

    where = _socket(url)
    response = Element("Response")
    if press is not None:
        SubElement(response, "Play", {"digits": pressable(press)})
    if mode == "stream" and greeting is not None:
        SubElement(response, "Say", _given(voice=voice, language=language)).text = _text("greeting", greeting)
    connect = SubElement(response, "Connect", _given(action=_callback("actionUrl", action_url)))
    if mode == "stream":
        noun = SubElement(connect, "Stream", {"url": where})
        noun.attrib.update(_given(statusCallback=_callback("statusCallback", status_callback)))
    else:
        _refuse_if(
            status_callback is not None, "statusCallback is of mode `stream` only; a relay has actionUrl."
        )
        noun = SubElement(connect, "ConversationRelay", {"url": where})
        noun.attrib.update(_given(welcomeGreeting=greeting, language=language, voice=voice))
    _parameters(noun, parameters or {})
    twiml = _DECLARATION + tostring(response, encoding="unicode")
    _refuse_if(
        len(twiml) > LONGEST, f"The TwiML has {len(twiml)} characters; Twilio takes {LONGEST}: shorten it."
    )
    return twiml


def _parameters(noun: "Element", parameters: Mapping[str, str]) -> None:
    from xml.etree.ElementTree import SubElement

    for name, value in parameters.items():
        size = len(name) + len(value)
        _refuse_if(not name, "A parameter has no name.")
        _refuse_if(
            size > LONGEST_PARAMETER,
            f"Parameter {name[:40]!r} has {size} characters with its name; Twilio takes {LONGEST_PARAMETER}.",
        )
        SubElement(noun, "Parameter", _given(name=name, value=value))


def _socket(url: str) -> str:
    """Check the address of a media socket."""
    parts = _parts("wsUrl", url)
    secure = parts.scheme == "wss" or (parts.scheme == "ws" and _loopback(parts.hostname or ""))
    _refuse_if(not secure, f"wsUrl {url[:100]!r} has to begin with wss://; ws:// is for this machine only.")
    _refuse_if("?" in url, "wsUrl has a query string, which Twilio drops: send `parameters` instead.")
    return url


def _callback(name: str, url: str | None) -> str | None:
    if url is not None:
        scheme = _parts(name, url).scheme
        _refuse_if(scheme not in ("http", "https"), f"{name} {url[:100]!r} has to begin with https://.")
    return url


def _parts(name: str, url: str) -> SplitResult:
    """Split an absolute address. A port outside 0..65535 and a broken IPv6 host are `ValueError`s there."""
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise Invalid(f"{name} {url[:100]!r} is not a URL: {error}.") from None
    _refuse_if(not whole or url != "".join(url.split()), f"{name} {url[:100]!r} is not an absolute URL.")
    _refuse_if(
        "#" in url or "@" in parts.netloc, f"{name} must have neither a fragment nor a password in it."
    )
    return parts


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _given(**attributes: str | None) -> dict[str, str]:
    return {name: _text(name, value) for name, value in attributes.items() if value is not None}


def _text(name: str, text: str) -> str:
    strange = _NOT_XML.search(text)
    _refuse_if(
        strange is not None, f"{name} has a character that XML cannot hold: {strange and strange[0]!r}."
    )
    return text


def _refuse_if(wrong: bool, why: str) -> None:
    if wrong:
        raise Invalid(why)
