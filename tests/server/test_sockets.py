"""Where carriers come in, and whether it is they who come."""

from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest
from structlog.testing import capture_logs

from mcp_voice.carriers.twilio.signature import Keys, Pairs, signed
from mcp_voice.core.session import SessionConfig, begin
from mcp_voice.server.sockets import Entrance

HERE = "https://voice.example.com"
TOKEN = "secret-of-this-test"
SESSION = begin("CA1", SessionConfig(), datetime(2026, 1, 1, tzinfo=UTC))


class Watch:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def an_entrance(**given: Any) -> Entrance:
    return Entrance(HERE, Keys((TOKEN,)), **given)


def upgrade(url: str, signature: str | None = None, **more: Any) -> dict[str, Any]:
    """What an ASGI server says of the upgrade to one of our addresses."""
    path, _, query = url.removeprefix("wss://voice.example.com").partition("?")
    headers = [(b"x-twilio-signature", (signed(url, TOKEN) if signature is None else signature).encode())]
    ticket = path.removeprefix("/twilio/media").strip("/")
    return {
        "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": headers, "path_params": {"ticket": ticket} if ticket else {}, "client": ("127.0.0.1", 1),
    } | more  # fmt: skip


def webhook(path: str, form: Pairs, url: str = "", **more: Any) -> dict[str, Any]:
    headers = [(b"x-twilio-signature", signed(url or HERE + path, TOKEN, form).encode())]
    path, _, query = path.partition("?")
    return {
        "type": "http", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": headers + more.pop("headers", []), "client": ("10.1.2.3", 1),
    } | more  # fmt: skip


def test_an_address_is_new_for_every_stream_and_good_once() -> None:
    entrance = an_entrance()
    one, two = entrance.url(SESSION), entrance.url(SESSION, mode="relay")

    taken = [entrance.admits(upgrade(one)), entrance.admits(upgrade(one))]

    assert one.startswith("wss://voice.example.com/twilio/media/")
    assert two.startswith("wss://voice.example.com/twilio/relay/")
    assert one.rpartition("/")[2] != two.rpartition("/")[2]
    assert taken[0] is not None
    assert (taken[0].proven, taken[0].session_id) == (True, SESSION.session_id)
    assert taken[1] is None


def test_an_address_goes_stale() -> None:
    clock = Watch()
    entrance = an_entrance(clock=clock)
    soon, later = entrance.url(SESSION), entrance.url(SESSION, seconds=105.0)
    clock.now = 100.0

    assert entrance.admits(upgrade(soon)) is None
    assert entrance.admits(upgrade(later)) is not None


def test_who_has_only_the_address_is_refused_and_has_not_used_it_up() -> None:
    entrance = an_entrance()
    url = entrance.url(SESSION)
    bare = "wss://voice.example.com/twilio/media"

    with capture_logs() as lines:
        for forged in ("", "x", signed(url, "guess"), signed(bare, TOKEN)):
            assert entrance.admits(upgrade(url, forged)) is None

    assert entrance.admits(upgrade(url)) is not None
    assert [(line["event"], line["why"]) for line in lines] == [("socket_refused", "signature")] * 4
    assert url.rpartition("/")[2] not in str(lines)


def test_whoever_writes_their_own_twiml_can_do_without_tickets() -> None:
    entrance = an_entrance(tickets=False)
    url = entrance.url(SESSION)

    shown = entrance.admits(upgrade(url))

    assert url == "wss://voice.example.com/twilio/media"
    assert shown is not None
    assert (shown.proven, shown.session_id) == (True, None)


def test_without_the_accounts_token_this_machine_gets_in_as_it_comes() -> None:
    entrance = Entrance("http://127.0.0.1:8765", callbacks=False)

    shown = entrance.admits(upgrade(entrance.url(SESSION), ""))

    assert entrance.url(SESSION) == "ws://127.0.0.1:8765/twilio/media"
    assert shown is not None
    assert not shown.proven


def test_news_come_to_an_address_that_the_carrier_can_reach() -> None:
    assert an_entrance().callback("status") == f"{HERE}/twilio/status"
    assert an_entrance().callback("after", "sess_1") == f"{HERE}/twilio/after/sess_1"
    assert an_entrance(callbacks=False).callback("status") is None


def test_the_signature_is_over_the_path_and_query_as_they_came() -> None:
    form = [("CallSid", "CA1")]
    for path in ("/twilio/voice/+12025550100", "/twilio/voice?a=%2F&b=+%20", "/twilio/voice?q=it's"):
        assert an_entrance().genuine(webhook(path, form), form)
    unescaped = webhook("/twilio/voice/%2B1", form, f"{HERE}/twilio/voice/+1")
    assert not an_entrance().genuine(unescaped, form)


FORWARDED = [(b"x-forwarded-host", b"other.example.com"), (b"x-forwarded-proto", b"https")]


@pytest.mark.parametrize(
    ("peer", "headers", "taken"),
    [
        ("10.1.2.3", FORWARDED, True),
        ("192.0.2.1", FORWARDED, False),
        ("10.1.2.3", [(b"host", b"other.example.com")], False),
        ("10.1.2.3", FORWARDED[:1], False),
        ("10.1.2.3", [(b"x-forwarded-host", b"evil.example, other.example.com"), FORWARDED[1]], True),
        ("no address", FORWARDED, False),
        (None, FORWARDED, False),
    ],
)
def test_only_a_trusted_proxy_says_what_was_asked_for(
    peer: str | None, headers: list[tuple[bytes, bytes]], taken: bool
) -> None:
    entrance = an_entrance(proxies=[ip_network("10.0.0.0/8")])
    asked = webhook(
        "/twilio/status", (), "https://other.example.com/twilio/status", headers=headers,
        client=peer and (peer, 1),
    )  # fmt: skip

    assert entrance.genuine(asked) is taken
    assert not an_entrance().genuine(asked)


def test_a_socket_behind_a_trusted_proxy_is_signed_as_a_socket() -> None:
    entrance = an_entrance(proxies=[ip_network("10.0.0.0/8")], tickets=False)
    dialled = "wss://other.example.com/twilio/media"
    asked = upgrade("wss://voice.example.com/twilio/media", signed(dialled, TOKEN), client=("10.0.0.1", 1))

    assert entrance.admits(asked) is None
    asked["headers"] += FORWARDED
    assert entrance.admits(asked) is not None
