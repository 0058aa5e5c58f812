"""A text that was written, as a person would say it on the telephone."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.speakable import speakable

# ─── marks, in any language ──────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("# Today\n\nWe have **soup** and _tea_.", "Today. We have soup and tea."),
        ("We have:\n- soup\n* [x] tea, hot;\n> - cake", "We have: soup. tea, hot; cake"),
        ("1. Soup\n2) Tea", "1, Soup. 2, Tea"),
        ("Am 21. Mai", "Am 21. Mai"),
        ("The [menu](https://x.org/a_(b)) or [this][2].\n\n[2]: https://y.org", "The menu or this."),
        ("![a plate](p.png) [![soup](s.png)](https://x.org)", "a plate soup"),
        ("A fact[^1] \\*once\\*", "A fact once"),
        ("```python\nprint\n```\nand `run`", "print. and run"),
        ("| Dish | Price |\n|:-----|------:|\n| Soup | low |\n|Tea||", "Dish, Price. Soup, low. Tea"),
        ("Hours\n=====\nall day\n\n---\nand night", "Hours. all day. and night"),
        ("Soup\nTea\nand cake", "Soup, Tea and cake"),
        ("a snake_case __name__ ~~gone~~", "a snake_case name gone"),
    ],
)  # fmt: skip
def test_markdown_is_not_read_out(written: str, said: str) -> None:
    assert speakable(written, "de-DE") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('<speak>Hello<break time="1s"/>you <s:em level="strong">there</s:em></speak>', "Hello, you there"),
        ("<p>One</p><p class='x'>Two</p>", "One. Two"),
        ("<table><tr><td>Soup</td><td>Tea</td></tr></table>", "Soup, Tea"),
        ("A<br>b <!-- hidden --> c <?xml version='1'?> <https://x.org>", "A b c https://x.org"),
        ("Fish &amp; chips&nbsp;&#33;", "Fish & chips!"),
        ("x <y and z> w", "x <y and z> w"),
    ],
)  # fmt: skip
def test_tags_leave_their_text(written: str, said: str) -> None:
    assert speakable(written, "fr") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Done \U0001f469\u200d\U0001f680\U0001f44d\U0001f3fd! \u2705", "Done!"),
        ("Hi :-) :thumbs_up: there\u2122", "Hi there"),
        ("Settings \u2192 Privacy -> Calls \u2022 Voice", "Settings, Privacy, Calls, Voice"),
        ("\u201cYes\u201d, she said, \u00abno\u00bb and 'maybe'.", "Yes, she said, no and maybe."),
        ("Don\u2019t, it\u00b4s the dogs' bowl", "Don't, it's the dogs' bowl"),
        ("Soup (hot), item(s) and tea (also hot). {x}", "Soup, hot, items and tea, also hot. x"),
        ("zero\u200bwidth \u00ad\ufeffspace\ttab\x00nul \ud800", "zerowidth space tab nul"),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        ("20\u2103, \u2116 4\ufe0f\u20e3", "20\u00b0C, No. 4"),
    ],
)
def test_signs_for_the_eye_are_dropped(written: str, said: str) -> None:
    assert speakable(written, "de") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Well... I think \u2014 yes -- or no - perhaps\u2026", "Well. I think, yes, or no, perhaps."),
        ("so\u2026 what .", "so, what."),
        ("What?! Really?!! Yes ., no", "What? Really? Yes., no"),
        ("z. B., das", "z. B., das"),
        ("... and then", "and then"),
        ("a\u2013b", "a-b"),
    ],
)
def test_dashes_and_dots_are_pauses(written: str, said: str) -> None:
    assert speakable(written, "de") == said


def test_other_languages_keep_their_numbers() -> None:
    assert (
        speakable("**Um 19:30** f\u00fcr 12,50 \u20ac & mehr", "de-DE")
        == "Um 19:30 f\u00fcr 12,50 \u20ac & mehr"
    )


# ─── English ─────────────────────────────────────────────────────────────────

ENGLISH = """
# addresses of the web
https://www.example.com/menu/?x=1#top => example dot com slash menu
Visit example.com/a-b_c. => Visit example dot com slash a dash b underscore c.
anna.smith@example.com => anna dot smith at example dot com
[call](tel:+1), mailto:a@b.org?subject=x => call, a at b dot org
<tel:+12025550142> => plus one, two oh two, five five five, oh one four two
menu.pdf from http://localhost:8000 => menu dot pdf from localhost colon eight thousand
@anna #food #1 No. #5 => at anna hashtag food number one number five
C# and C++ => C sharp and C plus plus

