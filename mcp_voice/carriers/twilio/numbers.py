"""The account's numbers, and where their calls go.

A number tells Twilio's webhooks where to ask. To take it over for a while is a
*lease*: what was there is kept in a file, and put back when the lease ends,
unless somebody has changed the number meanwhile: then it has drifted, and what
they set stays. https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource

    >>> was, ours = Hooks(voice_url="https://old"), Hooks(voice_url="https://ours")
    >>> Lease("PN1", "+15005550006", was, ours).judge(Hooks())
    'drifted'
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

import anyio

from mcp_voice.carriers.twilio.rest import TwilioRest
from mcp_voice.errors import NotFound, Refused, StoreFailed

State: TypeAlias = Literal["held", "returned", "drifted"]


@dataclass(frozen=True, slots=True)
class Hooks:
    """Where a number's calls go."""

    voice_url: str = ""
    voice_method: str = "POST"
    voice_fallback_url: str = ""
    voice_fallback_method: str = "POST"
    status_callback: str = ""
    status_callback_method: str = "POST"
    voice_application_sid: str = ""

    def form(self) -> Mapping[str, str]:
        """Spell them as Twilio has them; what is empty is emptied."""
        return {
            "".join(word.capitalize() for word in name.split("_")): value
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class Owned:
    """A number of the account."""

    sid: str
    number: str
    name: str
    voice: bool
    hooks: Hooks


@dataclass(frozen=True, slots=True)
class Lease:
    """A number that we have taken over: what was there before, and what we set."""

    sid: str
    number: str
    before: Hooks
    ours: Hooks

    def judge(self, now: Hooks) -> State:
        """Say how it stands with the number as it is now."""
        if now == self.ours:
            return "held"
        return "returned" if now == self.before else "drifted"


class Numbers:
    """The account's numbers."""

    def __init__(self, rest: TwilioRest) -> None:
        self._rest = rest

    async def owned(self) -> list[Owned]:
        """List them. Raises `NotConfigured`, `CarrierFailed`."""
        answer = await self._rest.get("/IncomingPhoneNumbers.json", {"PageSize": "1000"})
        return [_owned(row) for row in answer.rows("incoming_phone_numbers")]

    async def find(self, number: str) -> Owned:
        """Return one. Raises `NotFound`, `NotConfigured`, `CarrierFailed`."""
        for one in await self.owned():
            if number in (one.number, one.sid):
                return one
        raise NotFound("number of the account", number, advice="List those that there are.")

    async def read(self, sid: str) -> Owned:
        """Read one by its SID. Raises `NotFound`, `CarrierFailed`."""
        return _owned((await self._rest.get(_path(sid), of=("number of the account", sid))).said)

    async def point(self, sid: str, hooks: Hooks) -> Owned:
        """Let a number's calls go elsewhere. Raises `NotFound`, `Invalid`, `CarrierFailed`."""
        answer = await self._rest.post(
            _path(sid), hooks.form(), of=("number of the account", sid), twice=True
        )
        return _owned(answer.said)


class Leases:
    """The numbers that we have taken over, and what to put back: a file that outlives the process."""

    def __init__(self, numbers: Numbers, file: Path) -> None:
        self._numbers = numbers
        self._file = file

    async def take(self, number: str, ours: Hooks) -> Lease:
        """Take a number over; what is there now is kept first.

        Taking it again keeps what was there before the first time.

        Raises `NotFound`, `Refused` if it has drifted, `StoreFailed`, `CarrierFailed`.
        """
        one = await self._numbers.find(number)
        held = (await self.all()).get(one.sid)
        before = one.hooks
        if held is not None:
            if held.judge(one.hooks) == "drifted":
                raise Refused(
                    f"Somebody has pointed {one.number} elsewhere since it was taken over.",
                    advice="Release it first: what they set stays.",
                )
            before = held.before
        lease = Lease(one.sid, one.number, before, ours)
        await self._keep(lease)
        await self._numbers.point(one.sid, ours)
        return lease

    async def release(self, number: str) -> State:
        """Put back what was there, unless it has drifted; the lease is over in any case.

        Raises `NotFound` if it is not leased, `StoreFailed`, `CarrierFailed`.
        """
        lease = await self._of(number)
        state: State = "returned"
        with suppress(NotFound):  # the number is not the account's any more
            state = lease.judge((await self._numbers.read(lease.sid)).hooks)
            if state == "held":
                await self._numbers.point(lease.sid, lease.before)
        await self._forget(lease)
        return "returned" if state == "held" else state

    async def state(self, number: str) -> State:
        """Say whether a number is still as we set it. Raises `NotFound`, `StoreFailed`, `CarrierFailed`."""
        lease = await self._of(number)
        return lease.judge((await self._numbers.read(lease.sid)).hooks)

    async def all(self) -> Mapping[str, Lease]:
        """Read the leases, by their numbers' SIDs. Raises `StoreFailed`."""
        try:
            text = await anyio.Path(self._file).read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StoreFailed(f"The leases of numbers cannot be read: {error.strerror}.") from None
        try:
            return {row["sid"]: _lease(row) for row in json.loads(text)}
        except (ValueError, TypeError, KeyError):
            raise StoreFailed(
                f"{self._file} is not a list of leases.", advice="Move it away; nothing was changed."
            ) from None

    async def _of(self, number: str) -> Lease:
        for lease in (await self.all()).values():
            if number in (lease.number, lease.sid):
                return lease
        raise NotFound("leased number", number, advice="It is as its owner set it.")

    async def _keep(self, lease: Lease) -> None:
        await self._write({**await self.all(), lease.sid: lease})

    async def _forget(self, lease: Lease) -> None:
        await self._write({sid: one for sid, one in (await self.all()).items() if sid != lease.sid})

    async def _write(self, leases: Mapping[str, Lease]) -> None:
        """Write them in one piece: a crash leaves the old list or the new."""
        part = anyio.Path(self._file.with_suffix(".part"))
        try:
            await anyio.Path(self._file.parent).mkdir(parents=True, exist_ok=True)
            await part.write_text(json.dumps([asdict(one) for one in leases.values()]), encoding="utf-8")
            await part.chmod(0o600)
            await part.replace(self._file)
        except OSError as error:
            raise StoreFailed(f"The leases of numbers cannot be written: {error.strerror}.") from None


def _path(sid: str) -> str:
    return f"/IncomingPhoneNumbers/{sid}.json"


def _owned(said: Mapping[str, Any]) -> Owned:
    can = said.get("capabilities")
    return Owned(
        str(said.get("sid") or ""),
        str(said.get("phone_number") or ""),
        str(said.get("friendly_name") or ""),
        bool(can.get("voice")) if isinstance(can, dict) else False,
        _hooks(said),
    )


def _hooks(said: Mapping[str, Any]) -> Hooks:
    return Hooks(**{one.name: str(said.get(one.name) or one.default) for one in fields(Hooks)})


def _lease(row: Mapping[str, Any]) -> Lease:
    return Lease(row["sid"], row["number"], _hooks(row["before"]), _hooks(row["ours"]))
