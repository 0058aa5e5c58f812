"""`telephony.record`: both sides of a call as one stereo file, if whoever runs this server allows it.

`start_recording` is the one way in, for every tool: it asks the rules, has the
announcement said to its end, and only then begins. The announcement belongs to
the call, not to the request: a client that does not wait for it does not stop it.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from mcp_voice.core.asks import Ask
from mcp_voice.core.session import Status
from mcp_voice.core.stereo import seconds_in
from mcp_voice.errors import NotConfigured, NotFound, NotLive, PolicyDenied, Refused
from mcp_voice.ports import Desk, LiveCall, Recording, RecordingState
from mcp_voice.tools.catalogue import Answer, Arguments, tool
from mcp_voice.tools.mouths import Mouths
from mcp_voice.tools.talking import voice_of
from mcp_voice.tools.waiting import on_the_line
from mcp_voice.tools.waiting import record as record_of

Action: TypeAlias = Literal["start", "pause", "resume", "stop", "status"]

RUNNING: Final = frozenset[RecordingState]({"recording", "paused"})

LONGEST: Final = 60.0
"""Seconds an announcement may take: it is said behind what is being said."""

NEXT_STEP: Final[Mapping[RecordingState, str]] = {
    "off": "Nothing is recorded.",
    "announcing": "The caller is being told; then it begins. Ask again with action status.",
    "recording": "Go on with the call; it ends with the call.",
    "paused": "Go on with action resume when the caller may be recorded again.",
    "stopped": "Read it at recordingUri.",
}


class Announcements:
    """The calls of this process that are being told that they are recorded."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Recording]] = {}

    def begin(self, desk: Desk, call: LiveCall) -> asyncio.Task[Recording]:
        """Tell the caller, then record; who asks again meanwhile gets the same."""
        task = self._tasks.get(call.session_id)
        if task is None:
            task = asyncio.create_task(_announced(desk, call), name="announcement")
            self._tasks[call.session_id] = task
            task.add_done_callback(lambda done: self._over(call.session_id, done))
        return task

    def drop(self, call: LiveCall) -> None:
        """Do not record what is being announced; what is being said is said."""
        if call.session_id in self._tasks:
            self._tasks[call.session_id].cancel()

    def _over(self, session_id: str, done: asyncio.Task[Recording]) -> None:
        del self._tasks[session_id]
        if not done.cancelled():
            done.exception()  # told to whoever waits, if anybody does

    def __contains__(self, session_id: object) -> bool:
        return session_id in self._tasks

    async def aclose(self) -> None:
        """Begin no more recordings."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def start_recording(desk: Desk, call: LiveCall) -> Recording:
    """Record a live call from now on, as the rules have it; `announcing` while the caller is being told.

    Raises:
        PolicyDenied: calls are not recorded here.
        Refused: the announcement was not said whole.
        NotLive, NotConfigured, RecordingFailed, ProviderFailed: it cannot be announced, or kept.
    """
    may_record(desk)
    if call.mode == "relay":
        raise NotConfigured(
            "The audio of a relayed call is with Twilio.", advice="Its words are kept anyway."
        )
    if desk.recording.policy == "on" or call.recorder.status.state in RUNNING:
        return await call.recorder.start()
    task = desk.drawer(Announcements).begin(desk, call)
    await asyncio.wait({task}, timeout=desk.recording.patience)
    if task.cancelled():
        raise Refused("The recording was stopped before it began.", advice="Start it again if it is wanted.")
    return task.result() if task.done() else Recording("announcing")


def may_record(desk: Desk) -> None:
    """Raise `PolicyDenied` where calls are not recorded."""
    if desk.recording.policy == "off":
        raise PolicyDenied(
            "Calls are not recorded here.",
            advice="Go on without; the operator allows it with MCP_VOICE_RECORDING__POLICY, announce or on.",
        )


async def _announced(desk: Desk, call: LiveCall) -> Recording:
    """Say the announcement, and begin once it is in the log that it was heard."""
    talk = desk.talks.of(call.session_id)
    session = await record_of(desk, talk)
    speaks = desk.providers.voice(session.tts_provider)
    config = voice_of(desk, session)
    ask = Ask(says=desk.recording.announcement, listens=False)
    if talk.conversation.begin(ask, time.monotonic()) is not ask:
        raise Refused("The agent is saying the announcement's very words.", advice="Start again when it has.")
    desk.drawer(Mouths).say(call, talk, ask, speaks, config, interruptible=False)
    outcome = await talk.outcome(ask, LONGEST)
    talk.conversation.finish(ask)
    if ask.failed is not None:
        raise ask.failed
    if outcome == "hungUp":
        raise NotLive("The call ended before the announcement was said.", advice="Nothing was recorded.")
    if ask.spoken is None or ask.spoken.interrupted or ask.spoken.heard_fraction < 1.0:
        raise Refused(
            "The announcement was not said to its end; nothing is recorded.",
            advice="Start again, in silence.",
        )
    return await call.recorder.start()


class Record(Arguments):
    """What to do, and in which call."""

    action: Annotated[Action, Field(description="pause keeps silence.")]
    session_id: Annotated[
        str | None, Field(min_length=1, max_length=64, description="May be left out while one call is live.")
    ] = None


class Recorded(Answer):
    """How it stands."""

    session_id: str
    status: Status
    seq: int
    recording: RecordingState
    seconds: float
    recording_uri: Annotated[str | None, Field(description="audio/wav: caller left, agent right.")] = None
    file: Annotated[str | None, Field(description="On this server's machine.")] = None
    next_step: str


@tool("telephony.record", title="Record a call", rpm=60, repeats=True, toolsets=("media", "agent"))
async def record(ask: Record, desk: Desk) -> Recorded:
    """Record both sides of a call. By this server's rules the caller is told first, or it is refused.

    Pause while the caller tells a secret. It ends with the call.
    """
    if ask.action == "status" and ask.session_id is not None:
        call = desk.switchboard.call(session_id=ask.session_id)
        if call is None:
            return await _answer(desk, ask.session_id, None)
    call = await on_the_line(desk, ask.session_id)
    return await _answer(desk, call.session_id, await _done(desk, call, ask.action))


async def _done(desk: Desk, call: LiveCall, action: Action) -> Recording:
    announcements = desk.drawer(Announcements)
    match action:
        case "start":
            return await start_recording(desk, call)
        case "pause":
            return call.recorder.pause()
        case "resume":
            return call.recorder.resume()
        case "stop":
            announcements.drop(call)
            return await call.recorder.stop()
        case "status":
            now = call.recorder.status
            told = now.state in RUNNING or call.session_id not in announcements
            return now if told else Recording("announcing", now.seconds)


async def _answer(desk: Desk, session_id: str, now: Recording | None) -> Recorded:
    session = await desk.store.load(session_id)
    if session is None:
        raise NotFound("session", session_id, advice="Its record was removed.")
    kept = None if desk.recordings is None else await desk.recordings.find(session_id)
    if now is None:
        now = Recording() if kept is None else Recording("stopped", seconds_in(kept.size))
    return Recorded(
        session_id=session_id,
        status=session.status,
        seq=session.seq,
        recording=now.state,
        seconds=now.seconds,
        recording_uri=None if kept is None else f"voice://sessions/{session_id}/recording",
        file=None if kept is None else str(kept.path),
        next_step=NEXT_STEP[now.state],
    )