# money
$12.50 => twelve dollars and fifty cents
$1, $0.99 and £0.01 => one dollar, ninety-nine cents and one penny
€1,250.00 => one thousand two hundred fifty euros
£3.20 or ¥500 => three pounds and twenty pence or five hundred yen
$10-$15 or $10\u201315 => ten to fifteen dollars or ten to fifteen dollars
$9.99 - $12 => nine dollars and ninety-nine cents to twelve dollars
$1.5M, $5k, $2 million => one point five million dollars, five thousand dollars, two million dollars
12 EUR, USD 12.5, 8€ => twelve euros, twelve dollars and fifty cents, eight euros
3-5 GBP, 3-5k EUR => three to five pounds, three to five thousand euros
-$5 and US$12.345 => minus five dollars and twelve point three four five US dollars
2 x Tea ($4.50 ea.), 5$ => two Tea, four dollars and fifty cents each, five dollars
¥1.5 => one point five yen
$5/month, $10-15/hr => five dollars per month, ten to fifteen dollars per hour

# dates
2026-11-21 => November twenty-first, twenty twenty-six
11/21/2026 => November twenty-first, twenty twenty-six
21/11/26 => November twenty-first, twenty twenty-six
2026-11-21T19:00:00Z => November twenty-first, twenty twenty-six, at seven p m U T C
2026-11-21 07:30 => November twenty-first, twenty twenty-six, at seven thirty a.m.
Nov 21 or Nov. 3rd, 2026 => November twenty-first or November third, twenty twenty-six
Dec 1-3 => December first to third
21 Nov 2026, the 3rd of May => the twenty-first of November, twenty twenty-six, the third of May
3-5 Dec, Sept. 2026 => the third to the fifth of December, September twenty twenty-six
11/21, 24/7, by 1/2 => November twenty-first, twenty-four seven, by January second
Fri, Nov 20; Mon-Thu => Friday, November twentieth; Monday to Thursday
Sat\u2013Sun, January-March => Saturday to Sunday, January to March
Sun and Sat => Sun and Sat
the 90s, the 1990s, the 1900s => the nineties, the nineteen nineties, the nineteen hundreds
2024-2026 => twenty twenty-four to twenty twenty-six
13/45/2026 => thirteen slash forty-five slash twenty twenty-six
2026-13-41 => two oh two six, one three, four one
13/45, Nov 45, 45 Nov => thirteen over forty-five, Nov forty-five, forty-five Nov

# times
7:30 pm => seven thirty p m
at 7 p.m. Then 8 P.M. EST, 9 p.m. => at seven p m. Then eight p m EST, nine p m.
10 a.m. or 7:05am => ten a.m. or seven oh five a.m.
19:00, 07:05 or 00:15 => seven p m, seven oh five a.m. or twelve fifteen a.m.
7:00 or 7:30:15 => seven o'clock or seven thirty and fifteen seconds
7-9 pm, 9am-5pm => seven to nine p m, nine a.m. to five p m
19:00-21:30 => seven p m to nine thirty p m
16:99 => sixteen to ninety-nine

