"""Placing calls, and never the same one twice.

`POST /Calls` has no key by which Twilio would know it again. One that was
answered with a time-out, a reset or a 5xx may have placed the call, so it is
never sent again: the account's calls are looked through for it, by whom it
goes to and comes from and when it was made, in Twilio's own time. If it is not
there, nobody knows, and that is what the error says (`Unconfirmed`).
https://www.twilio.com/docs/voice/api/call-resource#create-a-call-resource
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from weakref import WeakValueDictionary

import anyio

from mcp_voice.carriers.twilio.rest import TwilioRest, fields
from mcp_voice.core.twiml import LONGEST
from mcp_voice.errors import CarrierFailed, Invalid, Unconfirmed

EVENTS: Final = ("initiated", "ringing", "answered", "completed")
SLACK: Final = timedelta(seconds=3)
"""How much older than its request a call may look: Twilio's dates are whole seconds."""

REMEMBERED: Final = 1_000
"""Calls of ours that are told from one that is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A call to be placed. `twiml` runs when it is answered, or what `url` answers then."""

    to: str
    from_: str
    twiml: str | None = None
    url: str | None = None
    status_callback: str | None = None
    status_callback_event: tuple[str, ...] | None = None
    timeout: int | None = None
    """Seconds it may ring; 5 to 600."""
    time_limit: int | None = None
    """Seconds it may last."""
    send_digits: str | None = None
    machine_detection: str | None = None
    async_amd: bool | None = None
    async_amd_status_callback: str | None = None
    record: bool | None = None
    recording_channels: str | None = None
    recording_status_callback: str | None = None
    sip_auth_username: str | None = None
    sip_auth_password: str | None = None
    caller_id: str | None = None
    byoc: str | None = None
    call_reason: str | None = None

    def __post_init__(self) -> None:
        if (self.twiml is None) == (self.url is None):
            raise Invalid("A call runs either TwiML or what an address answers.")
        if self.twiml is not None and len(self.twiml) > LONGEST:
            raise Invalid(f"The TwiML has {len(self.twiml)} characters; Twilio takes {LONGEST}.")

    def form(self) -> Mapping[str, Any]:
        """Spell it as Twilio has it."""
        return fields(**asdict(self))


@dataclass(frozen=True, slots=True)
class Leg:
    """A call as Twilio has it."""

    sid: str
    status: str = "queued"
    to: str = ""
    from_: str = ""
    direction: str = ""
    created: datetime | None = None
    answered_by: str | None = None

    @property
    def over(self) -> bool:
        """Whether it is none any more."""
        return self.status in ("completed", "busy", "failed", "no-answer", "canceled")


def leg_of(said: Mapping[str, Any]) -> Leg:
    """Read a call. Raises `CarrierFailed` for what is none."""
    sid = said.get("sid")
    if not isinstance(sid, str):
        raise CarrierFailed("Twilio's answer names no call.")
    words = {name: str(said.get(name) or "") for name in ("status", "to", "from", "direction")}
    created = dated(said.get("date_created") or said.get("start_time"))
    return Leg(
        sid, words["status"], words["to"], words["from"], words["direction"], created, said.get("answered_by")
    )


def dated(text: object) -> datetime | None:
    """Read Twilio's dates (RFC 2822); None for what is none.

    >>> dated("Sat, 21 Nov 2026 20:00:00 +0000")
    datetime.datetime(2026, 11, 21, 20, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        return parsedate_to_datetime(str(text)).astimezone(UTC)
    except ValueError:
        return None


class Placing:
    """Places the calls of one account, one at a time to each number."""

    def __init__(self, rest: TwilioRest) -> None:
        self._rest = rest
        self._doors: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._known: deque[str] = deque(maxlen=REMEMBERED)

    async def place(self, order: Order) -> Leg:
        """Place a call, once.

        Raises `Unconfirmed` if it may have been placed, `CarrierFailed` if it was not, `Invalid`,
        `NotConfigured`, `TooMany`.
        """
        door = self._doors.setdefault((order.to, order.from_), asyncio.Lock())
        async with door:
            asked = time.monotonic()
            try:
                leg = await self._placed(order)
            except Unconfirmed as error:
                found = await self._found(order, asked)
                if found is None:
                    raise Unconfirmed(
                        f"{error.args[0]} The call may have been placed.",
                        advice="Do not dial it again before you know: it may be ringing.",
                        **error.details,
                    ) from None
                leg = found
            self._known.append(leg.sid)
            return leg

    async def _placed(self, order: Order) -> Leg:
        answer = await self._rest.post("/Calls.json", order.form())
        try:
            return leg_of(answer.said)
        except CarrierFailed as error:
            raise Unconfirmed(error.args[0]) from None

    async def _found(self, order: Order, asked: float) -> Leg | None:
        """Look for a call that may have been placed; it may take Twilio a while to have it."""
        for wait in (0.0, *self._rest.patience.waits()):
            await anyio.sleep(wait)
            try:
                found = await self._look(order, asked)
            except CarrierFailed:
                continue
            if len(found) > 1:
                return None  # somebody else calls there too: which is ours nobody can say
            if found:
                return found[0]
        return None

    async def _look(self, order: Order, asked: float) -> list[Leg]:
        """List the calls it can be. The account's clock says since when: ours may be wrong."""
        answer = await self._rest.get("/Calls.json", fields(to=order.to, from_=order.from_, page_size=50))
        now = dated(answer.date) or datetime.now(UTC)
        since = now - timedelta(seconds=time.monotonic() - asked) - SLACK
        legs = [leg_of(row) for row in answer.rows("calls")]
        return [
            leg
            for leg in legs
            if leg.sid not in self._known
            and leg.direction != "inbound"
            and leg.created is not None
            and leg.created >= since
        ]
