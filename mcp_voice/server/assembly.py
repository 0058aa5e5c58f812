"""All the wiring, on one screen.

`assemble` opens the store, the vendors and the switchboard, puts them on a
desk, and hands out the house: what `serve` puts behind two listeners and
`stdio` behind one. It is taken down in the opposite order.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Final

import anyio
import structlog
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import WebSocketRoute

from mcp_voice.carriers import Exchange
from mcp_voice.carriers.simulated import SimulatedCarrier
from mcp_voice.carriers.twilio.carrier import TwilioCarrier
from mcp_voice.carriers.twilio.line import Line
from mcp_voice.carriers.twilio.relay import RelayWire
from mcp_voice.carriers.twilio.signature import Keys
from mcp_voice.carriers.twilio.wire import TwilioWire
from mcp_voice.core.attendance import Absence
from mcp_voice.core.counts import Counts
from mcp_voice.core.events import Started
from mcp_voice.core.playout import Lead
from mcp_voice.core.relaying import RELAY
from mcp_voice.core.turns import Patience
from mcp_voice.core.voice import EnergyVad, Vad
from mcp_voice.errors import Invalid, NotConfigured, NotFound, StoreFailed
from mcp_voice.media.calls import Calls, Rules
from mcp_voice.media.endpoint import Endpoint
from mcp_voice.media.shelf import Shelf
from mcp_voice.media.talks import Talks
from mcp_voice.ports import Carrier, Desk, Providers, RecordingRules, SessionStore
from mcp_voice.providers import Registry
from mcp_voice.providers.cached import Phrases
from mcp_voice.providers.counting import COUNTING, Counting
from mcp_voice.providers.relayed import Relayed
from mcp_voice.providers.vad import make_vad
from mcp_voice.server import approve, http, mcp, webhooks
from mcp_voice.server.abilities import abilities
from mcp_voice.server.account import account
from mcp_voice.server.approvals import Approvals
from mcp_voice.server.care import bury, sweep
from mcp_voice.server.gate import Porter, rules_of
from mcp_voice.server.limits import Rates
from mcp_voice.server.metrics import CONTENT_TYPE, Page
from mcp_voice.server.neighbours import Neighbours
from mcp_voice.server.operator import Operator
from mcp_voice.server.sockets import PATHS, Entrance
from mcp_voice.server.tenancy import tenancy
from mcp_voice.server.updates import Updates
from mcp_voice.server.warming import warm
from mcp_voice.settings import (
    Media,
    Outbound,
    Protocol,
    Recording,
    Settings,
    Speech,
    Spelling,
    Toolset,
    Twilio,
    variable,
)
from mcp_voice.simulator.line import SIMULATED_ACCOUNT
from mcp_voice.stores import default_path, open_store
from mcp_voice.stores.watched import Watched
from mcp_voice.tools.catalogue import Catalogue, gather

MEDIA_PATH: Final = PATHS["stream"]

OFTEN: Final = 1_000
"""Calls a minute of the tools that are called all the time: audio, and the session's record."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class House:
    """One process's parts, plugged together."""

    settings: Settings
    counts: Counts
    store: SessionStore
    calls: Calls
    desk: Desk
    limiter: Rates
    catalogue: Catalogue
    updates: Updates
    approvals: Approvals
    entrance: Entrance

    @property
    def public(self) -> Starlette:
        """What carriers reach."""
        media = self.settings.media
        endpoint = Endpoint(
            self.calls,
            TwilioWire,
            self.counts,
            admit=self.entrance.admits,
            start_seconds=media.start_seconds,
            echo=media.loopback_echo,
        )
        relay = Endpoint(
            self.calls, RelayWire, self.counts, admit=self.entrance.admits, start_seconds=media.start_seconds
        )
        ends = ((PATHS["stream"], endpoint), (PATHS["relay"], relay))
        sockets = [WebSocketRoute(path + ticket, end) for path, end in ends for ticket in ("", "/{ticket}")]
        hooks = webhooks.routes(self.desk, self.entrance, self.settings.inbound, lambda: self.calls.full)
        return http.public_app([*sockets, *hooks], lambda: self.calls.draining)

    @property
    def private(self) -> Starlette:
        """What clients reach."""
        settings = self.settings
        page = Page(self.counts)
        hosts = http.hosts(settings.private_bind, settings.mcp.allowed_hosts)
        origins = http.origins(settings.mcp.allowed_origins)
        often = [
            name for tool in self.catalogue if tool.rpm >= OFTEN for name in (tool.name, tool.underscored)
        ]

        def mounted(path: str, toolset: Toolset, names: Spelling) -> http.Mounted:
            tools = self.catalogue.toolset(toolset)
            server = mcp.build(
                tools, self.desk, self.limiter, self.counts,
                names=names, updates=self.updates, approvals=self.approvals,
            )  # fmt: skip
            return mcp.mount(server, path, often, hosts=hosts, origins=origins)

        return http.private_app(
            [mounted("/mcp", "all", "dotted"), mounted("/mcp/agent", "agent", "underscore")],
            lambda: Response(page.text(), media_type=CONTENT_TYPE),
            self.readiness,
            settings.token.get_secret_value() if settings.token else None,
            [approve.route(self.approvals, hosts)],
        )

    def operator(self, toolset: Toolset) -> Operator:
        """Who puts one client's calls through to a set of tools."""
        return Operator(self.catalogue.toolset(toolset), self.desk, self.limiter, self.counts, self.approvals)

    async def readiness(self) -> dict[str, object]:
        """Say whether a balancer should send calls here."""
        draining = self.calls.draining
        try:
            await self.store.find(limit=1)
        except StoreFailed as error:
            return {"ready": False, "draining": draining, "why": str(error)}
        return {"ready": not draining, "draining": draining, "calls": len(self.calls)}


