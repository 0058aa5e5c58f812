"""A conversation through `telephony.say` and `telephony.listen`, on a live call."""

import time
from functools import partial
from typing import Any

import anyio
import pytest

from mcp_voice.core.clauses import readings
from mcp_voice.core.conversation import LONGEST_WAIT
from mcp_voice.core.events import Audio, Digit, MarkReached, Started, Stopped
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.speakable import speakable
from mcp_voice.errors import ProviderFailed
from mcp_voice.media.calls import HeldLeg
from mcp_voice.ports import VoiceConfig
from mcp_voice.tools.mouths import Mouths
from tests.tools.desk import Office, an_office
from tests.twins import Listener, Speaker, Vendors, sound, until

UTTERANCE = sound((True, 600), (False, 700))


def a_caller(*words: str, speaker: Speaker | None = None) -> Vendors:
    lines = [FinalWords(text, 0.9) for text in words]
    return Vendors(Listener(lines), speaker or Speaker(ms_per_character=2))


async def a_call(office: Office) -> HeldLeg:
    return await office.calls.hold(Started("MZ1", "CA1"))


def talk(held: HeldLeg, audio: bytes = UTTERANCE) -> None:
    held.hear([Audio(audio[at : at + 160]) for at in range(0, len(audio), 160)])


async def until_said(held: HeldLeg) -> None:
    """Wait until something goes out to the caller."""
    with anyio.fail_after(30):
        while not held.outbound():
            await anyio.lowlevel.checkpoint()


