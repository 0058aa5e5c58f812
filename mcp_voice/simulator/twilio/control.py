"""What a simulated network can be told that Twilio cannot: `/simulate/…`, JSON or a form in, JSON out.

POST /simulate/incoming   From, To, persona     somebody calls
POST /simulate/faults     duplicate, reorder, forge, stale, lose     what goes wrong with webhooks
POST /simulate/troubles   code, times, after, seconds     what goes wrong with the next API requests
GET  /simulate/webhooks                         what has been delivered, and what was answered
GET  /simulate/alerts                           what Twilio's debugger would show
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_voice.errors import VoiceError
from mcp_voice.simulator.twilio import calls
from mcp_voice.simulator.twilio.exchange import Trouble
from mcp_voice.simulator.twilio.refusals import REFUSALS

if TYPE_CHECKING:
    from mcp_voice.simulator.twilio.exchange import Exchange

NOBODY: Final = "+12025550142"
MOST: Final = 10_000


def routes(exchange: "Exchange") -> list[Route]:
    """Return the routes of one exchange."""
    account = exchange.account

    async def incoming(request: Request) -> Response:
        said = await _said(request)
        to = str(said.get("To") or next(iter(account.numbers), ""))
        from_, persona = str(said.get("From") or NOBODY), str(said.get("persona", ""))
        try:
            call = exchange.do(lambda: calls.incoming(account, from_, to, persona))
        except VoiceError as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(call.json(), 201)

    async def faults(request: Request) -> Response:
        wanted = {name: str(value).lower() in ("true", "1") for name, value in (await _said(request)).items()}
        exchange.hooks.faults.set(wanted)
        return JSONResponse(exchange.hooks.faults.json())

    async def troubles(request: Request) -> Response:
        said = await _said(request)
        try:
            code = int(said["code"]) if said.get("code") else None
            times, seconds = int(said.get("times", 1)), float(said.get("seconds", 0))
        except (TypeError, ValueError):
            return JSONResponse({"error": "code, times and seconds are numbers."}, 400)
        if code is not None and code not in REFUSALS:
            return JSONResponse({"error": f"There is no error {code}; there are {[*REFUSALS]}."}, 400)
        after = str(said.get("after", "")).lower() in ("true", "1")
        exchange.troubles.extend([Trouble(code, after, seconds)] * min(times, MOST))
        return JSONResponse({"pending": len(exchange.troubles)})

    async def webhooks(_: Request) -> Response:
        sent = exchange.hooks.sent
        return JSONResponse(
            [
                {"url": one.url, "form": dict(one.form), "status": one.status, "seconds": one.seconds}
                for one in sent
            ]
        )

    async def alerts(_: Request) -> Response:
        return JSONResponse(
            [{"call_sid": sid, "code": alert.code, "why": alert.why} for sid, alert in account.alerts]
        )

    return [
        Route("/simulate/incoming", incoming, methods=["POST"]),
        Route("/simulate/faults", faults, methods=["POST"]),
        Route("/simulate/troubles", troubles, methods=["POST"]),
        Route("/simulate/webhooks", webhooks),
        Route("/simulate/alerts", alerts),
    ]


async def _said(request: Request) -> Mapping[str, Any]:
    sent = (await request.body()).decode(errors="replace")
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            said = json.loads(sent or "{}")
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}
    return dict(parse_qsl(sent))
