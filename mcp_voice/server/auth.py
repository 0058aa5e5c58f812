"""The lock on the private door: one bearer token, if one is set.

The comparison takes the same time wherever the first wrong character is, and a
refusal says no more than RFC 6750 asks for. Who got in is left in the request's
state as `subject`, for the limiter.
"""

import hmac
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_voice.server.approvals import PATH

FREE: Final = frozenset({"/healthz"})
"""Paths that anybody may ask: a balancer has no token."""

APPROVALS: Final = PATH
"""A human's browser has no token either; the page's own is in its path."""

POLICY_VIOLATION: Final = 1008  # RFC 6455 §7.4.1


class Door:
    """Let in who presents the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        free = scope.get("path", "") in FREE or scope.get("path", "").startswith(APPROVALS)
        if scope["type"] not in ("http", "websocket") or free:
            await self.app(scope, receive, send)
        elif self._opens(Headers(scope=scope).get("authorization", "")):
            scope.setdefault("state", {})["subject"] = "token"
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await _refusal(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})

    def _opens(self, authorization: str) -> bool:
        scheme, _, presented = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(
            presented.strip().encode("latin-1"), self._token
        )


_refusal: Final = JSONResponse(
    {"error": "unauthorized", "message": "Present the server's token as 'Authorization: Bearer …'."},
    status_code=401,
    headers={"WWW-Authenticate": 'Bearer realm="mcp-voice"'},
)
