"""Twilio's REST API: one request, and what to do when it fails.

Form-encoded in, JSON out, under the name and token of the account or an API key
(https://www.twilio.com/docs/usage/requests-to-twilio). What the API can do is
in the modules beside this one; here is when a request is sent again:

    answer                    GET, DELETE, and a POST that may be done twice   any other POST
    429                       again: it was never processed                    again
    connection not made       again: it was not sent                           again
    5xx, time-out, reset      again                                            `Unconfirmed`
    4xx                       an error, once                                   an error, once

Twilio has no key of ours to know a repeated POST by, so one that may have been
done is not sent twice: whoever asked looks for what has come of it.

The vendor's own client is not used. It spends less of this machine's time on a
request (0.6 ms where httpx2 spends 4 ms, of the 100 ms and more that an answer
takes), but a second on being imported where httpx2 takes 0.07 s. Unless told it
waits for an answer for ever, and it reads TWILIO_REGION behind our back.
"""

import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import anyio

from mcp_voice.carriers.twilio.codes import error_of
from mcp_voice.errors import CarrierFailed, Unconfirmed

if TYPE_CHECKING:
    import httpx2

API: Final = "https://api.twilio.com"

SECONDS: Final = 10.0
"""How long Twilio may take for an answer."""

CONNECT_SECONDS: Final = 5.0

IDLE_SECONDS: Final = 15.0
"""How long a connection is kept that nobody uses: on one that Twilio closes just then a request is lost."""

Form: TypeAlias = Mapping[str, str | Sequence[str]]
"""Fields of a request; a list repeats its field."""

Subject: TypeAlias = tuple[str, str] | None
"""What a request is about: its kind, and its name."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is sent, and the seconds between: a random part of a doubling time."""

    tries: int = 4
    first: float = 0.5
    most: float = 8.0

    def waits(self) -> Iterator[float]:
        """Yield each wait before another try."""
        for n in range(self.tries - 1):
            yield random.uniform(0.5, 1.0) * min(self.most, self.first * 2**n)


def address(region: str | None, edge: str | None) -> str:
    """Return where the API of a region is, by its edge (https://www.twilio.com/docs/global-infrastructure).

    >>> address("ie1", None), address(None, None)
    ('https://api.dublin.ie1.twilio.com', 'https://api.twilio.com')
    """
    if region is None and edge is None:
        return API
    region = region or "us1"
    return f"https://api.{edge or EDGES.get(region, 'ashburn')}.{region}.twilio.com"


EDGES: Final = {"us1": "ashburn", "ie1": "dublin", "au1": "sydney"}
"""The edge nearest to each region: an address names both."""


class TwilioRest:
    """One account's API. With `key`, the name of an API key, `secret` is that key's and not the account's."""

    def __init__(
        self,
        account_sid: str,
        secret: str,
        url: str = API,
        *,
        key: str | None = None,
        seconds: float = SECONDS,
        patience: Patience | None = None,
    ) -> None:
        self._base = f"{url.rstrip('/')}/2010-04-01/Accounts/{account_sid}"
        self._auth = (key or account_sid, secret)
        self._seconds = seconds
        self.patience = patience or Patience()
        self._client: httpx2.AsyncClient | None = None

    async def get(self, path: str, query: Form | None = None, *, of: Subject = None) -> "Answer":
        """Read. Raises `NotFound`, `NotConfigured`, `CarrierFailed`."""
        return await self._ask("GET", path, query, None, of, twice=True)

    async def post(self, path: str, form: Form, *, of: Subject = None, twice: bool = False) -> "Answer":
        """Change something; `twice` if it does no harm to do it again.

        Raises what `get` raises, `Unconfirmed` if it may have been done, and `Invalid` for what is refused.
        """
        return await self._ask("POST", path, None, form, of, twice=twice)

    async def delete(self, path: str, *, of: Subject = None) -> None:
        """Remove. Raises what `get` raises."""
        await self._ask("DELETE", path, None, None, of, twice=True)

    async def _ask(
        self, method: str, path: str, query: Form | None, form: Form | None, of: Subject, *, twice: bool
    ) -> "Answer":
        async def send() -> "httpx2.Response":
            return await self._open().request(method, self._base + path, params=query, data=form)

        answer = await self._sent(send, twice=twice)
        if answer.is_success:
            return Answer(_read(answer), answer.headers.get("date"), answer.content)
        error = error_of(answer.status_code, _code(answer), of)
        if answer.status_code >= 500 and not twice:
            raise Unconfirmed(str(error.args[0]), **error.details)
        raise error

    async def _sent(
        self, send: Callable[[], Awaitable["httpx2.Response"]], *, twice: bool
    ) -> "httpx2.Response":
        """Send until there is an answer to keep. The table above is this function."""
        import httpx2

        waits = self.patience.waits()
        while True:
            try:
                answer = await send()
            except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
                failed = CarrierFailed(
                    f"Twilio cannot be reached: {type(error).__name__}.",
                    advice="Nothing was done. Try again.",
                )
            except httpx2.TransportError as error:
                late = isinstance(error, httpx2.TimeoutException)
                why = f"did not answer within {self._seconds:g} s" if late else "broke the connection off"
                if not twice:
                    raise Unconfirmed(f"Twilio {why}.") from None
                failed = CarrierFailed(f"Twilio {why}.", advice="Try again in a moment.")
            else:
                if answer.status_code != 429 and not (twice and answer.status_code >= 500):
                    return answer
                wait = next(waits, None)
                if wait is None:
                    return answer
                await anyio.sleep(max(wait, _wished(answer, self.patience.most)))
                continue
            wait = next(waits, None)
            if wait is None:
                raise failed from None
            await anyio.sleep(wait)

    def _open(self) -> "httpx2.AsyncClient":
        """Return the client, made at first asking: with its TLS it costs a start-up 50 ms."""
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(
                auth=self._auth,
                timeout=httpx2.Timeout(self._seconds, connect=min(CONNECT_SECONDS, self._seconds)),
                limits=httpx2.Limits(
                    max_connections=50, max_keepalive_connections=10, keepalive_expiry=IDLE_SECONDS
                ),
            )
        return self._client

    async def aclose(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.aclose()


@dataclass(frozen=True, slots=True)
class Answer:
    """What Twilio said: as JSON, and when."""

    said: Mapping[str, Any]
    date: str | None
    content: bytes

    def rows(self, name: str) -> list[Mapping[str, Any]]:
        """Return a list's page, by its name: `calls`."""
        found = self.said.get(name)
        return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def fields(**given: str | int | bool | Sequence[str] | None) -> dict[str, str | Sequence[str]]:
    """Spell fields as Twilio has them: `time_limit=60` is `TimeLimit: 60`; None is not sent.

    >>> fields(from_="+1", async_amd=True, status_callback_event=("ringing",), url=None)
    {'From': '+1', 'AsyncAmd': 'true', 'StatusCallbackEvent': ('ringing',)}
    """
    return {_pascal(name): _spelled(value) for name, value in given.items() if value is not None}


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _spelled(value: str | int | bool | Sequence[str]) -> str | Sequence[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value


def _read(answer: "httpx2.Response") -> Mapping[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _code(answer: "httpx2.Response") -> int | None:
    """Read the code of an error: `{"code", "message", "more_info", "status"}`."""
    code = _read(answer).get("code")
    return code if isinstance(code, int) else None


def _wished(answer: "httpx2.Response", most: float) -> float:
    """Read how long we are asked to wait, as far as we do."""
    asked = answer.headers.get("retry-after", "")
    return min(float(asked), most) if asked.isdigit() else 0.0
