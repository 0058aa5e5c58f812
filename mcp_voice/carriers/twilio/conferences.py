"""The account's conferences, and who is in them (https://www.twilio.com/docs/voice/api/conference-resource).

A conference is found by its name while it lasts, and a participant by the label
they came in with. Bringing somebody in rings their telephone, so it is never
asked for twice: a label tells whether they are there.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from mcp_voice.carriers.twilio.rest import Answer, TwilioRest, fields
from mcp_voice.errors import NotFound, Unconfirmed

EVENTS: Final = ("start", "end", "join", "leave", "mute", "hold", "modify")


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody in a conference."""

    call_sid: str
    label: str = ""
    status: str = ""
    muted: bool = False
    hold: bool = False
    coaching: bool = False


class Conferences:
    """The account's conferences."""

    def __init__(self, rest: TwilioRest) -> None:
        self._rest = rest

    async def find(self, name: str) -> str | None:
        """Return the SID of the conference that goes on under a name, if one does. Raises `CarrierFailed`."""
        query = fields(friendly_name=name, page_size=20)
        answer = await self._rest.get("/Conferences.json", query)
        for row in answer.rows("conferences"):
            if row.get("friendly_name") == name and row.get("status", "in-progress") != "completed":
                return str(row.get("sid"))
        return None

    async def people(self, sid: str) -> list[Participant]:
        """List who is in it. Raises `NotFound`, `CarrierFailed`."""
        answer = await self._rest.get(f"/Conferences/{sid}/Participants.json", of=_room(sid))
        return [_participant(row) for row in answer.rows("participants")]

    async def add(self, name: str, to: str, from_: str, label: str, **how: Any) -> Participant:
        """Ring somebody up and bring them in; `how` are fields of the request (`timeout`, `muted`…).

        Raises `Unconfirmed` if it may ring, `Invalid`, `NotConfigured`, `CarrierFailed`.
        """
        form = fields(to=to, from_=from_, label=label, **how)
        try:
            answer = await self._rest.post(f"/Conferences/{quote(name, safe='')}/Participants.json", form)
        except Unconfirmed:
            sid = await self.find(name)
            here = [one for one in await self.people(sid) if one.label == label] if sid else []
            if not here:
                raise
            return here[0]
        return _participant(answer.said)

    async def change(self, sid: str, who: str, **how: Any) -> None:
        """Change how somebody is in it: `hold`, `muted`, `coaching` with `call_sid_to_coach`.

        Raises `NotFound` if they are not, `CarrierFailed`.
        """
        await self._rest.post(_seat(sid, who), fields(**how), of=("participant", who), twice=True)

    async def announce(self, sid: str, who: str, url: str) -> None:
        """Let one of them alone hear what an address answers. Raises what `change` raises."""
        await self._rest.post(_seat(sid, who), fields(announce_url=url), of=("participant", who))

    async def remove(self, sid: str, who: str) -> None:
        """Send somebody out; who is out already stays so. Raises `CarrierFailed`."""
        with suppress(NotFound):
            await self._rest.delete(_seat(sid, who), of=("participant", who))

    async def end(self, sid: str) -> None:
        """End it for everybody; one that has ended stays so. Raises `CarrierFailed`."""
        with suppress(NotFound):
            await self._update(sid, {"Status": "completed"}, twice=True)

    async def tell(self, sid: str, url: str) -> None:
        """Let everybody hear what an address answers. Raises `NotFound`, `CarrierFailed`."""
        await self._update(sid, {"AnnounceUrl": url}, twice=False)

    async def _update(self, sid: str, form: Mapping[str, str], *, twice: bool) -> Answer:
        return await self._rest.post(f"/Conferences/{sid}.json", form, of=_room(sid), twice=twice)


def _room(sid: str) -> tuple[str, str]:
    return "conference at Twilio", sid


def _seat(sid: str, who: str) -> str:
    return f"/Conferences/{sid}/Participants/{quote(who, safe='')}.json"


def _participant(said: Mapping[str, Any]) -> Participant:
    return Participant(
        str(said.get("call_sid") or ""),
        str(said.get("label") or ""),
        str(said.get("status") or ""),
        bool(said.get("muted")),
        bool(said.get("hold")),
        bool(said.get("coaching")),
    )
