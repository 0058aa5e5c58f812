"""The conferences of an account: who is in them, by name and number.

https://www.twilio.com/docs/voice/api/conference-resource,
https://www.twilio.com/docs/voice/api/conference-participant-resource
"""

from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

Answer = tuple[int, dict[str, Any] | None]
Form = dict[str, list[str]]

ROOM = "CF" + "2" * 32


@dataclass
class Rooms:
    """At most one conference: `people` are its participants by label."""

    name: str | None = None
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: bool = False

    def met(self, sid: str, twiml: str) -> None:
        """Let a call run TwiML: whoever dials a conference is in it."""
        self.people = {label: one for label, one in self.people.items() if one["call_sid"] != sid}
        found = ElementTree.fromstring(twiml).find("./Dial/Conference") if twiml else None
        if found is not None:
            self.name = found.text
            label = found.attrib.get("participantLabel", sid)
            self.people[label] = {"call_sid": sid, "label": label, "hold": False, "muted": False}

    def answer(self, method: str, rest: list[str], form: Form) -> Answer:
        said = {name: values[0] for name, values in form.items()}
        match [method, *rest]:
            case ["GET"]:
                here = self.name == said.get("FriendlyName") and not self.ended
                return 200, {"conferences": [{"sid": ROOM, "friendly_name": self.name}] if here else []}
            case ["POST", room] if room == ROOM:
                self.ended = said.get("Status") == "completed"
                return 200, {"sid": ROOM, "status": "completed"}
            case ["POST", room, "Participants"]:
                self.name = self.name or room
                self.people[said["Label"]] = {"call_sid": "CA" + "7" * 32, "label": said["Label"]}
                return 201, self.people[said["Label"]]
            case ["GET", room, "Participants"] if room == ROOM:
                return 200, {"participants": list(self.people.values())}
            case [_, room, "Participants", label] if room == ROOM and label in self.people:
                return self._change(method, label, said)
        return 404, {}

    def _change(self, method: str, label: str, said: dict[str, str]) -> Answer:
        if method == "DELETE":
            del self.people[label]
            return 204, None
        self.people[label] |= {
            name.lower(): value == "true" if value in ("true", "false") else value
            for name, value in said.items()
        }
        return 200, self.people[label]
