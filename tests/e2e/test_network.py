"""The house on a network of its own: ours on one side, Twilio as its documentation has it on the other.

The two share nothing but sockets: REST, signed webhooks, TwiML, Media Streams and ConversationRelay.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import anyio
import httpx2
import pytest

from mcp_voice.core.session import RELAY
from mcp_voice.providers import Registry
from mcp_voice.providers.relayed import Relayed
from mcp_voice.server import assembly
from mcp_voice.server.assembly import House, assemble
from mcp_voice.server.listeners import Listener, bind, listening, port_of
from mcp_voice.simulator.casting import cast
from mcp_voice.simulator.people import Senses
from mcp_voice.simulator.persona import Persona
from mcp_voice.simulator.twilio.account import Account
from mcp_voice.simulator.twilio.api import app
from mcp_voice.simulator.twilio.exchange import Exchange
from mcp_voice.simulator.twilio.records import Call
from tests.e2e.parrot import Parrot
from tests.e2e.virtual import VirtualLoop, virtual_clocks
from tests.server.test_assembly import settings

pytestmark = pytest.mark.anyio

SID: Final = "AC" + "0" * 31 + "1"
TOKEN: Final = "0123456789abcdef0123456789abcdef"
OURS: Final = "+12025550100"
PEOPLE: Final[Mapping[str, str]] = {
    "+12025550142": "sim:restaurant",
    "+12025550143": "sim:busy",
    "+12025550144": "sim:voicemail",
    "+12025550145": "sim:wrong_number",
    "+12025550146": "sim:receptionist",
}
TABLE: Final = "Good evening. I would like a table for four, tomorrow at eight, in the name of Miller."


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@dataclass
class Town:
    """A house, and the network that it is on."""

    house: House
    network: Exchange
    base: str

    async def use(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.house.operator("all").call(tool, arguments, "test")
        assert result is not None
        assert not result["isError"], result["content"]
        return dict(result["structuredContent"])

    async def until_told(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Use a tool, and listen until something has come of it."""
        reply = await self.use(tool, **arguments)
        while reply["outcome"] == "pending":
            reply = await self.use("telephony.listen", sessionId=reply["sessionId"])
        return reply

    async def until_heard(self, words: str, reply: dict[str, Any]) -> dict[str, Any]:
        """Listen until they have said that."""
        for _ in range(10):
            if words in " ".join(each["text"] for each in reply["heard"]):
                return reply
            reply = await self.until_told("telephony.listen", sessionId=reply["sessionId"])
        raise AssertionError(f"nobody said {words!r}: {reply}")

    async def log(self, session_id: str, *kinds: str) -> list[dict[str, Any]]:
        entries = await self.house.store.entries(session_id)
        return [{"kind": entry.kind, **entry.data} for entry in entries if entry.kind in kinds]

    @property
    def calls(self) -> list[Call]:
        return list(self.network.account.calls.values())

    async def over(self, call: Call) -> Call:
        with anyio.fail_after(120):
            while call.status in ("queued", "ringing", "in-progress"):  # noqa: ASYNC110 - it rings no bell
                await anyio.sleep(0.1)
        return call


def who(number: str) -> Persona:
    return cast(PEOPLE[number]).hastened(10)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    with virtual_clocks(), pytest.MonkeyPatch.context() as patch:
        parrot = Parrot()
        known = {"parrot": parrot, RELAY: Relayed()}
        patch.setattr(
            assembly,
            "_providers",
            lambda settings, counts, store: Registry(counts, hears="parrot", speaks="parrot", also=known),
        )
        async with a_town(parrot) as town:
            yield town


@asynccontextmanager
async def a_town(parrot: Parrot) -> AsyncIterator[Town]:
    network = Exchange(Account(SID, who, numbers=[OURS]), TOKEN, senses=Senses(parrot, parrot))
    public, theirs = bind("127.0.0.1", 0, "public_port"), bind("127.0.0.1", 0, "port")
    here, base = (f"http://127.0.0.1:{port_of(bound)}" for bound in (public, theirs))
    given = settings(
        public_url=here, twilio__account_sid=SID, twilio__auth_token=TOKEN, twilio__number=OURS,
        twilio__api_url=base, outbound__numbers=tuple(PEOPLE), outbound__quiet_hours=False,
        outbound__approval="refuse", outbound__disclosure=None, speech__fillers="off",
    )  # fmt: skip
    async with (
        listening(Listener(app(network), theirs, lifespan=True)),
        assemble(given, public_port=port_of(public)) as house,
        listening(Listener(house.public, public)),
    ):
        yield Town(house, network, base)


