"""Live calls over the real store and wire, with scripted ears."""

import time
from dataclasses import replace

import pytest

from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.audio import AudioFormat, Encoding
from mcp_voice.core.events import Digit, EarFailed, HangUp, Lost, Play, Started, Stopped
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.core.session import UNNAMED, Change, SessionConfig, begin
from mcp_voice.core.tickets import Pass
from mcp_voice.errors import NotConfigured, NotFound, Refused, SessionClosed, StoreFailed, TooMany
from mcp_voice.media.calls import HeldOutlet, Rules
from mcp_voice.stores.memory import MemoryStore
from tests.media.rooms import STARTED, UTTERANCE, a_room, talk, until


class Flaky(MemoryStore):
    """A store that fails its next `failures` commits."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    async def commit(self, new: Change, expected: int) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreFailed("The disk is full.")
        await super().commit(new, expected)


async def test_a_call_that_nobody_announced_gets_a_session_and_leaves_its_record() -> None:
    async with a_room(FinalWords("a table for two", 0.9)) as room:
        held = await room.calls.hold(STARTED)
        talk(held)
        held.hear([Digit("1")])
        await room.calls.release("MZ1", "stop")

        session = await room.store.load(held.session_id)

        assert session is not None
        assert (session.status, session.close_reason, session.from_) == ("closed", "stop", "+12025550142")
        assert [turn.user_utterance for turn in session.turns] == ["a table for two"]
        assert await room.kinds(held.session_id) == [
            "answered",
            "speechStarted",
            "dtmf",
            "ended",
            "partial",
            "final",
        ]
        assert (room.counts.calls, room.counts.calls_active, room.counts.sessions_closed) == (1, 0, 1)


async def test_a_stream_joins_the_session_its_parameter_names() -> None:
    async with a_room() as room:
        announced = begin("CA1", SessionConfig(), room.clock())
        await room.store.add(announced)

        held = await room.calls.hold(Started("MZ1", "CA1", parameters={"sessionId": announced.session_id}))

        assert held.session_id == announced.session_id
        session = await room.store.load(announced.session_id)
        assert session is not None
        assert (session.status, session.stream_sid) == ("active", "MZ1")


async def test_a_call_survives_its_stream_and_comes_back_with_another() -> None:
    async with a_room(FinalWords("hello")) as room:
        first = await room.calls.hold(STARTED)
        talk(first)
        await room.calls.release("MZ1", "stop")
        room.clock.advance(10)

        again = await room.calls.hold(Started("MZ2", "CA1"))

        assert again.session_id == first.session_id
        session = await room.store.load(again.session_id)
        assert session is not None
        assert (session.status, session.stream_sid, len(session.turns)) == ("active", "MZ2", 1)
        assert room.counts.sessions_active == 1


async def test_a_call_that_comes_back_too_late_is_a_new_one() -> None:
    async with a_room() as room:
        first = await room.calls.hold(STARTED)
        await room.calls.release("MZ1", "stop")
        room.clock.advance(3_600)

        again = await room.calls.hold(Started("MZ2", "CA1"))

        assert again.session_id != first.session_id


async def test_a_session_that_was_closed_on_purpose_takes_no_stream() -> None:
    async with a_room() as room:
        over = begin("CA1", SessionConfig(), room.clock()).ended("done", room.clock())
        await room.store.add(over)

        with pytest.raises(SessionClosed):
            await room.calls.hold(Started("MZ1", "CA1", parameters={"sessionId": over.session_id}))


async def test_a_second_stream_of_a_live_call_is_refused_and_the_first_goes_on() -> None:
    async with a_room(FinalWords("hello")) as room:
        held = await room.calls.hold(STARTED)

        with pytest.raises(Refused):
            await room.calls.hold(Started("MZ2", "CA1"))

        talk(held)
        await room.calls.release("MZ1", "stop")
        assert "final" in await room.kinds(held.session_id)


async def test_a_format_we_do_not_speak_is_refused() -> None:
    async with a_room() as room:
        with pytest.raises(Refused, match="mu-law, 8 kHz"):
            await room.calls.hold(Started("MZ1", "CA1", format=AudioFormat(Encoding.PCM16, 16_000)))

        assert not await room.store.find()


async def test_there_is_a_most_of_calls() -> None:
    async with a_room(rules=Rules(most_calls=1)) as room:
        await room.calls.hold(STARTED)

        with pytest.raises(TooMany):
            await room.calls.hold(Started("MZ2", "CA2"))


async def test_a_call_without_an_ear_goes_on_deaf_and_says_so() -> None:
    async with a_room(refuses=NotConfigured("There is no engine.", advice="Install one.")) as room:
        held = await room.calls.hold(STARTED)
        talk(held)
        held.ask(Play(b"\x01" * 320, "still here"))
        await until(lambda: held.outbound())
        await room.calls.release("MZ1", "stop")

        log = await room.store.entries(held.session_id)

        [error] = [entry for entry in log if entry.kind == "error"]
        assert error.data["code"] == "not_configured"
        assert "Install one." in error.data["message"]


async def test_what_is_said_while_the_ear_opens_is_heard() -> None:
    async with a_room(FinalWords("early")) as room:
        held = await room.calls.hold(STARTED)
        talk(held)  # before the ear's task has run at all
        await room.calls.release("MZ1", "stop")

        [ear] = room.vendors.listener.ears
        assert bytes(ear.audio).startswith(UTTERANCE[:160])
        assert "final" in await room.kinds(held.session_id)


async def test_a_recogniser_that_fails_is_told_and_the_call_goes_on() -> None:
    async with a_room(EarFailed("provider_failed", "it died"), FinalWords("and back")) as room:
        held = await room.calls.hold(STARTED)
        talk(held)
        talk(held)
        await room.calls.release("MZ1", "stop")

        kinds = await room.kinds(held.session_id)
        assert kinds.count("error") == 1
        assert kinds.count("final") == 1


async def test_a_store_that_fails_for_a_while_loses_nothing() -> None:
    store = Flaky(0)
    async with a_room(FinalWords("keep this"), store=store) as room:
        held = await room.calls.hold(STARTED)
        store.failures = 2
        talk(held)
        await room.calls.release("MZ1", "stop")

        assert "final" in await room.kinds(held.session_id)
        session = await room.store.load(held.session_id)
        assert session is not None
        assert session.status == "closed"


async def test_the_holder_of_the_socket_gets_what_is_to_be_said() -> None:
    async with a_room() as room:
        held = await room.calls.hold(STARTED)

        held.ask(Play(b"\x01" * 1_600, "hello"))

        messages = held.outbound()
        assert [message["event"] for message in messages] == ["media", "media", "mark"]
        assert all(message["streamSid"] == "MZ1" for message in messages)
        assert held.outbound() == []


async def test_a_call_is_found_by_each_of_its_names_while_it_lives() -> None:
    async with a_room() as room:
        held = await room.calls.hold(STARTED)

        found = [
            room.calls.call(session_id=held.session_id),
            room.calls.call(call_sid="CA1"),
            room.calls.call(stream_sid="MZ1"),
        ]
        await room.calls.end(held.session_id, "done")

        assert all(leg is held.leg for leg in found)
        assert room.calls.call(call_sid="CA1") is None
        with pytest.raises(NotFound):
            room.calls.held("MZ1")


async def test_a_hang_up_by_a_tool_ends_the_record_with_its_reason() -> None:
    async with a_room() as room:
        held = await room.calls.hold(STARTED)

        held.ask(HangUp("booked"))
        await held.leg.done.wait()

        session = await room.store.load(held.session_id)
        assert session is not None
        assert session.close_reason == "booked"


async def test_whoever_leaves_the_switchboard_leaves_finished_records() -> None:
    store = MemoryStore()
    async with a_room(store=store) as room:
        held = await room.calls.hold(STARTED)

    session = await store.load(held.session_id)
    assert session is not None
    assert (session.status, session.close_reason) == ("closed", "shutdown")


async def test_the_end_of_one_call_does_not_touch_another() -> None:
    async with a_room(FinalWords("hello")) as room:
        first = await room.calls.hold(STARTED)
        second = await room.calls.hold(Started("MZ2", "CA2"))

        await room.calls.close(first.leg, Lost("connection_lost"))
        talk(second)
        await room.calls.close(second.leg, Stopped("CA2"))

        assert "final" in await room.kinds(second.session_id)


def test_a_time_that_has_come_already_harms_no_call_on_uvloop() -> None:
    """There `call_at` makes no timer of it, but a handle that does not know its time."""
    uvloop = pytest.importorskip("uvloop")

    async def scene() -> int:
        async with a_room() as room:
            held = await room.calls.hold(STARTED)
            held.leg._clock = lambda: time.monotonic() - 5
            for _ in range(3):
                held.ask(Play(b"\x01" * 8_000, "late news"))
            return len(held.outbound())

    assert uvloop.run(scene()) > 0


async def test_a_stream_that_was_proven_may_join_no_other_calls_session() -> None:
    async with a_room() as room:
        session = begin("CA9", SessionConfig(), room.clock())
        await room.store.add(session)
        started = replace(STARTED, parameters={"sessionId": session.session_id})

        for shown in (Pass(proven=True), Pass(proven=True, session_id=session.session_id)):
            with pytest.raises(Refused, match="is not that of session"):
                await room.calls.open(started, TwilioWire(), HeldOutlet(), shown)

        assert not len(room.calls)
        assert await room.store.load(session.session_id) == session


async def test_a_ticket_says_whose_stream_it_is_whatever_the_stream_says() -> None:
    async with a_room() as room:
        session = begin(f"{UNNAMED}1", SessionConfig(), room.clock(), direction="outbound")
        await room.store.add(session)
        started = replace(STARTED, parameters={"sessionId": "sess_other"})

        leg = await room.calls.open(
            started, TwilioWire(), HeldOutlet(), Pass(proven=True, session_id=session.session_id)
        )
        joined = await room.store.load(session.session_id)

        assert leg.session_id == session.session_id
        assert joined is not None
        assert joined.call_sid == started.call_sid
