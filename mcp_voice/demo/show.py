"""The demo's three parties, and what is told of them while they talk."""

import json
import os
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final

import anyio

import mcp_voice
from mcp_voice.demo.latency import Moment, answers, table
from mcp_voice.errors import Broken, NotLive
from mcp_voice.simulator.caller import Caller
from mcp_voice.simulator.line import Happening, Names
from mcp_voice.simulator.report import CallReport

FROM: Final = "+12025550142"
TO: Final = "+12025550100"
READY_SECONDS: Final = 30.0
PATIENCE: Final = 15.0
"""Seconds the caller waits for an answer before giving up."""

LAST_NEWS: Final = 5.0
"""Seconds after the caller has gone that the agent has to see it."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Line:
    """What the caller says next: when the agent has finished, or so many seconds `into` its words."""

    recording: str
    into: float | None = None


SCRIPT: Final = (
    Line("book-a-table"),
    Line("for-four"),
    Line("tomorrow"),
    Line("my-name"),
    Line("yes", into=5.5),
)


async def show(out: Path, tell: Tell, script: Sequence[Line] = SCRIPT) -> int:
    """Hold one call, tell it as it goes, write the files; return the exit status."""
    async with server(out) as (media_url, tools_url):
        tell(f"server   calls on {media_url}\n         tools on {tools_url}\n")
        scene = Scene(script, tell)
        record, booking, report = await scene.play(media_url, tools_url)
    return _told(out, tell, scene, record, booking, report)


# ─── the server ──────────────────────────────────────────────────────────────


@asynccontextmanager
async def server(out: Path) -> AsyncIterator[tuple[str, str]]:
    """Run a server on free ports, its store and log in `out`; yield its two addresses."""
    store = _fresh(out)
    command = [sys.executable, "-m", "mcp_voice", "serve", "--public-port", "0", "--private-port", "0"]
    command += ["--host", "127.0.0.1", "--store", f"sqlite:///{store}"]
    ours = ("MCP_VOICE_", "TWILIO_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment["MCP_VOICE_LOG__FORMAT"] = "json"
    with _log(out).open("w") as log:
        process = await anyio.open_process(command, stdin=None, stdout=None, stderr=log, env=environment)
        try:
            ports = await _ready(_log(out), process)
            yield f"ws://127.0.0.1:{ports['public']}/twilio/media", f"http://127.0.0.1:{ports['private']}/mcp"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _ready(log: Path, process: anyio.abc.Process) -> dict[str, int]:
    """Wait for the line that says where the server listens. Raises `Broken` if it ends or is too slow."""
    with anyio.move_on_after(READY_SECONDS):
        while process.returncode is None:
            if ports := _ports(log):
                return ports
            await anyio.sleep(0.05)
    raise Broken("The demo's server did not start.", advice=f"Its log says why: {log}")


def _fresh(out: Path) -> Path:
    """Return where the store goes; one of an earlier demo is removed."""
    for old in out.glob("calls.db*"):
        old.unlink()
    return (out / "calls.db").absolute()


def _log(out: Path) -> Path:
    return out / "server.log"


def _ports(log: Path) -> dict[str, int]:
    """Return the ports a server's log says it listens on; nothing before it does."""
    lines = (line for line in log.read_text().splitlines() if '"listening"' in line)
    ports: dict[str, int] = json.loads(next(lines, "{}"))
    return ports


# ─── the call ────────────────────────────────────────────────────────────────


