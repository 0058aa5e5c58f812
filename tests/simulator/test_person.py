"""What simulated people make of a call, in virtual time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.simulator.casting import cast, people
from mcp_voice.simulator.person import (
    Done,
    HangUp,
    Hush,
    Key,
    Music,
    Person,
    Say,
    Silent,
    Speaks,
    Tick,
    Words,
)
from mcp_voice.simulator.persona import Persona
from tests.simulator.dialogues import Dialogue, answering


def a_persona(**fields: Any) -> Persona:
    """A persona without a delay, with the states given."""
    return Persona.model_validate({"description": "Somebody.", "thinks": 0, **fields})


def test_a_restaurant_takes_a_booking() -> None:
    guest = answering(
        how_can_i_help="Good evening, I would like to book a table.",
        how_many="We are four people.",
        which_day="Tomorrow, please.",
        what_time="At eight.",
        name_is_it="My name is Miller.",
        is_that_right="Yes, that is right.",
    )

    call = Dialogue(cast("restaurant"), guest).play()

    assert call.over
    assert call.person.path == ["greeting", "party", "day", "time", "name", "confirm", "booked"]
    assert call.said[-2:] == [
        "So that is a table for four, Tomorrow at eight, in the name of Miller. Is that right?",
        "Wonderful. We look forward to seeing you. Goodbye.",
    ]


def test_a_restaurant_does_not_ask_for_what_it_has_been_told() -> None:
    guest = answering(
        how_can_i_help="I would like a table for 4 people, tomorrow at 8 pm. My name is Miller.",
        is_that_right="Yes, thank you.",
    )

    call = Dialogue(cast("restaurant"), guest).play()

    assert [text for text in call.said if text.endswith("?")][1:] == [
        "So that is a table for 4, tomorrow at 8 pm, in the name of Miller. Is that right?"
    ]
    assert call.person.path[-1] == "booked"


def test_a_restaurant_that_hears_nobody_asks_and_gives_up() -> None:
    call = Dialogue(cast("restaurant")).play()

    assert call.said[1:3] == ["Hello? Is anybody there?"] * 2
    assert call.person.path == ["greeting", "nobody"]
    assert call.over


def test_a_full_restaurant_offers_another_time() -> None:
    guest = answering(
        hello="Hello, a table for two at eight, please.",
        all_right="Yes, that is fine.",
        the_name="It's Miller.",
    )

    call = Dialogue(cast("full_restaurant"), guest).play()

    assert "at eight we are full. I could offer you half past nine." in call.said[1]
    assert call.said[-1].startswith("Very well, half past nine, for Miller.")
    assert call.over


def test_a_full_restaurant_lets_go_who_does_not_want_another_time() -> None:
    guest = answering(hello="A table at eight, please.", all_right="No, thank you.")

    call = Dialogue(cast("full_restaurant"), guest).play()

    assert call.person.path == ["greeting", "full", "pity"]


def test_a_receptionist_is_reached_through_three_menus() -> None:
    client = answering(
        press_star="#:2",
        for_an_order="#:1",
        four_digits="#:1234#",
        what_can_i_do="My order has not arrived.",
        anything_else="No, thank you.",
    )

    call = Dialogue(cast("receptionist"), client).play()

    assert call.person.path == ["welcome", "service", "number", "connecting", "human", "goodbye"]
    assert "I see your order 1234." in " ".join(call.said)
    assert call.over


def test_a_menu_is_cut_short_by_a_key() -> None:
    call = Dialogue(cast("receptionist"))
    call.press(2.0, "2")

    call.play(3.0)

    assert next(act for at, act in call.log if at == 2.0) == Hush()
    assert call.person.path == ["welcome", "service"]


def test_a_key_that_is_not_in_the_menu_leads_back() -> None:
    client = answering(press_star="#:9", does_nothing="#:2", press_zero="")

    call = Dialogue(cast("receptionist"), client).play(30)

    assert call.person.path[:3] == ["welcome", "no_such_key", "welcome"]


def test_a_menu_without_keys_ends() -> None:
    call = Dialogue(cast("receptionist")).play()

    assert call.person.path[-1] == "gives_up"
    assert call.over


def test_a_voicemail_box_beeps_takes_a_message_and_hangs_up() -> None:
    call = Dialogue(cast("voicemail"))
    call.speak(9.0, "This is the Golden Lion. Your table is ready.")

    call.play()

    assert call.person.path == ["greeting", "tone", "recording", "thanks"]
    assert call.person.facts["message"] == "This is the Golden Lion. Your table is ready."


def test_a_voicemail_box_does_not_stop_for_who_speaks_over_its_greeting() -> None:
    call = Dialogue(cast("voicemail"))
    call.speak(1.0, "Hello, hello, can you hear me? I am calling about the table.")

    call.play()

    assert Hush() not in [act for _, act in call.log]
    assert call.over


def test_a_queue_plays_music_announces_and_then_a_human_answers() -> None:
    client = answering(how_can_i_help="I have a problem with my bill.", anything_else="No, thank you.")

    call = Dialogue(cast("hold_queue"), client).play()

    assert call.person.path[:6] == ["welcome", "first_wait", "announcement", "second_wait", "next", "human"]
    assert sum(act.seconds for _, act in call.log if isinstance(act, Music)) == 27
    assert call.person.path[-2:] == ["solved", "goodbye"]


def test_a_wrong_number_forgives_an_apology_and_not_a_second_attempt() -> None:
    sorry = answering(hello="Is this the Golden Lion?", wrong_number="Oh, I am sorry.")
    stubborn = answering(hello="Is this the Golden Lion?", wrong_number="But I want a table.")

    paths = [Dialogue(cast("wrong_number"), agent).play().person.path[-1] for agent in (sorry, stubborn)]

    assert paths == ["forgiven", "cross"]


def test_a_guest_says_for_how_many_when_and_who() -> None:
    answers = {
        "book a table": "Certainly. For how many people?",
        "four people": "For which day?",
        "tomorrow": "At what time?",
        "at eight": "And what is your name?",
        "miller": "So that is a table for four. Is that right?",
        "that is right": "Wonderful. Goodbye.",
    }
    call = Dialogue(cast("guest"), answering(**{k.replace(" ", "_"): v for k, v in answers.items()}))
    call.speak(1.0, "Good evening, how can I help you?")

    call.play()

    assert call.said[1:5] == ["For four people.", "Tomorrow.", "At eight.", "My name is Miller."]
    assert call.person.path == ["listens", "wishes", "asked", "agrees", "agreed", "thanks"]


def test_an_impatient_man_cuts_in_while_the_agent_speaks() -> None:
    long = "Good evening, this is a very long introduction to what I should like to tell you about today."
    call = Dialogue(cast("impatient"), answering(brown=long))

    call.play(8.0)

    cut_in = next(at for at, act in call.log if act == Say("Yes, yes. What is it about?"))
    began = 0.3 + len("Yeah, Brown.") * 0.06 + 0.8
    assert cut_in == pytest.approx(began + 2)


def test_an_impatient_man_hears_out_who_is_short() -> None:
    agent = answering(brown="Your order is ready.", was_that_all="Yes. Goodbye.")

    call = Dialogue(cast("impatient"), agent).play()

    assert call.person.path == ["hello", "answers", "bye"]
    assert Hush() not in [act for _, act in call.log]


def test_a_person_who_is_spoken_over_stops() -> None:
    person = Person(
        a_persona(states={"talks": {"say": "A long story.", "when": [{"any": True, "goto": "talks"}]}}), 0.0
    )
    person.take(Tick(), 0.0)

    person.take(Speaks(), 1.0)
    acts = person.take(Tick(), 1.8)

    assert acts == [Hush()]


def test_a_cough_of_the_agent_does_not_stop_a_person() -> None:
    person = Person(a_persona(states={"talks": {"say": "A long story.", "hang_up": True}}), 0.0)
    person.take(Tick(), 0.0)

    acts = person.take(Speaks(), 1.0) + person.take(Silent(1.3), 1.8) + person.take(Tick(), 2.0)

    assert acts == []


def test_a_person_waits_for_words_that_are_still_being_recognised() -> None:
    states = {"asks": {"when": [{"words": "table", "say": "Yes."}]}}
    person = Person(a_persona(states=states), 0.0)
    person.take(Tick(), 0.0)
    person.take(Speaks(), 1.0)

    early = person.take(Silent(2.0, owed=True), 2.5) + person.take(Tick(), 3.0)
    late = person.take(Words("a table"), 3.5)

    assert (early, late) == ([], [Say("Yes.")])


def test_words_are_whole_words() -> None:
    states = {"asks": {"when": [{"words": ["no"], "say": "No?"}, {"any": True, "say": "What?"}]}}
    person = Person(a_persona(states=states), 0.0)
    person.take(Tick(), 0.0)

    said = (
        person.take(Words("I know nothing"), 1.0) + person.take(Done(), 2.0) + person.take(Words("No!"), 3.0)
    )

    assert said == [Say("What?"), Say("No?")]


def test_a_rule_is_followed_so_many_times_and_then_the_next() -> None:
    states = {"a": {"when": [{"silence": 1, "say": "Hello?", "times": 2}, {"silence": 1, "hang_up": True}]}}

    call = Dialogue(a_persona(states=states)).play()

    assert [act for _, act in call.log] == [Say("Hello?"), Say("Hello?"), HangUp()]


def test_a_rule_with_a_condition_on_facts_holds_only_then() -> None:
    rules = [{"lacks": "name", "say": "Who?"}, {"knows": "name", "say": "Hello {name}."}]
    persona = a_persona(remember={"name": r"i am (\w+)"}, states={"a": {"when": rules}})
    person = Person(persona, 0.0)
    person.take(Tick(), 0.0)

    said = person.take(Words("hello"), 1.0) + person.take(Done(), 2.0) + person.take(Words("I am Anna"), 3.0)

    assert said == [Say("Who?"), Say("Hello Anna.")]


def test_a_call_that_leads_nowhere_ends_when_patience_does() -> None:
    persona = a_persona(
        patience=10, states={"a": {"say": "Well?", "when": [{"digits": "1", "hang_up": True}]}}
    )

    call = Dialogue(persona).play()

    assert call.log[-2:] == [(10.0, Hush()), (10.0, HangUp())]


news = st.one_of(
    st.builds(Words, st.sampled_from(["table", "four people", "yes", "no", "goodbye", ""])),
    st.just(Speaks()),
    st.booleans().map(lambda owed: Silent(0.0, owed)),
    st.builds(Key, st.sampled_from("12#*9")),
    st.just(Done()),
    st.just(Tick()),
)
CAST = {name: cast(name) for name in people() if cast(name).answers == "picks_up"}


@given(st.sampled_from(sorted(CAST)), st.lists(st.tuples(news, st.floats(0.0, 5.0)), max_size=40))
def test_whatever_happens_a_person_knows_when_to_wake_and_hangs_up_once(
    name: str, happened: list[tuple[Any, float]]
) -> None:
    person, now, acts = Person(CAST[name], 0.0), 0.0, []

    for item, wait in happened:
        now += wait
        acts += person.take(item, now)
        assert person.leaving or (person.wakes_at is not None and person.wakes_at > now)

    assert sum(isinstance(act, HangUp) for act in acts) == person.leaving
