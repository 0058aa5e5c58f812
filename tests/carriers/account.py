"""Twilio's REST API for one account, on a socket of this machine, made from its documentation.

https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

ACCOUNT: Final = "AC" + "1" * 32
TOKEN: Final = "canary-token"

ERRORS: Final = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    21220: (400, "Call is not in-progress. Cannot redirect."),
    20500: (500, "Internal Server Error"),
}


async def _nothing(call_sid: str, twiml: str) -> None:
    """Let a call do what it is told, unseen."""


@dataclass
class Account:
    """An account and its live calls. `fails` are error codes, answered one after the other."""

    url: str = ""
    calls: set[str] = field(default_factory=set)
    fails: list[int] = field(default_factory=list)
    raw: bytes | None = None
    silent: bool = False
    updates: list[tuple[str, str]] = field(default_factory=list)
    redirected: Callable[[str, str], Awaitable[None]] = _nothing

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while line := await reader.readline():
                method, path, _ = line.decode().split()
                headers = {}
                while field_ := (await reader.readline()).decode().strip():
                    name, _, value = field_.partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                if self.silent:
                    await reader.read()
                    return
                writer.write(self.raw or await self._answer(method, path, headers, body.decode()))
                await writer.drain()
        finally:
            writer.close()

    async def _answer(self, method: str, path: str, headers: dict[str, str], body: str) -> bytes:
        basic = "Basic " + b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if headers.get("authorization") != basic:
            return _error(20003)
        if self.fails:
            return _error(self.fails.pop(0))
        base, _, name = path.partition("/Calls/")
        call_sid = name.removesuffix(".json")
        if (method, base) != ("POST", f"/2010-04-01/Accounts/{ACCOUNT}") or call_sid not in self.calls:
            return _error(20404)
        assert headers["content-type"] == "application/x-www-form-urlencoded"
        twiml = parse_qs(body, strict_parsing=True)["Twiml"][0]
        self.updates.append((call_sid, twiml))
        await self.redirected(call_sid, twiml)
        return _http(200, {"sid": call_sid, "account_sid": ACCOUNT, "status": "in-progress"})


def _error(code: int) -> bytes:
    status, message = ERRORS[code]
    more = f"https://www.twilio.com/docs/errors/{code}"
    return _http(status, {"code": code, "message": message, "more_info": more, "status": status})


def _http(status: int, body: dict[str, object]) -> bytes:
    text = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text


@asynccontextmanager
async def an_account(*calls: str) -> AsyncIterator[Account]:
    """Open an account whose API answers at its `url`."""
    account = Account(calls=set(calls))
    server = await asyncio.start_server(account.serve, "127.0.0.1", 0)
    account.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield account
    finally:
        server.close()
