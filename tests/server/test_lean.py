"""What an agent reads: a short list, and answers without what is empty."""

import json

from mcp_voice.server.abilities import abilities
from mcp_voice.server.lean import asked, leaned
from mcp_voice.server.listing import listed
from mcp_voice.settings import load
from mcp_voice.tools.catalogue import gather

ROOM = 14_000
"""Characters of an agent's whole list: 3 500 tokens."""


def test_an_agents_list_is_short_and_says_nothing_of_answers() -> None:
    tools = listed(gather().toolset("agent"), "underscore")

    text = json.dumps(tools, ensure_ascii=False, separators=(",", ":"))
    assert len(text) <= ROOM, {tool["name"]: len(json.dumps(tool)) for tool in tools}
    assert all("outputSchema" not in tool and tool["title"] for tool in tools)
    assert '"null"' not in text


def test_the_list_of_all_tools_describes_every_answer() -> None:
    assert all(tool["outputSchema"] for tool in listed(gather().toolset("all"), "dotted"))


def test_what_a_schema_requires_or_does_not_know_stays() -> None:
    schema = {
        "$defs": {
            "Turn": {"properties": {"id": {}, "said": {"type": ["string", "null"]}}, "required": ["id"]}
        },
        "properties": {
            "turns": {"type": "array", "items": {"$ref": "#/$defs/Turn"}},
            "last": {"anyOf": [{"$ref": "#/$defs/Turn"}, {"type": "null"}]},
        },
        "required": ["last"],
    }
    turn = {"id": "", "said": None}

    assert leaned({"turns": [turn], "last": turn, "else": None}, schema) == {
        "turns": [{"id": ""}], "last": {"id": ""}, "else": None,
    }  # fmt: skip
    assert leaned({"turns": [], "last": None}, schema) == {"last": None}


def test_arguments_that_may_be_left_out_are_not_said_to_be_null() -> None:
    for tool in gather().toolset("agent"):
        before, after = tool.input_schema, asked(tool.input_schema)

        assert after["properties"].keys() == before["properties"].keys()
        assert after.get("required") == before.get("required")


def test_what_the_settings_lack_is_said_without_a_secret() -> None:
    bare = {one.what: one for one in abilities(load(store="memory:"))}
    full = abilities(
        load(store="memory:", public_url="https://voice.example.com", twilio__auth_token="canary-0123456789")
    )

    incoming = bare["incoming Twilio calls"]
    assert incoming.state == "missing"
    assert incoming.fix is not None
    assert "TWILIO_AUTH_TOKEN" in incoming.fix
    assert "MCP_VOICE_PUBLIC_URL" in incoming.fix
    assert [one.state for one in full] == ["ok", "ok", "missing"]
    assert full[-1].fix is not None
    assert "MCP_VOICE_TWILIO__NUMBER" in full[-1].fix
    assert "canary" not in repr(full)
