"""What one stream does, by the clock."""

import json
from base64 import b64encode
from typing import Any

import pytest

from mcp_voice.errors import Invalid, Refused
from mcp_voice.simulator.line import SIMULATED_ACCOUNT, Happening, Line, Names
from tests.simulator.shapes import check

LOUD = b"\x00"
SILENT = b"\xff"


class Server:
    """The server's side of a line, in one-liners."""

    def __init__(self, **how: Any) -> None:
        self.line = Line(**how)
        self.opening = [check(message) for message in self.line.open(0.0)]

    def _say(self, now: float, event: str, **body: Any) -> list[str]:
        message = {"event": event, "streamSid": self.line.names.stream_sid, **({event: body} if body else {})}
        return names(self.line.receive(json.dumps(message), now))

    def media(self, sound: bytes, now: float) -> list[str]:
        return self._say(now, "media", payload=b64encode(sound).decode())

    def mark(self, name: str, now: float) -> list[str]:
        return self._say(now, "mark", name=name)

    def clear(self, now: float) -> list[str]:
        return self._say(now, "clear")


def names(messages: list[str]) -> list[str]:
    return [check(message)["mark"]["name"] for message in messages]


def kinds(line: Line, *wanted: str) -> list[tuple[str, float]]:
    return [(h.kind, round(h.at, 4)) for h in line.happenings if h.kind in wanted]


def test_a_stream_begins_with_connected_and_start() -> None:
    server = Server(parameters={"sessionId": "sess_1"})

    connected, start = server.opening

    assert connected["event"] == "connected"
    assert start["sequenceNumber"] == "1"
    assert start["start"]["customParameters"] == {"sessionId": "sess_1"}
    assert start["start"]["accountSid"] == SIMULATED_ACCOUNT == "AC" + "0" * 32
    assert start["streamSid"] == start["start"]["streamSid"]


def test_frames_are_numbered_and_stamped_as_strings() -> None:
    line = Server().line

    sent = [check(line.speak(SILENT * 160)) for _ in range(3)]

    assert [m["sequenceNumber"] for m in sent] == ["2", "3", "4"]
    assert [m["media"]["chunk"] for m in sent] == ["1", "2", "3"]
    assert [m["media"]["timestamp"] for m in sent] == ["102", "122", "142"]
    assert {m["media"]["track"] for m in sent} == {"inbound"}


def test_a_lost_frame_leaves_a_hole_in_chunks_and_timestamps_but_not_in_sequence() -> None:
    line = Server().line
    line.speak(SILENT * 160)

    line.lose(LOUD * 160, 0.02)
    after = check(line.speak(SILENT * 160))

    assert (after["sequenceNumber"], after["media"]["chunk"], after["media"]["timestamp"]) == (
        "3",
        "3",
        "142",
    )
    assert line.faults[31930].count == 1
    assert line.tally.frames_lost == 1


def test_a_mark_comes_back_when_the_audio_before_it_has_been_played() -> None:
    server = Server()
    server.media(LOUD * 800, now=1.0)
    server.mark("done", now=1.0)

    early, due = server.line.play(1.09), server.line.wakes_at
    assert due is not None
    on_time = names(server.line.play(due))

    assert early == []
    assert due == pytest.approx(1.1)
    assert on_time == ["done"]
    assert server.line.wakes_at is None


def test_a_mark_on_an_idle_line_comes_back_at_once() -> None:
    assert Server().mark("idle", now=3.0) == ["idle"]


def test_a_clear_empties_the_queue_and_sends_every_mark_back() -> None:
    server = Server()
    server.media(LOUD * 8000, now=0.0)
    server.mark("a", now=0.0)
    server.media(LOUD * 8000, now=0.0)
    server.mark("b", now=0.0)

    echoed = server.clear(now=0.25)

    assert echoed == ["a", "b"]
    assert server.line.heard(9.0) == LOUD * 2000
    assert server.line.queued(0.25) == 0
    (clear,) = [h for h in server.line.happenings if h.kind == "clear"]
    assert clear == Happening(0.25, "clear", {"dropped_seconds": 1.75, "marks": 2})
    assert [h.data["cleared"] for h in server.line.happenings if h.kind == "mark"] == [True, True]


def test_a_mark_reached_before_the_clear_arrives_is_played_not_cleared() -> None:
    server = Server()
    server.media(LOUD * 160, now=0.0)
    server.mark("heard", now=0.0)

    assert server.clear(now=1.0) == ["heard"]
    assert [h.data["cleared"] for h in server.line.happenings if h.kind == "mark"] == [False]


