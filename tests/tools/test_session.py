from pathlib import Path

import anyio
import pytest

from mcp_voice.core.events import Started
from mcp_voice.core.session import Turn, change
from mcp_voice.errors import Invalid, NotFound, NotLive, SessionClosed, StaleVersion
from mcp_voice.media.shelf import Shelf
from tests.tools.desk import Office
from tests.tools.streams import start_message


async def created(office: Office, **config: object) -> str:
    answer = await office.use("session.create", callSid="CA1", config=config)
    session_id = answer["sessionId"]
    assert isinstance(session_id, str)
    return session_id


# ─── create ──────────────────────────────────────────────────────────────────


async def test_a_new_session_has_a_name_nobody_can_guess(office: Office) -> None:
    first, second = await created(office), await created(office)

    assert first != second
    assert len(bytes.fromhex(first.removeprefix("sess_"))) == 16


async def test_a_new_session_is_as_it_was_configured(office: Office) -> None:
    session_id = await created(
        office, sttProvider="deepgram", ttsProvider="espeak", ttl=60, metadata={"customer": "c-17"}
    )

    session = (await office.use("session.get", sessionId=session_id))["session"]

    assert session["status"] == "pending"
    assert (session["sttProvider"], session["ttsProvider"], session["ttl"]) == ("deepgram", "espeak", 60)
    assert session["metadata"] == {"customer": "c-17"}
    assert session["createdAt"] == "2026-01-01T00:00:00Z"


async def test_a_new_session_is_counted(office: Office) -> None:
    await created(office)

    counts = office.desk.counts
    assert (counts.sessions_created, counts.sessions_active, counts.directions["inbound"]) == (1, 1, 1)


@pytest.mark.parametrize("ttl", [59, 86_401, "an hour"])
async def test_a_session_lives_between_a_minute_and_a_day(office: Office, ttl: object) -> None:
    with pytest.raises(Invalid, match="ttl"):
        await office.use("session.create", callSid="CA1", config={"ttl": ttl})


async def test_a_session_does_not_keep_a_library(office: Office) -> None:
    with pytest.raises(Invalid, match="65536"):
        await office.use("session.create", callSid="CA1", config={"metadata": {"book": "x" * 70_000}})


# ─── get ─────────────────────────────────────────────────────────────────────


async def test_an_unknown_session_is_null_and_the_answer_says_what_to_do(office: Office) -> None:
    answer = await office.use("session.get", sessionId="sess_none")

    assert answer["session"] is None
    assert "session.create" in answer["advice"]


async def test_a_call_names_its_newest_session(office: Office) -> None:
    await created(office)
    office.clock.advance(1)
    newest = await created(office)

    answer = await office.use("session.get", callSid="CA1")

    assert answer["session"]["sessionId"] == newest


async def test_a_session_is_asked_for_by_one_name(office: Office) -> None:
    with pytest.raises(Invalid, match="either sessionId or callSid"):
        await office.use("session.get", sessionId="sess_1", callSid="CA1")


@pytest.mark.parametrize("detail", ["concise", "full", "timeline"])
async def test_a_session_says_what_else_can_be_read_of_it(
    office: Office, tmp_path: Path, detail: str
) -> None:
    session_id = await created(office)
    before = (await office.use("session.get", sessionId=session_id))["links"]
    office.desk.recordings = Shelf(tmp_path)
    unkept = (await office.use("session.get", sessionId=session_id, detail=detail))["links"]
    (tmp_path / f"{session_id}.wav").write_bytes(b"RIFF")
    kept = (await office.use("session.get", sessionId=session_id, detail=detail))["links"]

    where = f"voice://sessions/{session_id}"
    words = {"transcript": f"{where}/transcript", "events": f"{where}/events"}
    assert before == unkept == {**words, "recording": None}
    assert kept == {**words, "recording": f"{where}/recording"}


async def test_the_only_live_call_needs_no_name(office: Office) -> None:
    await created(office)
    with pytest.raises(NotLive, match="No call is live"):
        await office.use("session.get")
    one = await office.calls.hold(Started("MZ1", "CA2"))
    got = await office.use("session.get")
    await office.calls.hold(Started("MZ2", "CA3"))

    assert got["session"]["sessionId"] == one.session_id
    with pytest.raises(Invalid, match=one.session_id):
        await office.use("session.get")


async def test_a_session_past_its_idle_time_is_not_there(office: Office) -> None:
    session_id = await created(office, ttl=60)
    office.clock.advance(61)

    answer = await office.use("session.get", sessionId=session_id)

    assert answer["session"] is None
    with pytest.raises(NotFound):
        await office.use("session.update", sessionId=session_id, updates={"metadata": {"a": 1}})


async def test_a_session_with_an_open_stream_does_not_run_out(office: Office) -> None:
    session_id = (await office.use("twilio.handleStart", message=start_message()))["sessionId"]
    office.clock.advance(7_200)

    answer = await office.use("session.get", sessionId=session_id)

    assert answer["session"]["status"] == "active"