@asynccontextmanager
async def assemble(
    settings: Settings, *, public_port: int, updates: Updates | None = None
) -> AsyncIterator[House]:
    """Open everything, and close it at the end. `updates` is told of every change of a session.

    Raises `NotConfigured` for a store that there is not, `Invalid` for a limit of a tool that there is not.
    """
    counts, catalogue, limiter = Counts(), gather(), Rates(settings.limits.rpm)
    approvals = Approvals()
    updates = Updates() if updates is None else updates
    _check(settings, catalogue)
    async with AsyncExitStack() as stack:
        kept = open_store(settings.store)
        talks = Talks(longest=settings.mcp.max_wait_seconds, absence=_absence(settings.mcp))
        store = Watched(kept, updates.changed, talks.written)
        stack.push_async_callback(store.aclose)
        alone = stack.enter_context(tenancy(getattr(kept, "path", None)))
        providers = _providers(settings, counts, getattr(kept, "path", None))
        stack.push_async_callback(providers.aclose)
        _introduce(providers)
        shelf = _shelf(settings.recording)
        vad = make_vad(settings.media.vad)
        _warm(vad)
        calls = await stack.enter_async_context(
            Calls(
                store=store, providers=providers, counts=counts, make_vad=vad, make_wire=TwilioWire,
                carrier_of=_carrier_of, rules=_rules(settings.media, settings.speech), talks=talks,
                shelf=shelf,
            )
        )  # fmt: skip
        entrance = _entrance(settings, public_port)
        rest = await stack.enter_async_context(account(settings.twilio))
        carriers: dict[str, Carrier] = {"twilio": TwilioCarrier(rest, entrance, _line(settings.twilio))}
        desk = Desk(
            store=store,
            switchboard=calls,
            talks=talks,
            providers=providers,
            carriers=Exchange(carriers),
            counts=counts,
            make_vad=vad or EnergyVad,
            media_url=entrance.socket(),
            sockets=entrance,
            voice=settings.speech.voice,
            relay=settings.relay.attributes(),
            home=settings.outbound.home,
            longest_wait=settings.mcp.max_wait_seconds,
            abilities=partial(abilities, settings),
            gate=_gate(settings.outbound, approvals, counts),
            recording=RecordingRules(settings.recording.policy, settings.recording.announcement),
            recordings=shelf,
        )
        neighbours = _neighbours(desk, settings, public_port)
        carriers["simulator"] = SimulatedCarrier(calls, neighbours.ring, neighbours.vocabulary)
        stack.push_async_callback(desk.aclose)
        stack.push_async_callback(neighbours.aclose)
        if alone:
            await bury(desk)
        await _begin_chores(desk, settings, stack)
        yield House(settings, counts, store, calls, desk, limiter, catalogue, updates, approvals, entrance)


async def _begin_chores(desk: Desk, settings: Settings, stack: AsyncExitStack) -> None:
    """Begin what is done beside the calls, until the house is closed."""
    await _prepare()
    tasks = await stack.enter_async_context(anyio.create_task_group())
    stack.callback(tasks.cancel_scope.cancel)
    tasks.start_soon(sweep, desk, settings.sweep_seconds)
    tasks.start_soon(warm, desk.providers, settings.speech.voice)


def _gate(outbound: Outbound, approvals: Approvals, counts: Counts) -> Porter:
    """Keep the gate to the telephone network by the operator's rules."""
    return Porter(rules_of(outbound), approvals, counts, disclosure=outbound.disclosure)