async def test_a_call_is_placed_talked_in_and_hung_up(town: Town) -> None:
    reply = await town.until_told("telephony.call", to="+12025550142", opening=TABLE)
    await town.use("telephony.hangup", sessionId=reply["sessionId"])
    [call] = town.calls
    await town.over(call)

    assert reply["outcome"] == "reply"
    assert reply["heard"]
    assert (call.to, call.status) == ("+12025550142", "completed")
    session = (await town.use("session.get", sessionId=reply["sessionId"]))["session"]
    assert (session["callSid"], session["from"], session["status"]) == (call.sid, OURS, "closed")
    assert [e["answeredBy"] for e in await town.log(reply["sessionId"], "amd")] == ["human"]
    assert town.network.account.alerts == []


async def test_a_relayed_call_is_talked_in_without_an_ear_or_a_voice_of_ours(town: Town) -> None:
    reply = await town.until_told("telephony.call", to="+12025550142", opening=TABLE, mode="relay")
    await town.use("telephony.hangup", sessionId=reply["sessionId"], goodbye="Thank you, goodbye.")
    [call] = town.calls
    await town.over(call)

    assert reply["outcome"] == "reply"
    assert reply["spoken"]["heardByCaller"]
    session = (await town.use("session.get", sessionId=reply["sessionId"]))["session"]
    assert (session["mode"], session["sttProvider"]) == ("relay", "twilio-relay")
    assert town.network.account.alerts == []


async def test_nobody_who_is_busy_is_talked_to(town: Town) -> None:
    reply = await town.until_told("telephony.call", to="+12025550143", opening=TABLE)

    assert (reply["outcome"], reply["ended"]) == ("hungUp", "busy")


async def test_a_message_is_left_behind_the_beep(town: Town) -> None:
    reply = await town.until_told(
        "telephony.call", to="+12025550144", opening="Please call me back.", onVoicemail="leave"
    )
    [call] = town.calls
    await town.over(call)

    assert call.answered_by == "machine_start"
    [said] = await town.log(reply["sessionId"], "agentSaid")
    assert said["text"].endswith("Please call me back.")


async def test_keys_are_pressed_by_the_carrier_and_the_call_comes_back(town: Town) -> None:
    reply = await town.until_told("telephony.call", to="+12025550146")
    reply = await town.until_heard("press two", reply)
    reply = await town.until_told("telephony.press", sessionId=reply["sessionId"], digits="2")
    reply = await town.until_heard("order", reply)
    answered = await town.log(reply["sessionId"], "answered")
    await town.use("telephony.hangup", sessionId=reply["sessionId"])
    [call] = town.calls
    await town.over(call)

    assert len(answered) == 2
    assert len({each["streamSid"] for each in answered}) == 2
    assert town.network.account.alerts == []


async def test_a_caller_is_handed_over_warmly(town: Town) -> None:
    reply = await town.until_told("telephony.call", to="+12025550142", opening=TABLE)
    gone = await town.use(
        "telephony.transfer", sessionId=reply["sessionId"], target="+12025550145", type="warm",
        whisper="Somebody wants a table.",
    )  # fmt: skip
    first, second = town.calls

    assert gone["conferenceSid"].startswith("CF")
    assert second.to == "+12025550145"
    assert first.status == "in-progress"


async def test_a_caller_is_handed_over(town: Town) -> None:
    reply = await town.until_told("telephony.call", to="+12025550142", opening=TABLE)
    await town.use("telephony.transfer", sessionId=reply["sessionId"], target="+12025550145")
    with anyio.fail_after(60):
        while len(town.calls) < 2:  # noqa: ASYNC110
            await anyio.sleep(0.1)

    assert town.calls[1].to == "+12025550145"
    assert town.network.account.alerts == []


async def test_somebody_calls_in_and_is_answered(town: Town) -> None:
    numbers = town.network.account.numbers
    async with httpx2.AsyncClient(trust_env=False) as web:
        auth = (SID, TOKEN)
        listed = await web.get(f"{town.base}/2010-04-01/Accounts/{SID}/IncomingPhoneNumbers.json", auth=auth)
        sid = listed.json()["incoming_phone_numbers"][0]["sid"]
        await web.post(
            f"{town.base}/2010-04-01/Accounts/{SID}/IncomingPhoneNumbers/{sid}.json",
            data={"VoiceUrl": f"{town.house.settings.public_url}/twilio/voice"}, auth=auth,
        )  # fmt: skip
        await web.post(f"{town.base}/simulate/incoming", data={"From": "+12025550145", "To": OURS})
    waiting = await town.use("telephony.wait", **{"for": "incoming"})
    reply = await town.until_told("telephony.answer", greeting="The Golden Lion, good evening.")

    assert numbers
    assert [each["from"] for each in waiting["incoming"]] == ["+12025550145"]
    assert reply["outcome"] in ("reply", "hungUp")
    assert reply["heard"]
    assert town.network.account.alerts == []
