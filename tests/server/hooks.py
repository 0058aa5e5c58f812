"""An office with Twilio's webhooks, and Twilio's side of them: forms, signed by its own library."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element, fromstring

import httpx2
from starlette.datastructures import FormData
from twilio.request_validator import RequestValidator

from mcp_voice.carriers.twilio.signature import Keys
from mcp_voice.core.session import Session
from mcp_voice.server import http, webhooks
from mcp_voice.server.sockets import Entrance
from mcp_voice.settings.inbound import Inbound
from tests.tools.desk import Office, an_office

HERE: Final = "https://voice.example.com"
TOKEN: Final = "secret-of-this-test"
CALL: Final = "CA" + "1" * 32
ACCOUNT: Final = "AC" + "0" * 32
RECORDING: Final = "RE" + "2" * 32
FROM, TO = "+12025550142", "+12025550100"

ROUTES: Final[dict[str, Any]] = {
    "front": {"kind": "menu", "prompt": "Press 1 & wait.", "choices": {"1": "stream", "2": "message"}},
    "message": {"kind": "voicemail"},
    "desk": {"kind": "forward", "to": "+12025550123", "otherwise": "message", "announce": "One moment."},
    "alone": {"kind": "forward", "to": "sip:desk@example.com"},
    "+12025550199": {"kind": "reject", "reason": "busy"},
}


@dataclass
class Twilio:
    """Twilio's side."""

    web: httpx2.AsyncClient
    office: Office
    entrance: Entrance

    async def post(self, path: str, /, *, token: str = TOKEN, **fields: str) -> httpx2.Response:
        """Send a signed form."""
        form = {"AccountSid": ACCOUNT, "CallSid": CALL, **fields}
        signature = RequestValidator(token).compute_signature(HERE + path, FormData(form))
        return await self.web.post(HERE + path, data=form, headers={"X-Twilio-Signature": signature})

    async def ask(self, path: str, /, **fields: str) -> Element:
        """Ask for TwiML, as a call does."""
        call = {"From": FROM, "To": TO, "CallStatus": "ringing", "Direction": "inbound"}
        answer = await self.post(path, **{**call, **fields})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        return fromstring(answer.text)

    async def session(self) -> Session:
        """The session of the call."""
        session = await self.office.desk.store.named(CALL)
        assert session is not None
        return session

    async def log(self, kind: str) -> list[dict[str, Any]]:
        """What the call's log says of something."""
        entries = await self.office.desk.store.entries((await self.session()).session_id)
        return [dict(entry.data) for entry in entries if entry.kind == kind]


@asynccontextmanager
async def an_exchange(*, full: bool = False, patience: float = 30.0, **inbound: Any) -> AsyncIterator[Twilio]:
    async with an_office() as office:
        entrance = Entrance(HERE, Keys((TOKEN,)))
        office.desk.sockets = entrance
        given = Inbound.model_validate({"routes": ROUTES, **inbound})
        hooks = webhooks.routes(office.desk, entrance, given, lambda: full, patience)
        transport = httpx2.ASGITransport(http.public_app(hooks, lambda: False))
        async with httpx2.AsyncClient(transport=transport) as web:
            yield Twilio(web, office, entrance)


def verbs(response: Element) -> list[str]:
    return [verb.tag for verb in response]


def parameters(response: Element) -> dict[str, str]:
    """What the stream of a document is told."""
    return {each.attrib["name"]: each.attrib["value"] for each in response.iter("Parameter")}


def url(response: Element) -> str:
    """Where a document sends the call's stream."""
    [stream] = response.iter("Stream")
    return stream.attrib["url"]
