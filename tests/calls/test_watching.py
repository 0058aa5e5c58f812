"""What a call says of its line when it is asked to watch it."""

import pytest

from mcp_voice.core.audio import SILENCE_FRAME, frames
from mcp_voice.core.call import LAPSE, Call
from mcp_voice.core.events import AnsweredBy, Audio, Effect, Note, Partial, Stopped, TurnDone, Watch
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.listener import Listener
from mcp_voice.core.voice import EnergyVad
from tests.calls.lines import VirtualCall
from tests.sounds import MUSIC, RECORDINGS, mulaw, quiet, tone

GREETING = b"".join(RECORDINGS[name] for name in ("opening", "manager", "repeat"))
BEEP = mulaw(tone(1_000, 0.4))
VOICEMAIL = quiet(0.4) + GREETING + quiet(0.3) + BEEP + quiet(2)
EVERYTHING = ("beep", "machine", "human")
TOLD = frozenset({"amd", "beep", "hold", "human"})


def watching(*what: str) -> VirtualCall:
    call = VirtualCall()
    call.call = Call(Listener(EnergyVad()))
    call.take(Watch(frozenset(what)))
    return call


def play(call: VirtualCall, *sounds: bytes, frame_seconds: float = 0.02) -> None:
    for sound in sounds:
        for frame in frames(sound):
            call.pass_time(frame_seconds)
            call.take(Audio(frame))


def kinds(call: VirtualCall) -> list[str]:
    return [note.kind for note in call.notes(*TOLD)]


def test_a_voicemail_is_told_for_what_it_is_and_then_its_beep() -> None:
    call = watching(*EVERYTHING)

    play(call, VOICEMAIL)

    [amd, beep] = call.notes(*TOLD)
    assert (amd.kind, amd.data["answeredBy"], amd.data["by"]) == ("amd", "machine", "us")
    assert amd.data["afterMs"] == pytest.approx(400 + 4_500, abs=300)
    assert (beep.kind, beep.data) == ("beep", {"hz": 1_000, "ms": 410})
    assert call.when("beep") - 100.0 == pytest.approx(len(VOICEMAIL) / 8_000 - 2 + 0.1, abs=0.05)


def test_a_person_who_answers_is_told_once_they_wait() -> None:
    call = watching("machine")

    play(call, quiet(0.5), RECORDINGS["hello"], quiet(3))

    [amd] = call.notes(*TOLD)
    assert (amd.data["answeredBy"], amd.data["by"]) == ("human", "us")
    assert amd.data["afterMs"] == pytest.approx(500 + len(RECORDINGS["hello"]) / 8 + 800, abs=120)


@pytest.mark.parametrize("sounds", [(VOICEMAIL,), (quiet(0.5), RECORDINGS["hello"], quiet(3))])
def test_a_call_played_fast_gives_the_same_verdicts(sounds: tuple[bytes, ...]) -> None:
    slow, fast = watching(*EVERYTHING), watching(*EVERYTHING)

    play(slow, *sounds)
    play(fast, *sounds, frame_seconds=0.0)

    assert slow.notes(*TOLD) == fast.notes(*TOLD) != []


def test_frames_of_another_size_give_the_same_verdicts() -> None:
    whole, pieces = watching(*EVERYTHING), watching(*EVERYTHING)

    play(whole, VOICEMAIL)
    for at in range(0, len(VOICEMAIL), 400):
        pieces.pass_time(0.05)
        pieces.take(Audio(VOICEMAIL[at : at + 400]))

    assert pieces.notes(*TOLD) == whole.notes(*TOLD)


def test_on_hold_with_music_until_somebody_comes() -> None:
    call = watching("human")

    play(call, mulaw(MUSIC["band"]), quiet(0.3), RECORDINGS["hello"], quiet(2))

    assert [(note.kind, note.data.get("state")) for note in call.notes(*TOLD)] == [
        ("hold", "began"),
        ("hold", "ended"),
        ("human", None),
    ]


def test_a_fax_is_a_fax() -> None:
    call = watching("machine")

    play(call, quiet(1), mulaw(tone(2_100, 3)))

    assert [note.data["answeredBy"] for note in call.notes("amd")] == ["fax"]
    assert call.notes("amd")[0].data["afterMs"] == pytest.approx(1_500, abs=40)


@pytest.mark.parametrize("hertz", [(440, 480), (480, 620), (425, 425)])
def test_ringing_is_not_a_person_who_answers(hertz: tuple[int, int]) -> None:
    call = watching(*EVERYTHING)

    play(call, *[mulaw(tone(hertz[0], 2, 4_000) + tone(hertz[1], 2, 4_000)), quiet(4)] * 2)

    assert [note.data.get("answeredBy") for note in call.notes(*TOLD)] == ["unknown"]


def test_a_stream_that_sends_nothing_is_a_silent_one() -> None:
    call = watching("machine")

    call.pass_time(8)

    assert [note.data["answeredBy"] for note in call.notes("amd")] == ["unknown"]
    assert call.when("amd") - 100.0 == pytest.approx(5.0, abs=LAPSE)
    assert call.call.wakes_at is None


