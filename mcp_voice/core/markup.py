r"""A written page as running text, in any language.

Language models write for the eye: Markdown, tags, emoji, quotation marks. A
voice reads such marks aloud or stumbles over them. `unmarked` takes them away
and keeps the words; where the eye saw a new line or a box, a pause remains.
`paused` turns dashes and dots into pauses, and leaves one where several met.

    >>> unmarked("## Today\n- **Soup** of the [day](https://x.org) 🍲\n- Bread")
    'Today. Soup of the day. Bread'
    >>> paused("Well... no -- thank you .")
    'Well, no, thank you.'
"""

import html
import re
import unicodedata
from collections.abc import Callable
from typing import Final, TypeAlias

Rule: TypeAlias = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]
"""What is written, and what is said instead."""


def rewritten(text: str, *rules: Rule) -> str:
    """Apply the rules, one after the other."""
    for written, said in rules:
        text = written.sub(said, text)
    return text


def _quoting(found: re.Match[str]) -> bool:
    """Whether a mark behind a digit closes a quotation; if none is open, it stands for inches."""
    before = found.string[: found.start()]
    opening = before.rfind('"')
    return opening >= 0 and not before[:opening][-1:].isalnum()


def _sign(sign: str) -> str:
    """Return what a voice needs of a character: nothing of a picture or of what cannot be seen."""
    match unicodedata.category(sign):
        case "So" | "Sk":
            return _WORTH_SAYING.get(sign, " ")
        case "Cc" | "Cs" | "Cn" | "Co" | "Zs" | "Zl" | "Zp" | "Me":
            return " "
        case "Cf":
            return sign if sign in _JOINERS else ""
        case _:
            return "" if "\ufe00" <= sign <= "\ufe0f" else sign


_JOINERS: Final = "\u200c\u200d"
"""They shape letters in Persian and in the scripts of India."""
_WORTH_SAYING: Final = {"°": "°", "℃": "°C", "℉": "°F", "№": "No. ", "´": "'"}

_ATTRIBUTES: Final = r"""(?:\s+[\w:-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>/]+))*\s*"""
_TAGS: Final[tuple[Rule, ...]] = (
    (re.compile(r"<!--.*?-->", re.DOTALL), " "),
    (re.compile(r"<((?:https?://|mailto:|tel:)[^\s<>]+)>"), r"\1"),
    (re.compile(rf"<break{_ATTRIBUTES}/?>|</t[dh]\s*>(?=\s*<t[dh])", re.IGNORECASE), ", "),
    (re.compile(rf"<br\s*/?>|</?(?:p|s|li|ul|ol|tr|div|h[1-6]){_ATTRIBUTES}>", re.IGNORECASE), "\n"),
    (re.compile(rf"</?[A-Za-z][\w:-]*{_ATTRIBUTES}/?>|<[?!][A-Za-z][^<>]*>"), ""),
    (re.compile(r"&(?:#\d{1,7}|#x[\da-fA-F]{1,6}|[A-Za-z]\w{1,30});"), lambda found: html.unescape(found[0])),
)

_LINES: Final[tuple[Rule, ...]] = (
    (re.compile(r"\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]"), "\n"),
    (re.compile(r" ?(?:[-=]{1,2}>|[\u2190-\u21ff\u2794-\u27be\u27f5-\u27ff])"), ", "),  # arrows
    (re.compile(r"[^\n\x20-\x7e]"), lambda found: _sign(found[0])),
    (re.compile(r"([\u200c\u200d])[\u200c\u200d]+"), r"\1"),
    (re.compile(r"(?<!\S)[\u200c\u200d]|[\u200c\u200d](?!\S)"), ""),  # joiners that join nothing any more
    (re.compile(r"^[ \t]*(?:`{3,}|~{3,})[^`\n]*$", re.MULTILINE), ""),  # a fence, not the code behind it
    (re.compile(r"^[ \t]*\[[^\]\n]+\]:[ \t]+\S.*$", re.MULTILINE), ""),  # where a link leads
)
_RULE_LINE: Final = re.compile(r"[\s|:]*(?:[-*_=][ \t]*){3}[-*_=\s|:]*|[\s|:]*-[-\s|:]*\|[-\s|:]*")
"""A line drawn across the page, or between the head of a table and its rows."""
_NUMBERED: Final = re.compile(r"^[ \t]*([0-9]{1,2})[.)][ \t]+(?=\S)", re.MULTILINE)
_MARKER: Final = re.compile(r"[ \t]*(?:(?:[-*+•‣▪–—]|#{1,6}|>+)[ \t]+)+(?:\[[ xX]\][ \t]+)?")
_ROW: Final = re.compile(r"[ \t]*\|.*|(?:[^|]*\|){2}.*")
_STOPS: Final = tuple(".,;:!?…。，；：！？、-–—")

