"""The account itself: what is left in it, and what it may do.

https://www.twilio.com/docs/iam/api/account, https://www.twilio.com/docs/usage/api/balance-resource
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from mcp_voice.carriers.twilio.rest import TwilioRest
from mcp_voice.errors import CarrierFailed


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account is: a trial account calls verified numbers only, and says so first."""

    status: str
    trial: bool

    @property
    def works(self) -> bool:
        """Whether it is neither suspended nor closed."""
        return self.status == "active"


@dataclass(frozen=True, slots=True)
class Balance:
    """What is left."""

    amount: Decimal
    currency: str


class Account:
    """One account."""

    def __init__(self, rest: TwilioRest) -> None:
        self._rest = rest

    async def standing(self) -> Standing:
        """Ask how it is. Raises `NotConfigured` if its credentials are not taken, `CarrierFailed`."""
        said = (await self._rest.get(".json", of=("account at", "Twilio"))).said
        return Standing(str(said.get("status") or "unknown"), said.get("type") == "Trial")

    async def balance(self) -> Balance:
        """Ask what is left. Raises `NotConfigured`, `CarrierFailed`."""
        said = (await self._rest.get("/Balance.json", of=("balance of", "the account"))).said
        try:
            return Balance(Decimal(str(said.get("balance"))), str(said.get("currency") or ""))
        except InvalidOperation:
            raise CarrierFailed("Twilio's answer names no balance.") from None
