"""What goes out ahead of time, and what the caller has heard of it."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.audio import FRAME_BYTES, pad
from mcp_voice.core.events import SendAudio, SendMark
from mcp_voice.core.playout import Echo, Lead, Playout

SECOND = 8_000


def speech(seconds: float) -> bytes:
    return bytes(range(1, 201)) * round(seconds * SECOND / 200)


def audio(sent: list[SendAudio | SendMark]) -> bytes:
    return b"".join(command.payload for command in sent if isinstance(command, SendAudio))


def marks(sent: list[SendAudio | SendMark]) -> list[str]:
    return [command.name for command in sent if isinstance(command, SendMark)]


def play_on(playout: Playout, until: float) -> list[SendAudio | SendMark]:
    """Do what a driver does: ask again whenever it wants to be asked."""
    sent = playout.due(0.0)
    while playout.wakes_at is not None and playout.wakes_at <= until:
        sent += playout.due(playout.wakes_at)
    return sent


def test_half_a_second_is_sent_ahead_and_no_more() -> None:
    playout = Playout(Lead(least=0.3, most=0.5))
    playout.queue(speech(2.0))

    sent = playout.due(now=0.0)

    assert len(audio(sent)) == SECOND // 2
    assert playout.ends_at == 0.5
    assert playout.wakes_at is not None
    assert abs(playout.wakes_at - 0.2) < 1e-9


def test_a_stall_of_three_hundred_milliseconds_leaves_no_gap() -> None:
    playout = Playout(Lead(least=0.3, most=0.5))
    playout.queue(speech(3.0))
    playout.due(now=0.0)
    assert playout.wakes_at is not None
    late = playout.wakes_at + 0.299

    ended_before = playout.ends_at
    playout.due(now=late)

    assert ended_before > late


def test_a_mark_follows_every_two_hundred_milliseconds_and_the_end() -> None:
    playout = Playout()
    playout.queue(speech(0.5), "hello there")

    sent = play_on(playout, until=1.0)

    assert marks(sent) == ["mv:1:200", "mv:1:400", "mv:1:500"]
    assert audio(sent) == speech(0.5)


def test_the_last_mark_says_that_all_of_it_was_heard() -> None:
    playout = Playout()
    playout.queue(speech(0.4), "hello there")
    playout.due(now=0.0)

    early, late = playout.reached("mv:1:200"), playout.reached("mv:1:400")

    assert early == []
    [echo] = late
    assert echo.finished is not None
    assert echo.finished.heard_text == "hello there"
    assert not echo.finished.cut


def test_an_interruption_keeps_the_words_that_were_heard() -> None:
    playout = Playout()
    playout.queue(speech(2.0), "one two three four five six seven eight nine ten")
    play_on(playout, until=0.9)

    [cut] = playout.cut(now=1.0)

    assert cut.heard_ms == 1_000
    assert cut.heard_text == "one two three four five"
    assert not playout.playing(now=1.0)


def test_an_echo_proves_the_marks_before_it_too() -> None:
    playout = Playout()
    playout.queue(speech(0.4), "first")
    playout.mark("between")
    playout.queue(speech(0.1), "second")
    playout.due(now=0.0)

    echoes = playout.reached("mv:2:100")

    assert [echo.mark or (echo.finished and echo.finished.text) for echo in echoes] == [
        "first",
        "between",
        "second",
    ]


def test_clauses_of_one_part_are_one_utterance_heard_clause_by_clause() -> None:
    playout = Playout()
    playout.queue(speech(1.0), "Good evening,", part="p", last=False)
    playout.queue(speech(0.5), "we are", part="p", last=False)
    playout.queue(speech(2.0), "one two three four", part="p")
    play_on(playout, until=2.4)

    [cut] = playout.cut(now=2.5)

    assert cut.text == "Good evening, we are one two three four"
    assert cut.heard_text == "Good evening, we are one two"
    assert cut.heard_ms == 2_500


def test_what_is_made_of_a_part_after_its_cut_is_not_said() -> None:
    playout = Playout()
    playout.queue(speech(1.0), "first", part="p", last=False)
    play_on(playout, until=0.2)
    playout.cut(now=0.4)

    late = playout.queue(speech(1.0), "second", part="p")
    other = playout.queue(speech(1.0), "an answer", part="q")

    assert late == 0
    assert other == 2
    assert len(audio(playout.due(now=0.5))) == SECOND // 2


def test_a_part_that_ends_with_nothing_is_over_when_what_there_was_has_been_played() -> None:
    playout = Playout()
    playout.queue(speech(0.4), "that was all", part="p", last=False)
    playout.due(now=0.0)
    early = [*playout.reached("mv:1:200"), *playout.reached("mv:1:400"), *playout.overdue(now=2.0)]

    playout.queue(b"", part="p")
    [over] = playout.overdue(now=2.0)

    assert early == []
    assert over.heard_text == "that was all"


def test_a_cut_in_the_last_instant_loses_no_word() -> None:
    playout = Playout()
    playout.queue(speech(1.0), "every word was heard")
    play_on(playout, until=1.0)

    [cut] = playout.cut(now=0.99)

    assert cut.cut
    assert cut.heard_text == "every word was heard"


def test_an_echo_that_comes_after_the_clear_counts_for_nothing() -> None:
    playout = Playout()
    playout.queue(speech(1.0), "you will not hear this")
    playout.due(now=0.0)
    [cut] = playout.cut(now=0.05)
    playout.queue(speech(1.0), "but this")

    echoes = playout.reached("mv:1:200")

    assert echoes == []
    assert cut.heard_ms == 50


def test_a_tools_mark_is_told_with_whether_it_was_cleared() -> None:
    playout = Playout()
    playout.queue(speech(0.1), tracked=False)
    playout.mark("first")
    playout.due(now=0.0)
    played = playout.reached("first")
    playout.queue(speech(0.1), tracked=False)
    playout.mark("second")
    playout.due(now=0.1)
    playout.cut(now=0.1)

    cleared = playout.reached("second")

    assert played == [Echo(mark="first")]
    assert cleared == [Echo(mark="second", cleared=True)]


def test_a_mark_nobody_sent_is_ignored() -> None:
    playout = Playout()
    playout.queue(speech(0.1), "hello")
    playout.due(now=0.0)

    assert playout.reached("mv:9:100") == []
    assert playout.reached("who knows") == []


def test_an_utterance_whose_mark_never_comes_back_is_taken_as_heard_a_second_later() -> None:
    playout = Playout()
    playout.queue(speech(0.4), "hello")
    playout.due(now=0.0)

    assert playout.overdue(now=1.3) == []
    [late] = playout.overdue(now=1.4)
    assert late.heard_text == "hello"
    assert playout.overdue_at is None


def test_a_mark_that_comes_back_when_its_words_were_given_up_changes_nothing() -> None:
    playout = Playout()
    playout.queue(speech(0.4), "hello")
    [last] = [name for name in marks(playout.due(now=0.0)) if name.endswith(":400")]
    [late] = playout.overdue(now=1.4)

    found = playout.reached(last)

    assert found == []
    assert late.heard_text == "hello"


steps = st.one_of(
    st.tuples(st.just("queue"), st.integers(1, 4_000)),
    st.tuples(st.just("echoed"), st.integers(1, 4_000)),
    st.tuples(st.just("wait"), st.integers(0, 700)),
    st.tuples(st.just("cut"), st.just(0)),
)


@given(st.lists(steps, max_size=30))
def test_what_is_sent_is_what_was_queued_and_never_too_far_ahead(plan: list[tuple[str, int]]) -> None:
    playout, now = Playout(Lead(0.3, 0.5)), 0.0
    queued = sent = b""

    for what, size in plan:
        match what:
            case "queue" | "echoed":
                piece = bytes([1 + size % 200]) * size
                queued += pad(piece)
                playout.queue(piece, tracked=what == "queue")
            case "wait":
                now += size / 1000
            case "cut":
                playout.cut(now)
                queued = sent
        due = audio(playout.due(now))
        sent += due
        assert len(due) % FRAME_BYTES == 0
        assert queued.startswith(sent)
        assert playout.ends_at <= now + 0.5 + 0.02 + 1e-9

    while playout.wakes_at is not None:
        now = max(now, playout.wakes_at)
        sent += audio(playout.due(now))
    assert sent == queued


@given(st.lists(st.integers(1, 8_000), min_size=1, max_size=4), st.floats(0.0, 3.0), st.data())
def test_never_more_is_heard_than_was_sent_and_never_less_than_a_mark_proves(
    sizes: list[int], cut_at: float, data: st.DataObject
) -> None:
    playout = Playout()
    for size in sizes:
        playout.queue(bytes([7]) * size, "a b c")
    sent = play_on(playout, cut_at)
    names = marks(sent)
    echoed = data.draw(st.integers(0, len(names)))
    proved = [echo.finished for name in names[:echoed] for echo in playout.reached(name)]

    touched = playout.cut(cut_at)

    assert all(done is not None and done.heard_ms == done.total_ms for done in proved)
    for utterance in touched:
        assert utterance.confirmed_ms <= utterance.heard_ms <= utterance.sent_ms <= utterance.total_ms
    assert len(touched) + len(proved) == len(sizes)


def test_played_is_true_until_the_sound_is_over() -> None:
    playout = Playout()
    playout.queue(speech(0.1))
    check: Callable[[float], bool] = playout.playing

    assert check(0.0)
    playout.due(now=0.0)
    assert check(0.099)
    assert not check(0.1)
