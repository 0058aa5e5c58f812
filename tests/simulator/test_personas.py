"""The persona files: that ours are right, and that a wrong one is named."""

from pathlib import Path

import pytest

from mcp_voice.errors import Invalid, NotFound
from mcp_voice.simulator.casting import OURS, cast, people, read, scenario
from mcp_voice.simulator.person import phrases_of

WANTED = {
    "restaurant", "full_restaurant", "receptionist", "voicemail", "hold_queue", "wrong_number", "impatient",
    "busy", "no_answer", "guest",
}  # fmt: skip
GOOD = "description: Somebody.\nstates: {hello: {say: Hello., hang_up: true}}\n"


def test_the_people_who_come_with_the_product_are_all_there() -> None:
    assert set(people()) == WANTED
    assert all(path.parent == OURS for path in people().values())


@pytest.mark.parametrize("name", sorted(WANTED))
def test_each_of_them_can_be_read_and_every_state_can_be_reached(name: str) -> None:
    persona = cast(f"sim:{name}")

    reached, new = set[str](), {persona.first}
    while new:
        reached |= new
        doings = [doing for at in new for doing in (persona.states[at], *persona.states[at].when)]
        new = {doing.goto for doing in doings if doing.goto is not None} - reached
    assert reached == set(persona.states)


def test_an_ear_is_told_the_phrases_or_else_the_words_of_the_rules(tmp_path: Path) -> None:
    written = (
        "description: A.\nstates:\n  a:\n    when:\n      - {words: [Yes, no], goto: a}\n"
        "      - {words: no, goto: a}\n"
    )
    (tmp_path / "asks.yaml").write_text(written)

    assert phrases_of(cast("asks", [tmp_path])) == ("yes", "no")
    assert "my name is miller" in phrases_of(cast("full_restaurant"))


def test_a_folder_adds_people_and_may_replace_ours(tmp_path: Path) -> None:
    (tmp_path / "butcher.yml").write_text(GOOD)
    (tmp_path / "restaurant.yaml").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("not a persona")

    found = people([tmp_path])

    assert set(found) == WANTED | {"butcher"}
    assert cast("restaurant", [tmp_path]).description == "Somebody."


def test_what_people_say_and_press_is_taken_as_written(tmp_path: Path) -> None:
    (tmp_path / "says.yaml").write_text(
        "description: A.\nstates: {a: {when: [{words: [yes, no], goto: a}, {digits: 1, goto: a}]}}\n"
    )  # fmt: skip

    rules = cast("says", [tmp_path]).states["a"].when

    assert (rules[0].words, rules[1].digits) == (("yes", "no"), "1")


def test_a_scenario_is_a_name_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "butcher.yaml").write_text(GOOD)

    assert scenario("sim:busy")[0] == "busy"
    assert scenario(str(tmp_path / "butcher.yaml"))[0] == "butcher"
    with pytest.raises(NotFound, match=r"no persona file 'x\.yaml'"):
        scenario("x.yaml")


def test_a_person_who_is_not_there_is_refused_with_those_who_are() -> None:
    with pytest.raises(NotFound, match=r"no simulated person 'butcher'\. There are busy, full_restaurant"):
        cast("butcher")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no folder of personas"):
        people([tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("states: [", r"line 1: this is not YAML"),
        ("- a list", "a persona is a mapping"),
        ("description: A.", "states: Field required"),
        ("description: A.\nstates: {a: {shout: Ho}}", r"states\.a\.shout: there is no such field"),
        ("description: A.\nstates: {a: {goto: b}}", r"states\.a\.goto: there is no state 'b'; there are a"),
        ("description: A.\nbegin: b\nstates: {a: {hang_up: true}}", "begin: there is no state 'b'"),
        (
            "description: A.\nstates: {a: {when: [{any: true, goto: b}]}}",
            r"states\.a\.when\[0\]\.goto: there is no state 'b'",
        ),
        ("description: A.\nstates: {a: {say: 'Hi {who}'}}", r"states\.a\.say: nothing finds the fact 'who'"),
        ("description: A.\nstates: {a: {when: [{knows: x, goto: a}]}}", r"knows: nothing finds the fact 'x'"),
        ("description: A.\nstates: {a: {unless: x, goto: b}, b: {}}", "unless: nothing finds the fact 'x'"),
        ("description: A.\nexpect: {facts: {x: y}}\nstates: {a: {}}", r"expect\.facts: nothing finds"),
        ("description: A.\nexpect: {reached: b}\nstates: {a: {}}", r"expect\.reached: there is no state 'b'"),
        ("description: A.\nstates: {a: {unless: x}}", r"states\.a: unless needs goto"),
        ("description: A.\nstates: {a: {goto: a, when: [{any: true, goto: a}]}}", "goto and when"),
        (
            "description: A.\nstates: {a: {when: [{goto: a}]}}",
            r"states\.a\.when\[0\]: a rule needs one of words",
        ),
        ("description: A.\nstates: {a: {when: [{any: true}]}}", "a rule that does nothing"),
        (
            "description: A.\nstates: {a: {when: [{any: true, silence: 3, goto: a}]}}",
            "waits for one thing, not for any and silence",
        ),
        (
            "description: A.\nstates: {a: {when: [{digits: '*', goto: a}]}}",
            r"when\[0\]\.digits: '\*' is not a regular expression",
        ),
        ("description: A.\nstates: {a: {press: 1x}}", r"states\.a\.press: there is no key 'x'"),
        (
            "description: A.\nstates: {a: {goto: b}, b: {goto: a}}",
            "it leads back to itself",
        ),
        ("description: A.\nphrases: a\ngrammar: b\nstates: {a: {}}", "grammar: there are phrases too"),
        ("description: A.\nrings: soon\nstates: {a: {}}", "rings: Input should be a valid number"),
        ("description: A.\nnoise: 3\nstates: {a: {}}", "noise: Input should be less than or equal to -20"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_the_place_and_the_fault(
    tmp_path: Path, text: str, says: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)

    with pytest.raises(Invalid, match=rf"wrong\.yaml.*{says}"):
        read(path)


def test_a_file_that_is_not_text_or_not_readable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.yaml").mkdir()

    with pytest.raises(Invalid, match=r"bytes\.yaml: this is not YAML"):
        read(tmp_path / "bytes.yaml")
    with pytest.raises(Invalid, match=r"folder\.yaml cannot be read"):
        read(tmp_path / "folder.yaml")
