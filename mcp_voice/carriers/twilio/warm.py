"""A warm transfer: the target first, then the caller.

The target is rung up and told what it is about; they wait in a conference of
their own. Only when they have answered does the caller leave our stream and
join them there, so a target who is busy costs the caller nothing: they are
still with us. Whoever of the two leaves last ends it.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import anyio

from mcp_voice.carriers.twilio.calls import Calls
from mcp_voice.carriers.twilio.conferences import Conferences
from mcp_voice.carriers.twilio.line import Line, said
from mcp_voice.carriers.twilio.placing import Placing
from mcp_voice.core.session import Session
from mcp_voice.core.twiml.dialling import Conference, Dial
from mcp_voice.core.twiml.writing import document
from mcp_voice.errors import CarrierFailed, Unconfirmed, VoiceError
from mcp_voice.ports import Sockets

RING_SECONDS: Final = 20.0
"""How long a target's telephone rings: the caller waits."""

STILL_HERE: Final = "The caller is still with you: say so, and offer to take a message."


class Warm:
    """Joins a caller and a target in a conference that is named for the session."""

    def __init__(
        self, placing: Placing, calls: Calls, conferences: Conferences, line: Line, sockets: Sockets
    ) -> None:
        self._placing = placing
        self._calls = calls
        self._conferences = conferences
        self._line = line
        self._sockets = sockets

    async def join(
        self, session: Session, target: str, *, from_: str, announce: str | None, whisper: str | None
    ) -> Mapping[str, str]:
        """Ring the target, and bring the caller to them.

        Raises `CarrierFailed` if the target did not answer: the caller is where they were.
        """
        theirs = document(*said(whisper, session), self.seat(session, "target"))
        order = self._line.order(target, from_, ring_seconds=RING_SECONDS, twiml=theirs)
        guest = await self._placing.place(order)
        joined = False
        try:
            leg = await self._calls.answered(guest.sid, RING_SECONDS + 5.0)
            if leg.status != "in-progress":
                raise CarrierFailed(
                    f"The target did not take the call: {leg.status}.", advice=STILL_HERE, status=leg.status
                )
            await self._bring(session, announce)
            joined = True
        except Unconfirmed:
            joined = True  # the caller may be there: whoever waits for them goes on waiting
            raise
        finally:
            if not joined:
                await self._send_away(guest.sid)
        return await self._called(session)

    def seat(self, session: Session, label: str, *, ends: bool = True, reports: bool = False) -> Dial:
        """Return the TwiML that puts a call into the session's conference."""
        room = Conference(
            name=session.session_id,
            beep=False,
            start_conference_on_enter=True,
            end_conference_on_exit=ends,
            participant_label=label,
            status_callback=self._sockets.callback("conference"),
            status_callback_event=("start", "end", "join", "leave"),
        )
        action = self._sockets.callback("dial", session.session_id) if reports else None
        return Dial(to=(room,), action=action)

    async def _bring(self, session: Session, announce: str | None) -> None:
        here = self.seat(session, "caller", reports=True)
        await self._calls.redirect(session.call_sid, document(*said(announce, session), here))

    async def _send_away(self, call_sid: str) -> None:
        """Let nobody wait for a caller who does not come, even if whoever asked has given up."""
        with anyio.CancelScope(shield=True), suppress(VoiceError):
            await self._calls.end(call_sid)

    async def _called(self, session: Session) -> Mapping[str, str]:
        """Name the conference, if Twilio has begun it already."""
        with suppress(VoiceError):
            sid = await self._conferences.find(session.session_id)
            return {"conferenceSid": sid} if sid else {}
        return {}
