"""`mcp-voice simulate` as a person meets it."""

import argparse
import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_voice.simulator.cli import add_arguments, run
from tests.simulator.servers import TONE, Behaviour, Peer, echo, greet, listen, served


@contextmanager
def serving(behaviour: Behaviour, peers: list[Peer]) -> Iterator[str]:
    """A server in a thread of its own, for a command that runs its own loop."""
    ready, done, urls = threading.Event(), asyncio.Event(), list[str]()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with served(behaviour, peers) as url:
            urls.append(url)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        ready.wait()
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


def simulate(*words: str) -> int:
    parser = argparse.ArgumentParser("mcp-voice simulate")
    add_arguments(parser)
    return run(parser.parse_args(words))


def test_a_call_is_placed_kept_and_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    peers: list[Peer] = []
    with serving(echo, peers) as url:
        status = simulate(
            "--url", url, "--say", "yes,no", "--digits", "12", "--pace", "fast", "--linger", "0.2",
            "--param", "sessionId=sess_1", "--param", "note=a=b", "--out", str(tmp_path / "call"),
        )  # fmt: skip

    out, log = capsys.readouterr()
    assert status == 0
    assert "the caller hung up" in out
    assert "caller speaks" in log
    report = json.loads((tmp_path / "call" / "report.json").read_text())
    assert (report["bothHeard"], report["digits"], report["url"]) == (True, "12", url)
    assert (tmp_path / "call" / "call.wav").stat().st_size > 8_000
    parameters = peers[0].of("start")[0]["start"]["customParameters"]
    assert (parameters["sessionId"], parameters["note"]) == ("sess_1", "a=b")


def test_an_agent_who_says_nothing_is_a_failed_call(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(listen, []) as url:
        status = simulate("--url", url, "--say", "yes", "--pace", "fast", "--linger", "0")

    assert status == 1
    assert "The agent sent no audio." in capsys.readouterr().err


def test_an_agent_who_plays_silence_is_a_failed_call(capsys: pytest.CaptureFixture[str]) -> None:
    async def hum(peer: Peer) -> None:
        async for message in peer.messages():
            if message["event"] == "start":
                await peer.play(b"\xff" * 1_600)

    with serving(hum, []) as url:
        status = simulate("--url", url, "--say", "yes", "--pace", "fast", "--linger", "0")

    assert status == 1
    assert "The agent sent only silence" in capsys.readouterr().err


def test_a_caller_who_is_silent_is_a_failed_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    silence = tmp_path / "silence.ulaw"
    silence.write_bytes(b"\xff" * 1_600)

    with serving(greet, []) as url:
        status = simulate("--url", url, "--audio", str(silence), "--greeting", "5", "--linger", "0")

    assert status == 1
    assert "what was said is inaudible" in capsys.readouterr().err


def test_an_answer_is_waited_for_and_a_handover_reported(capsys: pytest.CaptureFixture[str]) -> None:
    async def hand_over(peer: Peer) -> None:
        async for message in peer.messages():
            if message["event"] == "dtmf":
                await peer.play(TONE)
                await peer.send("mark", {"name": "goodbye"})
            if message["event"] == "mark":
                await peer.socket.close(1000, "transfer +12025550199")

    with serving(hand_over, []) as url:
        status = simulate(
            "--url", url, "--say", "yes", "--digits", "1", "--wait-for-answer", "0.1", "--pace", "fast"
        )

    assert status == 0
    assert "The caller was handed to +12025550199." in capsys.readouterr().out


def test_an_interrupted_call_is_hung_up(capsys: pytest.CaptureFixture[str]) -> None:
    peers: list[Peer] = []
    main = threading.main_thread().ident
    assert main

    async def interrupt(peer: Peer) -> None:
        async for message in peer.messages():
            if message["event"] == "media" and len(peer.of("media")) == 1:
                signal.pthread_kill(main, signal.SIGINT)

    with serving(interrupt, peers) as url:
        status = simulate("--url", url, "--say", "yes")

    assert status == 1
    assert "Interrupted" in capsys.readouterr().err
    assert peers[0].received[-1]["event"] == "stop"


def test_a_folder_that_cannot_be_made_is_refused_before_the_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    peers: list[Peer] = []

    with serving(listen, peers) as url:
        status = simulate("--url", url, "--say", "yes", "--out", str(tmp_path / "file"))

    assert (status, peers) == (2, [])
    assert "Name another folder." in capsys.readouterr().err


def test_a_server_that_is_not_there_is_a_failed_call(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(listen, []) as url:
        pass

    status = simulate("--url", url, "--say", "yes")

    assert status == 1
    assert "No call: 31902:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "--url is missing"),
        (["--url", "ws://x"], "nothing to say"),
        (["--url", "http://x", "--say", "yes"], "31922"),
        (["--url", "ws://x?a=1", "--say", "yes"], "Pass the values as parameters"),
        (["--url", "ws://x", "--say", "nobody"], "The bundled callers are"),
        (["--url", "ws://x", "--audio", "nothing.wav"], "no sound file 'nothing.wav'"),
        (["--url", "ws://x", "--say", "yes", "--digits", "12x"], "There is no key 'x'"),
        (["--url", "ws://x", "--say", "yes", "--param", "=b"], "--param =b is not KEY=VALUE"),
        (["--url", "ws://x", "--say", "yes", "--param", "a"], "write it as --param sessionId=sess_1"),
        (["--url", "ws://x", "--say", "yes", "--param", "a=" + "b" * 500], "The parameter 'a'"),
        (["--url", "ws://x", "--say", "yes", "--linger", "-1"], "--linger -1 is not from 0 to 3600"),
        (["--url", "ws://x", "--say", "yes", "--wait-for-answer", "nan"], "--wait-for-answer nan is not"),
    ],
)
def test_arguments_that_cannot_be_used_say_what_to_do(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(*words) == 2
    assert sentence in capsys.readouterr().err


def test_sounds_are_said_in_the_order_given(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)

    sounds: list[Any] = parser.parse_args(["--say", "yes", "--audio", "a.wav, b.wav", "--say", "no"]).sounds

    assert sounds == ["yes", Path("a.wav"), Path("b.wav"), "no"]


def test_the_bundled_callers_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("--list") == 0

    assert "book-a-table" in capsys.readouterr().out


def test_help_teaches_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        simulate("--help")

    assert done.value.code == 0
    assert "mcp-voice simulate --url ws://127.0.0.1:8080/twilio/media --say" in capsys.readouterr().out
