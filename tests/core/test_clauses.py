"""A text in pieces that can be said one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.clauses import MOST_JOINED, MOST_WORDS, clauses, readings
from mcp_voice.core.speakable import speakable


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
        ("No, I have nothing for eight tonight.", ["No, I have nothing for eight tonight."]),
        (
            "I would like to book a table for two people tomorrow evening at eight please.",
            ["I would like to book a table", "for two people tomorrow evening at eight please."],
        ),
        (
            "Well, I would like to book a table for two.",
            ["Well, I would like", "to book a table for two."],
        ),
        (
            "You can reach us on +1 415 555 0100 before 5 pm from Monday to Friday",
            ["You can reach us", "on +1 415 555 0100", "before 5 pm from Monday to Friday"],
        ),
        (
            "We have:\n- soup of the day\n- tea\n- cake with cream",
            ["We have:\n- soup of the day", "- tea\n- cake with cream"],
        ),
        (
            "Ich möchte gern für morgen Abend um acht Uhr einen Tisch bestellen.",
            ["Ich möchte gern für morgen Abend", "um acht Uhr einen Tisch bestellen."],
        ),
        ("  ", []),
    ],
)
def test_a_text_is_cut_where_a_voice_would_pause(text: str, pieces: list[str]) -> None:
    assert clauses(text) == pieces


@given(st.text())
def test_no_word_is_lost_or_moved(text: str) -> None:
    assert " ".join(clauses(text)).split() == text.split()


@given(st.text() | st.text("ab ,.\n9A", max_size=400))
def test_no_clause_keeps_the_caller_waiting_for_more_than_eight_words(text: str) -> None:
    pieces = clauses(text)

    assert all(1 <= len(clause.split()) <= MOST_WORDS for clause in pieces)
    assert " ".join(pieces).split() == text.split()


@given(st.integers(1, 40))
def test_a_text_without_a_pause_is_cut_into_few_pieces_alike(many: int) -> None:
    sizes = [len(clause.split()) for clause in clauses("table " * many)]

    assert len(sizes) == -(-many // MOST_WORDS)
    assert max(sizes) - min(sizes) <= 1


@given(st.text("ab ,.\n9A", max_size=400))
def test_what_is_read_otherwise_in_pieces_stays_together_as_long_as_it_is_short(text: str) -> None:
    found = list(readings(text, lambda clause: f"({clause})"))

    assert " ".join(clause for clause, _ in found).split() == text.split()
    assert all(len(clause.split()) <= MOST_JOINED for clause, _ in found)


def test_a_name_is_not_read_apart_from_its_title() -> None:
    text = "Your appointment with Dr. Smith has been moved to Thursday."

    found = list(readings(text, speakable))

    assert [said for _, said in found] == [text.replace("Dr.", "Doctor")]


def test_no_more_of_a_long_text_is_read_than_what_is_said_next() -> None:
    reads: list[str] = []

    def read(clause: str) -> str:
        reads.append(clause)
        return clause

    said = readings("We are open every day. " * 1_000, read)
    first = next(said)

    assert first == ("We are open every day.", "We are open every day.")
    assert sum(len(clause.split()) for clause in reads) <= 4 * MOST_WORDS
    assert len(list(said)) == 999
