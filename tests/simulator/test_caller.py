"""A simulated caller on a real socket, against servers that know nothing of the product."""

import asyncio
import json
import socket
from base64 import b64decode
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mcp_voice.errors import BadAudio, CarrierFailed, Invalid, NotFound, NotLive
from mcp_voice.simulator.caller import FRAME, Caller
from mcp_voice.simulator.dialling import signed
from mcp_voice.simulator.line import Happening, Names
from mcp_voice.simulator.script import Drop, HangUp, Listen, Press, Say, Silence, UntilHungUp, place_call
from mcp_voice.simulator.sounds import load
from tests.simulator.servers import TONE, Peer, answer_keys, echo, greet, listen, served
from tests.simulator.shapes import check

pytestmark = pytest.mark.anyio
QUIET = 0.05


async def test_everything_on_the_wire_is_as_documented() -> None:
    peers: list[Peer] = []
    names = Names()

    async with served(greet, peers) as url, Caller(url, names=names, pace="fast") as caller:
        await caller.until_spoken_to(timeout=20, quiet=QUIET)
        await caller.say(TONE)
        await caller.press("5")
        await caller.hang_up()

    (peer,) = peers
    for message in peer.received:
        check(json.dumps(message))
    events = [message["event"] for message in peer.received]
    assert events[:3] == ["connected", "start", "media"]
    assert events[-1] == "stop"
    assert {"dtmf", "mark"} <= set(events)
    assert peer.of("start")[0]["start"]["callSid"] == names.call_sid
    numbers = [int(message["sequenceNumber"]) for message in peer.received[1:]]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_the_server_hears_what_the_caller_says_in_frames_of_20_ms() -> None:
    peers: list[Peer] = []
    sound = bytes(range(1, 200)) * 4

    async with served(listen, peers) as url, Caller(url, pace="fast") as caller:
        await caller.say(sound)

    frames = [b64decode(message["media"]["payload"]) for message in peers[0].of("media")]
    assert {len(frame) for frame in frames} == {160}
    assert sound in b"".join(frames)
    stamps = [int(message["media"]["timestamp"]) for message in peers[0].of("media")]
    assert {later - earlier for earlier, later in pairwise(stamps)} == {20}


async def test_silence_goes_on_at_fifty_frames_a_second() -> None:
    peers: list[Peer] = []
    loop = asyncio.get_running_loop()

    async with served(listen, peers) as url, Caller(url) as caller:
        began = loop.time()
        await caller.silence(0.4)
        passed = loop.time() - began
        due = caller.now / FRAME

    assert passed > 0.37
    assert abs(caller.line.tally.frames_sent - due) <= 3
    assert {message["media"]["payload"] for message in peers[0].of("media")} == {"/" * 212 + "/w=="}


async def test_at_pace_fast_a_second_is_said_in_less() -> None:
    loop = asyncio.get_running_loop()

    async with served(listen, []) as url, Caller(url, pace="fast") as caller:
        began = loop.time()
        await caller.say(TONE * 50)
        passed = loop.time() - began

        assert passed < 4
        assert caller.now > 5
    assert caller.report().seconds * 50 == pytest.approx(caller.line.tally.frames_sent, abs=10)


async def test_parameters_and_both_numbers_reach_the_server() -> None:
    peers: list[Peer] = []

    async with (
        served(listen, peers) as url,
        Caller(url, parameters={"sessionId": "sess_1"}, to="+12025550111"),
    ):
        pass

    parameters = peers[0].of("start")[0]["start"]["customParameters"]
    assert parameters == {"sessionId": "sess_1", "from": "+12025550142", "to": "+12025550111"}


