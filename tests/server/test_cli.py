import json
import socket
from pathlib import Path

import pytest

import mcp_voice
from mcp_voice import cli
from mcp_voice.settings import load


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, own_logs: None) -> None:
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "MCP_VOICE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def test_help_teaches_by_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for asked in (["--help"], ["serve", "--help"], ["stdio", "--help"]):
        with pytest.raises(SystemExit) as left:
            cli.main(asked)
        assert left.value.code == 0

    told = capsys.readouterr().out
    assert "mcp-voice demo" in told
    assert "--loopback-echo" in told
    assert '"command": "mcp-voice", "args": ["stdio"]' in told


@pytest.mark.parametrize("asked", [[], ["dial"], ["serve", "--vad", "loud"], ["stdio", "--toolset", "none"]])
def test_what_cannot_be_understood_is_2(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(asked)

    assert left.value.code == 2
    assert "usage: mcp-voice" in capsys.readouterr().err


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["version"]) == 0
    assert capsys.readouterr().out == f"{mcp_voice.__version__}\n"


@pytest.mark.parametrize("word", ["simulate", "demo"])
def test_words_of_other_rooms_have_their_options(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([word, "--help"])

    assert f"usage: mcp-voice {word}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "TWILIO_AUTH_TOKEN"),
        (["--private-host", "0.0.0.0"], "MCP_VOICE_TOKEN"),
        (["--store", "redis://x"], "no store for 'redis'"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
        (["--public-port", "65536"], "MCP_VOICE_PUBLIC_PORT"),
    ],
)
def test_what_cannot_be_served_is_one_sentence_and_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = cli.main(["serve", "--public-port", "0", "--private-port", "0", *arguments])

    told = capsys.readouterr().err
    assert status == 2
    assert says in told
    assert told.startswith("mcp-voice: ")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "name"), [("--public-port", "PUBLIC_PORT"), ("--private-port", "PRIVATE_PORT")]
)
def test_a_port_that_is_taken_is_one_sentence_and_2(
    option: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"--public-port": "0", "--private-port": "0"} | {option: str(port)}
        status = cli.main(["serve", "--store", "memory:", *(word for pair in ports.items() for word in pair)])

    told = capsys.readouterr().err
    assert status == 2
    assert f"Port {port} on 127.0.0.1" in told
    assert f"MCP_VOICE_{name}" in told
    assert told.count("\n") == 1


def test_a_person_is_told_what_listens_where_and_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    cli._announce(load(host="::1"), 8765, 8766)

    told = capsys.readouterr().err
    assert "http://[::1]:8765" in told
    assert "claude mcp add --transport http voice http://[::1]:8766/mcp/agent" in told
    (line,) = [line for line in told.splitlines() if "mcpServers" in line]
    assert json.loads(line) == {"mcpServers": {"voice": {"command": "mcp-voice", "args": ["stdio"]}}}


def test_a_public_address_is_the_one_that_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    cli._announce(load(public_url="https://voice.example.com"), 8765, 8766)

    assert "https://voice.example.com" in capsys.readouterr().err


def test_no_command_line_option_takes_a_secret(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for word in ("serve", "stdio"):
        with pytest.raises(SystemExit):
            cli.main([word, "--help"])

    assert "token" not in capsys.readouterr().out.lower().replace("twilio_auth_token", "")