async def test_a_glance_shows_three_turns_and_leaves_the_rest_out(office: Office) -> None:
    session_id = await created(office, metadata={"long": "story"})
    turns = [{"turnId": f"t{n}", "userUtterance": f"word {n}"} for n in range(5)]
    await office.use("session.update", sessionId=session_id, updates={"turns": turns})

    session = (await office.use("session.get", sessionId=session_id, detail="concise"))["session"]

    assert [turn["turnId"] for turn in session["turns"]] == ["t2", "t3", "t4"]
    assert session["status"] == "pending"
    assert not {"metadata", "config"} & session.keys()


# ─── update ──────────────────────────────────────────────────────────────────


async def test_turns_are_appended(office: Office) -> None:
    session_id = await created(office)
    await office.use("session.update", sessionId=session_id, updates={"turns": [{"userUtterance": "hello"}]})

    answer = await office.use(
        "session.update", sessionId=session_id, updates={"turns": [{"agentResponse": "good day"}]}
    )

    assert answer["updated"] is True
    said = [(turn["userUtterance"], turn["agentResponse"]) for turn in answer["session"]["turns"]]
    assert said == [("hello", None), (None, "good day")]
    assert len({turn["turnId"] for turn in answer["session"]["turns"]}) == 2
    assert (await office.use("session.get", sessionId=session_id))["session"] == answer["session"]


async def test_a_turn_that_is_there_is_completed(office: Office) -> None:
    session_id = await created(office)
    asked = {"turnId": "t1", "userUtterance": "who is there?", "timestamp": "2026-01-01T12:00:00Z"}
    await office.use("session.update", sessionId=session_id, updates={"turns": [asked]})

    answer = await office.use(
        "session.update",
        sessionId=session_id,
        updates={"turns": [{"turnId": "t1", "agentResponse": "the cat"}]},
    )

    (turn,) = answer["session"]["turns"]
    assert (turn["userUtterance"], turn["agentResponse"]) == ("who is there?", "the cat")
    assert turn["timestamp"] == "2026-01-01T12:00:00Z"


async def test_metadata_is_merged_and_null_removes(office: Office) -> None:
    session_id = await created(office, metadata={"kept": 1, "changed": 1, "removed": 1})

    answer = await office.use(
        "session.update",
        sessionId=session_id,
        updates={"metadata": {"changed": 2, "removed": None, "new": [3]}},
    )

    assert answer["session"]["metadata"] == {"kept": 1, "changed": 2, "new": [3]}


async def test_only_the_settings_given_change(office: Office) -> None:
    session_id = await created(office, ttl=120, sttProvider="deepgram")

    answer = await office.use("session.update", sessionId=session_id, updates={"config": {"ttl": 600}})

    assert (answer["session"]["ttl"], answer["session"]["config"]["ttl"]) == (600, 600)
    assert answer["session"]["sttProvider"] == answer["session"]["config"]["sttProvider"] == "deepgram"


async def test_an_update_for_an_older_version_changes_nothing(office: Office) -> None:
    session_id = await created(office)
    await office.use("session.update", sessionId=session_id, ifVersion=1, updates={"metadata": {"a": 1}})

    with pytest.raises(StaleVersion) as stale:
        await office.use("session.update", sessionId=session_id, ifVersion=1, updates={"metadata": {"a": 2}})

    assert stale.value.details == {"version": 2, "wanted": 1}
    assert (await office.use("session.get", sessionId=session_id))["session"]["metadata"] == {"a": 1}


async def test_updates_at_once_are_all_kept(office: Office) -> None:
    session_id = await created(office)

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(update_one, office, session_id, number)

    session = (await office.use("session.get", sessionId=session_id))["session"]
    assert session["metadata"] == {str(number): number for number in range(10)}
    assert len(session["turns"]) == 10
    assert session["version"] == 11


async def update_one(office: Office, session_id: str, number: int) -> None:
    updates = {"metadata": {str(number): number}, "turns": [{"userUtterance": str(number)}]}
    await office.use("session.update", sessionId=session_id, updates=updates)


@pytest.mark.parametrize(
    "updates",
    [
        {},
        {"sessionId": "sess_2"},
        {"status": "closed"},
        {"turns": [{"words": "hello"}]},
        {"turns": [{"timestamp": "2026-01-01T00:00:00"}]},
        {"turns": [{}] * 101},
        {"config": {"ttl": 1}},
        {"config": {"metadata": {}}},
        {"metadata": "none"},
        {"metadata": {"book": "x" * 100_000}},
    ],
)
async def test_what_cannot_be_changed_is_refused_and_nothing_changes(
    office: Office, updates: dict[str, object]
) -> None:
    session_id = await created(office)

    with pytest.raises(Invalid):
        await office.use("session.update", sessionId=session_id, updates=updates)

    assert (await office.use("session.get", sessionId=session_id))["session"]["version"] == 1


