"""A restaurant's clerk in rules: what stands in for a language model in these examples.

A model is shown all that has been said so far, and decides what to do next. So
does `next_step`: it is given every tool's answer, oldest first, and returns a
tool to use or, at the end, a report. It remembers nothing by itself, and knows
the words of a few answers only: put a model in its place.

    >>> next_step([])
    Use(tool='telephony_say', arguments={'text': 'Good evening, the Golden Lion. How can I help you?'})
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

GREETING: Final = "Good evening, the Golden Lion. How can I help you?"
AGAIN: Final = "Sorry, could you say that again?"
GOODBYE: Final = "It is booked. Goodbye."

WANTED: Final = {
    "party": ("For how many people?", r"\b(\w+) (?:people|persons|guests)\b"),
    "day": ("For which day?", r"\b(today|tonight|tomorrow|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b"),
    "time": ("At what time?", r"\bat (\w+)\b"),
    "name": ("In what name?", r"\bname is (\w+)\b"),
}
"""What a booking needs: how it is asked for, and how it is understood."""

ENOUGH: Final = 20
"""Errors, one after the other, after which there is no use in going on."""

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Use:
    """A tool to use next."""

    tool: str
    arguments: dict[str, Any]


def next_step(answers: Sequence[str]) -> Use | str:
    """Say what to do next, given the text of every tool's answer so far: use a tool, or report."""
    if not answers:
        return Use("telephony_say", {"text": GREETING})
    read = [_read(answer) for answer in answers]
    words, last = heard(read), read[-1]
    call = _whereabouts(read)
    if last.get("hungup") or last.get("outcome") == "hungUp":
        return json.dumps({"booked": agreed(words), **booking(words)})
    if "error" in last:  # perhaps the client gave up waiting: nothing is lost, so ask again what happened
        hopeless = len(read) > ENOUGH and all("error" in answer for answer in read[-ENOUGH:])
        return json.dumps({"booked": False, **last}) if hopeless else Use("telephony_listen", call)
    if agreed(words):
        ended = {"reason": "completed", "goodbye": GOODBYE}
        return Use("telephony_hangup", {"sessionId": call["sessionId"], **ended})
    if last["outcome"] not in ("reply", "stale", "noReply"):
        return Use("telephony_listen", call)
    return Use("telephony_say", {**call, "text": question(words) if last["heard"] else AGAIN})


def _read(answer: str) -> Answer:
    """Read an answer; one that is no object is what went wrong, in a sentence."""
    try:
        read = json.loads(answer)
    except ValueError:
        read = None
    return read if isinstance(read, dict) else {"error": answer}


def _whereabouts(read: Sequence[Answer]) -> dict[str, Any]:
    """Name the call, and how far it has been followed: what came behind `after` is told again."""
    known = [answer for answer in read if "seq" in answer]
    return {"sessionId": known[-1]["sessionId"], "after": known[-1]["seq"]} if known else {}


def heard(read: Sequence[Answer]) -> list[str]:
    """Return what the caller said, in order, once: what is told again (`repeated`) has the same `seq`."""
    said = {words["seq"]: words["text"].lower() for answer in read for words in answer.get("heard", ())}
    return [said[seq] for seq in sorted(said)]


def booking(words: Sequence[str]) -> dict[str, str | None]:
    """Return what is known of the booking; what was said last counts."""
    return {
        slot: next((found[1] for text in reversed(words) if (found := re.search(pattern, text))), None)
        for slot, (_, pattern) in WANTED.items()
    }


def agreed(words: Sequence[str]) -> bool:
    """Whether the caller has said yes after all was known and read back."""
    yes = [number for number, text in enumerate(words) if re.search(r"\b(yes|right|correct)\b", text)]
    return any(None not in booking(words[:number]).values() for number in yes)


def question(words: Sequence[str]) -> str:
    """Ask for what is missing, or whether all of it is right."""
    known = booking(words)
    missing = next((slot for slot, value in known.items() if value is None), None)
    if missing:
        return WANTED[missing][0]
    return "{party} people, {day} at {time}, {name}. Is that right?".format(**known)
