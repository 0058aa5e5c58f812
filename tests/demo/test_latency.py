"""How the demo reckons what an answer took."""

from mcp_voice.demo.latency import Answer, Moment, answers, table
from mcp_voice.simulator.line import Tally
from mcp_voice.simulator.report import CallReport, End
from mcp_voice.simulator.track import Talk


def a_report(caller: list[tuple[float, float]], agent: list[tuple[float, float]]) -> CallReport:
    return CallReport(
        url="ws://127.0.0.1/", call_sid="CA1", stream_sid="MZ1", seconds=20.0, end=End("caller"),
        tally=Tally(), faults=(), happenings=(), caller_talks=tuple(Talk(*talk) for talk in caller),
        agent_talks=tuple(Talk(*talk) for talk in agent), caller_sound=b"", agent_sound=b"",
    )  # fmt: skip


def test_an_answer_counts_from_the_callers_last_sound_to_the_agents_first() -> None:
    report = a_report(caller=[(4.0, 6.0)], agent=[(0.5, 3.0), (6.9, 8.0)])
    moments = [Moment(0.4, "says"), Moment(6.7, "final", "hello"), Moment(6.8, "says", "hi")]

    [answer] = answers(moments, report)

    assert answer == Answer(silent=6.0, transcript=6.7, tool=6.8, audio=6.9)
    assert answer.steps_ms == (700, 100, 100, 900)


def test_what_was_not_answered_is_left_out() -> None:
    report = a_report(caller=[(4.0, 6.0)], agent=[])

    assert answers([Moment(6.7, "final", "hello")], report) == []


def test_the_table_ends_with_the_medians() -> None:
    rows = [Answer(0.0, 0.5, 0.6, 0.7), Answer(5.0, 5.7, 5.8, 5.9), Answer(9.0, 9.6, 9.7, 9.8)]

    last = table(rows).splitlines()[-1]

    assert last.split() == ["median", "600", "100", "100", "800"]
