"""The TwiML that our webhooks answer with: what a route makes of a call.

Made with ElementTree, which escapes what stands in it.

    >>> document(say("Tom & Jerry", None, None), hangup()).partition("?>")[2]
    '<Response><Say>Tom &amp; Jerry</Say><Hangup /></Response>'
"""

from typing import Final
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from mcp_voice.settings.inbound import Forward, Menu, Voicemail

_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>'
_NOUNS: Final = {"+": "Number", "s": "Sip", "c": "Client"}
"""What kind of somebody is dialled, by how their address begins."""


def document(*verbs: Element) -> str:
    """Return the document that does one thing after the other."""
    response = Element("Response")
    response.extend(verbs)
    return _DECLARATION + tostring(response, encoding="unicode")


def followed(twiml: str, *verbs: Element) -> str:
    """Return a document of ours with more behind what it does."""
    return document(*fromstring(twiml), *verbs)


def say(text: str, voice: str | None, language: str | None) -> Element:
    """Say something."""
    return _verb("Say", text, voice=voice, language=language)


def hangup() -> Element:
    """End the call."""
    return Element("Hangup")


def redirect(url: str) -> Element:
    """Ask us again."""
    return _verb("Redirect", url, method="POST")


def reject(reason: str) -> Element:
    """Do not take the call."""
    return _verb("Reject", reason=reason)


def dial(route: Forward, action: str) -> Element:
    """Let somebody's telephone ring; then ask what next."""
    verb = _verb("Dial", action=action, method="POST", timeout=str(route.ring_seconds), answerOnBridge="true")
    noun = _NOUNS[route.to[0]]
    SubElement(verb, noun).text = route.to.removeprefix("client:") if noun == "Client" else route.to
    return verb


def record(route: Voicemail, action: str, callback: str) -> Element:
    """Record a message until its end, or a key."""
    return _verb(
        "Record", action=action, method="POST", maxLength=str(route.max_seconds), playBeep="true",
        finishOnKey="#", recordingStatusCallback=callback, recordingStatusCallbackMethod="POST",
    )  # fmt: skip


def gather(route: Menu, prompt: Element, action: str) -> Element:
    """Let the caller press a key while the menu is read to them, or after; ask what next if they do not."""
    verb = _verb(
        "Gather", action=action, method="POST", input="dtmf", numDigits="1", finishOnKey="",
        timeout=str(route.seconds), actionOnEmptyResult="true",
    )  # fmt: skip
    verb.append(prompt)
    return verb


def _verb(name: str, text: str | None = None, **attributes: str | None) -> Element:
    verb = Element(name, {key: value for key, value in attributes.items() if value is not None})
    verb.text = text
    return verb