async def test_an_answer_comes_back_with_the_words_that_were_said_for_it() -> None:
    async with an_office(a_caller("for four people")) as office:
        held = await a_call(office)
        replies: list[dict[str, Any]] = []

        async def ask() -> None:
            replies.append(await office.use("telephony.say", text="For how many people?"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await until_said(held)
            await anyio.sleep(0.2)
            talk(held)

        [reply] = replies
        assert reply["outcome"] == "reply"
        assert [heard["text"] for heard in reply["heard"]] == ["for four people"]
        assert reply["spoken"]["text"] == "For how many people?"
        assert reply["sessionId"] == held.session_id
        assert "telephony.say" in reply["nextStep"]


async def test_what_the_caller_said_unasked_is_told_before_we_talk_past_it() -> None:
    async with an_office(a_caller("wait, one thing")) as office:
        held = await a_call(office)
        talk(held)
        with anyio.fail_after(30):
            while not office.talk(held).conversation.untold:
                await anyio.lowlevel.checkpoint()

        stale = await office.use("telephony.say", text="So, as I was saying")
        spoken = await office.use("telephony.say", text="Go ahead.", then="return")

        assert stale["outcome"] == "stale"
        assert [heard["text"] for heard in stale["heard"]] == ["wait, one thing"]
        assert [text for text, _ in office.vendors.speaker.said] == ["Go ahead."]
        assert (spoken["outcome"], spoken["heard"]) == ("spoken", [])


async def test_a_wait_that_is_over_before_anything_happens_is_pending_and_loses_nothing() -> None:
    async with an_office(a_caller("here i am")) as office:
        held = await a_call(office)

        pending = await office.use("telephony.listen", waitSeconds=0.05)
        talk(held)
        reply = await office.use("telephony.listen")

        assert pending["outcome"] == "pending"
        assert reply["outcome"] == "reply"
        assert [heard["text"] for heard in reply["heard"]] == ["here i am"]


async def test_a_client_that_gives_up_does_not_stop_the_sentence_and_it_is_not_said_twice() -> None:
    async with an_office(a_caller("yes")) as office:
        held = await a_call(office)
        with anyio.move_on_after(0.05):
            await office.use("telephony.say", text="Are you there?")
        await until_said(held)

        async def answer() -> None:
            await anyio.sleep(0.3)
            talk(held)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer)
            reply: dict[str, Any] = {"outcome": "pending"}
            while reply["outcome"] == "pending":
                reply = await office.use("telephony.say", text="Are you there?")

        assert reply["outcome"] == "reply"
        assert [text for text, _ in office.vendors.speaker.said] == ["Are you there?"]
        assert office.talk(held).conversation.patience < LONGEST_WAIT / 2


async def test_the_same_words_are_said_again_when_their_answer_was_listened_for() -> None:
    async with an_office(a_caller("hm?")) as office:
        held = await a_call(office)
        pending = await office.use("telephony.say", text="Could you repeat that?", waitSeconds=0)
        await until(lambda: office.talk(held).conversation.waiting[0].spoken is not None)
        talk(held)
        reply = {"outcome": "pending"}
        while reply["outcome"] == "pending":
            reply = await office.use("telephony.listen")

        again = await office.use("telephony.say", text="Could you repeat that?", waitSeconds=0)
        await until(lambda: len(office.vendors.speaker.said) == 2)

        assert (pending["outcome"], reply["outcome"], again["outcome"]) == ("pending", "reply", "pending")
        assert [text for text, _ in office.vendors.speaker.said] == ["Could you repeat that?"] * 2


async def test_a_client_that_asks_again_has_the_answer_that_came_meanwhile() -> None:
    async with an_office(a_caller("four")) as office:
        held = await a_call(office)
        await office.use("telephony.say", text="How many?", waitSeconds=0)
        await until(lambda: office.talk(held).conversation.waiting[0].spoken is not None)
        talk(held)
        await until(lambda: office.talk(held).conversation.untold)

        reply = await office.use("telephony.say", text="How many?")

        assert (reply["outcome"], [heard["text"] for heard in reply["heard"]]) == ("reply", ["four"])
        assert [text for text, _ in office.vendors.speaker.said] == ["How many?"]


async def test_keys_and_the_end_of_the_call_are_outcomes() -> None:
    async with an_office(a_caller()) as office:
        held = await a_call(office)
        held.hear([Digit("4"), Digit("2")])

        keys = await office.use("telephony.listen")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(office.calls.end, held.session_id, "done")
            over = await office.use("telephony.listen")

        assert (keys["outcome"], keys["digits"]) == ("dtmf", "42")
        assert over["outcome"] == "hungUp"


async def test_a_voice_gets_words_where_the_record_keeps_figures() -> None:
    async with an_office(a_caller()) as office:
        await a_call(office)

        spoken = await office.use("telephony.say", text="It is **$12.50**.", then="return")

        assert [text for text, _ in office.vendors.speaker.said] == ["It is twelve dollars and fifty cents."]
        assert spoken["spoken"]["text"] == "It is **$12.50**."


async def test_a_goodbye_ends_the_call_when_it_has_been_said() -> None:
    async with an_office(a_caller()) as office:
        await a_call(office)

        await office.use("telephony.say", text="Goodbye.", then="hangUp")
        with anyio.fail_after(30):
            while len(office.calls):
                await anyio.lowlevel.checkpoint()

        [session] = await office.desk.store.find()
        assert (session.status, session.close_reason) == ("closed", "completed")


async def test_a_reply_tells_how_long_every_step_took() -> None:
    async with an_office(a_caller("hello", "for four")) as office:
        held = await a_call(office)
        talk(held)
        heard = await office.use("telephony.listen")
        await office.use("telephony.say", text="For how many?", then="return")
        talk(held)

        reply = await office.use("telephony.listen")

        [before, last] = (await office.use("session.get", sessionId=held.session_id))["session"]["turns"]
        assert heard["timingMs"].keys() == {"endpoint", "stt"}
        assert reply["timingMs"].keys() >= {"endpoint", "stt", "agentThink", "ttsFirstByte", "out"}
        assert reply["timingMs"] == before["timingMs"] | last["timingMs"]


async def test_an_answer_that_was_cut_says_when_and_so_does_the_history() -> None:
    async with an_office(a_caller("stop", speaker=Speaker(ms_per_character=60))) as office:
        held = await a_call(office)
        replies: list[dict[str, Any]] = []

        async def ask() -> None:
            replies.append(await office.use("telephony.say", text="This is the longest story that I know."))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await until_said(held)
            await anyio.sleep(0.2)
            talk(held)

        spoken = replies[0]["spoken"]
        turns = (await office.use("session.get", sessionId=held.session_id))["session"]["turns"]
        assert spoken["interrupted"]
        assert 0 < spoken["heardFraction"] < 1
        assert spoken["cutAtMs"] == pytest.approx(spoken["heardFraction"] * 38 * 60, abs=2)
        told = ("interrupted", "heardByCaller", "heardFraction", "cutAtMs")
        assert {key: turns[0][key] for key in told} == {key: spoken[key] for key in told}


async def test_a_book_is_said_from_its_first_words_on_and_can_be_interrupted() -> None:
    book = "We are open on Monday at 7:30 am. " * 625  # 5 000 words
    async with an_office(a_caller("wait", speaker=Speaker(ms_per_character=20))) as office:
        held = await a_call(office)
        replies: list[dict[str, Any]] = []

        async def ask() -> None:
            replies.append(await office.use("telephony.say", text=book))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await until_said(held)
            made = len(office.vendors.speaker.said)
            talk(held)

        [reply] = replies
        assert made <= 4
        assert (reply["outcome"], [heard["text"] for heard in reply["heard"]]) == ("reply", ["wait"])
        assert reply["spoken"]["interrupted"]
        assert book.startswith(reply["spoken"]["heardByCaller"])
        assert len(office.vendors.speaker.said) < 625


async def test_a_book_does_not_keep_other_calls_waiting_while_it_is_read() -> None:
    book = "We are open on Monday at 7:30 am. " * 625
    began = time.thread_time()
    for _ in readings(book, speakable):
        pass
    reading = time.thread_time() - began
    async with an_office(a_caller(speaker=Speaker(ms_per_character=1))) as office:
        await a_call(office)
        said = office.vendors.speaker.said
        longest, told, most, known = 0.0, time.thread_time(), 0, 0

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(office.use, "telephony.say", text=book, waitSeconds=0))
            with anyio.fail_after(30):
                while known < 100:
                    await anyio.lowlevel.checkpoint()
                    longest, told = max(longest, time.thread_time() - told), time.thread_time()
                    most, known = max(most, len(said) - known), len(said)

        assert most <= 2  # clauses between two turns of somebody else
        assert longest < reading / 2


