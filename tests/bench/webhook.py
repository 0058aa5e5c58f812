"""Webhooks: how long a call that comes in waits for its TwiML, while a hundred others talk.

The server is the real process with the account's token, and its records in
SQLite: every request is signed, every call is another and gets a session. The
calls that talk are a process of their own. Between two webhooks the same
connection asks `/healthz`, which does nothing: that is the floor.
"""

import json
import secrets
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median, quantiles
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from time import perf_counter as clock
from typing import Any, Final
from urllib.parse import urlencode

from mcp_voice.carriers.twilio.signature import signed
from tests.bench import machine
from tests.bench.load import PATH, Load
from tests.bench.machine import Died, say
from tests.bench.rows import Bar, Row

PART: Final = "webhook"
CALLS: Final = 100
A_SECOND: Final = 50
"""New calls in a second, while the load grows."""
WAIT: Final = 0.01
"""Seconds between two requests: they do not wait for each other, and leave the calls their turn."""
MOST_MS: Final = 50
HERE: Final = "https://voice.example.com"
TOKEN: Final = "secret-of-this-bench"


class Client:
    """One connection, kept alive."""

    def __init__(self, server: machine.Server) -> None:
        self._server = server
        self._socket = socket.create_connection(("127.0.0.1", server.public), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        self._socket.close()

    def webhook(self) -> float:
        """Let a call ask for its TwiML; return how long it waited, in milliseconds."""
        form = {
            "AccountSid": "AC" + "0" * 32, "CallSid": "CA" + secrets.token_hex(16), "From": "+12025550142",
            "To": "+12025550100", "CallStatus": "ringing", "Direction": "inbound", "ApiVersion": "2010-04-01",
        }  # fmt: skip
        signature = signed(f"{HERE}/twilio/voice", TOKEN, list(form.items()))
        body = urlencode(form)
        took, answer = self._ask(
            "POST /twilio/voice HTTP/1.1\r\nHost: voice.example.com\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"X-Twilio-Signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
        if b"<Connect><Stream " not in answer:
            raise Died(f"The webhook answered {answer[:500]!r}.\n{self._server.last_words()}")
        return took

    def health(self) -> float:
        """Ask for nothing."""
        return self._ask("GET /healthz HTTP/1.1\r\nHost: voice.example.com\r\n\r\n")[0]

    def _ask(self, request: str) -> tuple[float, bytes]:
        began = clock()
        self._socket.sendall(request.encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += self._more()
        return 1_000 * (clock() - began), body

    def _more(self) -> bytes:
        if not (data := self._socket.recv(65_536)):
            raise Died(f"The server closed the connection.\n{self._server.last_words()}")
        return data


def run(*, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """Measure both in alternation."""
    rounds = 200 if quick else 1_000
    with (
        TemporaryDirectory() as folder,
        machine.server(*_serve(Path(folder)), **_settings()) as server,
        live_calls(server.public) as calls,
        closing(Client(server)) as client,
    ):
        say(f"{calls} calls talk")
        for _ in range(20):
            client.webhook()
        waited, floor = _measured(client, rounds)
    rows = [
        _row("a call's TwiML, p50", median(waited), median(floor), None),
        _row("a call's TwiML, p99", _p99(waited), _p99(floor), Bar("ours", "most", MOST_MS)),
        Row(PART, "calls that talked meanwhile", "", calls, bar=Bar("ours", "least", CALLS)),
    ]
    return rows, {"webhook_ms": waited, "healthz_ms": floor}


def _measured(client: Client, rounds: int) -> tuple[list[float], list[float]]:
    waited, floor = [], []
    pause = socket.socketpair()
    pause[0].settimeout(WAIT)
    for _ in range(rounds):
        waited.append(client.webhook())
        floor.append(client.health())
        try:
            pause[0].recv(1)
        except TimeoutError:
            continue
    for end in pause:
        end.close()
    return waited, floor


def _serve(folder: Path) -> Sequence[str]:
    store = f"sqlite:///{folder / 'calls.db'}"
    ports = ("--public-port", "0", "--private-port", "0")
    return ("-m", "mcp_voice", "serve", "--loopback-echo", "--public-url", HERE, "--store", store, *ports)


def _settings() -> dict[str, str]:
    """Without tickets: the load's streams were never announced."""
    return {
        "MCP_VOICE_TWILIO__AUTH_TOKEN": TOKEN,
        "MCP_VOICE_TWILIO__TICKETS": "false",
        "MCP_VOICE_LOG__FORMAT": "json",
    }


def _row(what: str, ours: float, floor: float, bar: Bar | None) -> Row:
    return Row(PART, what, "ms", ours, floor, bar)


def _p99(values: Sequence[float]) -> float:
    return quantiles(values, n=100)[98]


# ─── the calls that talk ─────────────────────────────────────────────────────


@contextmanager
def live_calls(port: int) -> Iterator[int]:
    """Have calls talk, in a process of their own; yield how many do."""
    command = [sys.executable, "-m", "tests.bench.webhook", str(port), str(CALLS)]
    process = Popen(command, stdout=PIPE, env=machine.environment())
    assert process.stdout is not None
    try:
        told = process.stdout.readline()
        if not told:
            raise Died("The load did not begin to talk.")
        yield int(json.loads(told))
    finally:
        process.stdout.close()
        machine.end(process)


def talk(port: int, calls: int) -> None:
    """Talk until ended."""
    socket_url = f"{HERE.replace('http', 'ws', 1)}{PATH}"
    load = Load(port, headers=f"x-twilio-signature: {signed(socket_url, TOKEN)}\r\n")
    load.grow(calls, A_SECOND)
    load.run(0.5)
    sys.stdout.write(f"{len(load)}\n")
    sys.stdout.flush()
    while True:
        load.run(3600)


if __name__ == "__main__":
    talk(int(sys.argv[1]), int(sys.argv[2]))
