"""What a person reads, and a program."""

import json

from mcp_voice.doctor.finding import as_json, bad, good, summed, worth

FOUND = [good("voice", "speaks"), worth("public address", "none", "set one"), bad("ear", "deaf", "mend it")]


def test_a_line_ends_with_what_to_do() -> None:
    assert FOUND[0].line() == "✓ voice             speaks"
    assert FOUND[2].line().splitlines() == ["✗ ear               deaf", f"{'':20}→ mend it"]


def test_what_does_not_work_is_what_the_sum_says() -> None:
    assert summed(FOUND) == "1 thing does not work."
    assert summed(FOUND[:2]) == "All that is set up works; 1 line says what more could be."
    assert summed(FOUND[:1]) == "Everything works."


def test_a_program_reads_the_same() -> None:
    told = json.loads(as_json(FOUND))

    assert told[2] == {"what": "ear", "state": "bad", "told": "deaf", "fix": "mend it"}
