"""The page where a human approves a call, if their client cannot ask them.

`GET /approve/<token>` shows exactly what will be done; `POST` answers it, once.
The token is 128 random bits and opens nothing else. The page is on the private
listener only, answers to its own names, takes an answer from itself only, and
loads, frames and remembers nothing.
"""

from collections.abc import Sequence
from html import escape
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mcp_voice.server.approvals import PATH, Approvals, Ticket, said

MOST: Final = 1_024
"""Bytes of an answer."""

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""`same-origin`: without a referrer at all, browsers send a form's origin as `null`."""

PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>mcp-voice: {title}</title>
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}}
pre{{white-space:pre-wrap;overflow-wrap:anywhere;background:#8882;padding:1rem;border-radius:.5rem}}
button{{font:inherit;padding:.5rem 1.5rem;margin-right:1rem}}</style>
<h1>{title}</h1>{body}
"""
FORM: Final = """<pre>{question}</pre><form method="post">
<button name="answer" value="accept">Approve this one call</button>
<button name="answer" value="decline">Decline</button></form>
"""


def route(approvals: Approvals, hosts: Sequence[str]) -> Route:
    """Return the page's route; `hosts` are the names it answers to, `name:*` on any port."""

    async def page(request: Request) -> Response:
        host = request.headers.get("host", "")
        if not _known(host, hosts):
            return _page("Not here", "<p>This page does not answer to that name.</p>", 421)
        ticket = approvals.find(request.path_params["token"])
        if ticket is None:
            return _page("Nothing to approve", "<p>This link has been used, or is too old.</p>", 404)
        if ticket.state != "open":
            return _page("Already answered", f"<p>This call has been {ticket.state}.</p>", 410)
        if request.method != "POST":
            return _page("Approve a call?", FORM.format(question=escape(ticket.question)))
        if not _own(request, host):
            return _page("Refused", "<p>The answer has to come from the page itself.</p>", 403)
        return _settled(approvals, ticket, await _answer(request))

    return Route(PATH + "{token}", page, methods=["GET", "POST"])


def _settled(approvals: Approvals, ticket: Ticket, answer: str) -> Response:
    if answer not in ("accept", "decline"):
        return _page("Refused", "<p>That is no answer.</p>", 400)
    approvals.answer(ticket.token, said(answer))
    if answer == "accept":
        return _page("Approved", "<p>For one call, in the next ten minutes. Tell the agent to go on.</p>")
    return _page("Declined", "<p>The call will not be made.</p>")


def _page(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(PAGE.format(title=title, body=body), status, HEADERS)


async def _answer(request: Request) -> str:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST:
            return ""
    return parse_qs(body.decode("ascii", "replace")).get("answer", [""])[0]


def _own(request: Request, host: str) -> bool:
    """Whether the page itself sends this: browsers say where a form is from."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    return site == "same-origin" and urlsplit(request.headers.get("origin", "")).netloc == host


def _known(host: str, hosts: Sequence[str]) -> bool:
    name, colon, port = host.rpartition(":")
    return host in hosts or (bool(colon) and port.isdecimal() and f"{name}:*" in hosts)
