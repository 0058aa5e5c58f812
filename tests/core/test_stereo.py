"""Both sides of a call on one time line."""

from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.stereo import AHEAD, LATE, RATE, SILENCE, Stereo

FRAME = 160


def frame(number: int) -> bytes:
    return bytes([number % 200]) * FRAME


def sides(stereo: bytes) -> tuple[bytes, bytes]:
    return stereo[0::2], stereo[1::2]


def test_the_caller_is_on_the_left_and_the_agent_on_the_right_each_when_it_was_heard() -> None:
    stereo = Stereo(now=10.0)
    stereo.caller(b"C" * FRAME, now=10.12)
    stereo.agent(b"A" * FRAME, now=10.2)

    left, right = sides(stereo.end(now=10.5))

    assert len(left) == len(right) == RATE // 2
    assert left.index(b"C") == 800
    assert right.index(b"A") == 1_600


def test_audio_sent_ahead_is_played_behind_what_was_sent_before() -> None:
    stereo = Stereo(now=0.0)
    stereo.agent(b"A" * 800, now=0.0)
    stereo.agent(b"B" * 800, now=0.01)

    _, right = sides(stereo.end(now=1.0))

    assert right == b"A" * 800 + b"B" * 800 + SILENCE * 6_400


def test_what_a_clear_or_the_end_of_the_call_cut_off_is_not_in_it() -> None:
    stereo = Stereo(now=0.0)
    stereo.agent(b"A" * 4_000, now=0.0)
    stereo.clear(now=0.1)
    stereo.agent(b"B" * 4_000, now=0.2)

    _, right = sides(stereo.end(now=0.3))

    assert right == b"A" * 800 + SILENCE * 800 + b"B" * 800


def test_what_was_being_played_when_it_began_takes_its_time_in_silence() -> None:
    stereo = Stereo(now=5.0, plays_until=5.1)
    stereo.agent(b"A" * FRAME, now=5.0)

    _, right = sides(stereo.end(now=5.2))

    assert right.index(b"A") == 800


def test_a_hole_in_the_stream_is_as_long_as_it_was() -> None:
    stereo = Stereo(now=0.0)
    for number in (1, 2, 3, 10, 11):
        stereo.caller(frame(number), now=number * 0.02, timestamp_ms=102 + number * 20)

    left, _ = sides(stereo.end(now=0.22))

    assert left[:480] == frame(1) + frame(2) + frame(3)
    assert left[480 : 480 + 6 * FRAME] == SILENCE * 6 * FRAME
    assert left[480 + 6 * FRAME :] == frame(10) + frame(11)


def test_a_burst_after_a_stall_joins_on_without_a_hole() -> None:
    stereo = Stereo(now=0.0)
    frames = [frame(number) for number in range(40)]
    for number, sound in enumerate(frames):
        stereo.caller(sound, now=(number + 1) * 0.02 if number < 10 else 0.8, timestamp_ms=number * 20)

    left, _ = sides(stereo.end(now=0.8))

    assert left == b"".join(frames)


def test_without_timestamps_a_long_lateness_is_a_hole_and_a_short_one_is_not() -> None:
    stereo = Stereo(now=0.0)
    for at in (0.02, 0.04, 0.15, 1.0):
        stereo.caller(frame(7), now=at)

    left, _ = sides(stereo.end(now=1.0))

    assert left == frame(7) * 3 + SILENCE * (RATE - 4 * FRAME) + frame(7)


def test_timestamps_that_leap_are_believed_no_further_than_the_clock() -> None:
    stereo = Stereo(now=0.0)
    stereo.caller(frame(1), now=0.02, timestamp_ms=0)
    stereo.caller(frame(2), now=0.06, timestamp_ms=10**15)

    left, _ = sides(stereo.end(now=0.06))

    assert left == frame(1) + SILENCE * FRAME + frame(2)


def test_a_pause_is_silence_on_both_sides_and_takes_its_time() -> None:
    stereo = Stereo(now=0.0)
    stereo.agent(b"A" * RATE, now=0.0)
    for number in range(50):
        now = (number + 1) * 0.02
        if number == 10:
            stereo.pause(now=0.2)
        if number == 30:
            stereo.resume(now=0.6)
        stereo.caller(b"C" * FRAME, now, number * 20)

    left, right = sides(stereo.end(now=1.0))

    assert left == b"C" * 1_600 + SILENCE * 3_200 + b"C" * 3_200
    assert right == b"A" * 1_600 + SILENCE * 3_200 + b"A" * 3_200


