"""The TwiML that connects a call to us.

A carrier that has a call asks what to do with it; this is the answer. Two ways
to take a call: `stream`, its audio on our media socket, and `relay`, Twilio's
ConversationRelay, which hears and speaks itself and sends text. What Twilio
would drop or refuse without a word to the caller is refused here
(https://www.twilio.com/docs/voice/twiml/stream).

    >>> stream_twiml("wss://example.com/ws").partition("?>")[2]
    '<Response><Connect><Stream url="wss://example.com/ws" /></Connect></Response>'
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from mcp_voice.core.dtmf import pressable
from mcp_voice.core.twiml.checks import callback, given, parameter, refuse_if, short, socket, text_of

Mode: TypeAlias = Literal["stream", "relay"]

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>'


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
    relay: Mapping[str, str] | None = None,
) -> str:
    """Return TwiML that connects a call to the socket at `url`.

    `parameters` come back in the stream's `start`. The `greeting` is spoken by
    the carrier: before the stream opens, or by the relay as its first words.
    `action_url` is asked for TwiML when we let go of the call; without it the
    call ends then. `status_callback` hears of the stream's start, end and errors.
    Before all that the carrier may `press` keys into the call. `relay` are
    attributes of `<ConversationRelay>`: how it hears and speaks.

    Raises:
        Invalid: Twilio would not take it; the sentence says which part and why.
    """
    from xml.etree.ElementTree import Element, SubElement, tostring

    where = socket(url)
    response = Element("Response")
    if press is not None:
        SubElement(response, "Play", {"digits": pressable(press)})
    if mode == "stream" and greeting is not None:
        SubElement(response, "Say", given(voice=voice, language=language)).text = text_of(
            "greeting", greeting
        )
    connect = SubElement(response, "Connect", given(action=callback("actionUrl", action_url)))
    if mode == "stream":
        noun = SubElement(connect, "Stream", {"url": where})
        noun.attrib.update(given(statusCallback=callback("statusCallback", status_callback)))
    else:
        refuse_if(
            status_callback is not None, "statusCallback is of mode `stream` only; a relay has actionUrl."
        )
        noun = SubElement(connect, "ConversationRelay", {"url": where})
        noun.attrib.update(given(**(relay or {})))
        noun.attrib.update(given(welcomeGreeting=greeting, language=language, voice=voice))
    for name, value in (parameters or {}).items():
        parameter(name, value)
        SubElement(noun, "Parameter", given(name=name, value=value))
    return short(DECLARATION + tostring(response, encoding="unicode"))
