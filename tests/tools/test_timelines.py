"""A call's log, as it is read while the call goes on."""

from collections.abc import Sequence

from mcp_voice.core.session import Entry, change
from mcp_voice.stores.memory import MemoryStore
from tests.tools.desk import Office
from tests.tools.streams import start_message


async def test_a_timeline_shows_the_log_behind_what_is_known(office: Office) -> None:
    started = await office.use(
        "telephony.handleConnect", callSid="CA1", **{"from": "+14155550123", "to": "+1"}
    )
    await office.use("twilio.handleStart", message=start_message(sessionId=started["sessionId"]))
    await office.use("twilio.handleStop", message={"event": "stop", "streamSid": "MZ1", "callSid": "CA1"})

    all_of_it = await office.use("session.get", sessionId=started["sessionId"], detail="timeline")
    rest = await office.use("session.get", sessionId=started["sessionId"], detail="timeline", after=1)

    assert [event["seq"] for event in all_of_it["events"]] == list(range(1, len(all_of_it["events"]) + 1))
    assert rest["events"] == all_of_it["events"][1:]
    assert all_of_it["events"][-1]["kind"] == "ended"


async def test_a_timeline_tells_of_nothing_that_its_session_does_not_know(office: Office) -> None:
    now = office.desk.now()
    answered = [Entry(at=now, kind="answered")]

    class Busy(MemoryStore):
        async def entries(self, session_id: str, after: int = 0, limit: int = 100) -> Sequence[Entry]:
            await self.amend(session_id, lambda old: change(old.reopened("MZ1", now), entries=answered))
            return await super().entries(session_id, after, limit)

    office.desk.store = Busy()
    session_id = (await office.use("session.create", callSid="CA1", config={}))["sessionId"]
    got = await office.use("session.get", sessionId=session_id, detail="timeline")

    assert [event["kind"] for event in got["events"]] == ["answered"]
    assert got["session"]["streamSid"] == "MZ1"
