"""Calls that come in, through `telephony.wait` and `telephony.answer`."""

from typing import Any

import anyio
import pytest

from mcp_voice.core.events import Audio, Started
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.errors import Invalid, NotFound, NotLive, Refused, SessionClosed
from mcp_voice.media.calls import HeldLeg
from tests.tools.desk import Office, an_office
from tests.twins import Listener, Speaker, Vendors, sound

UTTERANCE = sound((True, 600), (False, 700))


def vendors(*words: str) -> Vendors:
    return Vendors(Listener([FinalWords(text, 0.9) for text in words]), Speaker(ms_per_character=2))


async def a_call(office: Office, number: int = 1) -> HeldLeg:
    told = {"from": "+14155550123", "to": "+14155550199"}
    return await office.calls.hold(Started(f"MZ{number}", f"CA{number}", parameters=told))


async def test_whoever_waits_is_told_of_a_call_when_it_comes() -> None:
    async with an_office(vendors()) as office:
        news: list[dict[str, Any]] = []

        async def wait() -> None:
            news.append(await office.use("telephony.wait", **{"for": "incoming"}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.sleep(0.05)
            held = await a_call(office)

        [incoming] = news[0]["incoming"]
        assert (incoming["sessionId"], incoming["from"]) == (held.session_id, "+14155550123")
        assert "telephony.answer" in news[0]["nextStep"]


async def test_a_second_call_is_told_of_while_the_first_goes_on() -> None:
    async with an_office(vendors()) as office:
        first = await a_call(office)
        await office.use("telephony.answer", waitSeconds=0)
        second = await a_call(office, 2)

        news = await office.use("telephony.wait")
        of_one = await office.use("telephony.wait", sessionId=first.session_id)

        assert [incoming["sessionId"] for incoming in news["incoming"]] == [second.session_id]
        assert (news["sessionId"], news["events"]) == (None, [])
        assert (of_one["sessionId"], of_one["events"][0]["kind"]) == (first.session_id, "answered")
        with pytest.raises(Invalid, match=first.session_id):
            await office.use("telephony.wait", **{"for": "call"})


async def test_a_wait_without_news_is_over_in_time() -> None:
    async with an_office(vendors()) as office:
        news = await office.use("telephony.wait", waitSeconds=0.1)

        assert (news["incoming"], news["events"], news["sessionId"]) == ([], [], None)


async def test_a_call_that_is_taken_is_greeted_and_its_first_words_come_back() -> None:
    async with an_office(vendors("is this the golden lion?")) as office:
        held = await a_call(office)
        replies: list[dict[str, Any]] = []

        async def take() -> None:
            replies.append(await office.use("telephony.answer", greeting="The Golden Lion, good evening."))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take)
            with anyio.fail_after(20):
                while not held.outbound():
                    await anyio.lowlevel.checkpoint()
            await anyio.sleep(0.2)
            held.hear([Audio(UTTERANCE[at : at + 160]) for at in range(0, len(UTTERANCE), 160)])

        assert replies[0]["outcome"] == "reply"
        assert [heard["text"] for heard in replies[0]["heard"]] == ["is this the golden lion?"]
        waiting = await office.use("telephony.wait", **{"for": "incoming", "waitSeconds": 0})
        assert waiting["incoming"] == []


async def test_a_call_is_taken_once() -> None:
    async with an_office(vendors()) as office:
        held = await a_call(office)
        await office.use("telephony.answer", greeting="Hello.", waitSeconds=0)

        named = {"greeting": "Hello.", "sessionId": held.session_id, "waitSeconds": 0}
        same = await office.use("telephony.answer", **named)
        unnamed = await office.use("telephony.answer", greeting="Hello.", waitSeconds=0)
        with pytest.raises(Refused, match="taken"):
            await office.use("telephony.answer", greeting="Me too.")
        with pytest.raises(NotLive):
            await office.use("telephony.answer", action="reject")
        with pytest.raises(Refused, match="taken"):
            await office.use("telephony.answer", greeting="Me too.", sessionId=held.session_id)

        assert [same["outcome"], unnamed["outcome"]] == ["pending", "pending"]
        assert unnamed["sessionId"] == held.session_id
        assert not held.leg.over.is_set()
        assert len(office.vendors.speaker.said) <= 1


async def test_a_call_is_rejected_or_sent_on() -> None:
    async with an_office(vendors()) as office:
        rejected = await a_call(office)
        await office.use("telephony.answer", action="reject")
        await rejected.leg.done.wait()
        sent_on = await a_call(office, 2)
        await office.use("telephony.answer", action="forward", target="+14155550100")

        got = await office.use("session.get", sessionId=rejected.session_id)
        assert got["session"]["closeReason"] == "rejected"
        assert [transfer["target"] for transfer in office.network.transfers] == ["+14155550100"]
        assert office.network.transfers[0]["call"] == sent_on.call_sid


async def test_events_of_a_call_come_behind_the_last_that_was_read() -> None:
    async with an_office(vendors()) as office:
        held = await a_call(office)
        await office.use("telephony.listen", waitSeconds=0)
        news = await office.use("telephony.wait", **{"for": "call", "sessionId": held.session_id})
        held.leg.take(FinalWords("hello", 0.9))
        more = await office.use(
            "telephony.wait", **{"for": "call", "sessionId": held.session_id, "after": news["seq"]}
        )

        assert [event["kind"] for event in news["events"]] == ["answered"]
        assert [(event["kind"], event["data"]["text"]) for event in more["events"]] == [("final", "hello")]


@pytest.mark.parametrize(
    ("tool", "arguments", "error"),
    [
        ("telephony.answer", {}, NotLive),
        ("telephony.answer", {"sessionId": "sess_nobody"}, NotFound),
        ("telephony.answer", {"action": "forward"}, Invalid),
        ("telephony.answer", {"target": "+14155550100"}, Invalid),
        ("telephony.wait", {"for": "call"}, NotLive),
        ("telephony.wait", {"for": "godot"}, Invalid),
    ],
)
async def test_bad_asks_are_named(tool: str, arguments: dict[str, Any], error: type[Exception]) -> None:
    async with an_office(vendors()) as office:
        with pytest.raises(error):
            await office.use(tool, **arguments)


async def test_several_calls_that_wait_have_to_be_named_and_one_that_is_over_says_so() -> None:
    async with an_office(vendors()) as office:
        one, other = await a_call(office), await a_call(office, 2)

        with pytest.raises(Invalid, match=other.session_id):
            await office.use("telephony.answer")
        await office.calls.end(one.session_id, "done")
        with pytest.raises(SessionClosed):
            await office.use("telephony.answer", sessionId=one.session_id)
