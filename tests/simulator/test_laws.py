"""Laws of a stream, whatever a server does and whenever."""

import json
from base64 import b64encode
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.simulator.line import Line
from tests.simulator.shapes import check

WAITS = st.integers(0, 4_000).map(lambda samples: samples / 8_000)
MEDIA = st.binary(max_size=2_000).map(lambda sound: ("media", sound))
MARK = st.just(("mark", None))
CLEAR = st.just(("clear", None))
SPEAK = st.just(("speak", None))
PRESS = st.sampled_from("0123456789*#").map(lambda digit: ("press", digit))
JUNK = st.one_of(st.text(), st.binary()).map(lambda junk: ("junk", junk))


class Story:
    """A line, all that was said on it, and a plain model of its queue: one sample after another."""

    def __init__(self) -> None:
        self.line = Line()
        self.now = 0.0
        self.sent: list[dict[str, Any]] = [check(message) for message in self.line.open(0.0)]
        self.marks: list[str] = []
        self.echoes: list[tuple[str, float]] = []
        self.due: dict[str, float] = {}
        self.free_at = 0.0

    def tell(self, news: list[tuple[float, tuple[str, Any]]]) -> "Story":
        for wait, (what, detail) in news:
            self.pass_time(wait)
            self.do(what, detail)
        return self

    def pass_time(self, wait: float) -> None:
        until = self.now + wait
        while (wakes_at := self.line.wakes_at) is not None and wakes_at <= until:
            self.now = max(self.now, wakes_at)
            self.take(self.line.play(self.now))
        self.now = until

    def do(self, what: str, detail: Any) -> None:
        match what:
            case "media":
                self.free_at = max(self.free_at, self.now) + len(detail) / 8_000
                self.command("media", {"payload": b64encode(detail).decode()})
            case "mark":
                name = f"m{len(self.marks)}"
                self.marks.append(name)
                self.due[name] = max(self.free_at, self.now)
                self.command("mark", {"name": name})
            case "clear":
                self.free_at = self.now
                self.due = {name: min(due, self.now) for name, due in self.due.items()}
                self.command("clear", None)
            case "speak":
                self.sent.append(check(self.line.speak(b"\xff" * 160)))
            case "press":
                self.sent.append(check(self.line.press(detail, self.now)))
            case "junk":
                self.take(self.line.receive(detail, self.now))

    def command(self, event: str, body: Any) -> None:
        message = {"event": event, "streamSid": self.line.names.stream_sid, **({event: body} if body else {})}
        self.take(self.line.receive(json.dumps(message), self.now))

    def take(self, messages: list[str]) -> None:
        for fields in map(check, messages):
            self.sent.append(fields)
            self.echoes.append((fields["mark"]["name"], self.now))


def stories(
    *news: st.SearchStrategy[tuple[str, Any]],
) -> st.SearchStrategy[list[tuple[float, tuple[str, Any]]]]:
    return st.lists(st.tuples(WAITS, st.one_of(*news)), max_size=25)


@given(stories(MEDIA, MARK, CLEAR))
def test_marks_come_back_in_order_each_when_its_audio_is_over_or_cleared(news: list[Any]) -> None:
    story = Story().tell(news)
    story.pass_time(100.0)

    assert [name for name, _ in story.echoes] == story.marks
    for name, at in story.echoes:
        assert abs(at - story.due[name]) < 0.001


@given(stories(MEDIA, MARK))
def test_what_is_played_is_what_was_sent(news: list[Any]) -> None:
    story = Story().tell(news)

    sent = b"".join(detail for _, (what, detail) in news if what == "media")

    assert story.line.heard(story.now + 100.0) == sent


@given(stories(MEDIA, MARK, CLEAR))
def test_what_has_been_played_is_never_unsaid(news: list[Any]) -> None:
    story, heard = Story(), b""

    for piece in news:
        story.tell([piece])
        now_heard = story.line.heard(story.now)
        assert now_heard.startswith(heard)
        heard = now_heard


@given(stories(MEDIA, MARK, CLEAR))
def test_a_clear_leaves_nothing_to_play_and_no_mark_waiting(news: list[Any]) -> None:
    story = Story().tell(news)

    story.do("clear", None)

    assert story.line.queued(story.now) == 0
    assert story.line.wakes_at is None
    assert [name for name, _ in story.echoes] == story.marks


@given(stories(MEDIA, MARK, CLEAR, SPEAK, PRESS, JUNK))
def test_everything_twilio_sends_is_as_documented_and_numbered_without_a_hole(news: list[Any]) -> None:
    story = Story().tell(news)
    story.sent.append(check(story.line.stop(story.now)))

    numbered = [int(message["sequenceNumber"]) for message in story.sent[1:]]
    chunks = [int(m["media"]["chunk"]) for m in story.sent if m["event"] == "media"]

    assert numbered == list(range(1, len(numbered) + 1))
    assert chunks == list(range(1, len(chunks) + 1))


@given(stories(MEDIA, CLEAR), st.floats(0, 5))
def test_no_more_is_played_than_there_was_time_for(news: list[Any], extra: float) -> None:
    story = Story().tell(news)
    now = story.now + extra

    assert len(story.line.heard(now)) <= now * 8_000 + 1
