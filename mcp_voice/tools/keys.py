"""`telephony.press` and `telephony.gather`: keys, to the other side and from it.

What is pressed goes the carrier's way, or as tones with the audio. What is
gathered is asked for without the agent between question and answer; of a
secret the agent gets a handle, and only `press` can use it.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from secrets import token_hex
from typing import Annotated, Final, Literal, TypeAlias

import anyio
from pydantic import Field, model_validator

from mcp_voice.core.asks import Ask
from mcp_voice.core.digits import Ending, Plan
from mcp_voice.core.dtmf import pressable
from mcp_voice.core.relaying import Press as PressKeys
from mcp_voice.core.session import Entry, Session, Status, change
from mcp_voice.errors import Invalid
from mcp_voice.ports import Desk, Talk
from mcp_voice.tools.catalogue import Answer, Arguments, tool
from mcp_voice.tools.gatherings import Gathering, Gatherings, Kind, Line, Says, Wish
from mcp_voice.tools.hidden import Secrets
from mcp_voice.tools.mouths import Mouths
from mcp_voice.tools.talking import voice_of
from mcp_voice.tools.waiting import (
    Heard,
    OneOf,
    Reply,
    SaidByCaller,
    Waiting,
    WaitSeconds,
    conversation,
    listen_for,
    live,
    record,
    wait,
)

ROUND_SECONDS: Final = 15.0
"""How long a call may take to come back from a carrier that presses keys, beside the keys' own time."""

KEY_SECONDS: Final = 0.5
"""How long a key may take, or a pause."""


# ─── telephony.press ─────────────────────────────────────────────────────────


class Press(Waiting):
    """Which keys."""

    digits: Annotated[
        str,
        Field(
            max_length=64,
            description="Keys; w waits half a second.",
            json_schema_extra={"pattern": "^[0-9*#A-Dw]*$"},
        ),
    ] = ""
    secret: Annotated[
        str | None, Field(max_length=64, description="A handle of telephony.gather, pressed before digits.")
    ] = None


@tool("telephony.press", title="Press keys and listen", rpm=60, open_world=True, toolsets=("media", "agent"))
async def press(ask: Press, desk: Desk) -> Reply:
    """Press keys in a live call, for menus and extensions, and listen for what comes of it.

    Keys go behind what is being said. Returns as telephony.listen does.
    """
    hidden = "" if ask.secret is None else desk.drawer(Secrets).reveal(ask.secret, desk.now())
    digits = pressable(hidden + ask.digits)
    talk = await conversation(desk, ask.session_id)
    call = await live(desk, talk)
    known = talk.conversation
    known.acknowledge(ask.after)
    if (pressed := known.pressing(digits)) is not None:  # for a client that did not wait
        return await wait(desk, talk, pressed, ask.wait_seconds)
    session = await record(desk, talk)
    if call.mode == "relay" and not set("ABCD").isdisjoint(digits):
        raise Invalid("A relayed call has no keys A to D.", advice="Press 0-9, *, # and w.")
    back_by = time.monotonic() + ROUND_SECONDS + KEY_SECONDS * len(digits)
    known.send_round(back_by)  # before the carrier is asked: it may be quicker than its answer
    carriers_own = False
    try:
        if call.mode == "stream":
            carriers_own = await desk.carriers[session.carrier].press(session, digits)
    finally:
        if not carriers_own:
            known.back_by = None
    wanted = known.begin(Ask(expect=ask.expect), time.monotonic())
    wanted.pressed = digits
    wanted.replied = False  # what came before the keys is told with what comes of them
    if not carriers_own:
        wanted.part, wanted.quiet_since = token_hex(8), None  # silence counts from the last key
        call.ask(PressKeys(digits, wanted.part))
        listen_for(call, wanted)
    await _write_down(desk, session, ask)
    return await wait(desk, talk, wanted, ask.wait_seconds)


async def _write_down(desk: Desk, session: Session, ask: Press) -> None:
    now = desk.now()
    data = {"digits": ask.digits} if ask.secret is None else {"secret": True}
    entry = Entry(at=now, kind="pressed", data=data)
    await desk.store.amend(session.session_id, lambda old: change(old.touched(now), entries=[entry]))


# ─── telephony.gather ────────────────────────────────────────────────────────

Came: TypeAlias = Literal["digits", "speech", "nothing", "pending", "hungUp"]

_CAME: Final[Mapping[str, Came]] = {
    "dtmf": "digits", "reply": "speech", "noReply": "nothing", "hungUp": "hungUp",
}  # fmt: skip

NEXT_STEP: Final[Mapping[Came, str]] = {
    "digits": "Go on with telephony.say.",
    "speech": "Answer with telephony.say.",
    "nothing": "Nothing came: ask in other words with telephony.say, or end the call.",
    "pending": "Still gathering: call telephony.gather again with the same arguments.",
    "hungUp": "The call is over. Report what was agreed.",
}

HAND_ON: Final = "Press them with telephony.press: give the handle as secret."


