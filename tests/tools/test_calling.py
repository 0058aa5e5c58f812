"""Calls that we place, through `telephony.call`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from mcp_voice.core.asks import Ask, Spoken
from mcp_voice.core.events import AnsweredBy, Audio, Started
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.session import Session
from mcp_voice.errors import CarrierFailed, Invalid, NotConfigured, NotFound, PolicyDenied, Unconfirmed
from mcp_voice.media.calls import HeldLeg
from mcp_voice.simulator.casting import cast
from mcp_voice.simulator.person import lines_of
from mcp_voice.tools.openings import _heard
from tests.tools.desk import Office, an_office
from tests.twins import Listener, Network, OpenGate, Speaker, Vendors, sound, until

NUMBER = "+12125550142"
OPENING = "Hello, a table for two, please?"


def vendors(*words: str, ms: int = 2) -> Vendors:
    return Vendors(Listener([FinalWords(text, 0.9) for text in words]), Speaker(ms_per_character=ms))


class Dialled:
    """One `telephony.call` that is under way."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.answers: list[dict[str, Any]] = []
        self.done = anyio.Event()

    async def place(self, **arguments: Any) -> None:
        self.answers.append(await self.office.use("telephony.call", **{"to": NUMBER, **arguments}))
        self.done.set()

    async def picked_up(self) -> HeldLeg:
        """Answer at the other end: the stream comes, with the session's id."""
        with anyio.fail_after(20):
            while not self.office.network.dialled:
                await anyio.lowlevel.checkpoint()
        session_id = self.office.network.dialled[-1][0]
        count = len(self.office.network.dialled)
        return await self.office.calls.hold(
            Started(f"MZ{count}", f"CA{count:032d}", parameters={"sessionId": session_id})
        )


@asynccontextmanager
async def dialling(office: Office, **arguments: Any) -> AsyncGenerator[Dialled, None]:
    dialled = Dialled(office)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: dialled.place(**arguments))
        yield dialled
        with anyio.fail_after(20):
            await dialled.done.wait()


def speak(held: HeldLeg, audio: bytes = sound((True, 600), (False, 700))) -> None:
    held.hear([Audio(audio[at : at + 160]) for at in range(0, len(audio), 160)])


async def until_said(office: Office, held: HeldLeg, times: int = 1) -> None:
    """Wait until as many things have been said to their end."""
    with anyio.fail_after(20):
        while True:
            entries = await office.desk.store.entries(held.session_id)
            if sum(entry.kind == "agentSaid" for entry in entries) >= times:
                return
            await anyio.sleep(0.01)


async def test_the_opening_is_said_to_whoever_answers_and_their_reply_comes_back() -> None:
    async with an_office(vendors("yes, at eight")) as office:
        async with dialling(office, opening=OPENING, purpose="A table for two") as call:
            held = await call.picked_up()
            await until_said(office, held)
            speak(held)

        [reply] = call.answers
        assert (reply["outcome"], reply["dialled"]) == ("reply", True)
        assert [heard["text"] for heard in reply["heard"]] == ["yes, at eight"]
        assert reply["spoken"]["text"] == OPENING
        session = (await office.use("session.get", sessionId=reply["sessionId"]))["session"]
        assert (session["direction"], session["to"], session["status"]) == ("outbound", NUMBER, "active")
        assert session["callSid"] == held.call_sid


async def test_the_opening_is_made_while_it_rings() -> None:
    async with an_office(vendors("yes")) as office:
        said = office.vendors.speaker.said
        async with dialling(office, opening=OPENING) as call:
            await until(lambda: bool(office.network.dialled and said))
            while_it_rang = [text for text, _ in said]
            held = await call.picked_up()
            await until_said(office, held)
            speak(held)

        assert while_it_rang == [OPENING]
        assert [text for text, _ in said] == [OPENING]


async def test_without_an_opening_it_is_told_that_somebody_answered() -> None:
    async with an_office(vendors()) as office:
        async with dialling(office) as call:
            held = await call.picked_up()
            held.leg.take(AnsweredBy("human"))

        assert (call.answers[0]["outcome"], call.answers[0]["answeredBy"]) == ("answered", "human")


async def test_a_client_that_gives_up_and_asks_again_joins_the_call_that_it_placed() -> None:
    async with an_office(vendors("who is this?")) as office:
        dialled = Dialled(office)
        with anyio.move_on_after(0.05):
            await dialled.place(opening=OPENING)
        held = await dialled.picked_up()
        with anyio.move_on_after(0.05):
            await dialled.place(opening=OPENING)
        await until_said(office, held)
        speak(held)
        again = await office.use("telephony.call", to=NUMBER, opening=OPENING)
        with anyio.fail_after(30):
            while again["outcome"] == "pending":
                again = await office.use("telephony.call", to=NUMBER, opening=OPENING)

        assert len(office.network.dialled) == 1
        assert "".join(text for text, _ in office.vendors.speaker.said).count("Hello") == 1
        assert (again["dialled"], again["outcome"]) == (False, "reply")
        assert [heard["text"] for heard in again["heard"]] == ["who is this?"]


