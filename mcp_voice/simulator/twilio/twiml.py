"""TwiML, read as strictly as Twilio reads it.

    >>> (say,), alerts = read(b"<Response><Say loop='2'>Hello</Say></Response>")
    >>> say.name, say.text, say.attributes, alerts
    ('Say', 'Hello', {'loop': '2'}, [])

What Twilio cannot use at all is a `CarrierFailed` with its number; what it only
passes over, an unknown verb or attribute, is an alert, and the rest is done.

https://www.twilio.com/docs/voice/twiml · /docs/api/errors/12100, 12200, 12300, 11750
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

from mcp_voice.simulator.dialling import failed
from mcp_voice.simulator.twilio.grammar import ATTRIBUTES, CHILDREN, SPOKEN

NOT_XML: Final = 12_100
NOT_TWIML: Final = 12_200
WRONG_TYPE: Final = 12_300
TOO_LARGE: Final = 11_750

LARGEST: Final = 64 * 1024
TYPES: Final = frozenset({"text/xml", "application/xml"})


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb or a noun: its attributes, its words, and what stands in it."""

    name: str
    attributes: Mapping[str, str]
    text: str = ""
    children: tuple["Verb", ...] = ()

    def get(self, name: str, default: str = "") -> str:
        """Return an attribute's value."""
        return self.attributes.get(name, default)

    def on(self, name: str, default: bool = False) -> bool:
        """Whether an attribute is true."""
        return self.get(name, str(default)).lower() == "true"

    def seconds(self, name: str, default: float) -> float:
        """Return an attribute as seconds; what is no number stands for the default."""
        try:
            return max(0.0, float(self.get(name) or default))
        except ValueError:
            return default

    @property
    def parameters(self) -> dict[str, str]:
        """What its `<Parameter>`s say."""
        return {noun.get("name"): noun.get("value") for noun in self.children if noun.name == "Parameter"}


@dataclass(frozen=True, slots=True)
class Alert:
    """What Twilio's debugger shows: a number and a sentence."""

    code: int
    why: str


def check_type(content_type: str) -> None:
    """Raise 12300 unless this is how TwiML is served."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise failed(WRONG_TYPE, f"The response's Content-Type is {kind or 'missing'!r}, not text/xml.")


def read(document: bytes) -> tuple[tuple[Verb, ...], list[Alert]]:
    """Return a document's verbs, and what was passed over in it.

    Raises:
        CarrierFailed: 11750, it is too large; 12100, it is not XML, or not a `<Response>`.
    """
    if len(document) > LARGEST:
        raise failed(TOO_LARGE, f"The response has {len(document)} bytes, more than {LARGEST}.")
    try:
        root = ElementTree.fromstring(document)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise failed(NOT_XML, f"The response is not XML: {error}.") from None
    if root.tag != "Response":
        raise failed(NOT_XML, f"The document's root is <{root.tag}>, not <Response>.")
    alerts: list[Alert] = []
    return _inside(root, alerts), alerts


def _inside(element: ElementTree.Element, alerts: list[Alert]) -> tuple[Verb, ...]:
    return tuple(_verbs(element, alerts))


def _verbs(element: ElementTree.Element, alerts: list[Alert]) -> Iterator[Verb]:
    allowed = CHILDREN.get(element.tag, frozenset())
    for child in element:
        if child.tag not in allowed:
            alerts.append(Alert(NOT_TWIML, f"<{child.tag}> may not stand in <{element.tag}>."))
            continue
        known = ATTRIBUTES[child.tag]
        for name in child.attrib.keys() - known:
            alerts.append(Alert(NOT_TWIML, f"<{child.tag}> has no attribute {name!r}."))
        attributes = {name: value for name, value in child.attrib.items() if name in known}
        if child.tag in SPOKEN:
            yield Verb(child.tag, attributes, "".join(child.itertext()).strip())
        else:
            yield Verb(child.tag, attributes, (child.text or "").strip(), _inside(child, alerts))