async def test_the_upgrade_is_signed_in_lower_case_and_has_no_origin() -> None:
    peers: list[Peer] = []

    async with served(listen, peers) as url:
        async with Caller(url, token="12345"):
            pass
        async with Caller(url, token="12345", signed_url="wss://voice.example.com/twilio/media"):
            pass
        async with Caller(url):
            pass

    requests = [peer.socket.request for peer in peers]
    raw = [dict(request.headers.raw_items()) for request in requests if request]
    assert [headers.get("x-twilio-signature") for headers in raw] == [
        signed(url, "12345"), signed("wss://voice.example.com/twilio/media", "12345"), None,
    ]  # fmt: skip
    assert not any(
        {"Origin", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"} & headers.keys() for headers in raw
    )


async def test_a_greeting_counts_as_being_spoken_to() -> None:
    async with served(greet, []) as url, Caller(url) as caller:
        talk = await caller.until_spoken_to(timeout=20, quiet=QUIET)
        again = await caller.until_spoken_to(timeout=0.1, quiet=QUIET)

    assert talk is not None
    assert talk.ended - talk.began == pytest.approx(0.1, abs=0.002)
    assert again is None


async def test_only_words_after_the_callers_own_are_an_answer() -> None:
    async with served(greet, []) as url, Caller(url, pace="fast") as caller:
        await caller.silence(0.2)
        await caller.say(TONE)
        answer = await caller.until_spoken_to(timeout=0.1, quiet=QUIET)

    assert answer is None


async def test_a_conversation_is_answered_turn_by_turn() -> None:
    async with served(answer_keys, []) as url, Caller(url) as caller:
        for _ in range(2):
            await caller.press("1")
            assert await caller.until_spoken_to(timeout=20, quiet=QUIET)

    assert len(caller.report().of("digit")) == 2
    assert caller.report().agent_sound.count(TONE) == 2


async def test_a_mark_is_echoed_when_its_audio_has_been_played() -> None:
    async with served(greet, []) as url, Caller(url) as caller:
        async for happening in caller.happenings():
            if happening.kind == "mark":
                break

    assert happening.data == {"name": "greeted", "cleared": False}
    assert happening.at >= caller.report().agent_talks[0].ended


async def test_the_callers_silence_may_be_cut_short() -> None:
    async with served(listen, []) as url, Caller(url) as caller:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await caller.say(TONE * 100)
        await caller.silence(0.1)

    assert caller.now < 5
    assert caller.line.caller.talks[-1].ended < 1


async def test_a_call_handed_over_names_the_target() -> None:
    async def hand_over(peer: Peer) -> None:
        async for message in peer.messages():
            if message["event"] == "start":
                await peer.socket.close(1000, "transfer +12025550199")

    async with served(hand_over, []) as url, Caller(url) as caller:
        end = await caller.until_hung_up(timeout=20)
        with pytest.raises(
            NotLive, match=r"The call is over: the agent hung up \(1000 transfer \+12025550199\)"
        ):
            await caller.say(TONE)

    assert end is not None
    assert (end.by, end.code, end.transferred_to) == ("agent", 1000, "+12025550199")
    assert caller.report().transferred_to == "+12025550199"
    assert caller.report().faults == ()


async def test_a_caller_who_waits_learns_that_the_call_has_ended() -> None:
    async def give_up(peer: Peer) -> None:
        async for message in peer.messages():
            if message["event"] == "media":
                await peer.socket.close(1011, "overloaded")

    async with served(give_up, []) as url, Caller(url) as caller:
        with pytest.raises(NotLive, match="1011 overloaded"):
            await caller.until_spoken_to(timeout=20)

    assert [fault.code for fault in caller.report().faults] == [31921]


async def test_a_broken_socket_is_not_a_hang_up() -> None:
    async def break_off(peer: Peer) -> None:
        async for message in peer.messages():
            if message["event"] == "start":
                peer.socket.transport.abort()

    async with served(break_off, []) as url, Caller(url) as caller:
        end = await caller.until_hung_up(timeout=20)

    assert end is not None
    assert (end.by, end.code) == ("lost", None)
    assert [fault.code for fault in caller.report().faults] == [31903]


async def test_a_dropped_line_ends_without_stop_and_without_a_close_frame() -> None:
    peers: list[Peer] = []
    ended = asyncio.Event()

    async def until_lost(peer: Peer) -> None:
        try:
            await listen(peer)
        finally:
            ended.set()

    async with served(until_lost, peers) as url:
        async with Caller(url) as caller:
            await caller.silence(0.1)
            await caller.drop()
        await ended.wait()

    assert peers[0].of("stop") == []
    assert peers[0].socket.close_code == 1006
    assert caller.end.by == "dropped"


async def test_leaving_hangs_up() -> None:
    peers: list[Peer] = []

    async with served(listen, peers) as url:
        with pytest.raises(RuntimeError, match="of the test"):
            async with Caller(url):
                raise RuntimeError("of the test")

    assert peers[0].received[-1]["event"] == "stop"
    assert peers[0].socket.close_code == 1000


async def test_happenings_are_told_as_they_come_and_can_be_read_along() -> None:
    told: list[Happening] = []

    async with served(greet, []) as url, Caller(url, on_happening=told.append) as caller:
        reading = asyncio.create_task(read_along(caller))
        await caller.until_spoken_to(timeout=20, quiet=QUIET)
        await caller.hang_up()
        read = await reading

    assert read == told == caller.line.happenings
    assert [h.kind for h in read][:2] == ["connected", "agent_speaks"]
    assert read[-1].kind == "ended"


async def read_along(caller: Caller) -> list[Happening]:
    return [happening async for happening in caller.happenings()]


async def test_a_server_that_does_not_read_loses_audio() -> None:
    done = asyncio.Event()

    async def stare(peer: Peer) -> None:
        peer.socket.transport.pause_reading()
        await done.wait()
        peer.socket.transport.abort()

    async with served(stare, [], small=True) as url, Caller(url, pace="fast") as caller:
        talking = asyncio.create_task(caller.say(TONE * 4_000))
        async for happening in caller.happenings():
            if happening.kind == "warning":
                break
        await caller.drop()
        done.set()
        with pytest.raises(NotLive):
            await talking

    assert happening.data["code"] == 31930
    assert caller.line.tally.frames_lost > 0


@pytest.mark.parametrize(
    ("status", "headers"),
    [(403, {}), (404, {}), (302, {"Location": "ws://127.0.0.1:1/elsewhere"})],
)
async def test_a_refused_handshake_is_31920(status: int, headers: dict[str, str]) -> None:
    def refuse(connection: Any, request: Any) -> Any:
        response = connection.respond(HTTPStatus(status), "not here")
        response.headers.update(headers)
        return response

    async with served(listen, [], process_request=refuse) as url:
        with pytest.raises(CarrierFailed, match=rf"31920: .* answered HTTP {status}: not here") as caught:
            await place_call(url, [])

    assert caught.value.details["code"] == 31920


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1/x", 31922),
        ("127.0.0.1:80", 31922),
        ("ws:///x", 31923),
        ("ws://[::1/x", 31923),
        ("ws://127.0.0.1:port/x", 31923),
        ("ws://127.0.0.1/x#y", 31923),
        ("ws://127.0.0.1/x?token=1", 31920),
    ],
)
async def test_a_url_twilio_would_not_dial_is_refused_with_its_number(url: str, code: int) -> None:
    with pytest.raises(CarrierFailed, match=f"^{code}: "):
        await place_call(url, [])


