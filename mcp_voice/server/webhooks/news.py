"""What Twilio tells of a call, into its record.

News comes at least once and in any order. The same news is known by a number
in it, what is older than what is known changes nothing, and of a call that is
over only its end was worth knowing.
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Final, TypeAlias

import anyio
import structlog

from mcp_voice.carriers.twilio import callbacks
from mcp_voice.carriers.twilio.callbacks import (
    Amd,
    CallStatus,
    ConferenceEvent,
    Form,
    RecordingStatus,
    StreamStatus,
    Transcription,
)
from mcp_voice.core.events import AnsweredBy
from mcp_voice.core.session import Entry, Session, change
from mcp_voice.ports import Desk
from mcp_voice.tools.telephony import over

Path: TypeAlias = Mapping[str, str]
News: TypeAlias = CallStatus | Amd | StreamStatus | RecordingStatus | ConferenceEvent | Transcription

READS: Final[Mapping[str, Callable[[Form], News]]] = {
    "status": callbacks.call_status,
    "amd": callbacks.amd,
    "stream-status": callbacks.stream_status,
    "recording": callbacks.recording,
    "conference": callbacks.conference,
    "transcription": callbacks.transcription,
}
"""What comes to which address."""

PLACING: Final = 5.0
"""Seconds that news of a call waits for its name, which the network may know before we do."""

MOST_ORDERED: Final = 10_000

log = structlog.get_logger(__name__)


def key(news: News) -> tuple[Hashable, ...] | None:
    """Return what the same news has in common; None if nothing tells."""
    match news:
        case CallStatus(sequence=int(sequence)):
            return "status", news.call_sid, sequence
        case CallStatus():
            return "status", news.call_sid, news.status
        case Amd():
            return "amd", news.call_sid, news.answered_by
        case StreamStatus():
            return "stream", news.stream_sid, news.event
        case RecordingStatus():
            return "recording", news.recording_sid, news.status
        case ConferenceEvent(sequence=int(sequence)):
            return "conference", news.conference_sid, sequence, news.event
        case Transcription(sequence=int(sequence)):
            return "transcription", news.transcription_sid, sequence
        case _:
            return None


class Newsroom:
    """Takes news."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._latest: dict[str, int] = {}

    async def take(self, news: News, path: Path) -> None:
        """Write down what there is to write down; news of a call that is not known is passed over."""
        session = await self._session(news, path)
        if session is None:
            log.info("news_of_nobody", kind=type(news).__name__)
            return
        match news:
            case CallStatus():
                await self._status(session, news)
            case Amd():
                await told_who(self._desk, session, AnsweredBy(news.answered_by, news.after_ms))
            case _ if (noted := _noted(news)) is not None:
                await _note(self._desk, session, *noted)

    async def _status(self, session: Session, news: CallStatus) -> None:
        """Follow a call; what is older than what is known changes nothing."""
        if news.sequence is not None and not self._newer(news.call_sid, news.sequence):
            return
        if news.status in callbacks.ENDED:
            await over(self._desk, session, news.status)
        elif not session.closed:
            await _note(self._desk, session, "callStatus", {"status": news.status})

    def _newer(self, call_sid: str, sequence: int) -> bool:
        if sequence < self._latest.get(call_sid, 0):
            return False
        while len(self._latest) >= MOST_ORDERED:
            del self._latest[next(iter(self._latest))]
        self._latest[call_sid] = sequence
        return True

    async def _session(self, news: News, path: Path) -> Session | None:
        """Return whose news it is: the session in the address, or that of the call."""
        store, wanted = self._desk.store, path.get("session_id")
        if wanted is not None:
            session = await store.load(wanted)
            ours = session and (news.call_sid in (None, session.call_sid) or session.unnamed)
            return session if ours or isinstance(news, ConferenceEvent) else None
        if news.call_sid is None:
            return None
        if (session := await store.named(news.call_sid)) is not None:
            return session
        return await self._placed(store.named, news.call_sid)

    async def _placed(
        self, named: Callable[[str], Awaitable[Session | None]], call_sid: str
    ) -> Session | None:
        """Wait for a call that is being placed to have its name."""
        with anyio.move_on_after(PLACING):
            while True:
                bell = self._desk.talks.bell
                if (session := await named(call_sid)) is not None:
                    return session
                if not any(each.unnamed for each in await self._desk.store.find(live=True, limit=100)):
                    return None
                await bell.wait()
        return None


async def told_who(desk: Desk, session: Session, news: AnsweredBy) -> None:
    """Let a call know who has answered it; one whose stream is not open finds it in its record."""
    live = desk.switchboard.call(session_id=session.session_id)
    if live is not None:
        live.ask(news)
    elif not session.closed:
        data = {"answeredBy": news.verdict, "by": "carrier", "why": news.who, "afterMs": news.after_ms}
        await _note(desk, session, "amd", data)


def _noted(news: News) -> tuple[str, dict[str, object]] | None:
    """Return the line that a call's log gets."""
    match news:
        case StreamStatus(event="stream-error"):
            return "error", {"of": "stream", "code": "stream_error", "message": news.error or "It failed."}
        case StreamStatus():
            return "stream", {"state": news.event.removeprefix("stream-"), "streamSid": news.stream_sid}
        case RecordingStatus():
            return "recording", {
                "by": "carrier", "state": news.status, "recordingSid": news.recording_sid,
                "seconds": news.seconds, "channels": news.channels, "error": news.error,
            }  # fmt: skip
        case ConferenceEvent():
            gone = news.event == "participant-leave" and news.label is not None
            return "conference", {
                "by": "carrier", "event": news.event, "conferenceSid": news.conference_sid,
                "participant": news.label, "action": "remove" if gone else None, "reason": news.reason,
            }  # fmt: skip
        case Transcription(event="transcription-content", final=True):
            return "transcription", {
                "track": news.track, "text": news.text, "confidence": news.confidence,
            }  # fmt: skip
        case Transcription(event="transcription-error"):
            why = f"Twilio's transcription failed: error {news.error or 'unknown'}."
            return "error", {"of": "transcription", "code": "transcription_error", "message": why}
        case _:
            return None


async def _note(desk: Desk, session: Session, kind: str, data: Mapping[str, object]) -> None:
    """Write a line in a call's log."""
    now = desk.now()
    entry = Entry(at=now, kind=kind, data={name: value for name, value in data.items() if value is not None})
    await desk.store.amend(session.session_id, lambda old: change(old.touched(now), entries=[entry]))
