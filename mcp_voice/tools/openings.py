"""The first words of a call, from the moment somebody picks up.

Whoever is called speaks first, or at the same moment as we do: their greeting
cuts ours short. That is no answer to it. So first words that were cut in the
first seconds are said again when the other side has finished, and so are words
that have to be heard whole. A machine that picks up is dealt with as the caller
of the tool wished: told of, hung up on, or left a message behind its beep.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from mcp_voice.core.asks import Ask
from mcp_voice.core.conversation import MACHINES
from mcp_voice.core.events import Clear, HangUp, Watch
from mcp_voice.core.session import Session
from mcp_voice.errors import VoiceError
from mcp_voice.ports import Desk, LiveCall, Speaks, Talk, VoiceConfig
from mcp_voice.tools.mouths import Mouths
from mcp_voice.tools.recording import start_recording
from mcp_voice.tools.waiting import listen_for

OnVoicemail: TypeAlias = Literal["report", "hangUp", "leave"]

GREETED: Final = 3.0
"""Seconds after an answer in which a voice that cuts in is the other side's greeting."""

THEIR_TURN: Final = 12.0
"""Seconds that a greeting may take."""

NO_BEEP: Final = 40.0
"""Seconds to wait for a machine's beep; then the message is left all the same."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What is said first, behind what has to be `disclosed`."""

    ask: Ask
    disclosed: str = ""
    on_voicemail: OnVoicemail = "report"
    record: bool = False

    @property
    def cut(self) -> bool:
        """Whether the other side has cut in."""
        return self.ask.spoken is not None and self.ask.spoken.interrupted


async def open_call(desk: Desk, talk: Talk, session: Session, opening: Opening) -> None:
    """See a call from its answer to the end of its first words."""
    known, ask = talk.conversation, opening.ask
    await talk.until(lambda: known.ended or known.answered_at is not None)
    call = desk.switchboard.call(session_id=talk.session_id)
    if known.ended or call is None:
        return
    if session.direction == "outbound":
        call.ask(Watch(frozenset({"machine", "beep"})))  # it may be over before anybody asks for it
    if opening.record:
        with suppress(VoiceError):  # it is in the log; the call goes on without
            await start_recording(desk, call)
    listen_for(call, ask)
    if ask.says is not None:
        speaks = desk.providers.voice(session.tts_provider)
        config = VoiceConfig(session.config.voice or desk.voice, session.config.language)
        await _greet(desk, talk, call, opening, speaks, config)
        if known.answered_by in MACHINES and opening.on_voicemail == "leave" and not known.ended:
            await _leave_message(desk, talk, call, ask, speaks, config, opening.disclosed)
    if known.answered_by in MACHINES and not known.ended:
        call.ask(Clear("voicemail"))
        await talk.until(lambda: known.ended or ask.says is None or _said(ask), 1.0)
        talk.settle(ask, "voicemail")
        if opening.on_voicemail == "hangUp":
            call.ask(HangUp("voicemail"))
    elif ask.held:
        talk.settle(ask, None)


async def _greet(
    desk: Desk, talk: Talk, call: LiveCall, opening: Opening, speaks: Speaks, config: VoiceConfig
) -> None:
    """Say the first words, and once more if they met with a greeting."""
    known, ask = talk.conversation, opening.ask

    def stopped() -> bool:
        return known.ended or ask.failed is not None or known.answered_by in MACHINES

    preface = opening.disclosed
    for again in (False, True):
        ask.spoken, ask.replied = None, False
        desk.drawer(Mouths).say(call, talk, ask, speaks, config, interruptible=not again, preface=preface)
        listen_for(call, ask)  # again: what they said meanwhile has used it up
        await talk.until(lambda: stopped() or _said(ask))
        since = time.monotonic() - (known.answered_at or 0.0)
        met = _said(ask) and opening.cut and since < GREETED
        if again or stopped() or not met:
            return
        preface = "" if _heard(preface, ask) else preface
        await talk.until(lambda: stopped() or (ask.replied and not ask.speech), THEIR_TURN)
        if stopped():
            return


async def _leave_message(
    desk: Desk, talk: Talk, call: LiveCall, ask: Ask, speaks: Speaks, config: VoiceConfig, disclosed: str
) -> None:
    """Wait for the beep, say it, and hang up."""
    known = talk.conversation
    call.ask(Clear("voicemail"))
    call.ask(Watch(frozenset({"beep"})))
    await talk.until(lambda: known.ended or known.beeps > 0, NO_BEEP)  # it may be what gave it away
    ask.spoken = None
    desk.drawer(Mouths).say(call, talk, ask, speaks, config, interruptible=False, preface=disclosed)
    await talk.until(lambda: known.ended or ask.failed is not None or _said(ask))
    if _said(ask):
        talk.settle(ask, "voicemail")
    call.ask(HangUp("message_left", after_playout=True))  # not before: its end would be what came of the ask


def _heard(words: str, ask: Ask) -> bool:
    """Whether what was played of it begins with all these words."""
    heard = "" if ask.spoken is None else ask.spoken.heard_by_caller or ""
    return " ".join(heard.split()).startswith(" ".join(words.split()))


def _said(ask: Ask) -> bool:
    return ask.spoken is not None
