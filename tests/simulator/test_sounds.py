"""What a caller can say, and what is kept of a call."""

import json
import struct
import wave
from math import pi, sin
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.g711 import ALAW, MULAW
from mcp_voice.errors import BadAudio, NotFound
from mcp_voice.simulator.line import Line
from mcp_voice.simulator.recording import interleave
from mcp_voice.simulator.report import End, report_of
from mcp_voice.simulator.sounds import bundled, from_wav, load
from mcp_voice.simulator.track import Track

TONE = struct.pack("<4100h", *(round(9_000 * sin(2 * pi * 440 * at / 8_000)) for at in range(4_100)))


def wav(sound: bytes, *, tag: int = 1, channels: int = 1, rate: int = 8_000, bits: int = 16) -> bytes:
    align = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * align, align, bits)
    extra = struct.pack("<HHI", 22, bits, 0) + struct.pack("<H", 1) + bytes(14) if tag == 0xFFFE else b""
    chunks = [(b"fmt ", form + extra), (b"LIST", b"odd"), (b"data", sound)]
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def stereo(left: bytes, right: bytes, size: int) -> bytes:
    pairs = zip(range(0, len(left), size), range(0, len(right), size), strict=True)
    return b"".join(left[a : a + size] + right[b : b + size] for a, b in pairs)


def test_every_bundled_caller_is_there_short_and_at_speech_level() -> None:
    assert len(bundled()) >= 12
    for name, recording in bundled().items():
        track = Track()
        sound = load(name)
        track.lay(sound, 0)
        track.hush(len(sound))

        assert len(sound) == round(recording.seconds * 8_000), name
        assert len(sound) % 160 == 0, name
        assert 0.15 <= recording.seconds <= 4, name
        assert track.talks, name
        assert recording.text or name == "cough"


def test_most_of_them_can_be_dictated() -> None:
    spoken = [recording for recording in bundled().values() if recording.text]

    assert sum(recording.dictation_ok for recording in spoken) >= len(spoken) - 2


@pytest.mark.parametrize(
    "data",
    [
        wav(TONE),
        wav(TONE, tag=0xFFFE),
        wav(MULAW.encode(TONE), tag=7, bits=8),
        wav(stereo(TONE, TONE, 2), channels=2),
        wav(stereo(MULAW.encode(TONE), MULAW.encode(TONE), 1), tag=7, channels=2, bits=8),
        wav(TONE)[: -len(TONE)].replace(struct.pack("<I", len(TONE)), b"\xff" * 4) + TONE,
    ],
    ids=["pcm16", "extensible", "mulaw", "stereo", "stereo mulaw", "streamed"],
)
def test_a_wav_file_becomes_mulaw(data: bytes) -> None:
    assert from_wav(data) == MULAW.encode(TONE)


def test_an_a_law_file_is_within_a_step_of_the_original() -> None:
    sound = MULAW.decode(from_wav(wav(ALAW.encode(TONE), tag=6, bits=8)))

    pairs = zip(struct.unpack("<4100h", sound), struct.unpack("<4100h", TONE), strict=True)
    assert max(abs(one - other) for one, other in pairs) < 600


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
def test_any_rate_keeps_its_duration(rate: int) -> None:
    assert len(from_wav(wav(TONE, rate=rate))) == pytest.approx(4_100 * 8_000 / rate, abs=1)


@pytest.mark.parametrize(
    "data",
    [b"", b"RIFF", wav(TONE, bits=24), wav(TONE, tag=3, bits=32), wav(TONE, channels=0), wav(b"")],
    ids=["empty", "cut", "24 bits", "float", "no channel", "no sound"],
)
def test_what_is_not_audio_is_named(data: bytes) -> None:
    with pytest.raises(BadAudio):
        from_wav(data)