def test_what_comes_during_a_pause_is_never_kept_wherever_it_lies() -> None:
    stereo = Stereo(now=0.0)
    stereo.pause(now=0.1)
    for _ in range(100):
        stereo.caller(b"C" * FRAME, now=0.1)
    stereo.resume(now=0.2)

    left, _ = sides(stereo.end(now=3.0))

    assert b"C" not in left


def test_a_pause_that_lasts_is_silence_in_what_is_handed_out_and_to_the_end() -> None:
    stereo = Stereo(now=0.0)
    stereo.pause(now=0.5)
    stereo.agent(b"A" * 4 * RATE, now=0.0)

    handed_out = stereo.take(now=2.5) + stereo.end(now=3.0)

    _, right = sides(handed_out)
    assert right == b"A" * 4_000 + SILENCE * 20_000


def test_a_caller_who_is_sent_faster_than_time_passes_is_kept_up_to_a_bound() -> None:
    stereo = Stereo(now=0.0)
    for _ in range(1_000):
        stereo.caller(frame(1), now=0.02)

    assert stereo.held <= AHEAD + 2 * FRAME
    assert stereo.lost == 1_000 * FRAME - stereo.held


def test_what_is_handed_out_is_finished_but_for_the_last_second() -> None:
    stereo = Stereo(now=0.0)

    assert stereo.take(now=1.0) == b""
    assert len(stereo.take(now=1.5)) == 2 * RATE // 2
    assert stereo.take(now=1.5) == b""
    assert stereo.wakes_at == 1.5 + 2.0


def test_an_hour_is_recorded_in_little_memory() -> None:
    stereo, now, most = Stereo(now=0.0), 0.0, 0
    for second in range(3_600):
        for number in range(50):
            now += 0.02
            stereo.caller(frame(number), now, (second * 50 + number) * 20)
        stereo.agent(b"A" * (RATE + RATE // 2), now) if second % 2 else stereo.clear(now)
        most = max(most, stereo.held)
        if now >= stereo.wakes_at:
            stereo.take(now)

    assert most < 80 * 1024


WAITS = st.integers(0, 16_000).map(lambda samples: samples / RATE)
NEWS = st.one_of(
    st.binary(min_size=1, max_size=3_000).map(lambda sound: ("agent", sound)),
    st.binary(min_size=1, max_size=400).map(lambda sound: ("caller", sound)),
    st.sampled_from([("clear", b""), ("take", b""), ("pause", b""), ("resume", b"")]),
)


def record(news: list[tuple[float, tuple[str, bytes]]], *, takes: bool) -> bytes:
    stereo, now, whole = Stereo(now=0.0), 0.0, b""
    for wait, (what, sound) in news:
        now += wait
        match what:
            case "agent":
                stereo.agent(sound, now)
            case "clear":
                stereo.clear(now)
            case "pause":
                stereo.pause(now)
            case "resume":
                stereo.resume(now)
            case "take" if takes:
                whole += stereo.take(now)
            case "caller" if not takes or now * RATE < LATE:  # later, a hole may have been handed out
                stereo.caller(sound, now)
    return whole + stereo.end(now)


@given(st.lists(st.tuples(WAITS, NEWS), max_size=30))
def test_when_it_is_handed_out_does_not_change_what_was_said(
    news: list[tuple[float, tuple[str, bytes]]],
) -> None:
    """The agent's side; where the caller's lies after a hole depends on how late it may still come."""
    mine = [(wait, what if what[0] != "caller" else ("none", b"")) for wait, what in news]

    assert record(mine, takes=True) == record(mine, takes=False)


@given(st.lists(st.tuples(WAITS, NEWS), max_size=30))
def test_both_sides_are_as_long_as_the_time_that_passed_and_what_came_ahead(
    news: list[tuple[float, tuple[str, bytes]]],
) -> None:
    stretch = record(news, takes=True)
    passed = round(sum(wait for wait, _ in news) * RATE)
    callers = sum(len(sound) for _, (what, sound) in news if what == "caller")

    assert len(stretch) % 2 == 0
    assert passed - 1 <= len(stretch) // 2 <= passed + callers + 1