def _warm(make: Callable[[], Vad] | None) -> None:
    """Let a voice detector import and load what it needs now, not in the first caller's first second."""
    if make is not None:
        detector = make()
        for _ in range(5):  # noise: a detector that asks another only about sounds gets to ask it
            detector(bytes(range(0, 256, 4)) * 5)


async def _prepare() -> None:
    """Import what the first words of a call would wait for: while it lasts no call is heard."""
    for module in ("speakable", "watch"):
        await anyio.to_thread.run_sync(import_module, f"mcp_voice.core.{module}", abandon_on_cancel=True)


def _introduce(providers: Providers) -> None:
    """Say who hears and speaks here, and what is missing if nobody does.

    Raises `Invalid` for a vendor that there is not.
    """
    for setting, find in (("stt", providers.ear), ("tts", providers.voice)):
        try:
            log.debug("provider", what=setting, name=find().name)
        except NotConfigured as error:
            log.warning("no_provider", what=setting, why=str(error))
        except NotFound as error:
            raise Invalid(f"{variable('speech', setting)}: {error}", advice="") from None


def _line(twilio: Twilio) -> Line:
    """What calls are placed with."""
    password = twilio.sip_password
    return Line(
        twilio.number, twilio.byoc, twilio.sip_username, password.get_secret_value() if password else None
    )


def _carrier_of(started: Started) -> str:
    """Name the carrier of a stream: Twilio, unless it is the account that Twilio can never give."""
    return "simulator" if started.account_sid == SIMULATED_ACCOUNT else "twilio"


def _rules(media: Media, speech: Speech) -> Rules:
    """How calls behave, in seconds. Sending refills at three quarters of the lead."""
    lead = media.lead_ms / 1_000
    return Rules(
        patience=Patience(end_of_turn=media.endpointing_ms / 1_000, barge_in=media.barge_in_ms / 1_000),
        lead=Lead(least=lead * 0.75, most=lead),
        most_calls=media.max_calls,
        fillers=speech.fillers == "auto",
        voice=speech.voice,
    )


def _providers(settings: Settings, counts: Counts, store: Path | None) -> Registry:
    """Who hears and speaks. What was said is kept beside the calls, if these are kept on disk."""
    speech, phrases = settings.speech, None
    if speech.cache_mb and store is not None:
        phrases = Phrases(store.with_name("phrases"), speech.cache_mb * 1_000_000)
    return Registry(
        counts,
        hears=COUNTING if settings.media.loopback_echo else speech.stt,
        speaks=speech.tts,
        also={COUNTING: Counting(), RELAY: Relayed()},
        phrases=phrases,
    )


def _absence(mcp: Protocol) -> Absence:
    return Absence(moment=mcp.moment_seconds, leave=mcp.leave_seconds)


def _neighbours(desk: Desk, settings: Settings, port: int) -> Neighbours:
    """The simulated people: they live on this machine, wherever carriers come from."""
    people, token = settings.simulator, settings.twilio.auth_token
    return Neighbours(
        desk,
        _here(settings, port),
        folders=[people.personas] if people.personas else [],
        scripted=people.scripted,
        pace=people.pace,
        token=token.get_secret_value() if token else None,
    )


def _shelf(recording: Recording) -> Shelf:
    """Where recordings are kept: in the folder that is set, or beside the default store."""
    folder = Path(recording.folder).expanduser() if recording.folder else default_path().parent / "recordings"
    return Shelf(folder, recording.days)


def _entrance(settings: Settings, port: int) -> Entrance:
    """Where carriers come in: under the public address, or on this machine."""
    twilio = settings.twilio
    tokens = [each.get_secret_value() for each in (twilio.auth_token, twilio.auth_token_secondary) if each]
    shared = {name: key.get_secret_value() for name, key in twilio.shared_keys.items()}
    return Entrance(
        settings.public_url or _here(settings, port),
        None if twilio.auth_token is None else Keys(tuple(tokens), shared),
        callbacks=settings.public_url is not None,
        tickets=twilio.tickets,
        proxies=twilio.trusted_proxy,
    )


def _here(settings: Settings, port: int) -> str:
    """Where this machine itself reaches the public listener."""
    return http.address(settings.host, port)


def _check(settings: Settings, catalogue: Catalogue) -> None:
    for name in settings.limits.rpm:
        if catalogue.get(name) is None:
            raise Invalid(f"{variable('limits', 'rpm')}: there is no tool {name!r}.", advice="See schemas/.")