def test_audio_joins_the_queue_where_it_ends_and_an_idle_line_when_it_arrives() -> None:
    server = Server()
    server.media(b"\x01" * 160, now=0.0)
    server.media(b"\x02" * 160, now=0.01)
    server.media(b"\x03" * 160, now=1.0)

    sound = bytes(server.line.agent.sound)

    assert sound[:320] == b"\x01" * 160 + b"\x02" * 160
    assert sound[320:8000] == SILENT * 7680
    assert sound[8000:] == b"\x03" * 160


def test_a_short_drought_is_a_gap_and_a_long_one_is_silence() -> None:
    server = Server()

    for now in (0.0, 0.1, 0.35, 1.5, 1.9):
        server.media(LOUD * 1600, now)

    assert [(g.at, g.data["seconds"]) for g in server.line.happenings if g.kind == "gap"] == [(1.9, 0.2)]


def test_nothing_after_a_clear_is_a_gap() -> None:
    server = Server()
    server.media(LOUD * 1600, 0.0)
    server.clear(0.1)
    server.media(LOUD * 1600, 0.3)

    assert kinds(server.line, "gap") == []


def test_more_than_ten_minutes_queued_are_thrown_away() -> None:
    server = Server()
    server.media(SILENT * (600 * 8000), now=0.0)

    server.media(LOUD * 1600, now=0.1)

    assert server.line.queued(0.1) == 600.0
    assert server.line.faults[31931].count == 1
    assert len(server.line.agent.sound) == 600 * 8000 + 800


def test_talks_begin_and_end_with_audible_sound() -> None:
    server = Server()
    server.media(SILENT * 1000 + LOUD * 8000 + SILENT * 1600 + LOUD * 800, now=0.0)

    server.line.play(5.0)

    assert kinds(server.line, "agent_speaks", "agent_silent") == [
        ("agent_speaks", 0.125),
        ("agent_silent", 1.425),
    ]


def test_silence_is_not_speech() -> None:
    server = Server()
    server.media((SILENT + b"\x7f" + b"\xf0") * 8000, now=0.0)

    server.line.play(5.0)

    assert server.line.agent.talks == []


def test_an_answer_right_after_a_clear_is_a_talk_of_its_own() -> None:
    server = Server()
    server.media(LOUD * 8000, now=0.0)
    server.clear(now=0.305)
    server.media(LOUD * 800, now=0.4)

    server.line.play(2.0)

    assert [(t.began, t.ended) for t in server.line.agent.talks] == [(0.0, 0.305), (0.4, 0.5)]


def test_what_is_queued_when_the_caller_hangs_up_is_never_heard() -> None:
    server = Server()
    server.media(LOUD * 8000, now=0.0)
    server.mark("never", now=0.0)

    stop = check(server.line.stop(0.5))
    later = server.mark("late", now=0.6) + names(server.line.play(9.0))

    assert stop["stop"]["callSid"] == server.line.names.call_sid
    assert len(server.line.agent.sound) == 4000
    assert later == []


def test_a_stream_of_both_tracks_only_listens() -> None:
    server = Server(tracks=("inbound", "outbound"))

    sent = [check(server.line.speak(SILENT * 160, track=track)) for track in ("inbound", "outbound") * 2]
    answer = server.mark("idle", now=1.0)

    assert server.opening[1]["start"]["tracks"] == ["inbound", "outbound"]
    assert [(m["media"]["track"], m["media"]["chunk"]) for m in sent] == [
        ("inbound", "1"), ("outbound", "1"), ("inbound", "2"), ("outbound", "2"),
    ]  # fmt: skip
    assert answer == []
    assert server.line.faults[31924].count == 1
    with pytest.raises(Refused, match="no digits"):
        server.line.press("1", 1.0)


def test_there_are_sixteen_keys() -> None:
    line = Server().line

    pressed = "".join(check(line.press(digit, 0.0))["dtmf"]["digit"] for digit in "0123456789*#ABCD")

    assert pressed == "0123456789*#ABCD"
    with pytest.raises(Invalid, match="no key 'x'"):
        line.press("x", 0.0)


def test_a_parameter_has_to_be_shorter_than_500_characters() -> None:
    Line(parameters={"a": "b" * 498})

    with pytest.raises(Invalid, match="'a'"):
        Line(parameters={"a": "b" * 499})


def test_names_are_made_as_twilio_makes_them() -> None:
    one, other = Names(), Names()

    assert one.call_sid != other.call_sid
    assert (len(one.call_sid), one.call_sid[:2], one.stream_sid[:2]) == (34, "CA", "MZ")
