"""Twilio's REST API for one account, on a socket of this machine, made from its documentation.

https://www.twilio.com/docs/voice/api, https://www.twilio.com/docs/usage/requests-to-twilio
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from tests.carriers.rooms import Rooms

ACCOUNT: Final = "AC" + "1" * 32
TOKEN: Final = "canary-token"
FROM: Final = "+15005550006"

ERRORS: Final = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    21211: (400, "The 'To' number is not a valid phone number"),
    21215: (400, "Geo Permission configuration is not permitting call"),
    21220: (400, "Call is not in-progress. Cannot redirect."),
    20500: (500, "Internal Server Error"),
    20503: (503, "Service Unavailable"),
}


async def _nothing(call_sid: str, twiml: str) -> None:
    """Let a call do what it is told, unseen."""


@dataclass(frozen=True)
class Misfortune:
    """What becomes of a request: whether it is `done`, and what is answered: an error's code, or nothing,
    with the connection left open (`silent`) or broken off (`reset`).
    """

    done: bool
    then: int | str


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    form: dict[str, list[str]]

    def one(self, name: str, default: str = "") -> str:
        return self.form.get(name, [default])[0]


def unharmed(asked: Asked) -> Misfortune | None:
    """Let everything go well."""
    return None


@dataclass
class Account:
    """An account: its calls, conferences and numbers. `fails` are error codes, answered one by one."""

    url: str = ""
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    fails: list[int] = field(default_factory=list)
    raw: bytes | None = None
    silent: bool = False
    updates: list[tuple[str, str]] = field(default_factory=list)
    connections: int = 0
    asked: list[Asked] = field(default_factory=list)
    fate: Callable[[Asked], Misfortune | None] = unharmed
    redirected: Callable[[str, str], Awaitable[None]] = _nothing
    becomes: str = "queued"
    """The status of a call that is placed."""
    rooms: Rooms = field(default_factory=Rooms)
    numbers: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        try:
            while line := await reader.readline():
                method, path, _ = line.decode().split()
                headers = {}
                while field_ := (await reader.readline()).decode().strip():
                    name, _, value = field_.partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                answer = await self._meets(_asked(method, path, headers, body.decode()), headers)
                if answer == b"reset":
                    writer.transport.abort()
                    return
                if not answer:
                    await reader.read()
                    return
                writer.write(answer)
                await writer.drain()
        except ConnectionError:
            pass  # whoever asked has gone
        finally:
            writer.close()

    async def _meets(self, asked: Asked, headers: dict[str, str]) -> bytes:
        self.asked.append(asked)
        if self.silent or self.raw is not None:
            return b"" if self.silent else self.raw or b""
        bad = self.fate(asked)
        answer = b"" if bad is not None and not bad.done else await self._answer(asked, headers)
        if bad is None:
            return answer
        if isinstance(bad.then, int):
            return error(bad.then)
        return b"reset" if bad.then == "reset" else b""

    async def _answer(self, asked: Asked, headers: dict[str, str]) -> bytes:
        basic = "Basic " + b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if headers.get("authorization") != basic:
            return error(20003)
        if self.fails:
            return error(self.fails.pop(0))
        match [asked.method, *asked.path.removesuffix(".json").split("/")]:
            case ["POST", "Calls"]:
                return http(201, self._place(asked))
            case ["GET", "Calls"]:
                return http(200, {"calls": self._listed(asked)})
            case ["GET", "Calls", sid] if sid in self.calls:
                return http(200, self.calls[sid])
            case ["POST", "Calls", sid] if sid in self.calls:
                return await self._update(sid, asked)
            case ["POST", "Calls", sid, kind, *_] if sid in self.calls and kind in SIDES:
                return http(
                    201, {"sid": SIDES[kind] + "1" * 32, "status": asked.one("Status", "in-progress")}
                )
            case ["GET", "IncomingPhoneNumbers"]:
                return http(200, {"incoming_phone_numbers": list(self.numbers.values())})
            case [method, "IncomingPhoneNumbers", sid] if sid in self.numbers:
                changed = {_snake(name): values[0] for name, values in asked.form.items()}
                self.numbers[sid] |= changed if method == "POST" else {}
                return http(200, self.numbers[sid])
            case ["GET", "Balance"]:
                return http(200, {"currency": "USD", "balance": "12.34", "account_sid": ACCOUNT})
            case ["GET", ""]:
                return http(200, {"sid": ACCOUNT, "type": "Trial", "status": "active"})
            case [method, "Conferences", *rest]:
                status, said = self.rooms.answer(method, rest, asked.form)
                return http(status, said) if status < 400 else error(20404)
        return error(20404)

    def _place(self, asked: Asked) -> dict[str, Any]:
        sid = f"CA{len(self.calls) + 1:032x}"
        self.calls[sid] = {
            "sid": sid, "account_sid": ACCOUNT, "status": self.becomes, "direction": "outbound-api",
            "to": asked.one("To"), "from": asked.one("From"), "start_time": None,
            "date_created": format_datetime(datetime.now(UTC)), "answered_by": None,
        }  # fmt: skip
        self.rooms.met(sid, asked.one("Twiml"))
        return self.calls[sid]

    def _listed(self, asked: Asked) -> list[dict[str, Any]]:
        wanted = {"to": asked.one("To"), "from": asked.one("From"), "status": asked.one("Status")}
        fits = {name: value for name, value in wanted.items() if value}
        found = [call for call in self.calls.values() if all(call[name] == fits[name] for name in fits)]
        return found[::-1]

    async def _update(self, sid: str, asked: Asked) -> bytes:
        if self.calls[sid]["status"] in ("completed", "busy", "failed", "no-answer", "canceled"):
            return error(21220)
        if asked.one("Status"):
            self.calls[sid]["status"] = asked.one("Status")
            return http(200, self.calls[sid])
        twiml = asked.one("Twiml")
        self.updates.append((sid, twiml))
        self.rooms.met(sid, twiml)
        await self.redirected(sid, twiml)
        return http(200, self.calls[sid])


SIDES: Final = {"Recordings": "RE", "Streams": "MZ", "Transcriptions": "GT", "Siprec": "SR"}


def _asked(method: str, path: str, headers: dict[str, str], body: str) -> Asked:
    base = f"/2010-04-01/Accounts/{ACCOUNT}"
    parts = urlsplit(path)
    form = parse_qs(parts.query, strict_parsing=bool(parts.query))
    if method == "POST":
        assert headers["content-type"] == "application/x-www-form-urlencoded"
        form = parse_qs(body, keep_blank_values=True, strict_parsing=True)
    return Asked(method, unquote(parts.path.removeprefix(base).lstrip("/")), form)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def error(code: int) -> bytes:
    status, message = ERRORS[code]
    more = f"https://www.twilio.com/docs/errors/{code}"
    return http(status, {"code": code, "message": message, "more_info": more, "status": status})


def http(status: int, body: dict[str, Any] | None) -> bytes:
    text = b"" if body is None else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
    date = f"Date: {format_datetime(datetime.now(UTC), usegmt=True)}\r\n"
    return f"{head}{date}Content-Length: {len(text)}\r\n\r\n".encode() + text


@asynccontextmanager
async def an_account(*calls: str) -> AsyncIterator[Account]:
    """Open an account with these calls in progress, whose API answers at its `url`."""
    live = {sid: {"sid": sid, "status": "in-progress", "to": "", "from": "", "direction": "inbound",
                  "date_created": None} for sid in calls}  # fmt: skip
    account = Account(calls=live)
    server = await asyncio.start_server(account.serve, "127.0.0.1", 0)
    account.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield account
    finally:
        server.close()
