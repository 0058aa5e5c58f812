"""What machines say on a telephone, and how people answer: a few English phrases.

They are compared with what an ear has made out, so each is short enough to
survive a wrong word beside it. No phrase heard is not evidence of anything.

    >>> said(VOICEMAIL, "Sorry, I'm not here. Please leave a message!")
    'leave a message'
"""

import re
from collections.abc import Iterable
from typing import Final

VOICEMAIL: Final = (
    "leave a message",
    "leave your message",
    "leave me a message",
    "leave a detailed message",
    "leave your name",
    "record your message",
    "after the tone",
    "after the beep",
    "at the tone",
    "at the beep",
    "not available",
    "is unavailable",
    "unable to take your call",
    "unable to answer",
    "can't take your call",
    "cannot take your call",
    "can't come to the phone",
    "cannot come to the phone",
    "get back to you",
    "return your call",
    "answering machine",
    "voicemail",
    "voice mail",
    "mailbox",
)

ANNOUNCEMENTS: Final = (
    "please hold",
    "please stay on the line",
    "remain on the line",
    "your call is important",
    "your call will be answered",
    "calls are answered in the order",
    "agents are busy",
    "agents are currently",
    "our agents are",
    "operators are busy",
    "representatives are",
    "assisting other",
    "next available",
    "with you shortly",
    "in the queue",
    "place in line",
    "estimated wait",
    "call volume",
    "may be recorded",
    "may be monitored",
    "for your patience",
    "visit our website",
    "press one",
)

GREETINGS: Final = (
    "hello",
    "good morning",
    "good afternoon",
    "good evening",
    "how can i help",
    "how may i help",
    "how can i assist",
    "how may i assist",
    "what can i do for you",
    "for holding",
    "for waiting",
    "keep you waiting",
    "my name is",
    "speaking with",
    "are you there",
    "who is this",
    "who's calling",
)


def words(text: str) -> tuple[str, ...]:
    """Return the words alone, in small letters."""
    return tuple(re.findall(r"[\w']+", text.lower()))


def said(phrases: Iterable[str], text: str) -> str | None:
    """Return the first of the phrases that is in the text as whole words, or None."""
    within = f" {' '.join(words(text))} "
    return next((phrase for phrase in phrases if f" {phrase} " in within), None)
