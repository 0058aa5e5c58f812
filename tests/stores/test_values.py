"""What every store keeps: values that come back as they were, or are refused before they are kept."""

from datetime import datetime
from typing import Any

import pytest

from mcp_voice.core.session import Change, Entry, SessionConfig, Turn
from mcp_voice.errors import Invalid
from mcp_voice.ports import SessionStore
from mcp_voice.stores.rows import session_of
from tests.stores.records import NOON, a_session, at

pytestmark = pytest.mark.anyio


async def test_the_config_and_the_tools_of_a_turn_come_back_too(store: SessionStore) -> None:
    config = SessionConfig(stt_provider="pocketsphinx", ttl=90, metadata={"n": 1.5, "big": 10**40})
    turn = Turn.model_validate(
        {
            "turnId": "t1",
            "timestamp": at(1),
            "interrupted": True,
            "heardFraction": 0.25,
            "cutAtMs": 400,
            "toolCalls": [{"name": "look", "arguments": {"q": [1]}, "result": {}}],
        }
    )
    session = a_session().model_copy(update={"config": config, "turns": (turn,)})

    await store.add(session)

    assert await store.load(session.session_id) == session


async def test_a_turn_that_was_kept_before_its_cut_was_measured_can_be_read() -> None:
    session = a_session()
    kept = '{"turnId":"t1","interrupted":true,"heardByCaller":"a long","timestamp":"2025-03-01T12:00:00Z"}'

    [turn] = session_of(session.model_dump_json(by_alias=True), [kept]).turns

    assert (turn.heard_by_caller, turn.heard_fraction, turn.cut_at_ms) == ("a long", None, None)


async def test_nobody_changes_a_record_by_changing_what_was_handed_in_or_out(store: SessionStore) -> None:
    session = a_session()
    untouched = session.model_copy(deep=True)
    await store.add(session)

    session.metadata["case"] = "handed in"
    handed_out = await store.load(session.session_id)
    assert handed_out is not None
    handed_out.metadata["case"].append("handed out")

    assert await store.load(session.session_id) == untouched


def nested(levels: int) -> dict[str, Any]:
    """JSON of that depth: 220 levels can be written, and not read again."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    "broken",
    [
        {"metadata": nested(220)},
        {"metadata": nested(2_000)},
        {"metadata": {"half": "\ud800"}},
        {"metadata": {"what": object()}},
        {"call_sid": "CA\0"},
        {"call_sid": "CA\udc00"},
        {"last_activity_at": datetime(2025, 3, 1, 12)},  # noqa: DTZ001  # no zone is the point
        {"version": 2**63},
        {"version": 0},
        {"status": "lost"},
    ],
    ids=lambda broken: f"{next(iter(broken))}",
)
async def test_what_could_not_be_read_again_is_refused(store: SessionStore, broken: dict[str, Any]) -> None:
    good = a_session()
    await store.add(good)

    with pytest.raises(Invalid):
        await store.add(a_session("CA2").model_copy(update=broken))
    with pytest.raises(Invalid):
        await store.commit(Change(good.touched(at(1)).model_copy(update=broken)), 1)

    assert list(await store.find()) == [good]


@pytest.mark.parametrize("line", [Entry(at=NOON, kind="mark"), Entry(seq=2**63, at=NOON, kind="mark")])
async def test_a_log_line_has_a_number(store: SessionStore, line: Entry) -> None:
    session = a_session()
    await store.add(session)

    with pytest.raises(Invalid, match="seq"):
        await store.commit(Change(session.touched(at(1)), (), (line,)), 1)

    assert await store.load(session.session_id) == session


async def test_a_name_that_no_database_takes_is_refused(store: SessionStore) -> None:
    for ask in (store.load, store.named, store.entries, lambda odd: store.remove([odd])):
        for odd in ("a\0b", "\ud800"):
            with pytest.raises(Invalid, match="character"):
                await ask(odd)


async def test_a_time_without_a_zone_finds_nothing_and_says_so(store: SessionStore) -> None:
    with pytest.raises(Invalid, match="time zone"):
        await store.find(idle_before=datetime(2025, 3, 1))  # noqa: DTZ001  # no zone is the point