async def test_a_number_is_dialled_twice_only_on_purpose_or_later() -> None:
    async with an_office(vendors()) as office:
        for arguments in ({}, {"to": "+1 212 555 0142"}, {"forceNew": True}):
            await office.use("telephony.call", **{"to": NUMBER, "waitSeconds": 0, **arguments})
        office.clock.advance(130)
        await office.use("telephony.call", to=NUMBER, waitSeconds=0)

        assert [to for _, to, _ in office.network.dialled] == [NUMBER] * 3


async def test_parallel_calls_of_one_number_are_one() -> None:
    async with an_office(vendors()) as office:
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(lambda: office.use("telephony.call", to=NUMBER, waitSeconds=0))

        assert len(office.network.dialled) == 1


async def test_an_opening_that_met_with_a_greeting_is_said_again() -> None:
    async with an_office(vendors("golden lion, good evening", "of course", ms=30)) as office:
        async with dialling(office, opening=OPENING) as call:
            held = await call.picked_up()
            with anyio.fail_after(20):
                while not held.outbound():
                    await anyio.lowlevel.checkpoint()
            speak(held)
            await until_said(office, held)
            speak(held)

        [reply] = call.answers
        assert reply["outcome"] == "reply"
        assert [heard["text"] for heard in reply["heard"]] == ["golden lion, good evening", "of course"]
        assert (reply["spoken"]["text"], reply["spoken"]["interrupted"]) == (OPENING, False)


async def test_who_is_asked_for_a_number_may_pause_in_it() -> None:
    async with an_office(vendors("four one five five", "five five")) as office:
        async with dialling(office, opening="What is your number?", expect="digits") as call:
            held = await call.picked_up()
            await until_said(office, held)
            speak(held, sound((True, 600), (False, 800), (True, 600), (False, 1_500)))

        assert [heard["text"] for heard in call.answers[0]["heard"]] == ["four one five five"]


async def test_a_machine_is_told_of() -> None:
    async with an_office(vendors(ms=30)) as office:
        async with dialling(office, opening=OPENING) as call:
            held = await call.picked_up()
            held.leg.take(AnsweredBy("machine_start"))

        [reply] = call.answers
        assert (reply["outcome"], reply["answeredBy"], reply["status"]) == ("voicemail", "machine", "active")


async def test_a_machine_is_hung_up_on_where_that_is_wished() -> None:
    async with an_office(vendors(ms=30)) as office:
        async with dialling(office, opening=OPENING, onVoicemail="hangUp") as call:
            held = await call.picked_up()
            held.leg.take(AnsweredBy("machine_start"))
        await held.leg.done.wait()

        got = await office.use("session.get", sessionId=held.session_id)
        assert (call.answers[0]["outcome"], got["session"]["closeReason"]) == ("voicemail", "voicemail")


async def test_a_call_that_nobody_takes_says_why() -> None:
    async with an_office(vendors()) as office:
        async with dialling(office, opening=OPENING) as call:
            with anyio.fail_after(20):
                while not office.network.dialled:
                    await anyio.lowlevel.checkpoint()
            await office.use("session.close", sessionId=office.network.dialled[0][0], reason="busy")

        assert (call.answers[0]["outcome"], call.answers[0]["ended"]) == ("hungUp", "busy")
        log = await office.desk.store.entries(call.answers[0]["sessionId"])
        assert [entry.kind for entry in log] == ["ringing", "ended"]


async def test_a_call_that_cannot_be_placed_is_an_error_and_leaves_nothing_open() -> None:
    async with an_office(vendors(), Network(refuses=CarrierFailed("No route."))) as office:
        with pytest.raises(CarrierFailed):
            await office.use("telephony.call", to=NUMBER)

        assert not await office.desk.store.find(live=True)


async def test_a_call_ends_with_a_goodbye_when_it_has_lasted_as_long_as_it_may() -> None:
    async with an_office(vendors(), gate=OpenGate(max_minutes=0.01)) as office:
        async with dialling(office, waitSeconds=0):
            pass
        held = await Dialled(office).picked_up()
        with anyio.fail_after(20):
            await held.leg.done.wait()

        got = await office.use("session.get", sessionId=held.session_id)
        assert got["session"]["closeReason"] == "max_minutes"
        assert office.vendors.speaker.said[-1][0] == "Goodbye."


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"to": "call me"}, Invalid),
        ({"to": "browser"}, NotConfigured),
        ({"to": NUMBER, "mode": "relay", "record": True}, NotConfigured),
        ({"to": NUMBER, "maxMinutes": 0}, Invalid),
        ({"to": NUMBER, "onVoicemail": "sing"}, Invalid),
    ],
)
async def test_bad_calls_are_named_and_ring_nobody(arguments: dict[str, Any], error: type[Exception]) -> None:
    async with an_office(vendors()) as office:
        with pytest.raises(error):
            await office.use("telephony.call", **arguments)

        assert office.network.dialled == []
        assert not await office.desk.store.find()