async def test_metadata_does_not_grow_past_its_room_bit_by_bit(office: Office) -> None:
    session_id = await created(office)
    await office.use("session.update", sessionId=session_id, updates={"metadata": {"a": "x" * 40_000}})

    with pytest.raises(Invalid, match="metadata has"):
        await office.use("session.update", sessionId=session_id, updates={"metadata": {"b": "x" * 40_000}})


async def test_a_turn_that_a_call_has_written_can_be_completed_by_its_agent(office: Office) -> None:
    session_id = await created(office)
    session = await office.desk.store.load(session_id)
    assert session is not None
    turn = Turn(turn_id="turn-1", user_utterance="hello", timestamp=office.clock())
    await office.desk.store.amend(session_id, lambda old: change(old.touched(office.clock()), [turn]))

    answer = await office.use(
        "session.update",
        sessionId=session_id,
        updates={"turns": [{"turnId": "turn-1", "toolCalls": [{"name": "crm.find", "arguments": {"q": 1}}]}]},
    )

    assert answer["session"]["turns"][0]["userUtterance"] == "hello"
    assert answer["session"]["turns"][0]["toolCalls"][0]["name"] == "crm.find"


# ─── close ───────────────────────────────────────────────────────────────────


async def test_a_closed_session_says_how_long_it_lasted(office: Office) -> None:
    session_id = await created(office)
    office.clock.advance(125)

    answer = await office.use("session.close", sessionId=session_id, reason="caller asked")

    assert answer == {"closed": True, "duration": 125_000}
    session = (await office.use("session.get", sessionId=session_id))["session"]
    assert (session["status"], session["closeReason"]) == ("closed", "caller asked")
    assert session["closedAt"] == "2026-01-01T00:02:05Z"
    counts = office.desk.counts
    assert (counts.sessions_closed, counts.sessions_active, counts.disconnect_reasons["other"]) == (1, 0, 1)


async def test_a_session_closes_once(office: Office) -> None:
    session_id = await created(office)
    await office.use("session.close", sessionId=session_id)

    with pytest.raises(SessionClosed):
        await office.use("session.close", sessionId=session_id)
    with pytest.raises(SessionClosed):
        await office.use("session.update", sessionId=session_id, updates={"metadata": {"a": 1}})

    assert office.desk.counts.sessions_closed == 1


async def test_closing_a_session_ends_its_stream(office: Office) -> None:
    session_id = (await office.use("twilio.handleStart", message=start_message()))["sessionId"]

    answer = await office.use("session.close", sessionId=session_id, reason="enough")

    assert answer["closed"] is True
    assert len(office.calls) == 0
    session = (await office.use("session.get", sessionId=session_id))["session"]
    assert (session["status"], session["closeReason"]) == ("closed", "enough")
    assert office.desk.counts.sessions_closed == 1


async def test_an_unknown_session_cannot_be_closed(office: Office) -> None:
    with pytest.raises(NotFound):
        await office.use("session.close", sessionId="sess_none")


# ─── cleanup ─────────────────────────────────────────────────────────────────


async def test_old_records_go_and_young_ones_stay(office: Office) -> None:
    old, young, running = await created(office), await created(office), await created(office, ttl=86_400)
    await office.use("session.close", sessionId=old)
    office.clock.advance(600)
    await office.use("session.close", sessionId=young)
    office.clock.advance(600)

    answer = await office.use("session.cleanup", olderThan=900)

    assert answer == {"cleaned": 1}
    assert (await office.use("session.get", sessionId=old))["session"] is None
    assert (await office.use("session.get", sessionId=young))["session"]["status"] == "closed"
    assert (await office.use("session.get", sessionId=running))["session"]["status"] == "pending"


async def test_a_session_left_alone_is_closed_and_removed(office: Office) -> None:
    await created(office, ttl=60)
    office.clock.advance(61)

    answer = await office.use("session.cleanup", olderThan=0)

    assert answer == {"cleaned": 1}
    counts = office.desk.counts
    assert (counts.sessions_timed_out, counts.sessions_active, counts.disconnect_reasons["idle"]) == (1, 0, 1)


async def test_a_live_call_is_never_cleaned_away(office: Office) -> None:
    session_id = (await office.use("twilio.handleStart", message=start_message()))["sessionId"]
    office.clock.advance(100_000)

    answer = await office.use("session.cleanup", olderThan=0)

    assert answer == {"cleaned": 0}
    assert (await office.use("session.get", sessionId=session_id))["session"]["status"] == "active"


@pytest.mark.parametrize("age", [-1, "old", None, 1e18])
async def test_an_age_is_seconds(office: Office, age: object) -> None:
    with pytest.raises(Invalid, match="olderThan"):
        await office.use("session.cleanup", olderThan=age)
