"""What is said in a call, in turn: made clause by clause, beside what else is to be said there."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from mcp_voice.core.attendance import Absence
from mcp_voice.core.events import Final
from mcp_voice.ports import VoiceConfig
from mcp_voice.tools.mouths import Mouths
from tests.tools.desk import Office, an_office
from tests.tools.lines import a_call, talk
from tests.twins import Listener, Speaker, Vendors, until

FIRST = "This is the first sentence. And this is the second one."
SECOND = "Here the third sentence begins. The fourth is the last."


def sentences(*texts: str) -> list[str]:
    """Cut texts as they are made, one by one."""
    return [f"{piece.removesuffix('.')}." for text in texts for piece in text.split(". ")]


def a_slow_voice() -> tuple[Speaker, anyio.Event]:
    """Make a voice that is held up in each clause until it may go on."""
    go_on = anyio.Event()
    return Speaker(ms_per_character=5, held=go_on), go_on


class Stuck(Speaker):
    """Says one clause, and never comes to the end of the next."""

    async def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[bytes, None]:
        self.held = anyio.Event() if self.said else None
        async with aclosing(super().speak(text, config)) as pieces:
            async for piece in pieces:
                yield piece


class Agent:
    """One who asks for several things at once. `answers` are in the order of asking."""

    def __init__(self, office: Office, tasks: anyio.abc.TaskGroup) -> None:
        self.answers: list[dict[str, Any]] = []
        self._office, self._tasks = office, tasks

    async def says(self, text: str, **arguments: Any) -> None:
        """Have it said, and do not wait: it is asked for when this returns."""
        conversation = self._office.desk.talks.of(self._office.calls.all()[0].session_id).conversation
        at, asked = len(self.answers), len(conversation.waiting)
        self.answers.append({})

        async def say() -> None:
            self.answers[at] = await self._office.use("telephony.say", text=text, **arguments)

        self._tasks.start_soon(say)
        await until(lambda: len(conversation.waiting) > asked and bool(conversation.waiting[-1].part))


async def test_two_texts_are_said_one_after_the_other_and_each_is_whole() -> None:
    speaker, go_on = a_slow_voice()
    async with an_office(Vendors(speaker=speaker)) as office:
        await a_call(office)

        async with anyio.create_task_group() as tasks:
            agent = Agent(office, tasks)
            await agent.says(FIRST, then="return")
            await agent.says(SECOND, then="return")
            await until(lambda: bool(speaker.said))
            alone = speaker.at_work
            go_on.set()

        assert alone == 1
        assert [text for text, _ in speaker.said] == sentences(FIRST, SECOND)
        assert [answer["spoken"]["text"] for answer in agent.answers] == [FIRST, SECOND]
        await until(lambda: not len(office.desk.drawer(Mouths)))


async def test_what_a_caller_says_before_its_turn_makes_a_text_stale_that_was_to_heed_them() -> None:
    speaker, go_on = a_slow_voice()
    async with an_office(Vendors(Listener([Final("wait")]), speaker)) as office:
        held = await a_call(office)

        async with anyio.create_task_group() as tasks:
            agent = Agent(office, tasks)
            await agent.says(FIRST)
            await agent.says(SECOND, then="hangUp")
            await agent.says("I will be quick.", then="return", ifCallerSpoke="speak")
            talk(held)
            await until(lambda: office.talk(held).conversation.untold)
            go_on.set()

        assert [answer["outcome"] for answer in agent.answers] == ["reply", "stale", "spoken"]
        assert [heard["text"] for heard in agent.answers[1]["heard"]] == ["wait"]
        assert [text for text, _ in speaker.said] == [*sentences(FIRST), "I will be quick."]


async def test_a_caller_who_is_asked_to_wait_hears_first_what_was_being_said() -> None:
    speaker, go_on = a_slow_voice()
    vendors = Vendors(speaker=speaker)
    async with an_office(vendors, absence=Absence(moment=0.01, leave=0)) as office:
        held = await a_call(office)
        await office.use("telephony.say", text=FIRST, waitSeconds=0)
        await until(lambda: office.talk(held).attendance.wakes_at is None)
        await anyio.wait_all_tasks_blocked()

        go_on.set()
        await until(lambda: len(speaker.said) == 3)

        assert [text for text, _ in speaker.said][:2] == sentences(FIRST)


@pytest.mark.parametrize("prepared", [False, True])
async def test_no_more_is_made_of_what_the_caller_has_cut_off(prepared: bool) -> None:
    speaker = Stuck(ms_per_character=400)
    async with an_office(Vendors(Listener([Final("stop")]), speaker)) as office:
        held = await a_call(office)
        mouths = office.desk.drawer(Mouths)
        if prepared:
            mouths.prepare(FIRST, speaker, VoiceConfig())

        async with anyio.create_task_group() as tasks:
            agent = Agent(office, tasks)
            await agent.says(FIRST)
            await until(lambda: bool(len(speaker.said) == 2 and speaker.at_work and held.leg.sent))
            talk(held)
            await until(lambda: not speaker.at_work)

        [answer] = agent.answers
        assert (answer["outcome"], answer["spoken"]["interrupted"]) == ("reply", True)
        await until(lambda: not len(mouths))


async def test_what_waits_its_turn_is_said_when_the_caller_has_cut_off_what_was_before_it() -> None:
    speaker = Stuck(ms_per_character=400)
    async with an_office(Vendors(Listener([Final("stop")]), speaker)) as office:
        held = await a_call(office)

        async with anyio.create_task_group() as tasks:
            agent = Agent(office, tasks)
            await agent.says(FIRST)
            await agent.says("All right.", ifCallerSpoke="speak", waitSeconds=0)
            await until(lambda: bool(speaker.at_work and held.leg.sent))
            talk(held)
            await until(lambda: len(speaker.said) == 3)

        assert agent.answers[0]["outcome"] == "reply"
        assert speaker.said[2][0] == "All right."


async def test_no_more_is_made_when_the_call_is_over() -> None:
    speaker = Stuck(ms_per_character=400)
    async with an_office(Vendors(speaker=speaker)) as office:
        held = await a_call(office)
        await office.use("telephony.say", text=FIRST, waitSeconds=0)
        await office.use("telephony.say", text=SECOND, waitSeconds=0)
        await until(lambda: len(speaker.said) == 2)

        await office.calls.end(held.session_id, "done")
        await until(lambda: not len(office.desk.drawer(Mouths)))

        assert (len(speaker.said), speaker.at_work) == (2, 0)