async def test_a_call_that_was_not_placed_can_be_tried_again_at_once() -> None:
    network = Network(refuses=CarrierFailed("No route."))
    async with an_office(vendors(), network) as office:
        with pytest.raises(CarrierFailed):
            await office.use("telephony.call", to=NUMBER)
        network.refuses = None
        again = await office.use("telephony.call", to=NUMBER, waitSeconds=0)

        assert (again["dialled"], again["status"]) == (True, "ringing")


OURS = "+15005550006"


class Fog(Network):
    """A carrier of which nobody knows whether it has placed a call."""

    async def dial(self, session: Session, **how: Any) -> str:
        self.dialled.append((session.session_id, session.from_, 0.0))
        raise Unconfirmed("Twilio did not answer.")


async def test_a_call_that_may_have_been_placed_is_not_dialled_again() -> None:
    async with an_office(vendors(), Fog(number=OURS)) as office:
        with pytest.raises(Unconfirmed, match="before you know"):
            await office.use("telephony.call", to=NUMBER)
        again = await office.use("telephony.call", to=NUMBER, waitSeconds=0)

        session_id, from_, _ = office.network.dialled[0]
        assert (again["sessionId"], again["dialled"], again["ended"]) == (session_id, False, "unconfirmed")
        assert (from_, len(office.network.dialled)) == (OURS, 1)
        assert office.gate.given_back == [0.0]


async def test_the_carrier_is_told_how_long_a_call_may_last() -> None:
    async with an_office(vendors(), gate=OpenGate(max_minutes=12)) as office:
        await office.use("telephony.call", to=NUMBER, waitSeconds=0)

        assert office.network.limits == [12]


class Street(Network):
    """Where the people of this package live."""

    def vocabulary(self, to: str) -> tuple[str, ...]:
        return tuple(lines_of(cast(to)))


async def test_who_does_not_exist_cannot_be_called_and_costs_nothing() -> None:
    async with an_office(vendors(), Street("simulator")) as office:
        with pytest.raises(NotFound, match="nobody") as refused:
            await office.use("telephony.call", to="sim:nobody")

        assert "restaurant" in str(refused.value)
        assert (office.gate.wishes, office.network.dialled) == ([], [])
        assert not await office.desk.store.find()


async def test_what_has_to_be_disclosed_is_said_first_and_whole() -> None:
    gate = OpenGate(disclosure="This is an AI assistant calling.")
    async with an_office(vendors("fine", ms=10), gate=gate) as office:
        async with dialling(office, opening=OPENING) as call:
            held = await call.picked_up()
            await until_said(office, held)
            speak(held)

        assert call.answers[0]["spoken"]["text"] == f"This is an AI assistant calling. {OPENING}"


@pytest.mark.parametrize(
    ("heard", "whole"),
    [("This is an AI. Hello,", True), ("This is  an AI.", True), ("This is an", False), (None, False)],
)
def test_what_was_disclosed_counts_as_heard_when_all_of_it_was_played(heard: str | None, whole: bool) -> None:
    ask = Ask(says="Hello, a table?", spoken=Spoken("This is an AI. Hello, a table?", heard, True, 0.5))

    assert _heard("This is an AI.", ask) is whole


async def test_without_an_opening_the_first_words_carry_the_disclosure() -> None:
    gate = OpenGate(disclosure="This is an AI assistant calling.")
    async with an_office(vendors(), gate=gate) as office:
        async with dialling(office) as call:
            held = await call.picked_up()
            held.leg.take(AnsweredBy("human"))
        named = {"sessionId": held.session_id, "then": "return"}
        first = await office.use("telephony.say", text="Hello.", **named)
        second = await office.use("telephony.say", text="Are you there?", **named)

        assert first["spoken"]["text"] == "This is an AI assistant calling. Hello."
        assert second["spoken"]["text"] == "Are you there?"


async def test_a_call_gives_back_what_it_set_aside() -> None:
    async with an_office(vendors()) as office:
        async with dialling(office, opening=OPENING, purpose="A table") as call:
            held = await call.picked_up()
            await until_said(office, held)
            await office.calls.end(held.session_id, "done")
        await until(lambda: bool(office.gate.given_back))
        office.network.refuses = CarrierFailed("No route.")
        with pytest.raises(CarrierFailed):
            await office.use("telephony.call", to=NUMBER, forceNew=True)

        assert [wish.purpose for wish in office.gate.wishes] == ["A table"]
        [minutes] = office.gate.given_back
        assert minutes is not None
        assert 0 < minutes < 1


async def test_a_call_is_not_placed_where_it_may_not_be_recorded() -> None:
    async with an_office(vendors()) as office:
        with pytest.raises(PolicyDenied):
            await office.use("telephony.call", to=NUMBER, record=True)

        assert office.gate.wishes == []