async def test_a_port_where_nobody_listens_is_31902() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        with pytest.raises(CarrierFailed, match=r"^31902: .*Is the server running there\?"):
            await place_call(f"ws://127.0.0.1:{port}/x", [])


async def test_a_script_is_followed_step_by_step() -> None:
    peers: list[Peer] = []

    async with served(echo, peers) as url:
        report = await place_call(
            url,
            [Say("yes"), Press("1w2"), Silence(0.1), Listen(0.1, quiet=QUIET), HangUp(), Say("no")],
            pace="fast",
        )

    assert [message["dtmf"]["digit"] for message in peers[0].of("dtmf")] == ["1", "2"]
    assert report.both_heard
    assert load("yes") in report.caller_sound
    assert load("no") not in report.caller_sound
    assert report.end.by == "caller"


async def test_a_script_ends_when_the_agent_hangs_up() -> None:
    async def leave(peer: Peer) -> None:
        async for message in peer.messages():
            if message["event"] == "media" and len(peer.of("media")) == 5:
                return

    async with served(leave, []) as url:
        report = await place_call(url, [UntilHungUp(5), Say("yes"), Drop()])

    assert report.end.by == "agent"
    assert report.caller_talks == ()


async def test_a_script_may_hang_up_or_break_off() -> None:
    async with served(listen, []) as url:
        ended = [
            (await place_call(url, [step, Say("yes")], pace="fast")).end.by for step in (HangUp(), Drop())
        ]

    assert ended == ["caller", "dropped"]


async def test_a_script_that_cannot_be_followed_calls_nobody(tmp_path: Path) -> None:
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"noise")
    peers: list[Peer] = []

    async with served(listen, peers) as url:
        with pytest.raises(NotFound, match="no bundled caller 'nobody'"):
            await place_call(url, [Say("nobody")])
        with pytest.raises(BadAudio, match="not a WAV file"):
            await place_call(url, [Say(noise)])
        with pytest.raises(Invalid, match="no key 'x'"):
            await place_call(url, [Press("1x")])

    assert peers == []
