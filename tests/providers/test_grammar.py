import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.errors import BadGrammar
from mcp_voice.providers.grammar import LONGEST, MOST_PHRASES, Grammar

WORDS = st.from_regex(r"[a-z]{1,8}", fullmatch=True)


def test_phrases_are_alternatives_without_capitals_and_punctuation() -> None:
    grammar = Grammar.of_phrases(["Yes, please!", "It\u2019s nine a.m.", "yes  please"])

    assert grammar.jsgf.endswith("public <phrase> = yes please | it's nine a.m.;\n")
    assert grammar.words == ("a.m.", "it's", "nine", "please", "yes")


def test_the_words_of_a_grammar_are_those_a_caller_can_say() -> None:
    grammar = Grammar.of_jsgf(
        "#JSGF V1.0 UTF-8 en;\n/* not these */ grammar Any;\n"
        'public <Any> = [Please] /2.5/ (put "me") <To> <NULL>;'
        "<To> = through* {tag = 'not; this'} | on+; // nor these"
    )

    assert grammar.words == ("me", "on", "please", "put", "through")
    assert "<To>" in grammar.jsgf
    assert "not" not in grammar.jsgf


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("yes | no", "does not begin"),
        ("#JSGF V1.0;grammar g;import <x.y>;public <g> = yes;", "imports another"),
        ("#JSGF V1.0;grammar g;public <g> = yes <more> <most>;", "does not define: <more>, <most>"),
        ("#JSGF V1.0;grammar g;public <g> = room 5;", "not words of English: 5"),
        ("#JSGF V1.0;grammar g;public <g> = ;", "has no words"),
        (f"#JSGF V1.0;grammar g;public <g> = {'yes ' * LONGEST};", "characters"),
    ],
)
def test_a_grammar_that_cannot_work_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadGrammar, match=why):
        Grammar.of_jsgf(text)


@pytest.mark.parametrize(
    ("phrases", "why"),
    [
        ([], "There are 0 phrases"),
        (["yes"] * (MOST_PHRASES + 1), "There are 1001 phrases"),
        (["yes", "?!"], "has no words"),
        (["room 5"], "Spell out numbers"),
        (["yes; public <x> = no"], "not words of English"),
    ],
)
def test_phrases_that_cannot_work_are_refused(phrases: list[str], why: str) -> None:
    with pytest.raises(BadGrammar, match=why):
        Grammar.of_phrases(phrases)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=5))
def test_phrases_and_the_grammar_made_of_them_have_the_same_words(phrases: list[str]) -> None:
    made = Grammar.of_phrases(phrases)

    assert set(made.words) == {word for phrase in phrases for word in phrase.split()}
    assert Grammar.of_jsgf(made.jsgf).words == made.words


@given(st.text(max_size=200))
def test_any_text_is_a_grammar_or_a_bad_one(text: str) -> None:
    for read in (Grammar.of_jsgf, lambda text: Grammar.of_phrases([text])):
        try:
            assert read(text).words
        except BadGrammar:
            continue
