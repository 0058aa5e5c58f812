"""A way in from outside, for a machine that has none: a tunnel to the public listener.

`ngrok` is its vendor's SDK (https://ngrok.com/docs/getting-started/python);
the account's token is its own variable, NGROK_AUTHTOKEN. What clients use,
the private listener, stays where it is.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

from mcp_voice.errors import CarrierFailed, NotConfigured
from mcp_voice.providers.extras import require
from mcp_voice.settings import Settings

log = structlog.get_logger(__name__)


@asynccontextmanager
async def tunnelled(settings: Settings, port: int) -> AsyncIterator[Settings]:
    """Open the tunnel that is set, if one is; yield the settings with its address as the public one.

    Raises `NotConfigured` if it is not installed or has no account, `CarrierFailed` if it cannot be opened.
    """
    if settings.tunnel is None:
        yield settings
        return
    if settings.public_url is not None:
        raise NotConfigured(
            "There is a public address already, and a tunnel would have another.",
            advice="Leave one of them out: MCP_VOICE_PUBLIC_URL or the tunnel.",
        )
    require("ngrok", "The tunnel", extra="ngrok")
    import ngrok

    try:
        opened: Any = ngrok.forward(f"127.0.0.1:{port}", authtoken_from_env=True)
        listener = await opened
    except ValueError as error:  # what its native half raises, whatever it was: a title, and more
        raise _failed(": ".join(map(str, error.args))) from None
    try:
        log.info("tunnel", url=listener.url())
        yield settings.model_copy(update={"public_url": listener.url().rstrip("/")})
    finally:
        await listener.close()


def _failed(why: str) -> CarrierFailed | NotConfigured:
    told = " ".join(why.split())[:300] or "it does not say why"
    if "authtoken" in why.lower() or "authentication" in why.lower():
        return NotConfigured(f"ngrok does not take the account: {told}", advice="Set NGROK_AUTHTOKEN.")
    return CarrierFailed(f"ngrok opened no tunnel: {told}", advice="Try again, or set MCP_VOICE_PUBLIC_URL.")
