"""What an agent is told, and what it waits for."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.asks import NO_REPLY, Ask, Spoken
from mcp_voice.core.conversation import LONGEST_WAIT, NEXT_KEY, Conversation
from mcp_voice.core.session import Entry

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Log:
    """Writes lines, numbered, into a conversation."""

    def __init__(self) -> None:
        self.talk = Conversation()
        self._seq = 0

    def write(self, kind: str, now: float = 0.0, **data: Any) -> None:
        self._seq += 1
        self.talk.read([Entry(seq=self._seq, at=AT, kind=kind, data=data)], now)


def test_an_answer_after_our_words_is_a_reply() -> None:
    log = Log()
    ask = log.talk.begin(Ask(says="How many?", part="p"), now=0.0)
    assert log.talk.outcome(ask, now=5.0) == "pending"
    log.write("agentSaid", 6.0, text="How many?", part="p")
    log.write("speechStarted", 7.0)
    assert log.talk.outcome(ask, now=30.0) == "pending"
    log.write("final", 31.0, text="four")

    assert log.talk.outcome(ask, now=31.0) == "reply"
    assert [words.text for words in log.talk.tell()] == ["four"]


def test_nobody_is_silent_before_they_have_picked_up() -> None:
    log = Log()
    log.write("ringing", 0.0, to="+14155550123")
    ask = log.talk.begin(Ask(), now=1.0)

    assert log.talk.outcome(ask, now=60.0) == "pending"
    assert log.talk.wakes_at(ask) is None
    log.write("answered", 60.0)
    assert log.talk.outcome(ask, now=61.0) == "pending"
    assert log.talk.wakes_at(ask) == 60.0 + NO_REPLY["answer"]
    assert log.talk.outcome(ask, now=60.0 + NO_REPLY["answer"]) == "noReply"


def test_nobody_is_silent_while_they_are_spoken_to() -> None:
    log = Log()
    log.talk.begin(Ask(says="a long opening", part="p"), now=0.0)
    ask = log.talk.begin(Ask(), now=1.0)

    assert log.talk.outcome(ask, now=20.0) == "pending"
    assert log.talk.wakes_at(ask) is None
    log.write("agentSaid", 20.0, text="a long opening", part="p")
    assert log.talk.outcome(ask, now=21.0) == "pending"
    assert log.talk.outcome(ask, now=20.0 + NO_REPLY["answer"]) == "noReply"


def test_a_caller_who_cuts_in_has_replied_when_their_words_are_final() -> None:
    log = Log()
    ask = log.talk.begin(Ask(says="a long sentence", part="p"), now=0.0)
    log.write("speechStarted", 1.0)
    cut = {"heardByCaller": "a long", "heardFraction": 0.5, "heardMs": 700}
    log.write("interrupted", 1.3, text="a long sentence", part="p", **cut)
    assert log.talk.outcome(ask, now=1.4) == "pending"
    log.write("final", 2.0, text="stop")

    assert log.talk.outcome(ask, now=2.0) == "reply"
    assert ask.spoken is not None
    assert ask.spoken == Spoken("a long sentence", "a long", True, heard_fraction=0.5, cut_at_ms=700)


def test_words_that_no_ear_makes_out_are_not_waited_for() -> None:
    log = Log()
    ask = log.talk.begin(Ask(), now=0.0)
    log.write("speechStarted", 1.0)
    log.write("error", 2.0, code="provider_failed", recovered=True, of="ear")
    assert log.talk.outcome(ask, now=30.0) == "pending"
    log.write("error", 31.0, code="provider_failed", recovered=False, of="ear")
    log.write("speechStarted", 32.0)

    assert log.talk.outcome(ask, now=33.0) == "pending"
    assert log.talk.outcome(ask, now=32.0 + NO_REPLY["answer"]) == "noReply"


def test_an_ear_that_hears_again_is_waited_for_again() -> None:
    log = Log()
    ask = log.talk.begin(Ask(), now=0.0)
    log.write("error", 1.0, code="provider_failed", recovered=False, of="ear")
    log.write("final", 2.0, text="")
    log.write("speechStarted", 3.0)

    assert log.talk.outcome(ask, now=30.0) == "pending"


@pytest.mark.parametrize(
    ("kind", "data"), [("beep", {}), ("amd", {"answeredBy": "machine", "why": "machine_end_beep"})]
)
def test_a_beep_that_has_sounded_is_told_to_whoever_waits_for_it_once(kind: str, data: Any) -> None:
    log = Log()
    log.write(kind, 1.0, **data)
    gave_up = log.talk.begin(Ask(until="beep"), now=2.0)
    log.talk.leave(gave_up, 2.0)
    ask = log.talk.begin(Ask(until="beep"), now=3.0)
    told = log.talk.outcome(ask, now=3.0)
    log.talk.finish(ask)

    assert told == "beep"
    assert log.talk.outcome(log.talk.begin(Ask(until="beep"), now=4.0), now=4.0) == "pending"


def test_what_a_noise_has_cut_is_not_over_and_goes_on_as_if_nothing_had_happened() -> None:
    log = Log()
    ask = log.talk.begin(Ask(says="a long sentence", part="p", listens=False), now=0.0)
    log.write("interrupted", 1.3, text="a long sentence", part="p", heardByCaller="a", doubtful=True)
    cut = log.talk.outcome(ask, now=60.0)
    log.write("final", 2.0, text="")
    log.write("resumed", 2.0, part="p")
    resumed = (log.talk.outcome(ask, now=60.0), log.talk.wakes_at(ask), ask.spoken)
    log.write("agentSaid", 3.0, text="a long sentence", part="p")

    assert cut == "pending"
    assert resumed == ("pending", None, None)
    assert log.talk.outcome(ask, now=3.0) == "spoken"
    assert ask.spoken is not None
    assert not ask.spoken.interrupted


def test_a_sign_of_attention_is_no_reply_and_is_told_to_nobody() -> None:
    log = Log()
    ask = log.talk.begin(Ask(says="a long sentence", part="p"), now=0.0)
    log.write("interrupted", 1.3, text="a long sentence", part="p", heardByCaller="a", doubtful=True)
    log.write("final", 2.0, text="mhm", backchannel=True)
    log.write("resumed", 2.0, part="p")
    log.write("agentSaid", 3.0, text="a long sentence", part="p")

    assert log.talk.outcome(ask, now=3.0) == "pending"
    assert not log.talk.untold


def test_an_interruption_that_nobody_doubts_is_over_at_once() -> None:
    log = Log()
    ask = log.talk.begin(Ask(says="a long sentence", part="p", listens=False), now=0.0)

    log.write("interrupted", 1.3, text="a long sentence", part="p", heardByCaller="a")

    assert log.talk.outcome(ask, now=1.3) == "spoken"


@pytest.mark.parametrize("expect", list(NO_REPLY))
def test_silence_means_no_reply_after_as_long_as_the_kind_of_answer_takes(expect: Any) -> None:
    log = Log()
    ask = log.talk.begin(Ask(says="Yes or no?", part="p", expect=expect), now=0.0)
    log.write("agentSaid", 10.0, text="Yes or no?", part="p")

    assert log.talk.wakes_at(ask) == 10.0 + NO_REPLY[expect]
    assert log.talk.outcome(ask, now=9.9 + NO_REPLY[expect]) == "pending"
    assert log.talk.outcome(ask, now=10.0 + NO_REPLY[expect]) == "noReply"


def test_a_sound_without_words_starts_the_silence_afresh() -> None:
    log = Log()
    ask = log.talk.begin(Ask(), now=0.0)
    log.write("speechStarted", 7.0)
    log.write("final", 8.5, text="")

    assert log.talk.outcome(ask, now=10.0) == "pending"
    assert log.talk.outcome(ask, now=8.5 + NO_REPLY["answer"]) == "noReply"


def test_keys_are_told_together_when_no_more_come() -> None:
    log = Log()
    ask = log.talk.begin(Ask(), now=0.0)
    log.write("dtmf", 1.0, digit="4")
    log.write("dtmf", 2.0, digit="2")

    assert log.talk.outcome(ask, now=2.0) == "pending"
    assert log.talk.outcome(ask, now=2.0 + NEXT_KEY) == "dtmf"
    assert log.talk.digits() == "42"
    assert log.talk.digits() == ""


def test_the_end_of_the_call_is_told_to_whoever_waits() -> None:
    log = Log()
    ask = log.talk.begin(Ask(says="hello"), now=0.0)
    log.write("ended", 1.0, reason="stop")

    assert log.talk.outcome(ask, now=1.0) == "hungUp"


def test_what_was_said_is_told_when_nobody_listens_for_more() -> None:
    log = Log()
    ask = log.talk.begin(Ask(says="one moment", part="p", listens=False), now=0.0)
    log.write("agentSaid", 1.0, text="one moment", part="p")

    assert log.talk.outcome(ask, now=1.0) == "spoken"


def test_a_next_request_acknowledges_what_was_told_and_no_more() -> None:
    log = Log()
    log.write("final", text="first")
    told = log.talk.tell()
    log.write("final", text="second")
    log.talk.acknowledge()

    assert [words.text for words in told] == ["first"]
    assert [(words.text, words.repeated) for words in log.talk.tell()] == [("second", False)]


def test_what_a_client_says_it_has_not_read_is_told_again() -> None:
    log = Log()
    log.write("final", text="first")
    log.write("final", text="second")
    log.talk.tell()
    log.talk.acknowledge(after=1)

    assert [(words.text, words.repeated) for words in log.talk.tell()] == [("second", True)]
    assert not log.talk.untold


def test_a_client_that_gave_up_waits_for_the_same_words_and_they_are_not_said_twice() -> None:
    log = Log()
    first = log.talk.begin(Ask(says="How many?", part="p"), now=0.0)
    log.talk.leave(first, waited=0.5)

    again = log.talk.begin(Ask(says="How many?", part="p"), now=0.6)
    log.talk.finish(first)
    after_the_answer = log.talk.begin(Ask(says="How many?", part="p"), now=9.0)

    assert again is first
    assert after_the_answer is not first


def test_what_was_said_before_what_the_agent_was_told_last_can_be_said_again() -> None:
    log = Log()
    first = log.talk.begin(Ask(says="Could you repeat that?", part="p"), now=0.0)
    log.write("agentSaid", 1.0, text="Could you repeat that?", part="p")
    listened = log.talk.begin(Ask(), now=2.0)
    joined = log.talk.begin(Ask(says="Could you repeat that?"), now=3.0)
    assert log.talk.outcome(listened, now=2.0 + NO_REPLY["answer"]) == "noReply"
    log.talk.finish(listened)

    again = log.talk.begin(Ask(says="Could you repeat that?", part="q"), now=20.0)

    assert joined is first
    assert again is not first
    assert log.talk.outcome(again, now=60.0) == "pending"


def test_what_is_still_being_said_is_not_said_twice_whatever_the_agent_was_told_meanwhile() -> None:
    log = Log()
    first = log.talk.begin(Ask(says="a long sentence", part="p"), now=0.0)
    listened = log.talk.begin(Ask(), now=0.1)
    log.write("interrupted", 1.3, text="a long sentence", part="p", heardByCaller="a", doubtful=True)
    log.write("dtmf", 1.4, digit="4")
    assert log.talk.outcome(listened, now=1.4 + NEXT_KEY) == "dtmf"
    log.talk.finish(listened)

    assert log.talk.begin(Ask(says="a long sentence"), now=4.0) is first
    log.write("resumed", 5.0, part="p")
    log.write("agentSaid", 6.0, text="a long sentence", part="p")
    assert log.talk.begin(Ask(says="a long sentence"), now=7.0) is not first


def test_a_client_that_gives_up_listening_has_been_told_nothing() -> None:
    log = Log()
    first = log.talk.begin(Ask(says="How many?", part="p"), now=0.0)
    log.write("agentSaid", 1.0, text="How many?", part="p")
    log.talk.leave(log.talk.begin(Ask(), now=2.0), waited=0.5)

    assert log.talk.begin(Ask(says="How many?"), now=3.0) is first


def test_a_call_whose_first_reply_was_listened_for_is_asked_for_what_comes_next() -> None:
    log = Log()
    first = log.talk.begin(Ask(says="Good evening.", part="p"), now=0.0)
    log.write("agentSaid", 1.0, text="Good evening.", part="p")
    listened = log.talk.begin(Ask(), now=2.0)
    log.write("final", 3.0, text="hello")
    log.talk.tell()
    log.talk.finish(listened)
    log.talk.acknowledge()

    joined = log.talk.join(first, now=4.0)

    assert joined is not first
    assert log.talk.outcome(joined, now=4.0) == "pending"


def test_how_much_was_heard_is_told_of_all_that_was_to_be_said() -> None:
    log = Log()
    ask = log.talk.begin(Ask(says="One. Two. Six.", part="p", whole="One. Two. Six."), now=0.0)
    log.write(
        "interrupted",
        1.0,
        text="One.",
        part="p",
        heardByCaller="One.",
        heardFraction=0.5,
        heardMs=700,
        doubtful=True,
    )
    cut, ask.spoken = ask.spoken, None
    log.write("resumed", 2.0, part="p")
    log.write("agentSaid", 3.0, text="One. Two. Six.", part="p")

    assert cut == Spoken(
        "One. Two. Six.", "One.", interrupted=True, heard_fraction=round(0.5 * 4 / 14, 3), cut_at_ms=700
    )
    assert ask.spoken == Spoken("One. Two. Six.", "One. Two. Six.")


def test_a_voice_that_fails_in_mid_sentence_is_told_once_and_by_the_beginning_of_what_was_not_said() -> None:
    log = Log()
    ask = log.talk.begin(Ask(says="One. Two.", part="p", whole="One. Two."), now=0.0)
    log.write("error", 1.0, code="provider_failed", message="It broke.", part="other", unsaid="Nothing.")
    log.write("error", 1.0, code="provider_failed", message="It broke.", part="p", unsaid="Two. " * 40)
    log.write("agentSaid", 2.0, text="One.", part="p")

    told, again = log.talk.problems.tell(), log.talk.problems.tell()

    assert told == f"It broke. Not said: {('Two. ' * 16).rstrip()}…"
    assert again is None
    assert ask.spoken == Spoken("One. Two.", "One.", heard_fraction=round(4 / 9, 3))


def test_what_a_recogniser_gave_up_is_over_and_the_agent_is_told_once_that_it_was_not_understood() -> None:
    log = Log()
    ask = log.talk.begin(Ask(says="How many?", part="p"), now=0.0)
    log.write("agentSaid", 1.0, text="How many?", part="p")
    log.write("speechStarted", 2.0)
    log.write("error", 3.0, code="provider_failed", message="It broke.", of="ear", recovered=True)
    log.write("error", 3.0, code="recording_failed", message="The disk is full.", recovered=False)
    assert (log.talk.wakes_at(ask), log.talk.problems.tell()) == (None, None)
    for _ in range(2):
        log.write("error", 4.0, code="provider_failed", message="It broke.", of="ear", recovered=False)

    assert log.talk.outcome(ask, now=3.9 + NO_REPLY["answer"]) == "pending"
    assert log.talk.outcome(ask, now=4.0 + NO_REPLY["answer"]) == "noReply"
    assert log.talk.problems.unheard
    assert log.talk.problems.tell() == "The caller could not be understood: It broke."
    assert (log.talk.problems.tell(), log.talk.problems.unheard) == (None, False)


def test_a_client_that_gives_up_early_is_kept_waiting_less_long() -> None:
    log = Log()
    assert log.talk.patience == LONGEST_WAIT

    log.talk.leave(log.talk.begin(Ask(), now=0.0), waited=10.0)

    assert log.talk.patience == 8.0


@given(st.lists(st.sampled_from(["final", "tell", "ack"]), max_size=40))
def test_nothing_heard_is_lost_and_nothing_acknowledged_is_told_again(plan: list[str]) -> None:
    log, said, had = Log(), 0, set[str]()
    last: set[str] = set()

    for step in plan:
        match step:
            case "final":
                said += 1
                log.write("final", text=f"words {said}")
            case "tell":
                last = {words.text for words in log.talk.tell()}
                assert not last & had
            case "ack":
                log.talk.acknowledge()
                had |= last
    had |= {words.text for words in log.talk.tell()}

    assert had == {f"words {n}" for n in range(1, said + 1)}
