"""Words, cursors and snippets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.finding import MOST_WORDS, Place, behind, cursor, party, snippet, wanted, words
from mcp_voice.errors import Invalid


@given(st.text(), st.text())
def test_words_stay_words_whatever_stands_between_them(left: str, right: str) -> None:
    assert words(f"{left} {right}") == words(left) + words(right)
    assert all(word.isascii() <= word.isalnum() for word in words(left))


@given(st.text())
def test_case_does_not_matter(text: str) -> None:
    assert all(words(word) == (word,) for word in words(text) if word.isascii())


@given(st.integers(-(2**62), 2**62), st.from_regex(r"sess_[a-z0-9]{1,20}", fullmatch=True))
def test_a_cursor_comes_back_as_the_place_it_was(at: int, session_id: str) -> None:
    assert behind(cursor(Place(at, session_id))) == Place(at, session_id)


@pytest.mark.parametrize(
    "odd", ["", "?", "AAAA", "MTIz", "ü", "Lg", "x" * 200, "OTk5OTk5OTk5OTk5OTk5OTk5OTkuYQ"]
)
def test_what_is_no_cursor_is_refused(odd: str) -> None:
    with pytest.raises(Invalid, match="cursor"):
        behind(odd)


@pytest.mark.parametrize("query", ["", "?!", " ".join(f"w{n}" for n in range(MOST_WORDS + 1))])
def test_a_query_has_words_and_not_too_many(query: str) -> None:
    with pytest.raises(Invalid, match="words"):
        wanted(query)


def test_a_number_is_one_word_however_it_is_written() -> None:
    assert party("+1 (415) 555-0123") == party("+14155550123") == ("14155550123",)
    assert party("") == party("+ () -") == ()


def test_a_snippet_is_cut_from_the_line_that_has_most_of_the_words() -> None:
    lines = ["tea", "x" * 70 + " tea and  Biscuits " + "y" * 70]

    cut = snippet(("tea", "bisc"), lines)

    assert cut is not None
    assert "tea and Biscuits" in cut
    assert cut.startswith("…")
    assert cut.endswith("…")
    assert snippet(("cake",), lines) is None
