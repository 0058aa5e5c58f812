"""Tools: processor time of a call over streamable HTTP, beside the SDK's bare server.

One client, one connection kept alive, requests of protocol 2026-07-28, one
after the other: what is counted is the server's own processor time. Rounds of
the three servers alternate, and the ratio is the median of the rounds' ratios:
a busy moment of the machine spoils one round, not the figure.
"""

import json
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from tests.bench import machine
from tests.bench.machine import Died, Server, say
from tests.bench.rows import Bar, Row
from tests.bench.tool_server import CALL_SID, NAME, REAL

PART: Final = "tools"
VERSION: Final = "2026-07-28"
TRIVIAL: Final = {"sessionId": "sess_0", "number": 1}
KINDS: Final[Mapping[str, tuple[str, dict[str, Any], dict[str, Any]]]] = {
    "bare": (NAME, TRIVIAL, {"sessionId": "sess_0", "number": 2}),
    "ours": (NAME, TRIVIAL, {"sessionId": "sess_0", "number": 2}),
    "real": (REAL, {"callSid": CALL_SID}, {}),
}
"""Each server's tool, what it is asked, and what it has to answer."""


@dataclass(frozen=True, slots=True)
class Client:
    """One connection to one server, and the request that it repeats."""

    server: Server
    stream: socket.socket
    request: bytes
    answer: Mapping[str, Any]

    def check(self) -> None:
        """Make one call and look at the answer. Raises `Died` when it is not what it should be."""
        said = json.loads(self._once())
        found = said.get("result", {}).get("structuredContent", {})
        if not found or (self.answer and found != self.answer):
            raise Died(f"The tool answered {said}.\n{self.server.last_words()}")

    def round(self, calls: int) -> float:
        """Make so many calls; return the processor time of one, in milliseconds."""
        before = self.server.cpu()
        for _ in range(calls):
            self._once()
        return 1_000 * (self.server.cpu() - before) / calls

    def _once(self) -> bytes:
        self.stream.sendall(self.request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += self._more()
        return body

    def _more(self) -> bytes:
        data = self.stream.recv(65_536)
        if not data:
            raise Died(f"The server closed the connection.\n{self.server.last_words()}")
        return data


def run(*, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """Measure the three servers in alternation."""
    rounds, calls = (3, 400) if quick else (9, 1_500)
    spent: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with ExitStack() as stack:
        clients = {
            kind: _client(stack.enter_context(machine.server("-m", "tests.bench.tool_server", kind)), kind)
            for kind in KINDS
        }
        for client in clients.values():
            client.check()
            client.round(200)
        for number in range(rounds):
            for kind in sorted(clients, reverse=number % 2 == 1):
                spent[kind].append(clients[kind].round(calls))
            say("tools, ms a call: " + ", ".join(f"{kind} {spent[kind][-1]:.3f}" for kind in clients))
    return _rows(spent), {"tools_ms": spent}


def _client(server: Server, kind: str) -> Client:
    name, arguments, answer = KINDS[kind]
    stream = socket.create_connection(("127.0.0.1", server.private), timeout=10)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    meta = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "0"},
    }
    params = {"name": name, "arguments": arguments, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{server.private}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {VERSION}\r\n"
        f"Mcp-Method: tools/call\r\nMcp-Name: {name}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return Client(server, stream, head.encode() + body, answer)


def _rows(spent: Mapping[str, list[float]]) -> list[Row]:
    floor = median(spent["bare"])
    ratio = {kind: median(a / b for a, b in zip(spent[kind], spent["bare"], strict=True)) for kind in spent}
    return [
        Row(PART, "CPU a call, trivial tool", "ms", ratio["ours"] * floor, floor, Bar("ratio", "most", 1.15)),
        Row(PART, "CPU a call, session.get", "ms", ratio["real"] * floor, floor),
    ]
