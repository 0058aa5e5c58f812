import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from mcp_voice.errors import Invalid
from mcp_voice.ports import Desk
from mcp_voice.tools.catalogue import NAMESPACES, TOOLS, Answer, Arguments, Catalogue, tool
from tests.tools.desk import CATALOGUE


class Ask(Arguments):
    """What is asked."""

    first_word: str
    numbers: tuple[int, ...] = ()


class Said(Answer):
    """What is said."""

    last_word: str


@pytest.fixture
def made() -> Iterator[Catalogue]:
    """A catalogue of one tool, which is gone after the test."""

    @tool("tests.sayBack", title="Say back", rpm=1, reads=True, toolsets=("agent",))
    async def say_back(ask: Ask, desk: Desk) -> Said:
        """Say a
        word back.

        Another paragraph.
        """
        return Said(last_word=ask.first_word)

    yield Catalogue({"tests.sayBack": TOOLS["tests.sayBack"]})
    del TOOLS["tests.sayBack"]


def test_a_tool_is_called_in_either_spelling(made: Catalogue) -> None:
    assert made.get("tests.sayBack") is made.get("tests_sayBack")
    assert made.get("tests.say_back") is None


def test_a_description_is_unwrapped_but_keeps_its_paragraphs(made: Catalogue) -> None:
    (say_back,) = made

    assert say_back.description == "Say a word back.\n\nAnother paragraph."


def test_what_only_reads_can_be_repeated(made: Catalogue) -> None:
    (say_back,) = made

    assert say_back.repeats


def test_schemas_speak_camel_case_and_have_no_titles(made: Catalogue) -> None:
    (say_back,) = made

    assert say_back.input_schema["properties"].keys() == {"firstWord", "numbers"}
    assert say_back.input_schema["required"] == ["firstWord"]
    assert say_back.output_schema["properties"] == {"lastWord": {"type": "string"}}


@pytest.mark.parametrize("name", ["tests.sayBack", "tests_sayBack"])
def test_two_tools_cannot_have_one_name_in_either_spelling(made: Catalogue, name: str) -> None:
    async def other(ask: Ask, desk: Desk) -> BaseModel:
        return Said(last_word="")

    with pytest.raises(ValueError, match="two tools are named"):
        tool(name, title="Another", rpm=1)(other)


def test_a_toolset_is_a_part_of_the_catalogue() -> None:
    agent = {tool.name for tool in CATALOGUE.toolset("agent")}

    assert {"telephony.transfer", "telephony.hangup", "session.get"} <= agent
    assert len(agent) < len(CATALOGUE.toolset("all")) == len(CATALOGUE)


def test_each_wrong_argument_is_named(made: Catalogue) -> None:
    (say_back,) = made

    with pytest.raises(Invalid) as refused:
        say_back.read({"numbers": [1, "two"], "first_word": "x"})

    assert str(refused.value).startswith("tests.sayBack: firstWord: ")
    assert "numbers.1: " in str(refused.value)
    assert "first_word: there is no such argument" in str(refused.value)


def test_a_long_list_of_faults_is_cut(made: Catalogue) -> None:
    (say_back,) = made

    with pytest.raises(Invalid) as refused:
        say_back.read({"firstWord": "x", "numbers": ["one"] * 50})

    assert str(refused.value).count("numbers.") == 5
    assert "…" in str(refused.value)


def test_every_tool_that_a_text_for_the_model_names_is_there() -> None:
    tools = list(CATALOGUE)
    there = {tool.name for tool in tools}
    texts = "".join(tool.description + str(tool.input_schema) + str(tool.output_schema) for tool in tools)

    named = set(re.findall(rf"\b(?:{'|'.join(NAMESPACES)})\.[a-z]\w+", texts))

    assert named
    assert named <= there
