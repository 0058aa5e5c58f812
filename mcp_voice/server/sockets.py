"""Where carriers come in, and whether it is they who come.

An address of ours is the configured public one and what is behind it in the
request, byte for byte; `Host` says nothing, and `X-Forwarded-*` only in the
mouth of a proxy that is trusted to. With the account's token an upgrade needs
Twilio's signature over that address, and the ticket in it; a webhook the
signature. Without the token only this machine gets here (`settings.guard`).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Final, TypeAlias

import structlog

from mcp_voice.carriers.twilio.signature import Keys, Pairs, Shown, genuine
from mcp_voice.core.session import Session
from mcp_voice.core.tickets import Pass, Ticket, Tickets
from mcp_voice.core.twiml import Mode

Network: TypeAlias = IPv4Network | IPv6Network
Scope: TypeAlias = Mapping[str, Any]

ROOT: Final = "/twilio"
PATHS: Final[Mapping[Mode, str]] = {"stream": f"{ROOT}/media", "relay": f"{ROOT}/relay"}

OPEN: Final = Pass()

log = structlog.get_logger(__name__)


class Entrance:
    """Implements `ports.Sockets`, and judges who comes.

    `base` is where carriers reach the public listener; `callbacks` is whether they do.
    """

    def __init__(
        self,
        base: str,
        keys: Keys | None = None,
        *,
        callbacks: bool = True,
        tickets: bool = True,
        proxies: Sequence[Network] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base = base
        self._keys = keys
        self._callbacks = callbacks
        self._tickets = Tickets() if tickets and keys is not None else None
        self._proxies = proxies
        self._clock = clock

    @property
    def locked(self) -> bool:
        """Whether a signature is asked for."""
        return self._keys is not None

    # ─── the addresses ───────────────────────────────────────────────────────

    def socket(self, mode: Mode = "stream") -> str:
        """Return the bare address of our sockets."""
        return self.base.replace("http", "ws", 1) + PATHS[mode]

    def url(self, session: Session, *, mode: Mode = "stream", seconds: float = 60.0) -> str:
        """Return the address of a socket for a session's call, with a new ticket where one is asked for."""
        bare = self.socket(mode)
        if self._tickets is None:
            return bare
        return f"{bare}/{self._tickets.issue(session.session_id, self._clock(), seconds)}"

    def callback(self, name: str, session_id: str | None = None) -> str | None:
        """Return where Twilio tells of something."""
        if not self._callbacks:
            return None
        return "/".join(filter(None, (self.base + ROOT, name, session_id)))

    # ─── who comes ───────────────────────────────────────────────────────────

    def admits(self, scope: Scope) -> Pass | None:
        """Judge the upgrade of a socket; one line in the log says why it is refused."""
        if not self.locked:
            return OPEN
        if not self.genuine(scope):
            log.warning("socket_refused", why="signature")
            return None
        if self._tickets is None:
            return Pass(proven=True)
        ticket = self._tickets.redeem(scope.get("path_params", {}).get("ticket", ""), self._clock())
        if not isinstance(ticket, Ticket):
            log.warning("socket_refused", why=f"{ticket} ticket")
            return None
        return Pass(proven=True, session_id=ticket.session_id)

    def genuine(self, scope: Scope, form: Pairs = (), body: bytes = b"") -> bool:
        """Whether Twilio has signed a request: what it asks for, and the form or the body in it."""
        if self._keys is None:
            return True
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        shown = Shown(
            headers.get(b"x-twilio-signature", ""),
            headers.get(b"x-twilio-webhooks-signature-settings", ""),
            form,
            body,
        )
        found = False
        for url in self._addresses(scope, headers):
            found |= genuine(shown, url, self._keys)
        return found

    def _addresses(self, scope: Scope, headers: Mapping[bytes, str]) -> Iterator[str]:
        """Yield what Twilio may have asked for."""
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
        query = scope.get("query_string", b"").decode("latin-1")
        asked = f"{path}?{query}" if query else path
        web = scope["type"] == "http"
        yield (self.base if web else self.base.replace("http", "ws", 1)) + asked
        host, kind = (_last(headers.get(b"x-forwarded-" + name, "")) for name in (b"host", b"proto"))
        if host and kind and self._trusted(scope):
            secure = kind in ("https", "wss")
            yield f"{('http' if web else 'ws') + 's' * secure}://{host}{asked}"

    def _trusted(self, scope: Scope) -> bool:
        """Whether the peer is a proxy whose word is taken."""
        try:
            peer = ip_address((scope.get("client") or ("",))[0])
        except ValueError:
            return False
        return any(peer in network for network in self._proxies)


def _last(value: str) -> str:
    """Return what the nearest proxy has said."""
    return value.rpartition(",")[2].strip()
