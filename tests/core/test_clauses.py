"""A text in pieces that can be said one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.clauses import clauses


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (
            "Good evening, this is the Golden Lion. How can I help?",
            ["Good evening, this is the Golden Lion.", "How can I help?"],
        ),
        ("Yes.", ["Yes."]),
        ("It costs 3.50, no more.", ["It costs 3.50, no more."]),
        (
            "We keep a table for fifteen minutes, and if you are late, please call.",
            ["We keep a table for fifteen minutes,", "and if you are late, please call."],
        ),
        ("  ", []),
    ],
)
def test_a_text_is_cut_where_a_voice_would_pause(text: str, pieces: list[str]) -> None:
    assert clauses(text) == pieces


@given(st.text())
def test_no_word_is_lost_or_moved(text: str) -> None:
    assert " ".join(clauses(text)).split() == text.split()