_MARKDOWN: Final[tuple[Rule, ...]] = (
    (re.compile(r"\[\^[^\[\]]+\]"), ""),  # a footnote's number
    (re.compile(r"!\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])"), r"\1"),
    (re.compile(r"\[([^\[\]]*)\](?:\((?:[^()]|\([^()]*\))*\)|\[[^\[\]]*\])"), r"\1"),
    (re.compile(r"\\([\\`*_{}\[\]()#+.!|<>~-])"), r"\1"),
    (
        re.compile(r"(?P<kept>(?<=[0-9]) ?\*{1,2} ?(?=[0-9])|(?<=[^\s*] )\*(?=[ .,;:!?]))|\*+"),
        lambda found: found["kept"] or "",
    ),
    (re.compile(r"(?<![^\W_])_+|_+(?![^\W_])|`+|~~"), ""),
)

_SIGNS: Final[tuple[Rule, ...]] = (
    (re.compile(r"(?<!\S)[:;=]-?[()DPp/|](?!\S)|(?<!\w):[a-z]+(?:_[a-z]+)*:(?!\w)"), ""),  # :-) and :smile:
    (re.compile(r"\s[|•·‣▪]\s"), ", "),
    (re.compile(r"[|•‣▪]"), " "),
    (re.compile("[’‘ʼ]"), "'"),
    (re.compile(r'(?<=[0-9])"'), lambda found: '"' if _quoting(found) else "″"),
    (re.compile(r'["“”„‟«»‹›]'), ""),
    (re.compile(r"(?<!\w)'([^']+)'(?!\w)"), r"\1"),
    (re.compile(r"(?<=\w)\((e?s)\)"), r"\1"),  # item(s)
    (re.compile(r"(?<=[0-9]) ?\(0\) ?(?=[0-9])"), " "),  # +44 (0)20: the nought is not dialled
    (re.compile(r"\(([0-9]{2,5})\) ?(?=[0-9])"), r"\1 "),  # an area code
    (re.compile(r"(?<=[^\s.,;:!?…]) ?\((?= ?[^\s)])"), ", "),
    (re.compile(r"(?<=[^\s(.,;:!?…])\)(?= ?[^\s.,;:!?…)])"), ", "),
    (re.compile(r"[()\[\]{}]"), " "),
)

_PAUSES: Final[tuple[Rule, ...]] = (
    (
        re.compile(r" ?(?:…|\.(?= ?[.…]))[ .…]*(?P<on>[a-z])?"),
        lambda found: f", {found['on']}" if found["on"] else ". ",
    ),
    (re.compile(r" [-–—―−]+(?= |$)| ?(?:[—―]|--)[-–—―]*"), ", "),
    (re.compile(r"(?<=\w)–(?=\w)"), "-"),
    (re.compile(r"\s+"), " "),
    (re.compile(r"[.,;:!?](?: ?[.,;:!?])+"), lambda found: _stop(found[0])),
    (re.compile(r" (?=[.,;:!?]+(?: |$))"), ""),
    (re.compile(r"^[ .,;:–—-]+(?= |[^\W\d_])"), ""),
)


def unmarked(text: str) -> str:
    """Keep the words of a page, on one line."""
    text = " ".join(_running(rewritten(text, *_TAGS, *_LINES)).split())
    return " ".join(rewritten(text, *_MARKDOWN, *_SIGNS).split())


def paused(text: str) -> str:
    """Leave pauses as a voice understands them, and single spaces."""
    return " ".join(rewritten(text, *_PAUSES).split())


def _running(text: str) -> str:
    """Join lines: a heading, an item and a row end with a stop, a line that goes on with nothing, others with
    a comma.
    """
    if len(_NUMBERED.findall(text)) > 1:  # a lone "21. Mai" is a date
        text = _NUMBERED.sub(r"- \1, ", text)
    said, apart = "", False
    for line in text.split("\n"):
        words, block = _line(line)
        if not words:
            apart = True
            continue
        if said and not said.endswith(_STOPS):
            said += "." if apart or block else "" if words[0].islower() else ","
        said, apart = f"{said} {words}".lstrip(), block
    return said


def _line(line: str) -> tuple[str, bool]:
    """Return the words of a line, and whether it is a thing of its own."""
    if _RULE_LINE.fullmatch(line):
        return "", True
    words = _MARKER.sub("", line, count=1) if (marked := _MARKER.match(line)) else line
    if _ROW.fullmatch(words):
        cells = (cell.strip() for cell in words.split("|"))
        return ", ".join(cell for cell in cells if cell), True
    return words.strip(), marked is not None


def _stop(stops: str) -> str:
    """Of several stops keep the strongest; an abbreviation's full stop may stand before a comma."""
    if stops in (".,", ".;", ".:"):
        return stops
    return next(stop for stop in "?!.:;," if stop in stops) + " " * stops[-1].isspace()
