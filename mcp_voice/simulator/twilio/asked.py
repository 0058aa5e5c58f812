"""One request of the API, as the functions that answer it see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from mcp_voice.simulator.twilio.account import Account
from mcp_voice.simulator.twilio.records import Call
from mcp_voice.simulator.twilio.refusals import refusal

if TYPE_CHECKING:
    from mcp_voice.simulator.twilio.exchange import Exchange

PAGE: Final = 50
LARGEST_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of which account; `pairs` are its parameters, some of them more than once."""

    exchange: "Exchange"
    names: Mapping[str, str]
    pairs: Sequence[tuple[str, str]]
    path: str

    @property
    def account(self) -> Account:
        """The account."""
        return self.exchange.account

    @property
    def form(self) -> dict[str, str]:
        """The parameters by name; of one that is repeated, all of them in one, as TwiML spells it."""
        form: dict[str, str] = {}
        for name, value in self.pairs:
            repeats = name.endswith("CallbackEvent") and name in form
            form[name] = f"{form[name]} {value}" if repeats else value
        return form

    def events(self, name: str = "StatusCallbackEvent") -> frozenset[str]:
        """Return what is named under a parameter that may be repeated."""
        return frozenset(self.form.get(name, "").split())

    @property
    def call(self) -> Call:
        """The call that the path names. Raises 20404."""
        call = self.account.calls.get(self.names["call"])
        if call is None:
            raise self.missing()
        return call

    def missing(self) -> Exception:
        """Make the error for what is not there."""
        return refusal(20404, self.path)

    def page(self, key: str, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return a page of a list."""
        form = self.form
        size = min(_number(form, "PageSize", PAGE) or PAGE, LARGEST_PAGE)
        page = _number(form, "Page", 0)
        filters = {
            name: value for name, value in form.items() if name not in ("Page", "PageSize", "PageToken")
        }
        shown = records[page * size : (page + 1) * size]

        def uri(number: int) -> str:
            return f"{self.path}?{urlencode({**filters, 'PageSize': size, 'Page': number})}"

        return {
            key: shown,
            "page": page,
            "page_size": size,
            "start": page * size,
            "end": page * size + max(0, len(shown) - 1),
            "uri": uri(page),
            "first_page_uri": uri(0),
            "next_page_uri": uri(page + 1) if len(records) > (page + 1) * size else None,
            "previous_page_uri": uri(page - 1) if page else None,
        }


def _number(form: Mapping[str, str], name: str, default: int) -> int:
    value = form.get(name, "")
    if value and not value.isdecimal():
        raise refusal(20001, f"{name} must be a number")
    return int(value or default)