# numbers that are dialled, or written down
+1 202-555-0142 => plus one, two oh two, five five five, oh one four two
+12025550142 => plus one, two oh two, five five five, oh one four two
+9990000000 => plus nine nine nine oh oh oh oh oh oh oh
(202) 555-0142 => two oh two, five five five, oh one four two
+44 (0)20 7946 0958 => plus four four, two oh, seven nine four six, oh nine five eight
020 7946 0958 => oh two oh, seven nine four six, oh nine five eight
555-0142 => five five five, oh one four two
1-800-555-0199 => one, eight oh oh, five five five, oh one nine nine
4111 1111 1111 1111 => four one one one, one one one one, one one one one, one one one one
+5 points, +12 345 => plus five points, plus twelve three hundred forty-five
Call 911 => Call nine one one
Order #4521, PIN: 0042 => Order number four five two one, PIN: zero zero four two
order 1500 pizzas => order fifteen hundred pizzas
code 12345678901 => code one two three, four five six, seven eight nine, zero one
A7X9 or AB-1234 => A, seven X nine or A, B, one two three four
gate B12, h2o, a1b-c => gate B twelve, H two O, A, one B-c
covid19, COVID-19, COVID19, F-16 => covid nineteen, COVID nineteen, COVID nineteen, F sixteen
XK-42-QP, 5-star, mid-1990 => X K, four two, Q P, five-star, mid-nineteen ninety
code 481 239, 0800 123456 => code four eight one, two three nine, oh eight oh oh, one two three four five six
48213 and 100000 => four eight two one three and one hundred thousand
1234567890123.5 => one two three, four five six, seven eight nine, zero one two three point five

# numbers
3rd and 21st => third and twenty-first
3.14, .5, 007 => three point one four, zero point five, zero zero seven
3.11.7 and 1,234 => three point eleven point seven and one thousand two hundred thirty-four
1999, 2005, 2026 => nineteen ninety-nine, two thousand five, twenty twenty-six
1500, 3456, 1905 => fifteen hundred, three thousand four hundred fifty-six, nineteen oh five
50%, 5-10 % and 12.5 percent => fifty percent, five to ten percent and twelve point five percent
1/2, 3/4 cup, 1 1/2 cups => one half, three quarters cup, one and a half cups
½, 2¼, 5/0 => one half, two and one quarter, five over zero
-3, 2x tea, 3x, 3x4, 5*3 => minus three, two tea, three times, three by four, five times three
50/50, 5M users => fifty-fifty, five million users
Press * to repeat, # to end. => Press star to repeat, pound to end.
10k, ~5, < 5, > 5 => ten thousand, about five, less than five, more than five
≤ $5, >= 5, 18+ => at most five dollars, at least five, eighteen plus
2 + 2 = 4 => two plus two equals four
٣ apples, x² => three apples, x squared
1,2;3 => one, two; three

# measures
1 km, 5 km, 5-7 km => one kilometer, five kilometers, five to seven kilometers
1/2 km, 5-km run => one half kilometer, five-kilometer run
70 mph, 1 mph => seventy miles per hour, one mile per hour
100 km/h, 10 kg/day => one hundred kilometers per hour, ten kilograms per day
20 °C, -5°C => twenty degrees Celsius, minus five degrees Celsius
1 °F, 20° => one degree Fahrenheit, twenty degrees
6 ft, 1 ft, 5'11", 20 m² => six feet, one foot, five foot eleven, twenty square meters
a 12" pizza in "room 12" => a twelve inch pizza in room twelve
5 min. walk, 5 min. => five minutes walk, five minutes.