def test_a_sound_is_bytes_a_name_or_a_file(tmp_path: Path) -> None:
    raw, file = tmp_path / "raw.ulaw", tmp_path / "tone.wav"
    raw.write_bytes(b"\x01\x02")
    file.write_bytes(wav(TONE))

    assert load(b"\x03") == b"\x03"
    assert load(raw) == b"\x01\x02"
    assert load(file) == MULAW.encode(TONE)
    assert len(load("yes")) > 4_000
    with pytest.raises(NotFound, match="No such file"):
        load(tmp_path / "nothing.wav")
    with pytest.raises(NotFound, match="The bundled callers are book-a-table"):
        load("nobody")


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_a_recording_keeps_the_sides_apart_and_aligned(left: bytes, right: bytes) -> None:
    stereo_pcm = interleave(left, right)

    length = max(len(left), len(right))
    samples = struct.unpack(f"<{2 * length}h", stereo_pcm)
    assert struct.pack(f"<{length}h", *samples[0::2]) == MULAW.decode(left.ljust(length, b"\xff"))
    assert struct.pack(f"<{length}h", *samples[1::2]) == MULAW.decode(right.ljust(length, b"\xff"))


def test_a_report_tells_of_answers_gaps_digits_and_warnings() -> None:
    line = Line()
    line.open(0.0)
    sid = line.names.stream_sid
    for loud in (True,) * 10 + (False,) * 90:
        line.speak(b"\x00" * 160 if loud else b"\xff" * 160)
    for now in (0.5, 0.75, 1.7):
        line.receive(f'{{"event":"media","streamSid":"{sid}","media":{{"payload":"{"AAAA" * 400}"}}}}', now)
    line.receive("junk", 1.8)
    line.press("7", 1.8)
    line.receive(f'{{"event":"mark","streamSid":"{sid}","mark":{{"name":"end"}}}}', 1.8)
    line.receive(f'{{"event":"clear","streamSid":"{sid}"}}', 1.825)
    line.stop(2.0)

    report = report_of(line, "ws://x", 2.0, End("caller"))
    fields = report.as_json()

    assert fields["answers"] == [{"at": 0.5, "after": 0.3}]
    assert fields["gaps"] == [{"at": 0.75, "seconds": 0.1}]
    assert fields["clears"] == [{"at": 1.825, "droppedSeconds": 0.025, "marks": 1}]
    assert fields["marks"] == [{"at": 1.825, "name": "end", "cleared": True}]
    assert fields["digits"] == "7"
    assert fields["warnings"] == [{"code": 31951, "why": "Not JSON.", "count": 1}]
    assert (fields["framesSent"], fields["framesReceived"], fields["bytesReceived"]) == (100, 3, 3_600)
    assert (fields["callerSeconds"], fields["agentSeconds"]) == (0.2, 0.525)
    assert fields["bothHeard"] is True
    times = [happening["at"] for happening in fields["happenings"]]
    assert times == sorted(times)
    for said in ("Answered after 0.30 s.", "Gaps: 1, the longest 100 ms.", "31951, 1 times: Not JSON."):
        assert said in report.summary()


def test_a_call_is_kept_as_a_stereo_file_and_a_report(tmp_path: Path) -> None:
    line = Line()
    line.open(0.0)
    line.speak(b"\x00" * 160)
    line.receive(
        f'{{"event":"media","streamSid":"{line.names.stream_sid}","media":{{"payload":"gICA"}}}}', 0.01
    )
    line.stop(0.02)

    report_of(line, "ws://x", 0.02, End("caller")).write(tmp_path / "call")

    with wave.open(str(tmp_path / "call" / "call.wav")) as file:
        samples = struct.unpack("<320h", file.readframes(160))
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8_000, 160)
    assert samples[0::2] == (-32_124,) * 160
    assert samples[1::2] == (0,) * 80 + (32_124,) * 3 + (0,) * 77
    assert json.loads((tmp_path / "call" / "report.json").read_text())["endedBy"] == "caller"


def test_a_handover_is_read_off_the_close_reason() -> None:
    assert End("agent", 1000, "transfer sip:desk@example.com").transferred_to == "sip:desk@example.com"
    assert End("agent", 1000, "hangup").transferred_to is None
    assert str(End("agent", 1000, "hangup")) == "the agent hung up (1000 hangup)"
    assert str(End("agent", 1005)) == "the agent hung up (1005)"
    assert str(End()) == "the call goes on"
