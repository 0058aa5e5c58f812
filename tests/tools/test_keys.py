"""Keys both ways: `telephony.press` and `telephony.gather`, on a live call."""

from typing import Any

import anyio
import pytest

from mcp_voice.core.conversation import LONGEST_WAIT
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.events import Play, Started, Stopped
from mcp_voice.errors import Invalid, NotFound, ProviderFailed, Refused
from mcp_voice.tools.gatherings import Gatherings
from tests.tools.desk import Office, an_office
from tests.tools.lines import Ear, a_call, eventually, gathered, press_keys, talk
from tests.twins import Listener, Network, Speaker, Vendors, sound


def a_caller(*words: str) -> Vendors:
    return Vendors(Listener([FinalWords(text, 0.9) for text in words]), Speaker(ms_per_character=2))


async def kinds(office: Office, session_id: str) -> list[str]:
    return [entry.kind for entry in await office.desk.store.entries(session_id)]


# ─── press ───────────────────────────────────────────────────────────────────


async def test_what_is_pressed_goes_out_as_tones_and_the_answer_comes_back() -> None:
    async with an_office(a_caller("you have reached sales")) as office:
        held = await a_call(office)
        ear, replies = Ear(held), []

        async def press() -> None:
            replies.append(await office.use("telephony.press", digits="1w#"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(press)
            await ear.hears("1#")
            talk(held)

        [reply] = replies
        assert reply["outcome"] == "reply"
        assert [heard["text"] for heard in reply["heard"]] == ["you have reached sales"]
        [entry] = [e for e in await office.desk.store.entries(held.session_id) if e.kind == "pressed"]
        assert entry.data == {"digits": "1w#"}


async def test_keys_are_not_pressed_again_for_a_client_that_gave_up() -> None:
    async with an_office(Vendors(Listener([FinalWords("extension four", 0.9)]))) as office:
        held = await a_call(office)
        with anyio.move_on_after(0.05):
            await office.use("telephony.press", digits="4")
        ear = Ear(held)
        await ear.hears("4")
        answers = []

        async def again() -> None:
            answers.append(await office.use("telephony.press", digits="4"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(again)
            talk(held)
        reply = answers[0]
        while reply["outcome"] == "pending":
            reply = await office.use("telephony.listen")
        log = await office.desk.store.entries(held.session_id)

        assert [heard["text"] for heard in reply["heard"]] == ["extension four"]
        assert [entry.data for entry in log if entry.kind == "pressed"] == [{"digits": "4"}]


async def test_keys_are_pressed_again_once_the_client_knows_of_the_first() -> None:
    async with an_office() as office:
        held = await a_call(office)
        with anyio.move_on_after(0.05):
            await office.use("telephony.press", digits="4")
        await office.use("telephony.listen", waitSeconds=0)
        for _ in range(2):
            await office.use("telephony.press", digits="4", waitSeconds=0)

        await Ear(held).hears("444")


async def test_two_presses_in_a_row_are_two() -> None:
    async with an_office(a_caller()) as office:
        held = await a_call(office)
        ear = Ear(held)

        for _ in range(2):
            await office.use("telephony.press", digits="5", waitSeconds=0)

        await ear.hears("55")


async def test_keys_wait_until_what_is_being_said_has_been_said() -> None:
    async with an_office(a_caller()) as office:
        held = await a_call(office)
        ear = Ear(held)
        sentence = b"\x00\x80" * 4_000  # a second
        held.ask(Play(sentence, "one moment", interruptible=False))

        await office.use("telephony.press", digits="7", waitSeconds=0)

        await ear.hears("7")
        assert bytes(ear.audio).startswith(sentence)


async def test_silence_counts_from_the_last_key() -> None:
    async with an_office(a_caller()) as office:
        held = await a_call(office)

        await office.use("telephony.press", digits="ww", waitSeconds=0.05)

        [ask] = held.leg.talk.conversation.waiting
        assert ask.quiet_since is None
        with anyio.fail_after(30):
            while ask.quiet_since is None:
                held.outbound()
                await anyio.sleep(0.02)


@pytest.mark.parametrize(
    ("arguments", "error", "why"),
    [
        ({"digits": "12x4"}, Invalid, "no key 'x'"),
        ({"digits": ""}, Invalid, "no digits"),
        ({}, Invalid, "no digits"),
        ({"secret": "dtmf_" + "0" * 32}, NotFound, "telephony.gather"),
        ({"digits": "1", "sessionId": "sess_none"}, NotFound, "sess_none"),
    ],
)
async def test_bad_keys_are_named_and_cost_nothing(
    arguments: dict[str, Any], error: type[Exception], why: str
) -> None:
    async with an_office(a_caller()) as office:
        held = await a_call(office)

        with pytest.raises(error, match=why):
            await office.use("telephony.press", **arguments)

        assert held.outbound() == []


async def test_a_call_whose_carrier_presses_keys_is_waited_for() -> None:
    network = Network(has_keys=True)
    async with an_office(a_caller("sales here"), network) as office:
        held = await a_call(office)
        replies = []

        async def press() -> None:
            replies.append(await office.use("telephony.press", digits="1"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(press)
            await eventually(lambda: network.pressed)
            await office.calls.close(held.leg, Stopped())
            talk(await office.calls.hold(Started("MZ2", "CA1", parameters={"sessionId": held.session_id})))

        [reply] = replies
        assert network.pressed == [("CA1", "1")]
        assert (reply["outcome"], reply["sessionId"]) == ("reply", held.session_id)
        assert [heard["text"] for heard in reply["heard"]] == ["sales here"]


async def test_between_two_streams_a_listener_waits_a_moment() -> None:
    async with an_office(a_caller("sales here"), Network(has_keys=True)) as office:
        held = await a_call(office)
        pending = await office.use("telephony.press", digits="1", waitSeconds=0)
        await office.calls.close(held.leg, Stopped())
        replies = []

        async def listen(**arguments: str) -> None:
            replies.append(await office.use("telephony.listen", **arguments))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await anyio.sleep(0.05)
            talk(await office.calls.hold(Started("MZ2", "CA1", parameters={"sessionId": held.session_id})))

        assert pending["outcome"] == "pending"
        assert [reply["outcome"] for reply in replies] == ["reply"]


# ─── gather ──────────────────────────────────────────────────────────────────


async def test_a_number_is_asked_for_and_comes_back_whole() -> None:
    async with an_office(a_caller()) as office:
        held = await a_call(office)

        answer = await gathered(office, held, "4111#", prompt="Your account number, please.")
        after = await office.use("telephony.listen", waitSeconds=0)

        assert (answer["outcome"], answer["digits"], answer["endedBy"]) == ("digits", "4111", "terminator")
        assert (answer["count"], answer["luhn"], answer["attempts"], answer["handle"]) == (4, False, 1, None)
        assert [text for text, _ in office.vendors.speaker.said] == ["Your account number, please."]
        assert (after["outcome"], after["digits"]) == ("pending", "")


async def test_the_first_key_cuts_the_question() -> None:
    async with an_office(Vendors(speaker=Speaker(ms_per_character=100))) as office:
        held = await a_call(office)
        answers = []

        async def gather() -> None:
            answers.append(await office.use("telephony.gather", prompt="Sales is one.", maxDigits=1))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gather)
            await eventually(held.outbound)
            press_keys(held, "1")

        assert answers[0]["digits"] == "1"
        assert "clear" in [message["event"] for message in held.outbound()]
        await eventually(lambda: held.leg.talk.conversation.seq >= 3)
        assert "agentCut" in await kinds(office, held.session_id)


async def test_who_says_nothing_is_asked_again_and_then_let_be() -> None:
    async with an_office(a_caller()) as office:
        await a_call(office)

        answer = await office.use("telephony.gather", timeoutSeconds=1, retries=1)

        assert (answer["outcome"], answer["attempts"], answer["digits"]) == ("nothing", 2, None)
        assert "telephony.say" in answer["nextStep"]


async def test_what_is_still_gathered_goes_on_when_it_is_asked_for_again() -> None:
    async with an_office(a_caller()) as office:
        held = await a_call(office)
        ask = {"prompt": "Your PIN?", "maxDigits": 4}

        pending = await office.use("telephony.gather", **ask, waitSeconds=0.05)
        press_keys(held, "12")
        still = await office.use("telephony.gather", **ask, waitSeconds=0)
        press_keys(held, "34")
        answer = await office.use("telephony.gather", **ask)

        assert [pending["outcome"], still["outcome"], answer["outcome"]] == ["pending", "pending", "digits"]
        assert (answer["digits"], answer["endedBy"]) == ("1234", "maximum")
        assert len(office.vendors.speaker.said) == 1


async def test_a_client_that_gives_up_loses_nothing() -> None:
    async with an_office(a_caller()) as office:
        held = await a_call(office)
        with anyio.move_on_after(0.05):
            await office.use("telephony.gather", maxDigits=2)

        press_keys(held, "42")
        answer = await office.use("telephony.gather", maxDigits=2)

        assert answer["digits"] == "42"
        assert held.leg.talk.conversation.patience < LONGEST_WAIT


async def test_what_is_gathered_instead_takes_the_place_of_what_was() -> None:
    async with an_office(a_caller()) as office:
        held = await a_call(office)
        refused = []

        async def gather() -> None:
            with pytest.raises(Refused, match="Something else"):
                await office.use("telephony.gather", maxDigits=4)
            refused.append(True)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gather)
            await eventually(lambda: held.leg.talk.conversation.waiting)
            await office.use("telephony.gather", maxDigits=2, waitSeconds=0)
            press_keys(held, "42")
            answer = await office.use("telephony.gather", maxDigits=2)

        assert (answer["digits"], refused) == ("42", [True])


@pytest.mark.parametrize("kind", ["speech", "either"])
async def test_words_are_an_answer_too(kind: str) -> None:
    async with an_office(a_caller("wait", "extension nine")) as office:
        held = await a_call(office)
        talk(held)
        await eventually(lambda: held.leg.talk.conversation.untold)
        answers = []

        async def gather() -> None:
            answers.append(await office.use("telephony.gather", kind=kind, prompt="Which extension?"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gather)
            await eventually(held.outbound)
            talk(held, sound((True, 600), (False, 1_500)))

        [answer] = answers
        assert (answer["outcome"], answer["speech"]) == ("speech", "extension nine")
        assert [heard["text"] for heard in answer["heard"]] == ["wait", "extension nine"]


async def test_keys_are_an_answer_where_words_were_expected() -> None:
    async with an_office(a_caller()) as office:
        held = await a_call(office)

        answer = await gathered(office, held, "9", kind="speech")

        assert (answer["outcome"], answer["digits"], answer["endedBy"]) == ("digits", "9", "timeout")


async def test_the_end_of_the_call_ends_the_gathering_and_is_forgotten() -> None:
    async with an_office(a_caller()) as office:
        held = await a_call(office)
        await office.use("telephony.gather", waitSeconds=0)
        await office.calls.close(held.leg, Stopped())
        await eventually(lambda: held.leg.talk.conversation.ended)

        answer = await office.use("telephony.gather")

        assert answer["outcome"] == "hungUp"
        assert len(office.desk.drawer(Gatherings)) == 0


async def test_a_caller_who_hangs_up_is_told_of() -> None:
    async with an_office(a_caller()) as office:
        held = await a_call(office)
        answers = []

        async def gather() -> None:
            answers.append(await office.use("telephony.gather"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gather)
            await eventually(lambda: held.leg.talk.conversation.waiting)
            await office.calls.close(held.leg, Stopped())

        assert answers[0]["outcome"] == "hungUp"


async def test_a_voice_that_fails_is_the_tools_error() -> None:
    async with an_office(a_caller()) as office:
        await a_call(office)
        office.vendors.speaker.fails = [ProviderFailed("The voice is hoarse.")] * 2

        with pytest.raises(ProviderFailed, match="hoarse"):
            await office.use("telephony.gather", prompt="Your PIN?")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"secret": True, "kind": "either"}, "spoken is written down"),
        ({"prompt": "  "}, "nothing to say"),
        ({"terminator": "##"}, "terminator"),
        ({"maxDigits": 0}, "maxDigits"),
    ],
)
async def test_bad_wishes_are_named(arguments: dict[str, Any], why: str) -> None:
    async with an_office(a_caller()) as office:
        await a_call(office)

        with pytest.raises(Invalid, match=why):
            await office.use("telephony.gather", **arguments)
