"""The other side of a relay, in virtual time: what a server is told, and when."""

from typing import Any, Final

import pytest
import yaml

from mcp_voice.simulator.persona import Persona
from mcp_voice.simulator.relaying import RATE, Telephone

CLERK: Final = """
description: A clerk.
thinks: 0.2
states:
  hello:
    say: Good morning, the town hall.
    when:
      - {words: [menu], press: 1w2, goto: hello}
      - {digits: '9', say: Nine., hang_up: true}
      - {words: [long], goto: rude}
      - {words: [bye], hang_up: true}
  rude:
    when:
      - {barge_in_after: 1, say: I have no time for that. None at all.}
      - {silence: 60, hang_up: true}
"""


class Line:
    """Drives a telephone, and collects what the server gets."""

    def __init__(self) -> None:
        self.now = 50.0
        self.phone = Telephone(Persona.model_validate(yaml.safe_load(CLERK)), self.now)
        self.got: list[tuple[float, dict[str, Any]]] = []
        self.pass_time(0)

    def says(self, token: str, **fields: Any) -> None:
        self.phone.receive({"type": "text", "token": token, "last": True, **fields}, self.now)
        self._collect()

    def pass_time(self, seconds: float) -> None:
        until, steps = self.now + seconds, 0
        while not self.phone.over and (at := self.phone.wakes_at) is not None and at <= until:
            self.now, steps = max(self.now, at), steps + 1
            assert steps < 200, "it wants to be told the time again and again"
            self.phone.pass_time(self.now)
            self._collect()
        self.now = until

    def _collect(self) -> None:
        self.got += [(self.now, message) for message in self.phone.sent]
        self.phone.sent.clear()

    def told(self, *types: str) -> list[dict[str, Any]]:
        return [message for _, message in self.got if message["type"] in types]


def test_who_picks_up_speaks_and_their_words_come_when_they_have_been_said() -> None:
    line = Line()

    line.pass_time(5)

    assert [message.get("name", "prompt") for _, message in line.got] == [
        "clientSpeaking", "clientSpeaking", "prompt",
    ]  # fmt: skip
    assert line.told("prompt") == [
        {"type": "prompt", "voicePrompt": "Good morning, the town hall.", "lang": "en-US", "last": True}
    ]
    assert line.got[-1][0] - line.got[0][0] == pytest.approx(28 / RATE, abs=0.5)


def test_what_the_agent_says_takes_its_time_and_is_told_as_played() -> None:
    line = Line()
    line.pass_time(5)

    line.says("Hello, ", last=False)
    line.says("this is the mayor.")
    line.pass_time(10)

    played = [at for at, message in line.got if message.get("name") == "tokensPlayed"]
    assert played == [pytest.approx(55 + 25 / RATE, abs=0.1)]
    assert line.phone.heard == ["Hello, this is the mayor."]


def test_who_talks_over_the_agent_cuts_it_off_unless_it_may_not_be() -> None:
    for firm in (False, True):
        line = Line()
        line.pass_time(5)
        line.says("A long one.")
        line.pass_time(2)

        line.says("It is a very long story, and it goes on and on and on.", interruptible=not firm)
        line.pass_time(10)

        assert len(line.told("interrupt")) == (0 if firm else 1)
        if not firm:
            (cut,) = line.told("interrupt")
            assert "It is a very long story".startswith(cut["utteranceUntilInterrupt"])
            assert 1_000 <= cut["durationUntilInterruptMs"] <= 1_600


def test_keys_go_both_ways() -> None:
    line = Line()
    line.pass_time(5)

    line.says("The menu, please.")
    line.pass_time(8)
    line.phone.receive({"type": "sendDigits", "digits": "w9"}, line.now)
    line.pass_time(5)

    assert line.told("dtmf") == [{"type": "dtmf", "digit": "1"}, {"type": "dtmf", "digit": "2"}]
    assert line.told("prompt")[-1]["voicePrompt"] == "Nine."
    assert line.phone.over


def test_an_end_is_the_end() -> None:
    line = Line()

    line.phone.receive({"type": "end"}, line.now)

    assert line.phone.over