class Scene:
    """One call between the caller of the script and the agent of `examples/`."""

    def __init__(self, script: Sequence[Line], tell: Tell) -> None:
        self.moments: list[Moment] = []
        self._script = script
        self._tell = tell
        self._caller: Caller
        self._agent_speaks = anyio.Event()

    async def play(self, media_url: str, tools_url: str) -> tuple[dict[str, Any], Any, CallReport]:
        """Hold the call; return its session's record, what was booked, and what the caller's line saw."""
        example = _example("book_a_table")
        names = Names()
        async with example.Client(tools_url) as client:
            agent = example.Agent(client, self._note)
            twiml = await agent.connect(names.call_sid, FROM, TO)
            self._tell(f"carrier  {FROM} calls {TO}; the webhook answers\n         {twiml}\n")
            parameters = _parameters(twiml)
            self._caller = Caller(
                media_url, parameters=parameters, from_=FROM, to=TO, names=names, on_happening=self._happened
            )
            async with self._caller, anyio.create_task_group() as tasks:
                tasks.start_soon(agent.hold)
                await self._speak(self._caller)
                tasks.cancel_scope.deadline = anyio.current_time() + LAST_NEWS
            return await _record(agent), agent.booking, self._caller.report()

    async def _speak(self, caller: Caller) -> None:
        """What the caller does: answers each question, and does not wait for the end of the last."""
        try:
            for line in self._script:
                if line.into is None:
                    await caller.until_spoken_to(PATIENCE)
                else:
                    await self._agent_speaks.wait()
                    await caller.silence(line.into)
                self._agent_speaks = anyio.Event()
                await caller.say(line.recording)
            await caller.until_hung_up(PATIENCE)
        except NotLive:
            self._tell("         (the call ended before the caller was done)")

    def _happened(self, happening: Happening) -> None:
        if happening.kind == "agent_speaks":
            self._agent_speaks.set()

    def _note(self, kind: str, data: dict[str, Any]) -> None:
        """Take what the agent does and hears; tell what is worth it."""
        at = self._caller.now
        self.moments.append(Moment(at, kind, data.get("text") or ""))
        line = _line(kind, data)
        if line:
            self._tell(f"{at:6.1f} s  {line}")


async def _record(agent: Any) -> dict[str, Any]:
    """Return the session's record: closed, which it is a moment after the call has ended."""
    record: dict[str, Any] = {}
    with anyio.move_on_after(LAST_NEWS):
        while not record or record["session"]["status"] != "closed":
            record = await agent.use("session.get", sessionId=agent.session_id, detail="timeline")
            await anyio.sleep(0.05)
    return record


def _line(kind: str, data: dict[str, Any]) -> str:
    match kind:
        case "answered":
            return "········  the stream has started"
        case "final" if data["text"]:
            sure = "" if data["confidence"] is None else f"   (confidence {data['confidence']:.2f})"
            return f"caller    {data['text']}{sure}"
        case "final":
            return "caller    (a sound without words)"
        case "says":
            return f"agent     {data['text']}"
        case "interrupted":
            return f"········  the caller cuts in; heard so far: “{data['heardByCaller']} …”"
        case "ended":
            return f"········  the call has ended ({data['reason']})"
    return ""


def _parameters(twiml: str) -> dict[str, str]:
    """The `<Parameter>`s that a carrier would send back when the stream starts."""
    found = ElementTree.fromstring(twiml).iter("Parameter")
    return {parameter.attrib["name"]: parameter.attrib["value"] for parameter in found}


def _example(name: str) -> Any:
    """Load one of the examples, from the package or from the checkout beside it."""
    package = Path(mcp_voice.__file__).parent
    found = [p for p in (package / "examples", package.parent / "examples") if (p / f"{name}.py").exists()]
    if not found:
        raise Broken(f"The example {name}.py is missing.", advice="Install mcp-voice again.")
    spec = spec_from_file_location(name, found[0] / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# ─── what is left of it ──────────────────────────────────────────────────────


def _told(
    out: Path, tell: Tell, scene: Scene, record: dict[str, Any], booking: Any, report: CallReport
) -> int:
    """Write the files, tell the latencies and where the files are; return the exit status."""
    rows = answers(scene.moments, report)
    tell("\n" + table(rows))
    tell(f"booked   {booking}\n")
    (out / "transcript.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    report.write(out)
    written = ["call.wav        both sides, caller left, agent right", "transcript.json the session's record"]
    if _picture(out, scene.moments, report):
        written.append("timeline.png    the call, drawn")
    tell(f"written  in {out.absolute()}:")
    for line in written:
        tell(f"         {line}")
    heard = any(turn["userUtterance"] for turn in record["session"]["turns"])
    if not heard:
        tell("\nNo words were recognised.")
    if not report.agent_talks:
        tell("\nNo audio came back.")
    return 0 if heard and report.agent_talks else 1


def _picture(out: Path, moments: list[Moment], report: CallReport) -> bool:
    try:
        from mcp_voice.demo.timeline import draw
    except ModuleNotFoundError:  # matplotlib comes with the demo extra
        return False
    draw(out / "timeline.png", moments, report)
    return True
