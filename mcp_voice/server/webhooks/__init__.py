"""Twilio's webhooks: what a call asks, and what Twilio tells of it.

    /twilio/voice[/{route}]      a call has come            → TwiML
    /twilio/voice/calls/{id}     a call we placed           → TwiML
    /twilio/after|dial|gather/…  a call asks what next      → TwiML
    /twilio/fallback             something did not work     → TwiML
    /twilio/status|amd|…         news                       → nothing

A call that asks always gets XML: when something of ours is down, an apology.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

import anyio
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_voice.carriers.twilio.callbacks import Form
from mcp_voice.errors import BadMessage, VoiceError
from mcp_voice.ports import Desk
from mcp_voice.server.sockets import ROOT, Entrance
from mcp_voice.server.webhooks.door import AGAIN, Answers, Turned, read
from mcp_voice.server.webhooks.news import READS, Newsroom, key
from mcp_voice.server.webhooks.reception import Reception
from mcp_voice.settings.inbound import Inbound

Asked: TypeAlias = Callable[[Form, Mapping[str, str]], Awaitable[str]]
Work: TypeAlias = Callable[[Request, Form], Awaitable[Response]]

XML: Final = "text/xml"

PATIENCE: Final = 5.0
"""Seconds that a call waits for its TwiML: longer, and its caller hears an apology. Twilio waits 15."""

log = structlog.get_logger(__name__)


def routes(
    desk: Desk,
    entrance: Entrance,
    inbound: Inbound,
    full: Callable[[], bool] = lambda: False,
    patience: float = PATIENCE,
) -> list[Route]:
    """Return the routes of all webhooks."""
    reception, newsroom, answers = Reception(desk, inbound, full), Newsroom(desk), Answers()
    asked: Mapping[str, Asked] = {
        "/voice": reception.voice,
        "/voice/{name}": reception.voice,
        "/voice/calls/{session_id}": reception.placed,
        "/after/{session_id}": reception.after,
        "/dial/{session_id}": reception.dial,
        "/gather/{session_id}": reception.gather,
        "/fallback": reception.fallback,
    }
    found = [
        _route(path, entrance, partial(_answered, reception, answers, patience, answer))
        for path, answer in asked.items()
    ]
    for name in READS:
        told = partial(_told, newsroom, answers, name)
        found += [_route(f"/{name}{which}", entrance, told) for which in ("", "/{session_id}")]
    return found


def _route(path: str, entrance: Entrance, work: Work) -> Route:
    """Return the route of a webhook, which only Twilio gets through."""

    async def webhook(request: Request) -> Response:
        try:
            return await work(request, await read(request, entrance))
        except Turned as turned:
            status, why = turned.status, str(turned)
        except BadMessage as error:
            status, why = 400, str(error)
        log.warning("webhook_refused", path=ROOT + path, status=status, why=why)
        return Response(status_code=status)

    return Route(ROOT + path, webhook, methods=["POST"])


async def _answered(
    reception: Reception, answers: Answers, patience: float, answer: Asked, request: Request, form: Form
) -> Response:
    """Answer with TwiML, whatever becomes of it."""

    async def make() -> Response:
        with anyio.fail_after(patience):
            return _xml(await answer(form, request.path_params))

    again = request.headers.get(AGAIN)
    try:
        return await answers.of((request.url.path, again) if again else None, make)
    except BadMessage:
        raise
    except (VoiceError, TimeoutError) as error:
        log.error("twiml_failed", path=request.url.path, error=type(error).__name__, why=str(error))
        return _xml(reception.apology())


async def _told(newsroom: Newsroom, answers: Answers, name: str, request: Request, form: Form) -> Response:
    """Take news; Twilio is told to try again when it could not be written down."""
    news = READS[name](form)

    async def make() -> Response:
        await newsroom.take(news, request.path_params)
        return Response(status_code=204)

    again = request.headers.get(AGAIN)
    try:
        return await answers.of(key(news) or ((name, again) if again else None), make)
    except VoiceError as error:
        log.error("news_lost", path=request.url.path, error=type(error).__name__, why=str(error))
        return Response(status_code=503)


def _xml(twiml: str) -> Response:
    return Response(twiml, media_type=XML)
