"""A restaurant's telephone agent in rules: no model, no key, public tools only.

It answers one call: asks for what a booking needs, reads it back, and hangs up.
Everything it does goes through an MCP client, so it shows what any agent can do:

    telephony.handleConnect   the call comes: a session, and TwiML for the carrier
    session.get               what happened: the event log behind the last `seq`
    tts.synthesize            words into audio
    twilio.sendAudio          audio into the call
    telephony.hangup          the end

With a server at hand (`mcp-voice serve`), wait for a call and hold it:

    python examples/book_a_table.py --url http://127.0.0.1:8766/mcp
"""

import argparse
import asyncio
import base64
import re
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from mcp import Client

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBERS = {word: number for number, word in enumerate(WORDS, 1)}
DAYS = "today|tonight|tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
HOURS = "|".join([*NUMBERS, "eleven", "twelve"])

QUESTIONS = {
    "party": "Certainly. For how many people?",
    "day": "For which day?",
    "time": "At what time?",
    "name": "And what is your name?",
}
GREETING = "Good evening, this is the Golden Lion. How can I help you?"
SORRY = "Sorry, could you repeat that?"
GOODBYE = "Wonderful. We look forward to seeing you. Goodbye."
LOST = "Thank you for calling. Goodbye."

Tell = Callable[[str, dict[str, Any]], None]


@dataclass
class Booking:
    """What has been understood so far."""

    party: int | None = None
    day: str | None = None
    time: str | None = None
    name: str | None = None

    def understand(self, words: str) -> bool:
        """Take what is in the caller's words; say whether anything was."""
        before = str(self)
        if found := re.search(rf"\b({'|'.join(NUMBERS)})\s+(?:people|persons|of us|guests)", words):
            self.party = NUMBERS[found[1]]
        if found := re.search(rf"\b({DAYS})\b", words):
            self.day = found[1]
        if found := re.search(rf"\bat ({HOURS})\b", words):
            self.time = f"{found[1]} o'clock"
        if found := re.search(r"\bname is (\w+)", words):
            self.name = found[1].capitalize()
        return str(self) != before

    @property
    def missing(self) -> str | None:
        """The first thing that still has to be asked for."""
        return next((slot for slot in QUESTIONS if getattr(self, slot) is None), None)

    @property
    def read_back(self) -> str:
        """The booking in a sentence, and a question."""
        return (
            f"So that is a table for {self.party}, {self.day} at {self.time}, in the name of {self.name}. "
            "Is that right? We keep a table for fifteen minutes, and if you are late, please give us a call."
        )


@dataclass
class Agent:
    """One call, held through a client's tools. `tell` hears what it does, as it does it."""

    client: Client
    tell: Tell = lambda kind, data: None
    booking: Booking = field(default_factory=Booking)
    session_id: str = ""
    stream_sid: str = ""
    agreed: bool = False

    async def use(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool; return its answer. Raises `RuntimeError` with the tool's own sentence."""
        result = await self.client.call_tool(tool, arguments)
        if result.is_error or result.structured_content is None:
            raise RuntimeError(getattr(result.content[0], "text", "") if result.content else tool)
        answer: dict[str, Any] = result.structured_content
        return answer

    async def connect(self, call_sid: str, from_: str, to: str) -> str:
        """Let the call in; return the TwiML for its carrier."""
        answer = await self.use("telephony.handleConnect", callSid=call_sid, **{"from": from_, "to": to})
        self.session_id = answer["sessionId"]
        return str(answer["twiml"])

    async def events(self, pause: float = 0.15) -> AsyncIterator[dict[str, Any]]:
        """Yield what happens in the call, until it has ended."""
        seen = 0
        while True:
            answer = await self.use("session.get", sessionId=self.session_id, detail="timeline", after=seen)
            self.stream_sid = answer["session"]["streamSid"] or self.stream_sid
            for event in answer["events"]:
                seen = event["seq"]
                yield event
                if event["kind"] == "ended":
                    return
            await asyncio.sleep(pause)

    async def say(self, text: str) -> None:
        """Say something; the caller may cut in."""
        spoken = await self.use("tts.synthesize", text=text, config={"speed": 1.15})
        audio = b"".join(base64.b64decode(chunk["buffer"]) for chunk in spoken["chunks"])
        sent = base64.b64encode(audio).decode()
        self.tell("says", {"text": text, "firstByteMs": spoken["firstByteMs"]})
        await self.use("twilio.sendAudio", streamSid=self.stream_sid, audio=sent, text=text)

    async def hang_up(self, goodbye: str) -> None:
        """Say goodbye to its end, and end the call."""
        self.tell("says", {"text": goodbye})
        await self.use("telephony.hangup", sessionId=self.session_id, reason="completed", goodbye=goodbye)

    async def hold(self) -> Booking:
        """Hold the call to its end; return what was booked."""
        async for event in self.events():
            self.tell(event["kind"], event["data"])
            match event["kind"]:
                case "answered":
                    await self.say(GREETING)
                case "final":
                    await self.answer(event["data"]["text"].lower())
        return self.booking

    async def answer(self, words: str) -> None:
        """Say what the caller's words call for."""
        understood = self.booking.understand(words)
        if self.booking.missing is None and re.search(r"\b(yes|right|correct)\b", words):
            self.agreed = True
            await self.hang_up(GOODBYE)
        elif re.search(r"\b(good ?bye)\b", words):
            await self.hang_up(LOST)
        elif self.booking.missing is None:
            await self.say(self.booking.read_back)
        elif understood or re.search(r"\b(table|book|reserve|reservation)\b", words):
            await self.say(QUESTIONS[self.booking.missing])
        else:
            await self.say(SORRY)


HOW_TO_CALL = """\
Waiting for a call. Make it from another window:

  mcp-voice simulate --url ws://127.0.0.1:8765/twilio/media --param sessionId={session_id} \\
      --say book-a-table,for-four,tomorrow,my-name,yes --wait-for-answer 8 --out call
"""


async def main(url: str) -> None:
    """Wait for one call and hold it."""
    async with Client(url) as client:
        agent = Agent(client, lambda kind, data: print(f"{kind:>14}  {data.get('text', '')}"))
        await agent.connect("CA" + secrets.token_hex(16), "+12025550142", "+12025550100")
        print(HOW_TO_CALL.format(session_id=agent.session_id))
        print(await agent.hold())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://127.0.0.1:8766/mcp", help="the server's tools")
    asyncio.run(main(parser.parse_args().url))
