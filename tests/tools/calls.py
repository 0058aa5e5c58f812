"""Calls that a test begins with."""

from typing import Any, Final

from mcp_voice.core.audio import SILENCE_FRAME
from tests.tools.desk import Office
from tests.tools.streams import media_messages, start_message

CALL: Final = {"callSid": "CA1", "from": "+14155550123", "to": "+14155550199"}


async def let_in(office: Office, **fields: str) -> str:
    answer = await office.use("telephony.handleConnect", **{**CALL, **fields})
    session_id = answer["sessionId"]
    assert isinstance(session_id, str)
    return session_id


async def on_the_line(office: Office) -> str:
    session_id = await let_in(office)
    await office.use("twilio.handleStart", message=start_message(sessionId=session_id))
    return session_id


async def session_of(office: Office, session_id: str) -> dict[str, Any]:
    session = (await office.use("session.get", sessionId=session_id))["session"]
    assert isinstance(session, dict)
    return session


async def outbound(office: Office) -> list[dict[str, Any]]:
    answer = await office.use("twilio.handleMedia", messages=media_messages(SILENCE_FRAME))
    messages = answer["outbound"]
    assert isinstance(messages, list)
    return messages
