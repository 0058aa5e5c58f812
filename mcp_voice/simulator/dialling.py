"""How Twilio dials a server's socket, and what it calls a failure to.

https://www.twilio.com/docs/usage/security (the signature)
https://www.twilio.com/docs/api/errors (319xx)
"""

import base64
import hmac
import socket
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from mcp_voice.errors import CarrierFailed

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

TIMED_OUT: Final = 31_901
REFUSED: Final = 31_902
BROKEN: Final = 31_903
UNREACHABLE: Final = 31_904
NOT_SECURE: Final = 31_910
NO_HANDSHAKE: Final = 31_920
CLOSED_BY_SERVER: Final = 31_921
BAD_SCHEME: Final = 31_922
BAD_URL: Final = 31_923

SIGNATURE: Final = "x-twilio-signature"
"""In lower case on a WebSocket upgrade, unlike on a webhook."""

UNREAD: Final = 64 * 1024
"""Bytes that wait for a server which does not read, before its audio is lost; some 4 s of it."""


def signed(url: str, token: str) -> str:
    """Return Twilio's signature of a URL it dials: no parameters, and a bare host gets its `/`."""
    parts = urlsplit(url)
    url = parts._replace(path=parts.path or "/").geturl()
    return base64.b64encode(hmac.digest(token.encode(), url.encode(), "sha1")).decode()


def check(url: str) -> SplitResult:
    """Return the URL's parts, if Twilio would dial it; `ws://` is allowed for a server on this machine.

    Raises:
        CarrierFailed: it would not; the code is 31922, 31923 or 31920.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise failed(BAD_URL, f"{url!r} is not a URL.", "Use wss://host/path.") from None
    if parts.scheme not in ("ws", "wss"):
        raise failed(BAD_SCHEME, f"{url!r} does not begin with wss://.", "A media stream is a WebSocket.")
    if not host or parts.fragment:
        raise failed(BAD_URL, f"{url!r} is not a URL.", "Use wss://host/path.")
    if parts.query:
        raise failed(
            NO_HANDSHAKE,
            "Twilio supports no query string in a stream's URL.",
            "Pass the values as parameters; they arrive in `start.customParameters`.",
        )
    return parts


async def dial(
    url: str, *, token: str | None = None, signed_url: str | None = None, patience: float = 10.0
) -> "ClientConnection":
    """Open the socket as Twilio does: no Origin, no subprotocol, no redirect followed.

    With the account's auth `token` the upgrade is signed, over `signed_url` if
    the server is known to the world by another address than the one dialled.

    Raises:
        CarrierFailed: there is no socket; the sentence begins with Twilio's number.
    """
    check(url)
    return await open_socket(url, {SIGNATURE: signed(signed_url or url, token)} if token else {}, patience)


async def open_socket(url: str, headers: Mapping[str, str], patience: float) -> "ClientConnection":
    """Open a socket with these headers, as Twilio does. Raises `CarrierFailed`."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus, WebSocketException

    class Dial(connect):
        def process_redirect(self, exc: Exception) -> Exception | str:
            return exc

    host = urlsplit(url).hostname or ""
    try:
        return await Dial(
            url, additional_headers=headers, user_agent_header="mcp-voice-simulator", compression=None,
            proxy=None if _here(host) else True, open_timeout=patience, close_timeout=2.0,
            ping_interval=None, max_size=None, write_limit=2 * UNREAD,
        )  # fmt: skip
    except InvalidStatus as error:
        said = bytes(error.response.body or b"")[:200].decode(errors="replace").strip()
        raise failed(
            NO_HANDSHAKE, f"{url} answered HTTP {error.response.status_code}: {said or 'no words'}."
        ) from None
    except WebSocketException as error:
        raise failed(NO_HANDSHAKE, f"{url} did not complete the handshake: {error}.") from None
    except UnicodeError:
        raise failed(BAD_URL, f"{host!r} is not a host's name.") from None
    except OSError as error:
        raise _unreachable(url, error) from None


def failed(code: int, what: str, advice: str = "") -> CarrierFailed:
    """Make the error that Twilio would log under this number."""
    return CarrierFailed(f"{code}: {what}", advice=advice, code=code)


def _unreachable(url: str, error: OSError) -> CarrierFailed:
    match error:
        case TimeoutError():
            return failed(TIMED_OUT, f"{url} did not answer in time.")
        case socket.gaierror():
            return failed(UNREACHABLE, f"There is no host {urlsplit(url).hostname!r}.", "Check the name.")
        case ssl.SSLError():
            return failed(
                NOT_SECURE, f"No secure connection to {url}: {error}.", "Twilio needs a public certificate."
            )
        case _:
            return failed(REFUSED, f"{url} cannot be reached: {error}.", "Is the server running there?")


def _here(host: str) -> bool:
    """Say whether a host is this machine, which no proxy can reach."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
