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


def spellings(base_url: str, path: str) -> Iterator[str]:
    """Yield the ways in which Twilio may have written `path` at `base_url` (`wss://host[:port]`)."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    ports = [f":{parts.port}", ""] if parts.port else ["", ":443"]
    for port in ports:
        for end in ("", "/"):
            yield f"wss://{host}{port}{path.rstrip('/')}{end}"


def genuine(signature: str, base_url: str, path: str, tokens: Sequence[str]) -> bool:
    """Say whether one of the tokens made this signature for that path. Takes the same time either way."""
    found = False
    for token in tokens:
        for url in spellings(base_url, path):
            found |= hmac.compare_digest(signed(url, token), signature)
    return found