async def test_what_was_prepared_is_said_at_once_and_made_no_second_time() -> None:
    async with an_office(a_caller()) as office:
        await a_call(office)
        mouths, speaker = office.desk.drawer(Mouths), office.vendors.speaker
        mouths.prepare("Good evening. How can I help?", speaker, VoiceConfig())
        with anyio.fail_after(30):
            while len(speaker.said) < 2 or speaker.at_work:
                await anyio.lowlevel.checkpoint()

        spoken = await office.use("telephony.say", text="Good evening. How can I help?", then="return")

        assert spoken["spoken"]["text"] == "Good evening. How can I help?"
        assert [text for text, _ in speaker.said] == ["Good evening.", "How can I help?"]


async def test_what_could_not_be_prepared_is_made_when_it_is_said() -> None:
    speaker = Speaker(fails=[ProviderFailed("The voice is hoarse.")] * 2, ms_per_character=2)
    async with an_office(a_caller(speaker=speaker)) as office:
        await a_call(office)
        office.desk.drawer(Mouths).prepare("Good evening.", speaker, VoiceConfig())

        spoken = await office.use("telephony.say", text="Good evening.", then="return")

        assert spoken["spoken"]["text"] == "Good evening."


async def test_last_words_are_told_when_the_call_is_over() -> None:
    async with an_office(a_caller("never mind, bye")) as office:
        held = await a_call(office)
        await office.use("telephony.say", text="One moment.", then="return")
        talk(held)
        held.hear([Stopped("CA1")])
        with anyio.fail_after(30):
            await held.leg.done.wait()

        said = await office.use("telephony.say", text="And another thing", sessionId=held.session_id)
        heard = await office.use("telephony.listen")

        assert (said["outcome"], said["spoken"]) == ("hungUp", None)
        assert [words["text"] for words in said["heard"]] == ["never mind, bye"]
        assert (heard["outcome"], heard["heard"]) == ("hungUp", [])


async def test_a_caller_who_hangs_up_in_mid_sentence_has_heard_the_beginning() -> None:
    text = "One two three four five six seven eight nine ten eleven twelve."
    async with an_office(a_caller(speaker=Speaker(ms_per_character=100))) as office:
        held = await a_call(office)
        replies: list[dict[str, Any]] = []

        async def say() -> None:
            replies.append(await office.use("telephony.say", text=text))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(say)
            marks: list[str] = []
            with anyio.fail_after(30):
                while len(marks) < 5:
                    marks += [told["mark"]["name"] for told in held.outbound() if told["event"] == "mark"]
                    await anyio.sleep(0.01)
            held.hear([*(MarkReached(name) for name in marks), Stopped("CA1")])

        [reply] = replies
        heard = reply["spoken"]["heardByCaller"]
        assert (reply["outcome"], reply["ended"]) == ("hungUp", "stop")
        assert reply["spoken"]["interrupted"]
        assert 0 < reply["spoken"]["heardFraction"] < 1
        assert heard
        assert text.startswith(heard)
        assert heard != text


async def test_two_clients_that_listen_are_both_told() -> None:
    async with an_office(a_caller("for four people")) as office:
        held = await a_call(office)
        replies: list[dict[str, Any]] = []

        async def listen() -> None:
            replies.append(await office.use("telephony.listen"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            tasks.start_soon(listen)
            await until(lambda: len(office.talk(held).conversation.waiting) == 2)
            talk(held)

        assert [reply["outcome"] for reply in replies] == ["reply", "reply"]
        assert [[words["text"] for words in reply["heard"]] for reply in replies] == [["for four people"]] * 2
        assert sorted(reply["heard"][0]["repeated"] for reply in replies) == [False, True]


async def test_a_caller_on_hold_is_taken_back_by_the_next_words() -> None:
    async with an_office(a_caller()) as office:
        held = await a_call(office)

        waits = await office.use("telephony.say", text="Please hold.", then="hold")
        status = (await office.use("session.get", sessionId=held.session_id))["session"]["status"]
        back = await office.use("telephony.say", text="Thank you for waiting.", then="return")

        assert (waits["outcome"], status) == ("spoken", "held")
        assert back["status"] == "active"
        log = await office.desk.store.entries(held.session_id)
        assert [entry.data for entry in log if entry.kind == "hold"] == [
            {"state": "began", "by": "agent"},
            {"state": "ended", "by": "agent"},
        ]


async def test_a_wait_for_quiet_is_over_when_nobody_has_spoken_for_a_while() -> None:
    async with an_office(a_caller()) as office:
        await a_call(office)

        heard = await office.use("telephony.listen", until="quiet", waitSeconds=5)

        assert heard["outcome"] == "quiet"
