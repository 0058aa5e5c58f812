"""ConversationRelay's far end: in virtual time, and on a real socket."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.websockets import WebSocket
from twilio.request_validator import RequestValidator

from mcp_voice.errors import BadMessage
from mcp_voice.simulator.casting import cast
from mcp_voice.simulator.persona import Persona
from mcp_voice.simulator.twilio.party import Party
from mcp_voice.simulator.twilio.relay_commands import read
from mcp_voice.simulator.twilio.talk import Talk
from tests.simulator.twilio.network import OURS, SOMEBODY, response, somebody
from tests.simulator.twilio.shop import TOKEN, Shop, messages, standing, until

SETUP = {"sessionId": "VX1", "callSid": "CA1"}


class Session:
    """Drives a talk; `log` is what it sent, and when."""

    def __init__(self, persona: Persona, **attributes: str) -> None:
        self.now = 0.0
        self.talk = Talk(Party(persona, 0.0), attributes, SETUP, 0.0)
        self.log: list[tuple[float, dict[str, Any]]] = []
        self._keep(self.talk.open(0.0))

    def _keep(self, sent: list[str]) -> None:
        self.log += [(self.now, json.loads(message)) for message in sent]

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while (at := self.talk.wakes_at) is not None and at <= until:
            self.now = max(self.now, at)
            self._keep(self.talk.tick(self.now))
        self.now = until

    def send(self, **message: Any) -> None:
        self._keep(self.talk.receive(json.dumps(message), self.now))

    def say(self, *tokens: str, **fields: Any) -> None:
        for number, token in enumerate(tokens):
            self.send(type="text", token=token, last=number == len(tokens) - 1, **fields)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for _, message in self.log if message["type"] == kind]


def interrupter(after: float) -> Persona:
    return somebody(states={"a": {"when": [{"barge_in_after": after, "say": "Wait a moment.", "times": 1}]}})


def test_a_session_begins_with_setup_and_a_greeting_that_is_heard() -> None:
    session = Session(somebody(), welcomeGreeting="Good evening.")

    session.run(5)

    assert session.log[0][1] == {"type": "setup", **SETUP}
    assert session.talk.heard == ["Good evening."]


def test_tokens_are_one_utterance_until_the_last() -> None:
    answers = somebody(states={"a": {"when": [{"words": "for how many", "say": "For four people."}]}})
    session = Session(answers)

    session.say("Certainly, ", "for how ", "many?")
    session.run(10)

    assert session.talk.heard == ["Certainly, for how many?"]
    assert session.of("prompt") == [
        {"type": "prompt", "voicePrompt": "For four people.", "lang": "en-US", "last": True}
    ]
    assert session.log[-1][0] == pytest.approx(
        (len("Certainly, for how many?") + len("For four people.")) / 15
    )


def test_partial_prompts_are_cumulative_and_the_last_is_whole() -> None:
    speaks = somebody(
        states={
            "a": {"say": "I would like to book a table for four people.", "goto": "b"},
            "b": {"when": [{"silence": 99, "hang_up": True}]},
        }
    )
    session = Session(speaks, partialPrompts="true", transcriptionLanguage="de-DE")

    session.run(5)

    prompts = session.of("prompt")
    assert [prompt["last"] for prompt in prompts] == [False, False, False, True]
    assert prompts[0]["voicePrompt"] == "I would like"
    assert all(prompts[-1]["voicePrompt"].startswith(prompt["voicePrompt"]) for prompt in prompts)
    assert {prompt["lang"] for prompt in prompts} == {"de-DE"}


def test_an_interruption_says_what_was_heard_and_no_more_is_said() -> None:
    session = Session(interrupter(after=1.0))

    session.say("The kitchen is open ", "from six until ten in the evening.")
    session.run(20)

    (interrupt,) = session.of("interrupt")
    assert interrupt == {
        "type": "interrupt", "utteranceUntilInterrupt": "The kitchen is", "durationUntilInterruptMs": 1_000,
    }  # fmt: skip
    assert session.talk.heard == ["The kitchen is "]
    assert [prompt["voicePrompt"] for prompt in session.of("prompt")] == ["Wait a moment."]


@pytest.mark.parametrize(("attribute", "field"), [("none", None), ("any", False), ("dtmf", None)])
def test_who_may_not_interrupt_is_not_heard_either(attribute: str, field: bool | None) -> None:
    session = Session(interrupter(after=1.0), interruptible=attribute)

    session.say(
        "The kitchen is open from six until ten.", **({} if field is None else {"interruptible": field})
    )
    session.run(20)

    assert (session.of("interrupt"), session.of("prompt")) == ([], [])
    assert session.talk.heard == ["The kitchen is open from six until ten."]


def test_keys_are_told_where_that_is_asked_for() -> None:
    presses = somebody(
        states={"a": {"press": "w1#", "goto": "b"}, "b": {"when": [{"silence": 99, "hang_up": True}]}}
    )

    silent, told = Session(presses), Session(presses, dtmfDetection="true")
    for session in (silent, told):
        session.run(2)

    assert (silent.of("dtmf"), [message["digit"] for message in told.of("dtmf")]) == ([], ["1", "#"])


def test_keys_of_the_agent_reach_the_person() -> None:
    keyed = somebody(
        states={
            "a": {"when": [{"digits": "42", "goto": "b"}]},
            "b": {"when": [{"silence": 99, "hang_up": True}]},
        }
    )
    session = Session(keyed)

    session.send(type="sendDigits", digits="4w2")
    session.run(2)

    assert session.talk.party.path[-1] == "b"


def test_what_may_be_preempted_gives_way_to_what_comes_next() -> None:
    session = Session(somebody())

    session.say("One moment, I am looking for a free table.", preemptible=True)
    session.run(1)
    session.say("There is one at eight.")
    session.run(10)

    assert session.talk.heard == ["One moment, I a", "There is one at eight."]
    assert session.of("interrupt") == []


def test_events_are_told_only_if_asked_for() -> None:
    plain, asked = Session(somebody()), Session(somebody(), events="speaker-events tokens-played")
    for session in (plain, asked):
        session.say("Hello.")
        session.run(2)

    assert plain.of("info") == []
    assert [(info["name"], info["value"]) for info in asked.of("info")] == [
        ("agentSpeaking", "on"), ("tokensPlayed", "Hello."), ("agentSpeaking", "off"),
    ]  # fmt: skip


def test_the_language_of_prompts_can_be_changed() -> None:
    session = Session(interrupter(after=0.1))

    session.send(type="language", transcriptionLanguage="es-ES")
    session.say("Buenos días.")
    session.run(5)

    assert session.of("prompt")[0]["lang"] == "es-ES"


def test_the_server_ends_a_session_with_what_it_hands_over() -> None:
    session = Session(somebody())

    session.send(type="end", handoffData='{"reason": "human"}')

    assert session.talk.over is not None
    assert (session.talk.over.by, session.talk.over.handoff) == ("server", '{"reason": "human"}')
    assert (session.talk.over.code, session.talk.over.reason) == (1_000, "Closing websocket session")


def test_a_malformed_message_is_dropped_and_ten_in_a_row_end_the_session() -> None:
    session = Session(somebody())

    for _ in range(9):
        session.send(type="interrupt")
    session.say("Hello.")
    for _ in range(10):
        session.send(type="text")

    errors = session.of("error")
    assert errors[0]["description"].startswith('Invalid message received: {"type": "interrupt"}')
    assert len(errors) == 19
    assert session.talk.over is not None
    assert (session.talk.over.code, session.talk.over.reason) == (
        1_007,
        "Too many consecutive malformed messages",
    )


@pytest.mark.parametrize(
    "message",
    [
        b"{}",
        "Hello",
        "[]",
        '{"type": "clear"}',
        '{"type": "text"}',
        '{"type": "text", "token": null}',
        '{"type": "text", "token": "a", "last": "true"}',
        '{"type": "text", "token": "a", "final": true}',
        '{"type": "text", "token": "a", "interruptible": "any"}',
        '{"type": "play", "source": "hold.mp3"}',
        '{"type": "play", "source": "https://a.example/b.mp3", "loop": -1}',
        '{"type": "sendDigits", "digits": ""}',
        '{"type": "sendDigits", "digits": "1A"}',
        '{"type": "language"}',
        '{"type": "language", "ttsLanguage": "English"}',
        '{"type": "end", "handoffData": {"reason": "human"}}',
        '{"type": "end", "handoff_data": "x"}',
    ],
)
def test_what_is_not_documented_is_refused(message: str | bytes) -> None:
    with pytest.raises(BadMessage) as refused:
        read(message)

    assert refused.value.details["code"] == 64_107


# ─── on a real socket ────────────────────────────────────────────────────────

RELAY = (
    "<Connect action='/after'><ConversationRelay url='SOCKET/relay' welcomeGreeting='Good evening.'>"
    "<Parameter name='ticket' value='t1'/></ConversationRelay></Connect>"
)


async def a_call(shop: Shop, persona: Persona, relay: str = RELAY) -> Mapping[str, str]:
    """Have a call on a relay; return what the action was told."""
    shop.pages |= {"/voice": response(relay), "/after": response("<Hangup/>")}
    async with standing(shop, {SOMEBODY: persona}) as stand:
        await stand.sdk(stand.client.calls.create, to=SOMEBODY, from_=OURS, url=f"{shop.url}/voice")
        await until(lambda: bool(shop.upgrades))
        return await shop.until("/after")


async def test_a_relay_call_is_had_as_text_and_handed_over() -> None:
    came: list[dict[str, Any]] = []

    async def agent(socket: WebSocket) -> None:
        async for message in messages(socket):
            came.append(message)
            if message["type"] == "prompt":
                await socket.send_json({"type": "end", "handoffData": "to a human"})

    shop = Shop(on={"/relay": agent})
    restaurant = cast("restaurant").model_copy(update={"rings": 0, "thinks": 0})
    told = await a_call(shop, restaurant)

    url, headers = shop.upgrades[0]
    assert RequestValidator(TOKEN).validate(url, {}, headers["x-twilio-signature"])
    setup = came[0]
    assert setup.keys() == {
        "type", "sessionId", "accountSid", "parentCallSid", "callSid", "from", "to", "forwardedFrom",
        "callType", "callerName", "direction", "callStatus", "customParameters",
    }  # fmt: skip
    assert [setup[name] for name in ("from", "to", "direction", "callType")] == [
        OURS, SOMEBODY, "outbound-api", "PSTN",
    ]  # fmt: skip
    assert setup["customParameters"] == {"ticket": "t1"}
    assert (told["SessionId"], told["SessionStatus"]) == (setup["sessionId"], "ended")
    assert (told["HandoffData"], told["CallStatus"]) == ("to a human", "in-progress")
    assert told["SessionDuration"].isdecimal()


async def test_a_caller_who_hangs_up_completes_the_session() -> None:
    async def agent(socket: WebSocket) -> None:
        async for _ in messages(socket):
            pass

    goes = somebody(rings=0, states={"a": {"say": "Wrong number.", "hang_up": True}})
    told = await a_call(Shop(on={"/relay": agent}), goes)

    assert (told["SessionStatus"], told["CallStatus"]) == ("completed", "completed")
    assert "HandoffData" not in told


async def test_a_session_whose_socket_is_lost_has_failed() -> None:
    async def agent(socket: WebSocket) -> None:
        await socket.receive_text()

    told = await a_call(Shop(on={"/relay": agent}), somebody(rings=0))

    assert (told["SessionStatus"], told["ErrorCode"]) == ("failed", "64105")


async def test_a_socket_that_is_refused_is_a_failed_session() -> None:
    told = await a_call(Shop(), somebody(rings=0))

    assert (told["SessionStatus"], told["ErrorCode"]) == ("failed", "64102")


async def test_a_query_on_a_relays_address_is_signed_as_parameters() -> None:
    async def agent(socket: WebSocket) -> None:
        await socket.receive_text()
        await socket.send_json({"type": "end"})

    shop = Shop(on={"/relay": agent})
    await a_call(shop, somebody(rings=0), RELAY.replace("/relay", "/relay?a=1&amp;b=2"))

    url, headers = shop.upgrades[0]
    assert RequestValidator(TOKEN).validate(url, {"a": "1", "b": "2"}, headers["x-twilio-signature"])