class Gather(Arguments):
    """What to ask, and what is an answer."""

    session_id: OneOf = None
    prompt: Annotated[
        str | None, Field(max_length=2_000, description="Said first, and again when nothing comes.")
    ] = None
    kind: Kind = "digits"
    max_digits: Annotated[int, Field(ge=1, le=64)] = 32
    terminator: Annotated[
        str, Field(pattern=r"^[0-9*#A-D]?$", description="The key that ends the digits; empty for none.")
    ] = "#"
    timeout_seconds: Annotated[float, Field(ge=1, le=60, description="Silence that means no answer.")] = 8.0
    inter_digit_seconds: Annotated[
        float, Field(ge=0.5, le=20, description="Silence that ends the digits.")
    ] = 3.0
    retries: Annotated[int, Field(ge=0, le=5)] = 1
    secret: Annotated[
        bool, Field(description="For PINs and cards: you get a handle for telephony.press, no digits.")
    ] = False
    wait_seconds: WaitSeconds = 20.0

    @model_validator(mode="after")
    def _only_keys_are_secret(self) -> "Gather":
        if self.secret and self.kind != "digits":
            raise ValueError("secret is of kind digits only: what is spoken is written down")
        return self


class Gathered(Answer):
    """What the caller entered."""

    session_id: str
    status: Status
    seq: int
    outcome: Came
    digits: str | None = None
    speech: SaidByCaller | None = None
    handle: Annotated[str | None, Field(description="For telephony.press: good for ten minutes.")] = None
    count: Annotated[int, Field(description="How many digits.")] = 0
    luhn: Annotated[bool | None, Field(description="Whether their check digit is right.")] = None
    ended_by: Ending | None = None
    attempts: int
    heard: list[Heard]
    problem: Annotated[str | None, Field(description="What failed in the call, told once.")] = None
    next_step: str


@tool(
    "telephony.gather", title="Ask for digits or words", rpm=60, open_world=True, toolsets=("media", "agent")
)
async def gather(ask: Gather, desk: Desk) -> Gathered:
    """Ask a caller for a number or a short answer, and ask again if nothing comes.

    Quicker and surer than telephony.say for PINs, account numbers and menus. On outcome pending call it again
    with the same arguments: the gathering goes on.
    """
    if ask.prompt is not None and not ask.prompt.strip():
        raise Invalid("prompt has nothing to say.", advice="Leave it out, or ask something.")
    talk = await conversation(desk, ask.session_id)
    if not talk.conversation.ended:
        await live(desk, talk)
    gathering = await _gathering(ask, talk, desk)
    known, began = talk.conversation, time.monotonic()
    try:
        with talk.present(), anyio.move_on_after(min(ask.wait_seconds, known.patience)):
            await gathering.over.wait()
    except anyio.get_cancelled_exc_class():
        known.gave_up(time.monotonic() - began)
        raise
    if not gathering.over.is_set():
        return await _gathered(gathering, "pending", desk)
    desk.drawer(Gatherings).take(gathering)
    if gathering.failed is not None:
        raise gathering.failed
    return await _gathered(gathering, _CAME[gathering.outcome], desk)


async def _gathering(ask: Gather, talk: Talk, desk: Desk) -> Gathering:
    """Return what is being gathered for this already, or begin."""
    wish = Wish(
        ask.prompt and ask.prompt.strip(),
        ask.kind,
        Plan(ask.max_digits, ask.terminator, ask.timeout_seconds, ask.inter_digit_seconds),
        ask.retries,
        ask.secret,
    )
    gatherings = desk.drawer(Gatherings)
    known = gatherings.known(talk, wish)
    if known is not None:
        return known
    talk.conversation.acknowledge()
    line = partial(desk.switchboard.call, session_id=talk.session_id)
    says = _silent if ask.prompt is None else await _mouth(talk, line, desk)
    hides = partial(desk.drawer(Secrets).keep, session_id=talk.session_id, desk=desk)
    return await gatherings.begin(talk, line, wish, says, hides)


async def _mouth(talk: Talk, line: Line, desk: Desk) -> Says:
    session = await record(desk, talk)
    speaks = desk.providers.voice(session.tts_provider)
    config = voice_of(desk, session)

    def says(asked: Ask) -> None:
        call = line()
        if call is not None:
            desk.drawer(Mouths).say(call, talk, asked, speaks, config, interruptible=True)

    return says


def _silent(asked: Ask) -> None:
    """Ask nothing: the caller knows what to enter."""


async def _gathered(gathering: Gathering, came: Came, desk: Desk) -> Gathered:
    session = await record(desk, gathering.talk)
    talk, over = gathering.talk.conversation, came != "pending"
    return Gathered(
        session_id=session.session_id,
        status=session.status,
        seq=talk.seq,
        outcome=came,
        digits=gathering.digits if came == "digits" and not gathering.wish.secret else None,
        speech=gathering.speech if came == "speech" else None,
        handle=gathering.handle,
        count=gathering.count,
        luhn=gathering.luhn,
        ended_by=gathering.ended_by,
        attempts=gathering.attempts,
        heard=[Heard.model_validate(asdict(words)) for words in talk.tell()] if over else [],
        problem=talk.problems.tell() if over else None,
        next_step=HAND_ON if gathering.handle else NEXT_STEP[came],
    )
