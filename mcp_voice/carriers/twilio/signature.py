"""Is this Twilio? The signature of a webhook, and of a WebSocket upgrade.

Twilio signs the URL it asks for, and a form's fields behind it: base64 of an
HMAC under the account's auth token, in `X-Twilio-Signature`
(https://www.twilio.com/docs/usage/security#validating-requests). A body that is
no form is signed by its hash, which stands in the URL as `bodySHA256`. With a
shared key the header `X-Twilio-Webhooks-Signature-Settings` names key and
algorithm.

What we see of the URL may differ from what was asked for, by a port or by a
trailing slash, so each way of writing it is tried. Where it begins comes from
configuration, never from the request.

    >>> signed("https://mycompany.com/myapp.php?foo=1&bar=2", "12345", [("Digits", "1234")])
    'pA9T74XaVTq8oX3FDhv0CTa4HE4='
"""

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, TypeAlias
from urllib.parse import SplitResult, parse_qsl, urlsplit

Pairs: TypeAlias = Sequence[tuple[str, str]]

ALGORITHMS: Final[Mapping[str, str]] = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
USUAL: Final = "HMAC_SHA1"


@dataclass(frozen=True, slots=True)
class Keys:
    """What an account's requests are signed with."""

    tokens: tuple[str, ...] = field(default=(), repr=False)
    """Its auth token; while that is changed, the next one too."""
    shared: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Shared keys by their ids."""

    def named(self, settings: str) -> tuple[tuple[str, ...], str | None]:
        """Return the secrets that may have been used, and the hash; None for an algorithm unknown here."""
        given = {}
        for part in settings.split(","):
            name, _, value = part.partition("=")
            given[name.strip()] = value.strip()
        key, algorithm = given.get("key"), given.get("algorithm") or USUAL
        secrets = self.tokens if not key else (self.shared.get(key, ""),)
        return tuple(filter(None, secrets)), ALGORITHMS.get(algorithm.upper())


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request shows of its origin."""

    signature: str = ""
    settings: str = ""
    """The header that names key and algorithm; empty is the auth token and HMAC-SHA1."""
    form: Pairs = ()
    body: bytes = b""
    """What was sent that is no form."""


def signed(url: str, secret: str, form: Pairs = (), hashed: str = "sha1") -> str:
    """Return the signature of a URL, with a form's fields: by name, and of one name each value once."""
    text = url + "".join(name + value for name, value in sorted(set(form)))
    return b64encode(hmac.digest(secret.encode(), text.encode(), hashed)).decode()


def spellings(url: str) -> Iterator[str]:
    """Yield the ways in which Twilio may have written a URL: with its port, a slash, an escaped quote."""
    parts = urlsplit(url)
    host, colon, port = parts.netloc.rpartition(":")
    if not (colon and port.isdecimal()):
        host, port = parts.netloc, "443" if parts.scheme in ("https", "wss") else "80"
    queries = dict.fromkeys((parts.query, parts.query.replace("'", "%27")))
    for netloc in (host, f"{host}:{port}"):
        for end in ("", "/"):
            path = parts.path.removesuffix("/") + end
            yield from (SplitResult(parts.scheme, netloc, path, query, "").geturl() for query in queries)


def genuine(shown: Shown, url: str, keys: Keys) -> bool:
    """Say whether one of the keys made this signature for the request to `url`; whatever was sent.

    Takes as long for a wrong one as for a right one.
    """
    secrets, hashed = keys.named(shown.settings)
    if hashed is None:
        return False
    found = False
    try:
        whole = not shown.body or _unchanged(shown.body, urlsplit(url).query)
        given = shown.signature.encode()
        for address, form in _candidates(url, shown.form):
            for secret in secrets:
                found |= hmac.compare_digest(signed(address, secret, form, hashed).encode(), given)
    except ValueError:  # no URL, or text that is none
        return False
    return found and whole


def _candidates(url: str, form: Pairs) -> Iterator[tuple[str, Pairs]]:
    """Yield what may have been signed. A socket's query may have been signed as a form's fields are."""
    for address in spellings(url):
        yield address, form
    bare, _, query = url.partition("?")
    if query and bare.startswith("ws"):
        for address in spellings(bare):
            yield address, parse_qsl(query, keep_blank_values=True)


def _unchanged(body: bytes, query: str) -> bool:
    """Whether a body is the one whose hash stands in the URL."""
    told = dict(parse_qsl(query, keep_blank_values=True)).get("bodySHA256", "")
    return hmac.compare_digest(sha256(body).hexdigest().encode(), told.encode())
