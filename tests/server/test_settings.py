from pathlib import Path

import pytest

from mcp_voice.errors import Invalid, NotConfigured
from mcp_voice.settings import guard, is_loopback, load
from mcp_voice.settings.inbound import Voicemail

ACCOUNT = "AC" + "0" * 32


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "TWILIO_ACCOUNT_SID",
        "TWILIO_AUTH_TOKEN",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "MCP_VOICE_CONFIG",
    ):
        monkeypatch.delenv(name, raising=False)


def test_nothing_needs_to_be_set() -> None:
    settings = load()

    guard(settings)
    assert (settings.host, settings.public_port, settings.private_port) == ("127.0.0.1", 8765, 8766)
    assert settings.twilio.auth_token is None


def test_the_command_line_outranks_the_environment_and_that_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "voice.toml"
    file.write_text("[media]\nlead_ms = 100\nendpointing_ms = 100\nbarge_in_ms = 100\n")
    monkeypatch.setenv("MCP_VOICE_MEDIA__ENDPOINTING_MS", "200")
    monkeypatch.setenv("MCP_VOICE_MEDIA__BARGE_IN_MS", "200")

    media = load(file, media__barge_in_ms=300, media__vad=None).media

    assert (media.lead_ms, media.endpointing_ms, media.barge_in_ms) == (100, 200, 300)
    assert media.vad == "auto"


def test_a_file_may_be_lines_and_share_them_with_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "voice.env"
    file.write_text(f"MCP_VOICE_PUBLIC_PORT=1\nTWILIO_ACCOUNT_SID={ACCOUNT}\nPGPASSWORD=x\n")
    monkeypatch.setenv("MCP_VOICE_CONFIG", str(file))

    settings = load()

    assert settings.public_port == 1
    assert settings.twilio.account_sid == ACCOUNT


def test_twilios_own_names_are_read_and_ours_are_stronger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "theirs")
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT)
    monkeypatch.setenv("MCP_VOICE_TWILIO__AUTH_TOKEN", "ours")

    twilio = load().twilio

    assert twilio.account_sid == ACCOUNT
    assert twilio.auth_token is not None
    assert twilio.auth_token.get_secret_value() == "ours"


def test_secrets_are_masked_when_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_VOICE_TOKEN", "canary-1")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "canary-2")

    settings = load()

    assert "canary" not in f"{settings!r} {settings.shown()} {settings.model_dump_json()}"


def test_lists_are_names_with_commas_and_maps_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_VOICE_MCP__ALLOWED_HOSTS", "voice.example.com, voice.example.com:*")
    monkeypatch.setenv("MCP_VOICE_LIMITS__RPM", '{"stt.connect": 0}')

    settings = load()

    assert settings.mcp.allowed_hosts == ("voice.example.com", "voice.example.com:*")
    assert settings.limits.rpm == {"stt.connect": 0}


def test_routes_and_keys_are_json_and_proxies_are_names_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_VOICE_INBOUND__DEFAULT", "message")
    monkeypatch.setenv("MCP_VOICE_INBOUND__ROUTES", '{"message": {"kind": "voicemail", "max_seconds": 30}}')
    monkeypatch.setenv("MCP_VOICE_TWILIO__SHARED_KEYS", '{"key1": "canary"}')
    monkeypatch.setenv("MCP_VOICE_TWILIO__TRUSTED_PROXY", "10.0.0.0/8, ::1")

    settings = load()
    name, route = settings.inbound.route("nowhere", None)

    assert (name, route) == ("message", Voicemail(kind="voicemail", max_seconds=30))
    assert settings.twilio.shared_keys["key1"].get_secret_value() == "canary"
    assert "canary" not in f"{settings!r} {settings.shown()}"
    assert [str(network) for network in settings.twilio.trusted_proxy] == ["10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MCP_VOICE_INBOUND__DEFAULT", "nowhere"),
        ("MCP_VOICE_INBOUND__ROUTES", '{"x": {"kind": "forward"}}'),
        ("MCP_VOICE_TWILIO__TRUSTED_PROXY", "proxy.example"),
        ("MCP_VOICE_PUBLIC_PORT", "many"),
        ("MCP_VOICE_PUBLIC_PORT", "65536"),
        ("MCP_VOICE_PUBLIC_URL", "voice"),
        ("MCP_VOICE_MEDIA__VAD", "loud"),
        ("MCP_VOICE_MEDIA__VADD", "off"),
        ("MCP_VOICE_TWILIO__ACCOUNT_SID", "AC12"),
        ("MCP_VOICE_LIMITS__RPM", "{"),
        ("MCP_VOICE_LIMITS__RPM", '{"stt.connect": -1}'),
        ("MCP_VOICE_TOKN", "x"),
        ("MCP_VOICE_DRAIN_SECONDS", "-1"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(Invalid) as refused:
        load()

    assert name.partition("__")[0] in str(refused.value)
    assert "pydantic" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text"), [("voice.toml", "host ="), ("voice.toml", "hots = 'x'"), ("a.env", "MCP_VOICE_HOTS=x")]
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(Invalid):
        load(tmp_path / name)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"none\.toml"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("given", "wants"),
    [
        ({"host": "0.0.0.0"}, "TWILIO_AUTH_TOKEN"),
        ({"host": "::"}, "TWILIO_AUTH_TOKEN"),
        ({"public_url": "https://voice.example.com"}, "TWILIO_AUTH_TOKEN"),
        ({"host": "0.0.0.0", "twilio__auth_token": "x"}, "MCP_VOICE_TOKEN"),
        ({"private_host": "10.0.0.1"}, "MCP_VOICE_TOKEN"),
        ({"private_host": "voice.internal"}, "MCP_VOICE_TOKEN"),
        ({"host": "0.0.0.0", "twilio__auth_token": "x", "private_host": "127.0.0.1"}, None),
        ({"host": "0.0.0.0", "twilio__auth_token": "x", "token": "y"}, None),
        ({"host": "localhost", "public_url": "http://[::1]:8765/"}, None),
        ({"host": "::1"}, None),
    ],
)
def test_an_open_door_needs_a_lock(given: dict[str, str], wants: str | None) -> None:
    settings = load(**given)

    if wants is None:
        guard(settings)
    else:
        with pytest.raises(NotConfigured, match=wants):
            guard(settings)


def test_only_this_machines_addresses_are_loopback() -> None:
    assert [
        host for host in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost") if not is_loopback(host)
    ] == []
    assert [
        host for host in ("0.0.0.0", "::", "10.0.0.1", "localhost.example.com", "") if is_loopback(host)
    ] == []
