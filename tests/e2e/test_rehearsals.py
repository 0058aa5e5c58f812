"""An agent rehearses with everybody there is: by the agent tools, in both spellings, over real sockets."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from mcp import Client

from mcp_voice.server.assembly import House
from mcp_voice.simulator.casting import cast
from mcp_voice.simulator.people import Senses, converse
from tests.e2e.parrot import Parrot
from tests.e2e.rehearsing import ENDPOINTS, Agent, Rules, a_house_of_parrots, log_of, texts
from tests.e2e.virtual import VirtualLoop, virtual_clocks

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TABLE = "Good evening, I would like to book a table, please."
BOOKING: Rules = [
    ("Is that right", "Yes, that is right."),
    ("name is it", "My name is Miller."),
    ("what time", "At eight."),
    ("which day", "Tomorrow."),
    ("how many", "For four people."),
]
LONG = (
    "Good evening, I am calling you about a great many things that have happened since we last spoke to one "
    "another, and I would like to go through all of them in the order in which they came to pass, beginning "
    "with the weather, which has been remarkable for the season, and ending with the parcel that is to come "
    "to you tomorrow before noon unless it rains, for then it comes on the day after that."
)


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture(scope="module")
async def at_home(anyio_backend: object) -> AsyncIterator[tuple[House, str]]:
    with virtual_clocks():
        async with a_house_of_parrots(Parrot()) as (house, _, private):
            yield house, private


@pytest.fixture
def house(at_home: tuple[House, str]) -> House:
    return at_home[0]


@pytest.fixture(params=ENDPOINTS)
async def agent(request: pytest.FixtureRequest, at_home: tuple[House, str]) -> AsyncIterator[Agent]:
    url = f"http://{at_home[1]}{ENDPOINTS[request.param]}"
    async with Client(url) as client:
        yield Agent(client, request.param)


async def test_a_table_is_agreed_upon(house: House, agent: Agent) -> None:
    reply = await agent.answer(await agent.call("sim:restaurant", TABLE), BOOKING)

    assert "a table for four, Tomorrow at eight, in the name of Miller" in agent.heard
    assert agent.heard.endswith("Wonderful. We look forward to seeing you. Goodbye.")
    assert (reply["outcome"], reply["ended"]) == ("hungUp", "stop")
    assert texts(await log_of(house, agent), "amd", "answeredBy") == ["human"]


async def test_another_time_is_taken(agent: Agent) -> None:
    rules = [("all right|yes or no", "Yes, that is fine."), ("name", "My name is Smith.")]

    reply = await agent.call("sim:full_restaurant", "Hello, I would like to book a table for two at eight.")
    await agent.answer(reply, rules)

    assert "at eight we are full. I could offer you half past nine" in agent.heard
    assert "Very well, half past nine, for Smith." in agent.heard


async def test_the_right_department_is_reached_by_keys(house: House, agent: Agent) -> None:
    reply = await agent.call("sim:receptionist")
    for words, keys in (("press two", "2"), ("For an order", "1"), ("four digits", "4711#")):
        while words not in agent.heard:
            reply = await agent.use("listen")
        reply = await agent.use("press", digits=keys)
    while "This is Anna" not in agent.heard:
        reply = await agent.use("listen")
    rules = [("Is there anything else", "No, thank you, goodbye."), ("Anna", "My order has not arrived.")]
    await agent.answer(reply, rules)

    assert "This is Anna from service. I see your order 4711." in agent.heard
    assert "it goes out today" in agent.heard
    assert texts(await log_of(house, agent), "pressed", "digits") == ["2", "1", "4711#"]


async def test_a_message_is_left_behind_the_beep(house: House, agent: Agent) -> None:
    message = "This is the Golden Lion. Your table is booked for eight."

    reply = await agent.call("sim:voicemail", message, onVoicemail="leave")
    log = await log_of(house, agent)

    assert (reply["outcome"], reply["answeredBy"]) == ("voicemail", "machine")
    assert reply["spoken"]["heardByCaller"] == message
    beeps, said = (next(e.seq for e in reversed(log) if e.kind == kind) for kind in ("beep", "agentSaid"))
    assert beeps < said
    assert texts(log, "ended", "reason") == ["message_left"]


async def test_a_person_is_reached_behind_the_music(agent: Agent) -> None:
    await agent.call("sim:hold_queue")
    reply = await agent.heard_out(await agent.use("listen", until="human"), until="human")
    assert reply["outcome"] == "human"
    rules = [
        ("anything else", "No, thank you, goodbye."),
        ("Daniel|hear me", "I have a problem with my bill."),
    ]
    await agent.answer(reply, rules)

    assert "my name is Daniel" in agent.heard
    assert "I have corrected that for you." in agent.heard


async def test_a_wrong_number_is_apologised_for(agent: Agent) -> None:
    reply = await agent.call("sim:wrong_number", "Good evening, is this the Golden Lion?")
    await agent.answer(reply, [("wrong number", "I am sorry, goodbye.")])

    assert agent.heard.endswith("Never mind. Bye.")


async def test_an_interruption_is_survived(agent: Agent) -> None:
    await agent.call("sim:impatient")
    reply = await agent.say(LONG, ifCallerSpoke="speak")
    cut = reply["spoken"]
    rules = [("about|short", "Your parcel comes tomorrow."), ("Was that all", "Goodbye.")]
    await agent.answer(reply, rules)

    assert cut["interrupted"]
    assert 0 < len(cut["heardByCaller"]) < len(LONG)
    assert LONG.startswith(cut["heardByCaller"])
    assert "Fine. Was that all?" in agent.heard


@pytest.mark.parametrize(("to", "why"), [("sim:busy", "busy"), ("sim:no_answer", "no-answer")])
async def test_nobody_takes_the_call(house: House, agent: Agent, to: str, why: str) -> None:
    reply = await agent.call(to, TABLE)

    assert (reply["outcome"], reply["ended"], reply["heard"]) == ("hungUp", why, [])
    assert texts(await log_of(house, agent), "agentSaid") == []


async def test_a_guest_who_calls_is_answered(house: House, agent: Agent) -> None:
    senses = Senses(house.desk.providers.voice(), house.desk.providers.ear())
    rules = [
        ("that is right", "Thank you, goodbye."),
        ("Miller", "For four people, tomorrow at eight. Is that right?"),
        ("eight", "And what is your name?"),
        ("omorrow", "At what time?"),
        ("four", "For which day?"),
        ("table", "For how many people?"),
    ]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(converse, cast("guest").hastened(2), house.desk.media_url, senses)
        news: dict[str, Any] = {"incoming": []}
        while not news["incoming"]:
            news = await agent.use("wait", **{"for": "incoming"})
        agent.session_id = news["incoming"][0]["sessionId"]
        reply = await agent.use("answer", greeting="Golden Lion, how can I help you?")
        reply = await agent.answer(await agent.heard_out(reply), rules)

    assert "I would like to book a table." in agent.heard
    assert "Yes, that is right." in agent.heard
    assert agent.heard.endswith("Thank you. Goodbye.")


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_client_that_gives_up_all_the_time_still_books_a_table(
    house: House, at_home: tuple[House, str], era: Any
) -> None:
    await house.store.remove([session.session_id for session in await house.store.find()])
    async with Client(f"http://{at_home[1]}/mcp/agent", mode=era, read_timeout_seconds=0.5) as client:
        agent = Agent(client, "telephony_call", hasty=True)
        await agent.answer(await agent.call("sim:restaurant", TABLE), BOOKING)
    log = await log_of(house, agent)

    told = [heard for reply in agent.replies for heard in reply["heard"]]
    said = sorted(text for text in texts(log, "final") if text)
    assert agent.gave_up
    assert len(agent.sessions) == 1
    assert texts(log, "ringing", "to") == ["sim:restaurant"]
    assert sorted(texts(log, "agentSaid")) == sorted([TABLE, *(text for _, text in BOOKING)])
    assert sorted(heard["text"] for heard in told if not heard["repeated"]) == said
    assert agent.heard.endswith("Goodbye.")