# abbreviations and signs
Dr. Smith lives at 5 Main St. in St. Paul => Doctor Smith lives at five Main Street in Saint Paul
Mr. and Mrs. Jones, Ms Lee => Mister and Missus Jones, Miz Lee
Elm Dr. is closed; go to 5th Ave => Elm Drive is closed; go to fifth Avenue
e.g., i.e. approx. 5 => for example, that is approximately five
us vs. No. 5, p. 7 => us versus number five, page seven
Soup, etc. The rest, etc. => Soup, et cetera. The rest, et cetera.
Smith & Co. is in the U.S. now, U.K. => Smith and Company is in the U S now, U K.
max. 5, Max is here, No. I am not => maximum five, Max is here, No. I am not
NASA, AT&T, Q&A, TCP/IP => NASA, A, T and T, Q and A, TCP IP
and/or, his/her, w/ tea => and or, his or her, with tea
w/o salt, c/o Lee => without salt, care of Lee
a_b ^ 5 ~ § 2 ¿√ => a b five section two ¿
"""


@pytest.mark.parametrize(
    ("written", "said"), [line.split(" => ") for line in ENGLISH.splitlines() if " => " in line]
)
def test_english_is_said_as_people_say_it(written: str, said: str) -> None:
    assert speakable(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("21/11/2026", "the twenty-first of November, twenty twenty-six"),
        ("1/11/2026", "the first of November, twenty twenty-six"),
        ("2026-11-21", "the twenty-first of November, twenty twenty-six"),
        ("Nov 21", "November twenty-first"),
        ("Press # now", "Press hash now"),
        ("on 3/4", "on the third of April"),
        ("21.11.2026", "the twenty-first of November, twenty twenty-six"),
    ],
)
def test_outside_the_united_states_the_day_comes_first(written: str, said: str) -> None:
    assert speakable(written, "en-GB") == speakable(written, "en_AU") == said


@pytest.mark.parametrize("text", ["<abc>", "![](b7.png)", "[x]: y", "```abc"])
def test_what_is_only_a_mark_is_said_rather_than_nothing(text: str) -> None:
    assert any(map(str.isalnum, speakable(text)))


@pytest.mark.parametrize("text", ["", " \n", "\U0001f44d", "---", "?!"])
def test_without_letters_and_digits_there_are_no_words(text: str) -> None:
    assert not any(map(str.isalnum, speakable(text)))


def test_marks_within_marks_without_end_are_left_after_a_while() -> None:
    assert speakable(f"&{'#38;' * 99}amp; soup", "de").endswith("soup")


# ─── laws ────────────────────────────────────────────────────────────────────

PIECES = st.sampled_from(
    [
        *"$-.,:;!?#*_`[](){}<>/&@|~+=%\"'1257aA \n", "Dr.", "St.", "12.50", "1/2", "...", "**", "- ", "<b>",
        "<break/>", "&amp;", "e.g.", "etc.", "x.com", "http://", "Nov", "2026", "p.m.", ":30", "km",
        "\u00b0C", "\u201c", "\u2019", "\U0001f44d", "\u200d", "\u00bd", "\u0663", "\u2014", "\u2026", "No.",
        "+1", "202", "555", "0142", "U.S.", "min.",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=16).map("".join))
LANGUAGES = st.sampled_from(["en-US", "en-GB", "de-DE"])


@given(TEXTS, LANGUAGES)
def test_what_is_speakable_stays_as_it_is(text: str, language: str) -> None:
    said = speakable(text, language)

    assert speakable(said, language) == said


@given(TEXTS, LANGUAGES)
def test_who_wrote_words_is_not_met_with_silence(text: str, language: str) -> None:
    said = speakable(text, language)

    assert any(map(str.isalnum, said)) or not any(map(str.isalnum, text))


@given(TEXTS)
def test_no_figure_is_left_to_an_english_voice(text: str) -> None:
    assert not set(speakable(text)) & set("0123456789$%&@#*<>[]{}|`_\n")


ABBREVIATED = re.compile(r"\b(etc|approx|vs|qty|appt|dept|govt)\b")
PLAIN = st.from_regex(r"[a-z]{2,9}(?:'s|-[a-z]{2,5})?[,;:]?", fullmatch=True)


@given(st.lists(PLAIN.filter(lambda word: not ABBREVIATED.search(word)), min_size=1), LANGUAGES)
def test_a_plain_sentence_is_left_alone(words: list[str], language: str) -> None:
    sentence = f"Well, {' '.join(words).rstrip(',;:')} indeed. Is it?"

    assert speakable(sentence, language) == sentence
