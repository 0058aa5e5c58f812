import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx2
import pytest
from mcp import Client

from mcp_voice.server import http
from mcp_voice.server.listeners import Listener, bind, listening, port_of
from tests.server.dialling import CATALOGUE, LONDON, Exchange, Person, error
from tests.server.visitors import at_home

pytestmark = pytest.mark.anyio

YES: Final = {"answer": "accept"}


@dataclass
class Visit:
    """A house with its page up, a client that cannot ask its user, and the user's browser."""

    url: str
    client: Client
    browser: httpx2.AsyncClient
    exchange: Exchange

    async def dial(self, **arguments: Any) -> Any:
        return await self.client.call_tool("line.dial", {"to": LONDON, **arguments})

    async def link(self, **arguments: Any) -> str:
        facts = error(await self.dial(**arguments))
        assert (facts["code"], facts["retryable"]) == ("approval_required", True)
        return str(facts["link"])

    async def answer(self, link: str, data: dict[str, str], **headers: str) -> httpx2.Response:
        return await self.browser.post(link, data=data, headers={"origin": self.url, **headers})


@asynccontextmanager
async def visiting(mode: str = "auto", person: Person | None = None) -> AsyncIterator[Visit]:
    asked: dict[str, Any] = {} if person is None else {"elicitation_callback": person.answer}
    async with at_home(outbound__quiet_hours=False, private_host="127.0.0.1") as opened:
        house = replace(opened, catalogue=CATALOGUE)
        bound = bind("127.0.0.1", 0, "private_port")
        url = http.address("127.0.0.1", port_of(bound))
        house.approvals.address = url
        async with (
            listening(Listener(house.private, bound, lifespan=True)),
            Client(f"{url}/mcp", mode=mode, **asked) as client,
            httpx2.AsyncClient() as browser,
        ):
            yield Visit(url, client, browser, house.desk.drawer(Exchange))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_link_is_opened_approved_and_the_repeated_call_goes_through_once(mode: str) -> None:
    async with visiting(mode) as visit:
        link = await visit.link(purpose="<script>alert(1)</script>")
        page = await visit.browser.get(link)
        early = await visit.link(purpose="<script>alert(1)</script>")
        answered = await visit.answer(link, YES)
        first = await visit.dial(purpose="<script>alert(1)</script>")
        again = await visit.link(purpose="<script>alert(1)</script>")
        used = await visit.browser.get(link)

        assert link.startswith(f"{visit.url}/approve/")
        assert len(link.rpartition("/")[2]) == 22  # 128 bits
        assert (page.status_code, answered.status_code, used.status_code) == (200, 200, 404)
        assert f"Dial {LONDON} (GB, landline) for at most 30 minutes" in page.text
        assert "&lt;script&gt;" in page.text
        assert "<script" not in page.text
        assert early == link
        assert first.structured_content == {"to": LONDON}
        assert again != link
        assert visit.exchange.dialled == [LONDON]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_can_ask_its_user_is_not_sent_to_the_page(mode: str) -> None:
    person = Person(["accept", "decline"])

    async with visiting(mode, person) as visit:
        first, second = await visit.dial(), await visit.dial()

        assert first.structured_content == {"to": LONDON}
        assert error(second)["code"] == "approval_denied"
        assert len(person.shown) == 2
        assert visit.exchange.dialled == [LONDON]


async def test_a_link_that_is_declined_is_a_no() -> None:
    async with visiting() as visit:
        link = await visit.link()
        await visit.answer(link, {"answer": "decline"})
        changed_mind = await visit.answer(link, YES)
        refused = error(await visit.dial())

        assert changed_mind.status_code == 410
        assert (refused["code"], refused["retryable"]) == ("approval_denied", False)
        assert visit.exchange.dialled == []


async def test_a_link_is_for_the_arguments_that_were_shown() -> None:
    async with visiting() as visit:
        await visit.answer(await visit.link(purpose="to book a table"), YES)

        altered = error(await visit.dial(purpose="to sell insurance"))

        assert altered["code"] == "approval_required"
        assert visit.exchange.dialled == []


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (YES, {"origin": "https://evil.example"}, 403),
        (YES, {"origin": "null"}, 403),
        (YES, {"origin": ""}, 403),
        (YES, {"sec-fetch-site": "cross-site"}, 403),
        (YES, {"sec-fetch-site": "same-site"}, 403),
        (YES, {"host": "evil.example", "origin": "http://evil.example"}, 421),
        ({"answer": "maybe"}, {}, 400),
        ({}, {}, 400),
        ({"answer": "accept", "more": "x" * 2_000}, {}, 400),
    ],
)
async def test_an_answer_that_the_page_did_not_send_is_none(
    data: dict[str, str], headers: dict[str, str], status: int
) -> None:
    async with visiting() as visit:
        link = await visit.link()

        refused = await visit.answer(link, data, **headers)

        assert refused.status_code == status
        assert error(await visit.dial())["code"] == "approval_required"
        assert visit.exchange.dialled == []


async def test_looking_at_a_page_approves_nothing_and_a_guess_shows_nothing() -> None:
    async with visiting() as visit:
        link = await visit.link()
        page = await visit.browser.get(link)
        await visit.browser.head(link)
        guess = await visit.browser.get(link[:-1] + ("A" if link[-1] != "A" else "B"))

        assert guess.status_code == 404
        assert LONDON not in guess.text
        assert error(await visit.dial())["code"] == "approval_required"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert re.findall(r"(?:src|href|action)=", page.text) == []


async def test_a_browser_needs_no_bearer_token_for_the_page_and_for_nothing_else() -> None:
    async with at_home(token="s" * 40, private_host="127.0.0.1") as house:
        bound = bind("127.0.0.1", 0, "private_port")
        url = http.address("127.0.0.1", port_of(bound))
        async with listening(Listener(house.private, bound, lifespan=True)), httpx2.AsyncClient() as browser:
            found = [
                (await browser.get(url + path)).status_code
                for path in (
                    "/approve/x",
                    "/approve",
                    "/approve/../metrics",
                    "/approve/x/y",
                    "/metrics",
                    "/mcp",
                )
            ]

    assert found == [404, 401, 401, 404, 401, 401]


async def test_the_page_is_not_on_the_public_listener() -> None:
    async with at_home() as house:
        assert "/approve/{token}" in {getattr(route, "path", "") for route in house.private.routes}
        public = {getattr(route, "path", "") for route in house.public.routes}
        assert {path for path in public if not path.startswith("/twilio/")} == {"/healthz"}
