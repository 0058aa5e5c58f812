"""Whole calls, recorded: the file against what the far end truly played."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.audio import FRAME_BYTES, SILENCE_FRAME
from mcp_voice.core.events import Audio, Clear, Effect, News, Play, SendAudio, SendClear, SendMark, Stopped
from mcp_voice.core.stereo import Stereo
from mcp_voice.simulator.line import Line, Names
from tests.calls.lines import VOICE, VirtualCall


class RecordedCall(VirtualCall):
    """A call with a recorder at our end and Twilio, as its documentation has it, at the other."""

    def __init__(self) -> None:
        super().__init__(*["word"] * 50)
        self.line = Line(Names(call_sid="CA1", stream_sid="MZ1"))
        self.line.open(self.now)
        self.wire = TwilioWire()
        self.wire.name("MZ1")
        self.stereo = Stereo(self.now)
        self.kept = b""

    def take(self, news: News) -> None:
        if isinstance(news, Audio):
            self.line.speak(news.payload)
            self.stereo.caller(news.payload, self.now, news.timestamp_ms)
        super().take(news)
        if self.now >= self.stereo.wakes_at:
            self.kept += self.stereo.take(self.now)

    def _do(self, effect: Effect) -> None:
        match effect:
            case SendAudio():
                self.stereo.agent(effect.payload, self.now)
            case SendClear():
                self.stereo.clear(self.now)
        if isinstance(effect, SendAudio | SendClear | SendMark):
            self.line.receive(self.wire.send(effect), self.now)
        super()._do(effect)

    def end(self) -> tuple[bytes, bytes]:
        self.take(Stopped("CA1"))
        self.line.close(self.now)
        self.kept += self.stereo.end(self.now)
        return self.kept[0::2], self.kept[1::2]


AGENT = st.builds(
    lambda frames, interruptible: Play(
        b"\x21" * 160 * frames, "some words here", interruptible=interruptible
    ),
    st.integers(1, 150),
    st.booleans(),
)
STEPS = st.one_of(
    AGENT,
    st.just(Clear()),
    st.tuples(st.booleans(), st.integers(1, 60)),  # the caller, loud or silent, for so many frames
    st.integers(1, 8_000).map(lambda samples: samples / 8_000),
)


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=14))
def test_what_the_caller_was_played_is_the_right_side_to_the_sample(steps: list[Any]) -> None:
    call, sent = RecordedCall(), b""

    for step in steps:
        match step:
            case Play() | Clear():
                call.take(step)
            case (loud, frames):
                call.caller((loud, frames * 0.02))
            case seconds:
                call.pass_time(seconds)
    sent = bytes(call.line.caller.sound)
    left, right = call.end()

    played = bytes(call.line.agent.sound).ljust(len(right), b"\xff")
    assert right == played
    assert left.replace(SILENCE_FRAME, b"").count(VOICE) == sent.replace(SILENCE_FRAME, b"").count(VOICE)


def test_an_interrupted_sentence_is_recorded_as_far_as_it_was_heard() -> None:
    call = RecordedCall()
    call.take(Play(b"\x21" * 32_000, "one two three four five six seven eight"))

    call.caller((False, 2.0), (True, 0.6), (False, 1.0))
    left, right = call.end()

    [interrupted] = call.notes("interrupted")
    assert right.count(b"\x21") == interrupted.data["heardMs"] * 8
    assert left.count(VOICE[:2]) * 2 == 30 * FRAME_BYTES
