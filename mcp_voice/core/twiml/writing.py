"""Verbs, written down as a document.

>>> from mcp_voice.core.twiml.verbs import Pause, Say
>>> document(Say(text="Fish & chips"), Pause(length=2)).partition("?>")[2]
'<Response><Say>Fish &amp; chips</Say><Pause length="2" /></Response>'
"""

from typing import TYPE_CHECKING, Any, Final

from pydantic.alias_generators import to_camel

from mcp_voice.core.twiml.checks import given, refuse_if, text_of
from mcp_voice.core.twiml.connecting import DECLARATION
from mcp_voice.core.twiml.parts import Markup, held
from mcp_voice.errors import Invalid

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from mcp_voice.core.twiml.verbs import Verb

LARGEST: Final = 64_000
"""Bytes that Twilio takes as a webhook's answer (error 11750)."""

SSML: Final = frozenset({"break", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say-as", "sub", "w"})
"""What may stand in `<Say>` (https://www.twilio.com/docs/voice/twiml/say/text-speech#ssml-support)."""

_NO_ATTRIBUTES: Final = frozenset({"verb", "noun", "kind", "parameters", "ssml"})


def document(*verbs: "Verb") -> str:
    """Write TwiML. Raises `Invalid` for what it cannot hold."""
    from xml.etree.ElementTree import Element, tostring

    response = Element("Response")
    response.extend([_element(verb) for verb in verbs])
    written = DECLARATION + tostring(response, encoding="unicode")
    size = len(written.encode())
    refuse_if(size > LARGEST, f"The TwiML has {size} bytes; Twilio takes {LARGEST}.")
    return written


def added(twiml: str, before: "tuple[Verb, ...]", after: "tuple[Verb, ...]") -> str:
    """Write verbs before and after those of a document of ours."""
    from xml.etree.ElementTree import fromstring, tostring

    response = fromstring(twiml)
    for place, verb in enumerate(before):
        response.insert(place, _element(verb))
    response.extend([_element(verb) for verb in after])
    return DECLARATION + tostring(response, encoding="unicode")


def _element(node: Markup) -> "Element":
    from xml.etree.ElementTree import Element, SubElement

    element = Element(_tag(node))
    for name in type(node).model_fields:
        value = getattr(node, name)
        if value is None or name in _NO_ATTRIBUTES or name == node.inside:
            continue
        if name == node.text_in:
            element.text = text_of(name, value)
        else:
            element.attrib |= given(**{to_camel(name): _spelled(value)})
    for name, value in getattr(node, "parameters", {}).items():
        SubElement(element, "Parameter", given(name=name, value=value))
    if (ssml := getattr(node, "ssml", None)) is not None:
        _speak(element, ssml)
    element.extend([_element(inner) for inner in held(node)])
    return element


def _tag(node: Markup) -> str:
    return node.tag if hasattr(node, "tag") else str(getattr(node, "kind", "")).capitalize()


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return " ".join(map(_spelled, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _speak(say: "Element", ssml: str) -> None:
    """Put SSML into `<Say>`: only what may stand there."""
    from xml.etree.ElementTree import ParseError, fromstring

    inner = ssml.strip().removeprefix("<speak>").removesuffix("</speak>")
    refuse_if("<!" in inner or "<?" in inner, "ssml has a declaration in it.")
    try:
        spoken = fromstring(f"<speak>{text_of('ssml', inner)}</speak>")
    except ParseError as error:
        raise Invalid(f"ssml is not well-formed: {error}.", advice="Write & as &amp;, or use text.") from None
    strange = {node.tag for node in spoken.iter()} - SSML - {"speak"}
    refuse_if(bool(strange), f"ssml has {', '.join(sorted(strange))}, which Say does not take.")
    refuse_if(spoken.find(".//speak") is not None, "ssml has a speak inside.")
    say.text = spoken.text
    say.extend(spoken)
