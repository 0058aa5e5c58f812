"""Is this socket Twilio's? The signature of a WebSocket upgrade.

Twilio signs the `wss://` URL it dials: base64 of HMAC-SHA1 under the account's
auth token, in `X-Twilio-Signature`
(https://www.twilio.com/docs/usage/security#validating-requests). What we see of
that URL may differ from what was dialled, by a port or by a trailing slash, so
each way of writing it is tried. The host comes from configuration, never from
the request.
"""

import hmac
from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha1
from urllib.parse import urlsplit


def signed(url: str, token: str) -> str:
    """Return the signature of a URL without parameters."""
    return b64encode(hmac.new(token.encode(), url.encode(), sha1).digest()).decode()


def spellings(url: str) -> Iterator[str]:
    """Yield the ways in which Twilio may have written the URL of a socket: with its port, and a slash."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    standard = 443 if parts.scheme == "wss" else 80
    for port in ("", f":{parts.port or standard}"):
        for end in ("", "/"):
            yield f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}{end}"


def genuine(signature: str, url: str, tokens: Sequence[str]) -> bool:
    """Say whether one of the tokens made this signature for the socket at `url`.

    Takes as long for a wrong one as for a right one.
    """
    found = False
    for token in tokens:
        for spelling in spellings(url):
            found |= hmac.compare_digest(signed(spelling, token).encode(), signature.encode())
    return found
