"""What every tool keeps to."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from mcp_voice.errors import Invalid
from mcp_voice.tools.catalogue import Tool
from tests.tools.desk import CATALOGUE

RPM: Final = {
    "twilio.handleStart": 100,
    "twilio.handleMedia": 1000,
    "twilio.handleStop": 100,
    "twilio.sendAudio": 1000,
    "twilio.sendClear": 100,
    "twilio.sendMark": 100,
    "telephony.generateTwiML": 100,
    "telephony.handleConnect": 100,
    "telephony.handleDisconnect": 100,
    "telephony.transfer": 10,
    "telephony.hangup": 10,
    "stt.connect": 10,
    "stt.streamAudio": 1000,
    "stt.close": 60,
    "stt.status": 60,
    "tts.synthesize": 100,
    "tts.cancel": 100,
    "tts.status": 60,
    "tts.benchmark": 10,
    "session.create": 100,
    "session.get": 1000,
    "session.update": 1000,
    "session.close": 100,
    "session.cleanup": 10,
}
OUTPUTS: Final = {
    "twilio.handleStart": {"sessionId", "connected"},
    "twilio.handleMedia": {"audioChunks"},
    "twilio.handleStop": {"sessionId", "closed"},
    "twilio.sendAudio": {"sent", "chunkCount"},
    "twilio.sendClear": {"sent"},
    "twilio.sendMark": {"sent", "markId"},
    "telephony.generateTwiML": {"twiml"},
    "telephony.handleConnect": {"twiml", "sessionId"},
    "telephony.handleDisconnect": {"cleaned", "sessionDuration"},
    "telephony.transfer": {"transferred"},
    "telephony.hangup": {"hungup"},
    "stt.connect": {"connected", "provider", "connectionId"},
    "stt.streamAudio": {"utterances"},
    "stt.close": {"closed", "utterances"},
    "stt.status": {"connected", "latency", "errorCount"},
    "tts.synthesize": {"synthesisId", "chunks", "firstByteMs"},
    "tts.cancel": {"cancelled"},
    "tts.status": {"status", "progress", "chunksGenerated"},
    "tts.benchmark": {"firstByteMs", "totalMs", "chunkCount"},
    "session.create": {"sessionId", "createdAt"},
    "session.get": {"session"},
    "session.update": {"updated", "session"},
    "session.close": {"closed", "duration"},
    "session.cleanup": {"cleaned"},
}
each_tool = pytest.mark.parametrize("name", sorted(RPM))


def tool_of(name: str) -> Tool:
    tool = CATALOGUE.get(name)
    assert tool is not None
    return tool


def fields(schema: dict[str, Any], whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a schema, those of its objects too."""
    schema = whole["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    for name, field in schema.get("properties", {}).items():
        yield name, field
        for inner in (field, *field.get("anyOf", ())):
            yield from ((f"{name}.{deep}", found) for deep, found in fields(inner, whole))


@each_tool
def test_a_tool_is_there_with_its_limit(name: str) -> None:
    assert tool_of(name).rpm == RPM[name]


@each_tool
def test_a_tool_answers_what_the_documents_promise(name: str) -> None:
    promised = OUTPUTS[name]

    assert promised <= tool_of(name).output_schema["properties"].keys()


@each_tool
def test_a_tool_says_what_it_is_for_in_few_words(name: str) -> None:
    tool = tool_of(name)

    assert 8 <= len(tool.description.split()) <= 130
    assert tool.title


@each_tool
def test_every_argument_is_described(name: str) -> None:
    schema = tool_of(name).input_schema

    assert schema["additionalProperties"] is False
    mute = [
        path
        for path, field in fields(schema, schema)
        if "description" not in field and "$ref" not in field and not path.startswith("updates.turns")
    ]
    assert mute == []


@each_tool
def test_a_tool_refuses_an_argument_it_does_not_have(name: str) -> None:
    with pytest.raises(Invalid, match="there is no such argument"):
        tool_of(name).read({"colour": "blue"})


@each_tool
def test_a_tool_refuses_arguments_of_the_wrong_kind(name: str) -> None:
    tool = tool_of(name)
    wrong = {argument: object() for argument in tool.input_schema["properties"]}

    with pytest.raises(Invalid) as refused:
        tool.read(wrong)

    assert "pydantic" not in str(refused.value)


@each_tool
def test_the_schemas_of_a_tool_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(tool_of(name).input_schema)
    Draft202012Validator.check_schema(tool_of(name).output_schema)


@each_tool
def test_a_tool_that_only_reads_destroys_nothing(name: str) -> None:
    tool = tool_of(name)

    assert not (tool.reads and tool.destroys)


OF_CALLS: Final = {"sessionId", "status", "seq", "nextStep"}


@pytest.mark.parametrize(
    "tool",
    [
        tool
        for tool in CATALOGUE.toolset("agent")
        if tool.name.startswith("telephony.") and tool.name != "telephony.status"
    ],
    ids=lambda tool: tool.name,
)
def test_an_agent_is_told_how_its_call_stands_and_what_to_do_next(tool: Tool) -> None:
    assert set(tool.output_schema["properties"]) >= OF_CALLS
    assert set(tool.output_schema["required"]) >= OF_CALLS


def test_whatever_takes_a_call_takes_the_only_one_without_its_name() -> None:
    takes = [tool for tool in CATALOGUE.toolset("agent") if "sessionId" in tool.input_schema["properties"]]

    assert len(takes) == 11
    assert not [tool.name for tool in takes if "sessionId" in tool.input_schema.get("required", ())]
