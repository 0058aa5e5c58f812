"""How Twilio asks a customer's server: signed, with a token, within 15 seconds.

A signature is the base64 of HMAC-SHA1 over the URL, and over the parameters of
a form after it: names in order, each followed by its values.

    >>> signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", {"Digits": "1234"})
    'pA9T74XaVTq8oX3FDhv0CTa4HE4='

https://www.twilio.com/docs/usage/security
https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

import asyncio
import base64
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.dialling import failed
from mcp_voice.simulator.twilio.effects import Post, Reply

if TYPE_CHECKING:
    import httpx2

SIGNATURE: Final = "X-Twilio-Signature"
TOKEN: Final = "I-Twilio-Idempotency-Token"
AGENT: Final = "TwilioProxy/1.1"

CONNECT: Final = 5.0
ANSWER: Final = 15.0
NO_CONNECTION: Final = 11_205
NO_ANSWER: Final = 11_200
NO_HOST: Final = 11_210


def signature(token: str, url: str, form: Mapping[str, str] | None = None) -> str:
    """Return the signature of a request to a URL, with the parameters of its form."""
    said = url + "".join(name + value for name, value in sorted((form or {}).items()))
    return base64.b64encode(hmac.digest(token.encode(), said.encode(), "sha1")).decode()


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a URL's fragment says of how it is to be asked: `#rc=2&rp=5xx,ct&rt=3000`."""

    connect: float = CONNECT
    read: float = ANSWER
    retries: int = 1
    policy: frozenset[str] = frozenset({"ct"})

    @staticmethod
    def of(url: str) -> "Overrides":
        """Read a URL's."""
        said = {name: values[-1] for name, values in parse_qs(urlsplit(url).fragment).items()}

        def number(name: str, default: float, most: float) -> float:
            value = said.get(name, "")
            return min(float(value), most) if value.isdecimal() else default

        return Overrides(
            number("ct", CONNECT * 1_000, 10_000) / 1_000,
            number("rt", ANSWER * 1_000, ANSWER * 1_000) / 1_000,
            int(number("rc", 1, 5)),
            frozenset(said.get("rp", "ct").split(",")),
        )

    def again(self, answer: Reply | CarrierFailed) -> bool:
        """Whether that answer is a reason to ask once more."""
        if isinstance(answer, Reply):
            kind = f"{answer.status // 100}xx"
            return kind in self.policy or (kind in ("4xx", "5xx") and "all" in self.policy)
        kind = "rt" if answer.details["code"] == NO_ANSWER else "ct"
        return kind in self.policy or "all" in self.policy


@dataclass(slots=True)
class Faults:
    """What goes wrong with webhooks, where it is switched on."""

    duplicate: bool = False
    """Each is delivered twice, under one idempotency token."""
    reorder: bool = False
    """News that needs no answer waits until something later has been delivered."""
    forge: bool = False
    """Signatures are of another account's token."""
    stale: bool = False
    """After each delivery the one before it comes once more, as it was."""
    lose: bool = False
    """News that needs no answer is never delivered."""

    def set(self, names: Mapping[str, Any]) -> None:
        """Switch some on or off."""
        for name, value in names.items():
            if name in self.__slots__:
                setattr(self, name, bool(value))

    def json(self) -> dict[str, bool]:
        """Return what is switched on."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery, for whoever looks at it afterwards."""

    url: str
    form: Mapping[str, str]
    status: int | None
    seconds: float


@dataclass(slots=True)
class Hooks:
    """Delivers webhooks for one account."""

    token: str
    http: "httpx2.AsyncClient"
    faults: Faults = field(default_factory=Faults)
    sent: list[Sent] = field(default_factory=list)
    _held: list[Post] = field(default_factory=list)
    _last: tuple[Post, Overrides, str] | None = None

    async def deliver(self, post: Post) -> Reply | CarrierFailed:
        """Ask, once more where that is due; return the answer, or why there is none."""
        if post.ticket is None and self.faults.lose:
            return Reply(200, "", b"")
        if post.ticket is None and self.faults.reorder and not self._held:
            self._held.append(post)
            return Reply(200, "", b"")
        answer = await self._deliver(post)
        while self._held:
            await self._deliver(self._held.pop())
        return answer

    async def _deliver(self, post: Post) -> Reply | CarrierFailed:
        overrides, key = Overrides.of(post.hook.url), secrets.token_hex(16)
        answer = await self._ask(post, overrides, key)
        for _ in range(overrides.retries):
            if not overrides.again(answer):
                break
            answer = await self._ask(post, overrides, key)
        if self.faults.duplicate:
            await self._ask(post, overrides, key)
        if self.faults.stale and self._last is not None:
            await self._ask(*self._last)
        self._last = (post, overrides, key)
        return answer

    async def _ask(self, post: Post, overrides: Overrides, key: str) -> Reply | CarrierFailed:
        import httpx2

        url, form = post.hook.url.partition("#")[0], dict(post.form)
        get = post.hook.method.upper() == "GET"
        if get and form:
            url += ("&" if urlsplit(url).query else "?") + urlencode(form)
        token = secrets.token_hex(16) if self.faults.forge else self.token
        headers = {
            SIGNATURE: signature(token, url, None if get else form),
            TOKEN: key,
            "User-Agent": AGENT,
            "Accept": "*/*",
        }
        loop = asyncio.get_running_loop()
        began, status = loop.time(), None
        try:
            async with asyncio.timeout(ANSWER):
                response = await self.http.request(
                    "GET" if get else "POST", url, data=None if get else form, headers=headers,
                    timeout=httpx2.Timeout(overrides.read, connect=overrides.connect),
                )  # fmt: skip
                status = response.status_code
            return Reply(status, response.headers.get("content-type", ""), response.content)
        except (TimeoutError, httpx2.ReadTimeout):
            return failed(NO_ANSWER, f"{url} did not answer within {ANSWER:g} s.")
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL):
            return failed(NO_HOST, f"{url} is not an address.")
        except httpx2.TransportError as error:
            return failed(NO_CONNECTION, f"{url} cannot be reached: {error}.")
        finally:
            self.sent.append(Sent(url, form, status, loop.time() - began))
