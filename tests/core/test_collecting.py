"""An agent that waits for digits, and what the caller may do instead."""

from mcp_voice.core.asks import Ask
from mcp_voice.core.conversation import MOST_ASKS
from mcp_voice.core.digits import Collector, Plan
from tests.core.test_conversation import Log


def test_digits_are_collected_and_are_not_told_to_anybody_else() -> None:
    log = Log()
    asked = log.talk.begin(Ask("Your PIN?", part="p", collector=Collector(Plan(maximum=4))), now=0.0)
    other = log.talk.begin(Ask(), now=0.0)

    log.talk.press("4", 1.0)
    log.write("dtmf", 1.0, digit="4", gathered=True)
    log.talk.press("#", 2.0)
    log.write("dtmf", 2.0, secret=True)

    assert log.talk.outcome(asked, now=2.0) == "dtmf"
    assert asked.collector is not None
    assert asked.collector.digits == "4"
    assert (log.talk.digits(), log.talk.outcome(other, now=6.0)) == ("", "pending")


def test_who_is_asked_for_digits_has_the_time_of_the_plan_from_the_end_of_the_question() -> None:
    log = Log()
    ask = log.talk.begin(Ask("Your PIN?", part="p", collector=Collector(Plan(first=5.0))), now=0.0)

    assert (log.talk.outcome(ask, now=60.0), log.talk.wakes_at(ask)) == ("pending", None)
    log.write("agentSaid", 60.0, text="Your PIN?", part="p")

    assert (log.talk.outcome(ask, now=64.9), log.talk.wakes_at(ask)) == ("pending", 65.0)
    assert log.talk.outcome(ask, now=65.0) == "noReply"


def test_who_speaks_instead_of_typing_is_let_finish() -> None:
    log = Log()
    ask = log.talk.begin(Ask(collector=Collector(Plan(first=5.0))), now=0.0)
    log.talk.outcome(ask, now=0.0)
    log.write("speechStarted", 4.0)

    assert (log.talk.outcome(ask, now=9.0), log.talk.wakes_at(ask)) == ("pending", None)
    log.write("final", 10.0, text="extension nine")

    assert log.talk.outcome(ask, now=10.0) == "reply"


def test_where_only_digits_count_words_are_no_answer() -> None:
    log = Log()
    ask = log.talk.begin(Ask(collector=Collector(Plan(first=5.0)), hears=False), now=0.0)
    log.talk.outcome(ask, now=0.0)
    log.write("speechStarted", 1.0)
    log.write("final", 2.0, text="what?")

    assert log.talk.outcome(ask, now=4.9) == "pending"
    assert log.talk.outcome(ask, now=5.0) == "noReply"


def test_however_many_wait_digits_are_still_collected() -> None:
    log = Log()
    ask = log.talk.begin(Ask(collector=Collector(Plan(maximum=1))), now=0.0)
    for _ in range(2 * MOST_ASKS):
        log.talk.begin(Ask(), now=0.0)

    log.talk.press("1", 1.0)

    assert log.talk.outcome(ask, now=1.0) == "dtmf"
    assert len(log.talk.waiting) == MOST_ASKS + 1
