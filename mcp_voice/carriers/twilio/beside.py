"""What goes on beside a call: recordings, streams, transcriptions, SIPREC.

Each is begun under a call and has a name of Twilio's own; to begin one twice
would have two, so a lost answer is `Unconfirmed`. Stopping is done as often as
one likes. https://www.twilio.com/docs/voice/api/recording,
https://www.twilio.com/docs/voice/api/stream-resource, …/realtime-transcription-resource,
…/siprec-resource.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote

from mcp_voice.carriers.twilio.rest import TwilioRest, fields
from mcp_voice.core.twiml import checks
from mcp_voice.errors import CarrierFailed, NotFound

Kind: TypeAlias = Literal["Streams", "Transcriptions", "Siprec"]

CURRENT: Final = "Twilio.CURRENT"
"""The name of the recording that a call makes now."""


class Beside:
    """What is begun and stopped beside the account's calls."""

    def __init__(self, rest: TwilioRest) -> None:
        self._rest = rest

    async def start(
        self, kind: Kind, call_sid: str, parameters: Mapping[str, str] | None = None, **how: Any
    ) -> str:
        """Begin something beside a call; return its SID. `how` are fields of the request (`track`, `name`…).

        Raises `Invalid`, `NotFound` if the call is over, `Unconfirmed`, `CarrierFailed`.
        """
        if kind == "Streams":
            checks.socket(how.get("url", ""), "The stream's url")
        form = fields(**how)
        for place, (name, value) in enumerate((parameters or {}).items(), start=1):
            checks.parameter(name, value)
            form |= {f"Parameter{place}.Name": name, f"Parameter{place}.Value": value}
        return await self._begun(f"/Calls/{call_sid}/{kind}.json", form, call_sid)

    async def stop(self, kind: Kind, call_sid: str, sid: str) -> None:
        """Stop it; what has stopped stays so. Raises `CarrierFailed`."""
        path = f"/Calls/{call_sid}/{kind}/{quote(sid, safe='')}.json"
        with suppress(NotFound):
            await self._rest.post(path, {"Status": "stopped"}, of=_live(call_sid), twice=True)

    async def record(self, call_sid: str, **how: Any) -> str:
        """Begin to record a call; return the recording's SID. Raises as `start` does."""
        return await self._begun(f"/Calls/{call_sid}/Recordings.json", fields(**how), call_sid)

    async def recording(
        self,
        call_sid: str,
        status: Literal["paused", "in-progress", "stopped"],
        sid: str = CURRENT,
        *,
        keeps_silence: bool = True,
    ) -> None:
        """Pause a recording, let it go on, or stop it; a pause is silence in it, or left out.

        Raises `NotFound` if nothing is recorded, `CarrierFailed`.
        """
        behaviour = ("silence" if keeps_silence else "skip") if status == "paused" else None
        form = fields(status=status, pause_behavior=behaviour)
        path = f"/Calls/{call_sid}/Recordings/{sid}.json"
        await self._rest.post(path, form, of=("recording of call", call_sid), twice=True)

    async def media(self, sid: str, *, kind: Literal["wav", "mp3"] = "wav", dual: bool = False) -> bytes:
        """Fetch a recording's audio. Raises `NotFound`, `CarrierFailed`."""
        query = fields(requested_channels=2) if dual else None
        answer = await self._rest.get(f"/Recordings/{sid}.{kind}", query, of=("recording", sid))
        return answer.content

    async def delete(self, sid: str) -> None:
        """Delete a recording; one that is gone stays so. Raises `CarrierFailed`."""
        with suppress(NotFound):
            await self._rest.delete(f"/Recordings/{sid}.json", of=("recording", sid))

    async def _begun(self, path: str, form: Mapping[str, Any], call_sid: str) -> str:
        sid = (await self._rest.post(path, form, of=_live(call_sid))).said.get("sid")
        if not isinstance(sid, str):
            raise CarrierFailed("Twilio's answer has no name for what it began.")
        return sid


def _live(call_sid: str) -> tuple[str, str]:
    return "live call at Twilio", call_sid
