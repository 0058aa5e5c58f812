"""A call of the account: read it, give it other TwiML, end it.

A call that is over can be ended all the same: that is what was wanted
(https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource).
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import anyio

from mcp_voice.carriers.twilio.placing import Leg, leg_of
from mcp_voice.carriers.twilio.rest import TwilioRest, fields
from mcp_voice.errors import NotFound


class Calls:
    """The account's calls."""

    def __init__(self, rest: TwilioRest) -> None:
        self._rest = rest

    async def read(self, call_sid: str) -> Leg:
        """Read a call. Raises `NotFound`, `CarrierFailed`."""
        return leg_of((await self._rest.get(f"/Calls/{call_sid}.json", of=_live(call_sid))).said)

    async def find(self, **by: str) -> list[Leg]:
        """List the newest calls, by `to`, `from_`, `status`, `parent_call_sid`… Raises `CarrierFailed`."""
        answer = await self._rest.get("/Calls.json", fields(**by, page_size="50"))
        return [leg_of(row) for row in answer.rows("calls")]

    async def redirect(self, call_sid: str, twiml: str) -> None:
        """Let a live call run other TwiML; what it runs now ends.

        Raises `NotFound` if it is over, `Unconfirmed` if it may run it, `NotConfigured`, `CarrierFailed`.
        """
        await self._update(call_sid, {"Twiml": twiml}, twice=False)

    async def end(self, call_sid: str) -> bool:
        """End a call, whether it is queued, rings or goes on; False if it was over.

        Raises `NotConfigured`, `CarrierFailed`.
        """
        with suppress(NotFound):
            await self._update(call_sid, {"Status": "completed"}, twice=True)
            return True
        return False

    async def answered(self, call_sid: str, seconds: float, every: float = 0.5) -> Leg:
        """Read a call until it is answered or over, for so many seconds. Raises what `read` raises."""
        leg = await self.read(call_sid)
        with anyio.move_on_after(seconds):
            while leg.status != "in-progress" and not leg.over:
                await anyio.sleep(every)
                leg = await self.read(call_sid)
        return leg

    async def _update(self, call_sid: str, form: Mapping[str, Any], *, twice: bool) -> None:
        await self._rest.post(f"/Calls/{call_sid}.json", form, of=_live(call_sid), twice=twice)


def _live(call_sid: str) -> tuple[str, str]:
    return "live call at Twilio", call_sid
