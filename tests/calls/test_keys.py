"""What becomes of the caller's keys, on calls in virtual time."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.call import Call
from mcp_voice.core.events import Collect, Digit, Effect, Key, Note, Play, SendClear, Tick
from mcp_voice.core.keys import LINGER
from tests.calls.lines import VirtualCall

SECOND = b"\x00\x80" * 4_000


def said(call: VirtualCall) -> list[tuple[str, object]]:
    return [(note.kind, note.data) for note in call.notes()]


def keys(effects: Iterator[Effect]) -> str:
    return "".join(effect.digit for effect in effects if isinstance(effect, Key))


def test_a_key_that_nobody_collects_is_a_line_of_the_log() -> None:
    call = VirtualCall()

    call.take(Digit("5"))

    assert said(call) == [("dtmf", {"digit": "5"})]
    assert keys(call.all(Key)) == ""


def test_a_key_that_is_collected_says_so_and_goes_to_whoever_collects() -> None:
    call = VirtualCall()

    for news in (Collect(), Digit("5"), Collect(on=False), Digit("6")):
        call.take(news)

    assert said(call) == [("dtmf", {"digit": "5", "gathered": True}), ("dtmf", {"digit": "6"})]
    assert keys(call.all(Key)) == "5"


def test_a_key_of_a_secret_is_written_down_without_its_digit() -> None:
    call = VirtualCall()

    for news in (Collect(secret=True), Digit("5"), Collect(on=False, whole=True), Digit("6")):
        call.take(news)

    assert said(call) == [
        ("secret", {"state": "began"}),
        ("dtmf", {"secret": True}),
        ("secret", {"state": "ended"}),
        ("dtmf", {"digit": "6"}),
    ]
    assert keys(call.all(Key)) == "5"


def test_the_rest_of_a_secret_is_nobodys_until_the_caller_pauses() -> None:
    call = VirtualCall()
    call.take(Collect(secret=True))
    call.take(Collect(on=False))
    call.take(Collect())

    for _ in range(3):
        call.pass_time(LINGER - 0.1)
        call.take(Digit("7"))
    call.pass_time(LINGER + 0.1)
    call.take(Digit("1"))

    assert [kind for kind, _ in said(call)] == ["secret", "dtmf", "dtmf", "dtmf", "secret", "dtmf"]
    assert said(call)[-1] == ("dtmf", {"digit": "1", "gathered": True})
    assert keys(call.all(Key)) == "1"


def test_a_secret_after_a_secret_is_one() -> None:
    call = VirtualCall()

    for news in (Collect(secret=True), Collect(on=False), Collect(secret=True), Digit("5")):
        call.take(news)
    call.pass_time(2 * LINGER)
    call.take(Digit("6"))

    assert said(call) == [("secret", {"state": "began"}), *[("dtmf", {"secret": True})] * 2]
    assert keys(call.all(Key)) == "56"


def test_the_first_key_that_is_collected_cuts_what_we_say() -> None:
    call = VirtualCall()
    call.take(Play(3 * SECOND, "Please enter your number.", interruptible=False))
    call.pass_time(1.0)

    call.take(Digit("3"))
    assert list(call.all(SendClear)) == []
    call.take(Collect())
    call.take(Digit("4"))

    [cut] = call.notes("agentCut")
    assert 900 <= cut.data["heardMs"] <= 1_100
    assert len(list(call.all(SendClear))) == 1


@pytest.mark.parametrize("value", [Digit("7"), Key("7")])
def test_a_key_is_not_shown(value: object) -> None:
    assert "7" not in repr(value)


news = st.one_of(
    st.builds(Collect, st.booleans(), st.booleans(), st.booleans()),
    st.sampled_from("0123456789*#").map(Digit),
    st.just(Tick()),
)


@given(st.lists(st.tuples(news, st.floats(0.0, 5.0)), max_size=30))
def test_between_its_beginning_and_its_end_no_digit_of_a_secret_is_written(
    happens: list[tuple[Collect | Digit | Tick, float]],
) -> None:
    call, now, secret = Call(None), 0.0, False

    for what, wait in happens:
        now += wait
        for effect in call.take(what, now):
            match effect:
                case Note(kind="secret"):
                    assert effect.data["state"] == ("ended" if secret else "began")
                    secret = not secret
                case Note(kind="dtmf"):
                    assert ("digit" in effect.data) != secret
        if isinstance(what, Collect) and what.on and what.secret:
            assert secret
