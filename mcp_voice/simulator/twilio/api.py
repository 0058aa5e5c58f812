"""Twilio's REST API of 2010, as far as calls need it: forms in, JSON out.

`app(exchange)` is an ASGI application. Beside the API it has `/simulate/…`,
which Twilio has not: let somebody call in, switch faults on, look at what was
posted. The SDK is pointed here by an HTTP client that changes the host:

    class Here(TwilioHttpClient):
        def request(self, method, url, *args, **how):
            here = url.replace("https://api.twilio.com", "http://127.0.0.1:8089")
            return super().request(method, here, *args, **how)

    Client(sid, token, http_client=Here())

https://www.twilio.com/docs/usage/api · https://www.twilio.com/docs/voice/api
"""

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.twilio import resources, rooms
from mcp_voice.simulator.twilio.asked import Asked
from mcp_voice.simulator.twilio.control import routes as control
from mcp_voice.simulator.twilio.exchange import Trouble
from mcp_voice.simulator.twilio.records import API
from mcp_voice.simulator.twilio.refusals import body, refusal

if TYPE_CHECKING:
    from mcp_voice.simulator.twilio.exchange import Exchange

Does: TypeAlias = Callable[[Asked], Response | dict[str, Any] | None]

BASE: Final = f"/{API}/Accounts/{{account}}"
LARGEST: Final = 256 * 1024

ROUTES: Final[Mapping[str, Mapping[str, tuple[int, Does]]]] = {
    f"{BASE}.json": {"GET": (200, resources.account)},
    f"{BASE}/Balance.json": {"GET": (200, resources.balance)},
    f"{BASE}/Calls.json": {"GET": (200, resources.calls_list), "POST": (201, resources.calls_create)},
    f"{BASE}/Calls/{{call}}.json": {
        "GET": (200, resources.call_fetch),
        "POST": (200, resources.call_update),
        "DELETE": (204, resources.call_delete),
    },
    f"{BASE}/Calls/{{call}}/Recordings.json": {
        "GET": (200, resources.recordings_list),
        "POST": (201, resources.recording_create),
    },
    f"{BASE}/Calls/{{call}}/Recordings/{{recording}}.json": {
        "GET": (200, resources.recording_fetch),
        "POST": (200, resources.recording_update),
        "DELETE": (204, resources.recording_delete),
    },
    f"{BASE}/Calls/{{call}}/Streams.json": {"POST": (201, resources.stream_create)},
    f"{BASE}/Calls/{{call}}/Streams/{{stream}}.json": {"POST": (200, resources.stream_update)},
    f"{BASE}/Calls/{{call}}/Transcriptions.json": {"POST": (201, resources.words_create)},
    f"{BASE}/Calls/{{call}}/Transcriptions/{{words}}.json": {"POST": (200, resources.words_update)},
    f"{BASE}/Calls/{{call}}/Notifications.json": {"GET": (200, resources.notifications)},
    f"{BASE}/Conferences.json": {"GET": (200, rooms.rooms_list)},
    f"{BASE}/Conferences/{{room}}.json": {"GET": (200, rooms.room_fetch), "POST": (200, rooms.room_update)},
    f"{BASE}/Conferences/{{room}}/Participants.json": {
        "GET": (200, rooms.members_list),
        "POST": (201, rooms.member_create),
    },
    f"{BASE}/Conferences/{{room}}/Participants/{{member}}.json": {
        "GET": (200, rooms.member_fetch),
        "POST": (200, rooms.member_update),
        "DELETE": (204, rooms.member_delete),
    },
    f"{BASE}/Conferences/{{room}}/Recordings.json": {"GET": (200, rooms.recordings_list)},
    f"{BASE}/Recordings.json": {"GET": (200, resources.recordings_list)},
    f"{BASE}/Recordings/{{recording}}": {
        "GET": (200, resources.recording_media),
        "DELETE": (204, resources.recording_delete),
    },
    f"{BASE}/IncomingPhoneNumbers.json": {"GET": (200, resources.numbers_list)},
    f"{BASE}/IncomingPhoneNumbers/{{number}}.json": {
        "GET": (200, resources.number_fetch),
        "POST": (200, resources.number_update),
    },
}
"""Every address, and what is done there: the status, and the function that does it."""


def app(exchange: "Exchange") -> Starlette:
    """Return the API of one account, whose exchange runs while the app does."""

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        async with exchange:
            yield

    async def lost(request: Request, _: Exception) -> Response:
        return _error(refusal(20404, request.url.path))

    async def wrong(request: Request, _: Exception) -> Response:
        return _error(refusal(20004))

    routes = [Route(path, _endpoint(exchange, deeds), methods=list(deeds)) for path, deeds in ROUTES.items()]
    handlers: Any = {404: lost, 405: wrong}
    return Starlette(routes=[*routes, *control(exchange)], lifespan=running, exception_handlers=handlers)


def _endpoint(
    exchange: "Exchange", deeds: Mapping[str, tuple[int, Does]]
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            status, deed = deeds.get(request.method) or deeds["GET"]
            _check_key(exchange, request)
            asked = Asked(exchange, request.path_params, await _form(request), request.url.path)
            trouble = exchange.troubles.popleft() if exchange.troubles else Trouble()
            done = trouble.code is None or trouble.after
            made = exchange.do(lambda: deed(asked)) if done else None
            await asyncio.sleep(trouble.seconds)
            if trouble.code is not None:
                raise refusal(trouble.code)
        except CarrierFailed as error:
            return _error(error)
        if isinstance(made, Response):
            return made
        return JSONResponse(made, status) if made is not None else Response(status_code=status)

    return answer


def _error(error: CarrierFailed) -> Response:
    return JSONResponse(body(error), error.details["status"])


def _check_key(exchange: "Exchange", request: Request) -> None:
    """Raise 20003 unless these are the account's credentials, and 20404 unless it is the account's."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    expected = base64.b64encode(f"{exchange.account.sid}:{exchange.token}".encode()).decode()
    if scheme.lower() != "basic" or not hmac.compare_digest(given.strip().encode(), expected.encode()):
        raise refusal(20003)
    if request.path_params["account"] != exchange.account.sid:
        raise refusal(20404, request.url.path)


async def _form(request: Request) -> list[tuple[str, str]]:
    """Return the parameters: of the query, where something is asked for, else of the form."""
    if request.method != "POST":
        return parse_qsl(request.url.query, keep_blank_values=True)
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    sent = await request.body()
    if len(sent) > LARGEST or (sent and kind != "application/x-www-form-urlencoded"):
        raise refusal(20001, "The request is not a form")
    try:
        return parse_qsl(sent.decode(), keep_blank_values=True)
    except UnicodeDecodeError:
        raise refusal(20001, "The form is not UTF-8") from None
