"""`mcp-voice simulate twilio` as a person meets it."""

import argparse
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from twilio.rest import Client

from mcp_voice.simulator.cli import add_arguments, run
from mcp_voice.simulator.twilio.cli import answerers
from tests.simulator.twilio.shop import TOKEN, Here

COMMAND = [sys.executable, "-m", "mcp_voice", "simulate", "twilio", "--port", "0", "--wordless"]


@contextmanager
def running(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The real process, and what it printed until it listened."""
    with subprocess.Popen([*COMMAND, *words], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        printed = ""
        for line in process.stderr:
            printed += line
            if "curl" in line:
                break
        try:
            yield process, printed
        finally:
            process.kill()


def simulate(*words: str) -> int:
    parser = argparse.ArgumentParser("mcp-voice simulate")
    add_arguments(parser)
    return run(parser.parse_args(["twilio", *words]))


def test_it_prints_what_to_set_serves_the_sdk_and_ends_when_told_to() -> None:
    with running("--auth-token", TOKEN, "--number", "+12025550111", "--answers", "busy") as (
        process,
        printed,
    ):
        said = dict(re.findall(r"^  (\w+)=(\S+)$", printed, re.MULTILINE))
        client = Client(
            said["TWILIO_ACCOUNT_SID"],
            said["TWILIO_AUTH_TOKEN"],
            http_client=Here(said["MCP_VOICE_TWILIO__API_URL"]),
        )

        placed = client.calls.create(to="+12025550142", from_="+12025550111", twiml="<Response/>")
        refused = httpx2.post(
            f"{said['MCP_VOICE_TWILIO__API_URL']}/simulate/incoming", data={"To": "+12025550112"}
        )
        process.send_signal(signal.SIGTERM)

        assert process.wait(30) == 0
    assert placed.status == "queued"
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--account-sid", "AC1"], "--account-sid AC1 is not AC and 32 hexadecimal digits"),
        (["--number", "2025550100"], "Write it as +12025550100."),
        (["--voice-url", "voice"], "--voice-url voice is not an address"),
        (["--answers", "nobody"], "There are busy"),
    ],
)
def test_arguments_that_cannot_be_used_say_what_to_do(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    parser = argparse.ArgumentParser("mcp-voice simulate")
    add_arguments(parser)

    assert run(parser.parse_args(["twilio", *words]), None, never) == 2
    assert sentence in capsys.readouterr().err


def test_without_a_server_to_serve_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate() == 2
    assert "Nothing can serve here." in capsys.readouterr().err


def test_everybody_and_single_numbers_are_answered_by_persona() -> None:
    who = answerers("voicemail,+12025550143=busy")

    assert (who("+12025550143").answers, who("+12025550144").yields, who("sim:guest").patience) == (
        "busy",
        False,
        120,
    )


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        simulate("--help")

    assert "MCP_VOICE_TWILIO__API_URL=http://127.0.0.1:8089" in capsys.readouterr().out