def test_words_decide_before_the_length_of_the_greeting_does() -> None:
    call = watching("machine", "human")

    play(call, RECORDINGS["menu"])
    call.take(Partial("please leave a message"))

    assert kinds(call) == ["amd", "hold"]
    assert call.notes("amd")[0].data["why"] == 'it said "leave a message"'


def test_final_words_are_written_before_what_they_mean() -> None:
    call = watching("human")

    call.take(FinalWords("please hold"))

    found = [e.kind if isinstance(e, Note) else type(e).__name__ for _, e in call.effects]
    assert found == ["final", "TurnDone", "hold"]


def test_turns_are_the_same_whether_anybody_watches_or_not() -> None:
    def others(call: VirtualCall) -> list[tuple[float, Effect]]:
        play(call, quiet(0.5), RECORDINGS["hello"], quiet(1), RECORDINGS["table"], quiet(1))
        call.take(FinalWords("a table"))
        return [(at, e) for at, e in call.effects if not (isinstance(e, Note) and e.kind in TOLD)]

    assert others(watching(*EVERYTHING)) == others(watching())


def test_nothing_is_told_that_was_not_asked_for() -> None:
    call = watching("beep")
    play(call, VOICEMAIL)
    assert kinds(call) == ["beep"]

    call.take(Watch(frozenset()))
    play(call, VOICEMAIL)

    assert kinds(call) == ["beep"]


def test_a_watch_that_is_widened_goes_on_where_it_was() -> None:
    call, cut = watching("machine"), 8_000
    play(call, VOICEMAIL[:cut])

    call.take(Watch(frozenset({"machine", "beep"})))
    play(call, VOICEMAIL[cut:])

    assert kinds(call) == ["amd", "beep"]
    assert call.notes("amd")[0].data["afterMs"] == pytest.approx(5_000, abs=200)


def test_who_answered_is_asked_from_the_moment_it_is_asked() -> None:
    call = watching("beep")
    play(call, quiet(10), RECORDINGS["hello"][:1_600])

    call.take(Watch(frozenset({"beep", "machine"})))
    play(call, RECORDINGS["hello"][1_600:], quiet(2))

    [amd] = call.notes("amd")
    assert amd.data["answeredBy"] == "human"
    assert amd.data["afterMs"] < 2_000


@pytest.mark.parametrize(
    ("says", "means"),
    [
        ("human", "human"),
        ("machine_start", "machine"),
        ("machine_end_beep", "machine"),
        ("machine_end_silence", "machine"),
        ("machine_end_other", "machine"),
        ("fax", "fax"),
        ("unknown", "unknown"),
        ("something new", "unknown"),
    ],
)
def test_the_carriers_verdict_is_written_in_our_words(says: str, means: str) -> None:
    call = VirtualCall()

    call.take(AnsweredBy(says, after_ms=2_900))

    [amd] = call.notes("amd")
    assert amd.data == {"answeredBy": means, "by": "carrier", "why": says, "afterMs": 2_900}


def test_the_first_verdict_stands() -> None:
    call = watching("machine")
    play(call, quiet(0.5), RECORDINGS["hello"], quiet(3))

    call.take(AnsweredBy("machine_start"))
    call.take(Watch(frozenset({"machine"})))
    play(call, VOICEMAIL)

    assert [note.data["answeredBy"] for note in call.notes("amd")] == ["human"]


def test_when_the_carrier_was_first_ours_is_not_given() -> None:
    call = watching("machine")

    call.take(AnsweredBy("machine_start"))
    play(call, quiet(0.5), RECORDINGS["hello"], quiet(3))

    assert [note.data["by"] for note in call.notes("amd")] == ["carrier"]
    assert call.call.wakes_at is None


def test_the_carrier_outranks_us_when_we_did_not_know() -> None:
    call = watching("machine")
    play(call, quiet(6))

    call.take(AnsweredBy("unknown"))
    call.take(AnsweredBy("machine_end_beep"))

    assert [(note.data["answeredBy"], note.data["by"]) for note in call.notes("amd")] == [
        ("unknown", "us"),
        ("machine", "carrier"),
    ]


def test_we_outrank_a_carrier_that_did_not_know() -> None:
    call = watching("machine")
    call.take(AnsweredBy("unknown"))

    play(call, quiet(0.5), RECORDINGS["hello"], quiet(3))

    assert [note.data["answeredBy"] for note in call.notes("amd")] == ["unknown", "human"]


def test_a_call_that_is_over_watches_no_more() -> None:
    call = watching(*EVERYTHING)
    call.take(Stopped())

    call.take(FinalWords("please leave a message"))

    assert kinds(call) == []
    assert any(isinstance(effect, TurnDone) for _, effect in call.effects)


def test_a_deaf_call_takes_the_carriers_word_and_has_none_of_its_own() -> None:
    call = Call(None)
    effects = [*call.take(Watch(frozenset(EVERYTHING)), 0.0), *call.take(Audio(SILENCE_FRAME), 9.0)]

    assert effects == []
    assert call.wakes_at is None
    assert len(call.take(AnsweredBy("human"), 9.1)) == 1
