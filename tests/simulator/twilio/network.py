"""An account in virtual time, and a customer whose answers are written down beforehand."""

from collections.abc import Callable, Mapping
from typing import Any

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.casting import PREFIX, cast
from mcp_voice.simulator.persona import Persona
from mcp_voice.simulator.twilio import calls
from mcp_voice.simulator.twilio.account import Account
from mcp_voice.simulator.twilio.effects import Effect, Post, Reply
from mcp_voice.simulator.twilio.records import Call

SID = "AC" + "0" * 31 + "1"
OURS = "+12025550100"
SOMEBODY = "+12025550142"

Page = str | int | CarrierFailed | Callable[[Mapping[str, str]], str]


def somebody(**fields: Any) -> Persona:
    """A person who picks up at once and says nothing, unless told to."""
    states = {"listens": {"when": [{"silence": 3_600, "goto": "listens"}]}}
    return Persona.model_validate(
        {"description": "Somebody.", "rings": 1, "thinks": 0, "patience": 3_600, "states": states, **fields}
    )


def saying(*texts: str, **fields: Any) -> Persona:
    """A person who says these at once, one after the other, and listens."""
    states: dict[str, Any] = {
        f"says{n}": {"say": text, "goto": f"says{n + 1}"} for n, text in enumerate(texts)
    }
    return somebody(
        states={**states, f"says{len(texts)}": {"when": [{"silence": 3_600, "hang_up": True}]}}, **fields
    )


class Network:
    """Drives an account; `pages` are the customer's documents by URL, `posts` what was posted."""

    def __init__(
        self, pages: Mapping[str, Page] | None = None, people: Mapping[str, Persona] | None = None, **how: Any
    ) -> None:
        self.pages, self.people = dict(pages or {}), dict(people or {})
        self.account = Account(SID, self._who, numbers=[OURS], **how)
        self.posts: list[tuple[float, Post]] = []
        self.effects: list[Effect] = []

    def _who(self, number: str) -> Persona:
        if number.startswith(PREFIX):
            return cast(number)
        return self.people.get(number) or somebody()

    def dial(self, events: str = "", **form: str) -> Call:
        form = {"To": SOMEBODY, "From": OURS, **form}
        call = calls.dial(self.account, form, events=frozenset(events.split()))
        self.run(0)
        return call

    def run(self, seconds: float) -> None:
        """Let time pass; the customer answers at once."""
        until = self.account.now + seconds
        while True:
            self._carry_out()
            due = self.account.wakes_at
            if due is None or due > until:
                break
            self.account.advance(due)
        self.account.advance(until)
        self._carry_out()

    def _carry_out(self) -> None:
        while effects := self.account.take():
            for effect in effects:
                if isinstance(effect, Post):
                    self.posts.append((self.account.now, effect))
                    if effect.ticket is not None:
                        self.account.answered(effect.ticket, self._answer(effect), self.account.now)
                else:
                    self.effects.append(effect)

    def _answer(self, post: Post) -> Reply | CarrierFailed:
        page = self.pages.get(post.hook.url, 404)
        if callable(page):
            page = page(post.form)
        if isinstance(page, str):
            return Reply(200, "text/xml; charset=utf-8", page.encode())
        return Reply(page, "text/plain", b"") if isinstance(page, int) else page

    def to(self, url: str) -> list[Mapping[str, str]]:
        """Return the forms that were posted to an address."""
        return [post.form for _, post in self.posts if post.hook.url == url]

    @property
    def alerts(self) -> list[int]:
        return [alert.code for _, alert in self.account.alerts]


def response(*verbs: str) -> str:
    return f"<Response>{''.join(verbs)}</Response>"
