"""What is done with a call: the webhooks that answer with TwiML.

A call that comes in takes a route, and goes on from there by what it asks us
next: behind a stream that ended, a menu, somebody who was dialled. Each answer
follows from the call's record, so any process that has the record can give it.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

import structlog

from mcp_voice.carriers.twilio import callbacks
from mcp_voice.carriers.twilio.callbacks import Form
from mcp_voice.core.events import AnsweredBy
from mcp_voice.core.session import Entry, Session, change
from mcp_voice.core.twiml import Mode, stream_twiml
from mcp_voice.ports import Desk
from mcp_voice.server.sockets import ROOT
from mcp_voice.server.webhooks.answers import (
    dial,
    document,
    followed,
    gather,
    hangup,
    record,
    redirect,
    reject,
    say,
)
from mcp_voice.server.webhooks.door import Turned
from mcp_voice.server.webhooks.news import told_who
from mcp_voice.settings.inbound import Forward, Inbound, Menu, Reject, Relay, Route, Stream, Voicemail
from mcp_voice.tools.telephony import Connect, let_in, over

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Path: TypeAlias = Mapping[str, str]

TAKEN: Final = frozenset({"completed", "answered"})
"""How a `<Dial>` ends that somebody has answered."""

ROUNDS: Final = 10
"""How often a call may come back to us for want of a socket, or go from route to route."""

MOST_COUNTED: Final = 10_000

log = structlog.get_logger(__name__)


class Reception:
    """Answers what a call asks. `full` is whether no more calls are taken on."""

    def __init__(self, desk: Desk, inbound: Inbound, full: Callable[[], bool] = lambda: False) -> None:
        self._desk = desk
        self._inbound = inbound
        self._full = full
        self._rounds: Counter[str] = Counter()

    # ─── a call comes ────────────────────────────────────────────────────────

    async def voice(self, form: Form, path: Path) -> str:
        """Let a call in, and send it where its route leads."""
        call, wanted = callbacks.incoming(form), path.get("name")
        known = await self._desk.store.named(call.call_sid)
        if known is not None and known.closed and not self._returns(known):
            raise Turned(403, "that call is over")  # Twilio has no more to ask: somebody else repeats it
        if self._full():
            return document(reject("busy"))
        name, route = self._inbound.route(wanted, call.to)
        if wanted not in (None, name):
            log.warning("no_such_route", route=wanted, takes=name)
        ask = Connect(call_sid=call.call_sid, from_=call.from_, to=call.to)
        session = await let_in(self._desk, ask, name, rings=isinstance(route, Stream | Relay))
        return await self._go(session, name, route)

    async def placed(self, form: Form, path: Path) -> str:
        """Connect a call that we have placed."""
        call = callbacks.incoming(form)
        session = await self._of(call.call_sid, path)
        if session is None or (session.closed and not self._returns(session)):
            return document(hangup())
        if call.answered_by is not None:
            await told_who(self._desk, session, AnsweredBy(call.answered_by))
        return self._connected(session, getattr(session, "mode", "stream"))

    async def _go(self, session: Session, name: str, route: Route) -> str:
        """Return what a route does with a call."""
        match route:
            case Stream() | Relay():
                return self._connected(session, route.kind, route.greeting)
            case Forward():
                await self._note(session, "transfer", target=route.to, type="forward")
                announced = [self._say(route.announce)] if route.announce else []
                return document(*announced, dial(route, self._back("dial", session)))
            case Voicemail():
                await self._note(session, "voicemail", state="began")
                behind = self._back("after", session), self._back("recording", session)
                return document(self._say(route.greeting), record(route, *behind), hangup())
            case Menu():
                return document(gather(route, self._say(route.prompt), self._back("gather", session)))
            case Reject():
                await over(self._desk, session, "rejected")
                return document(reject(route.reason))

    def _connected(self, session: Session, mode: Mode, greeting: str | None = None) -> str:
        """Connect a call to its socket; when that ends, it asks us again."""
        parties = {"from": session.from_, "to": session.to, "route": session.metadata.get("route")}
        parameters = {name: str(value) for name, value in parties.items() if value}
        parameters = {"sessionId": session.session_id, **parameters}
        sockets, after = self._desk.sockets, self._back("after", session)
        url = sockets.url(session, mode=mode)
        if mode == "relay":
            return stream_twiml(
                url, parameters, mode=mode, greeting=greeting, language=session.config.language,
                action_url=sockets.callback("after", session.session_id), relay=self._desk.relay,
            )  # fmt: skip
        twiml = stream_twiml(
            url,
            parameters,
            greeting=greeting,
            language=self._inbound.language if greeting else None,
            voice=self._inbound.voice if greeting else None,
            status_callback=sockets.callback("stream-status"),
        )
        return followed(twiml, redirect(after))

    # ─── it asks again ───────────────────────────────────────────────────────

    async def after(self, form: Form, path: Path) -> str:
        """Say what comes behind a stream, a relay or a message.

        A socket that was lost is opened again while the call lives; a call that we have let go of ends.
        """
        session = await self._of(form.get("CallSid", ""), path)
        if session is None:
            return document(hangup())
        if "RecordingSid" in form:
            return await self._recorded(session, form)
        if "SessionStatus" in form:
            await self._relayed(session, form)
        if form.get("CallStatus") in callbacks.ENDED:
            return document(hangup())
        await self._desk.switchboard.end(session.session_id, "connection_lost")  # it may not know yet
        session = await self._desk.store.load(session.session_id) or session
        if session.closed and not self._returns(session):
            return document(hangup())
        if not self._once_more(session):
            return await self._sorry(session, "failed")
        log.info("call_comes_back", session=session.session_id)
        return self._connected(session, self._mode(session))

    async def _relayed(self, session: Session, form: Form) -> None:
        """Note how a relay's session has ended."""
        ended = callbacks.relay_ended(form)
        await self._note(
            session, "relay", state=ended.status, seconds=ended.seconds, handoff=ended.handoff,
            error=ended.error,
        )  # fmt: skip

    async def _recorded(self, session: Session, form: Form) -> str:
        """Thank for a message."""
        message = callbacks.recorded(form)
        facts = {"recordingSid": message.recording_sid, "seconds": message.seconds}
        await self._note(session, "voicemail", state="left", **facts)
        await over(self._desk, session, "completed")
        _, route = self._inbound.route(session.metadata.get("route"))
        thanks = [self._say(route.thanks)] if isinstance(route, Voicemail) else []
        return document(*thanks, hangup())

    async def dial(self, form: Form, path: Path) -> str:
        """Say what comes behind somebody who was dialled: nothing, if they were reached."""
        ended = callbacks.dial_ended(form)
        session = await self._of(ended.call_sid, path)
        if session is None:
            return document(hangup())
        await self._note(session, "transfer", state=ended.status, seconds=ended.seconds)
        if ended.status in TAKEN:
            await over(self._desk, session, "completed")
            return document(hangup())
        _, route = self._inbound.route(session.metadata.get("route"))
        if not isinstance(route, Forward):  # an agent has sent it there, and gets it back
            return await self.after({"CallSid": ended.call_sid}, path)
        return await self._onward(session, route.otherwise, ended.status)

    async def gather(self, form: Form, path: Path) -> str:
        """Follow a menu."""
        said = callbacks.gathered(form)
        session = await self._of(said.call_sid, path)
        if session is None:
            return document(hangup())
        name, route = self._inbound.route(session.metadata.get("route"))
        if not isinstance(route, Menu):
            await self._gathered(session, said)
            return await self.after({"CallSid": said.call_sid}, path)
        chosen = route.choices.get(said.digits)
        if chosen is not None:
            await self._note(session, "menu", digit=said.digits, route=chosen)
            return await self._onward(session, chosen)
        tries = f"{session.session_id} {name}"
        if self._counted(tries) < route.tries:
            return await self._go(session, name, route)
        return await self._onward(session, route.otherwise)

    async def _gathered(self, session: Session, said: callbacks.Gathered) -> None:
        """Tell an agent what its caller has pressed or said; of a secret nothing is written down."""
        collecting = self._desk.talks.of(session.session_id).conversation.collecting
        if collecting is None or not collecting.secret:
            for digit in said.digits:
                await self._note(session, "dtmf", digit=digit)
        if said.speech is not None:
            await self._note(session, "final", text=said.speech, confidence=said.confidence)

    async def fallback(self, form: Form, path: Path) -> str:
        """Apologize: Twilio could not have, or not use, what it asked for before. Nothing is looked up."""
        code = form.get("ErrorCode", "")
        log.warning("twilio_fell_back", code=code if code.isdecimal() and len(code) < 9 else "unknown")
        return self.apology()

    def apology(self) -> str:
        """Return what is said when something here does not work."""
        return document(self._say(self._inbound.sorry), hangup())

    # ─── the record ──────────────────────────────────────────────────────────

    async def _of(self, call_sid: str, path: Path) -> Session | None:
        """Return the session in the address, if it is that call's."""
        session = await self._desk.store.load(path["session_id"])
        return session if session and (session.unnamed or session.call_sid == call_sid) else None

    async def _onward(self, session: Session, name: str | None, why: str = "no-answer") -> str:
        """Go on with another route; without one, apologize."""
        if name is None or session.closed or not self._once_more(session):
            return await self._sorry(session, why)
        name, route = self._inbound.route(name)
        now, rings = self._desk.now(), isinstance(route, Stream | Relay) and session.status == "pending"
        metadata = {**session.metadata, "route": name}
        entries = [Entry(at=now, kind="ringing", data={"from": session.from_, "to": session.to})]
        session = await self._desk.store.amend(
            session.session_id,
            lambda old: (
                change(old.moved("ring", now, metadata=metadata), entries=entries)
                if rings
                else old.touched(now, metadata=metadata)
            ),
        )
        return await self._go(session, name, route)

    async def _sorry(self, session: Session, why: str) -> str:
        await over(self._desk, session, why)
        return self.apology()

    async def _note(self, session: Session, kind: str, **data: object) -> None:
        now = self._desk.now()
        told = {name: value for name, value in data.items() if value is not None}
        entry = Entry(at=now, kind=kind, data=told)
        await self._desk.store.amend(
            session.session_id, lambda old: change(old.touched(now), entries=[entry])
        )

    def _once_more(self, session: Session) -> bool:
        return self._counted(session.session_id) <= ROUNDS

    def _counted(self, what: str) -> int:
        """Count something once more, and return how often it has been."""
        if len(self._rounds) >= MOST_COUNTED:
            self._rounds.clear()
        self._rounds[what] += 1
        return self._rounds[what]

    def _returns(self, session: Session) -> bool:
        """Whether it was only its stream that ended, a moment ago."""
        return session.returns_until is not None and self._desk.now() <= session.returns_until

    def _mode(self, session: Session) -> Mode:
        """How its call is carried: as its session says, or its route."""
        _, route = self._inbound.route(session.metadata.get("route"))
        mode: Mode = getattr(session, "mode", "stream")
        return "relay" if isinstance(route, Relay) and session.direction == "inbound" else mode

    def _back(self, name: str, session: Session) -> str:
        """Return where the call asks us again; without a public address, where it asked before."""
        sid = session.session_id
        return self._desk.sockets.callback(name, sid) or f"{ROOT}/{name}/{sid}"

    def _say(self, text: str) -> "Element":
        return say(text, self._inbound.voice, self._inbound.language)
