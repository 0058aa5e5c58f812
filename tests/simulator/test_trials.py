"""Calls that are judged: expectations, tables, JUnit, and the words behind `simulate`."""

import argparse
import json
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mcp_voice.errors import CarrierFailed
from mcp_voice.ports import Providers
from mcp_voice.simulator.cli import add_arguments, run
from mcp_voice.simulator.people import Encounter, Line, Senses
from mcp_voice.simulator.persona import Expect, Persona
from mcp_voice.simulator.script import Listen, place_call
from mcp_voice.simulator.telling import follow, record_at
from mcp_voice.simulator.trials import Calling, Trial, faults, junit, latencies, table
from tests.simulator.servers import greet, listen, served
from tests.simulator.test_cli import serving
from tests.twins import Speaker, Vendors

pytestmark = pytest.mark.anyio

CALLS = """
description: Somebody in a hurry.
thinks: 0
states: {hello: {say: Hello., goto: waits}, waits: {when: [{silence: 0.8, goto: bye}]}, bye: {hang_up: true}}
expect: {reached: bye, ended_by: person}
"""


async def an_encounter(**fields: Any) -> Encounter:
    """A short call in which the agent was heard."""
    async with served(greet, []) as url:
        report = await place_call(url, [Listen(5, quiet=0.05)], pace="fast")
    given = {"states": ("a", "b"), "facts": {"day": "Monday"}, "lines": (), "answers": (0.5, 1.5), **fields}
    return Encounter(report, **given)


@pytest.mark.parametrize(
    ("expect", "wrong"),
    [
        ({}, ""),
        ({"reached": ("a", "b"), "facts": {"day": "monday"}, "ended_by": "person", "answers_within": 2}, ""),
        ({"reached": ("a", "c")}, "c was not reached, only a, b"),
        ({"facts": {"day": "sunday"}}, "the fact day is 'Monday', which is not sunday"),
        ({"facts": {"hour": ".*"}}, "the fact hour was not heard"),
        ({"ended_by": "agent"}, "the caller hung up, not the agent"),
        ({"answers_within": 1}, "an answer took 1.50 s, longer than 1 s"),
        ({"lasts_at_most": 0.001}, "the call lasted"),
    ],
)
async def test_a_call_is_as_expected_or_it_is_said_why_not(expect: dict[str, Any], wrong: str) -> None:
    found = list(faults(Expect.model_validate(expect), await an_encounter()))

    assert [fault[: len(wrong)] for fault in found] == ([wrong] if wrong else [])


async def test_an_agent_who_was_not_heard_is_always_a_fault() -> None:
    persona = Persona.model_validate({"description": "A.", "states": {"a": {"say": "Hi.", "hang_up": True}}})

    async with served(listen, []) as url:
        calling = Calling(persona, url, Senses(Speaker()), how={"pace": "fast"})
        trials = await calling.often(3, parallel=2)

    assert [trial.number for trial in trials] == [1, 2, 3]
    assert {trial.faults for trial in trials} == {("the agent was not heard",)}


async def test_a_call_that_does_not_come_about_is_an_error_and_not_the_end() -> None:
    persona = Persona.model_validate({"description": "A.", "states": {"a": {"hang_up": True}}})

    (trial,) = await Calling(persona, "ws://127.0.0.1:1/x", Senses(Speaker())).often(1)

    assert trial.encounter is None
    assert trial.faults[0].startswith("31902")


async def test_tables_show_each_call_and_how_soon_the_agent_answered() -> None:
    good = Trial(1, "CA1", await an_encounter(answers=(0.1, 0.2, 0.3)))
    bad = Trial(2, "CA2", await an_encounter(answers=(4.0,)), ("c was not reached",))
    never = Trial(3, "CA3", None, ("31902: nobody",))

    shown, times = table([good, bad, never]), latencies([good, bad, never])

    assert "a > b" in shown
    assert "      c was not reached" in shown
    assert shown.endswith("1 of 3 calls as expected.")
    assert times.endswith("4 answers:  p50 0.20 s  p95 4.00 s  max 4.00 s")
    assert latencies([never]) == "The agent answered nothing."


async def test_junit_can_be_read_and_counts(tmp_path: Path) -> None:
    lines = (Line(1.0, "agent", "Hello <&> \x00\x1b you"),)
    trials = [
        Trial(1, "CA1", await an_encounter(lines=lines)),
        Trial(2, "CA2", await an_encounter(), ('the fact day is "x"',)),
        Trial(3, "CA3", None, ("nobody",)),
    ]

    (suite,) = ElementTree.fromstring(junit("restaurant", trials))

    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    assert [case.get("name") for case in suite] == ["call 1", "call 2", "call 3"]
    assert [child.tag for case in suite for child in case if child.tag != "system-out"] == [
        "failure",
        "error",
    ]
    assert "Hello <&>  you" in (suite[0].findtext("system-out") or "")


# ─── words told by a record ──────────────────────────────────────────────────

EVENTS = [
    {"seq": 1, "kind": "answered", "data": {}},
    {"seq": 2, "kind": "agentSaid", "data": {"text": "Good evening."}},
    {"seq": 3, "kind": "interrupted", "data": {"text": "For how many?", "heardByCaller": "For how"}},
    {"seq": 4, "kind": "agentCut", "data": {"text": None, "heardByCaller": None}},
    {"seq": 5, "kind": "ended", "data": {"reason": "stop"}},
]


async def test_a_record_tells_what_was_said_and_what_was_heard_of_it() -> None:
    asked = list[int]()

    async def read(after: int) -> list[dict[str, Any]]:
        asked.append(after)
        return [event for event in EVENTS if event["seq"] > after][:2]  # type: ignore[operator]

    words = [text async for text in follow(read, pause=0)]

    assert words == ["Good evening.", "For how"]
    assert asked == [0, 2, 4]


@contextmanager
def a_server(answer: bytes, asked: list[dict[str, Any]], status: int = 200) -> Iterator[str]:
    """An MCP listener that answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append({"headers": dict(self.headers), **json.loads(body)})
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/mcp"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def said(events: Any) -> bytes:
    return json.dumps({"result": {"structuredContent": {"session": None, "events": events}}}).encode()


@pytest.mark.parametrize("framed", [False, True])
async def test_a_record_elsewhere_is_read_with_one_post(framed: bool) -> None:
    asked: list[dict[str, Any]] = []
    answer = said(EVENTS[:2])

    with a_server(b"event: message\ndata: " + answer + b"\n\n" if framed else answer, asked) as url:
        events = await record_at(url, "CA1", "secret")(7)

    assert [event["seq"] for event in events] == [1, 2]
    assert asked[0]["params"]["arguments"] == {"callSid": "CA1", "detail": "timeline", "after": 7}
    assert asked[0]["headers"]["Authorization"] == "Bearer secret"


async def test_a_call_that_the_server_does_not_know_yet_has_no_events() -> None:
    with a_server(said(None), []) as url:
        assert await record_at(url, "CA1")(0) == ()


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        (b"no json", 200, "cannot be read: "),
        (b'{"error": {"message": "no such tool"}}', 200, "no such tool"),
        (b'{"result": {"isError": true}}', 200, "not an answer of session.get"),
        (b"", 401, "401"),
    ],
)
async def test_a_record_that_cannot_be_read_is_named(answer: bytes, status: int, says: str) -> None:
    with a_server(answer, [], status) as url, pytest.raises(CarrierFailed, match=says):
        await record_at(url, "CA1")(0)


# ─── the words behind `simulate` ─────────────────────────────────────────────


def simulate(*words: str, vendors: Vendors | None = None) -> int:
    parser = argparse.ArgumentParser("mcp-voice simulate")
    add_arguments(parser)
    opened: Providers | None = vendors
    return run(parser.parse_args(words), None if opened is None else lambda: opened)


def test_a_scenario_is_run_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hurried.yaml").write_text(CALLS)
    junit_file, out = tmp_path / "results" / "calls.xml", tmp_path / "calls"

    with serving(greet, []) as url:
        status = simulate(
            "run", str(tmp_path / "hurried.yaml"), "--url", url, "--n", "2", "--parallel", "2", "--junit",
            str(junit_file), "--out", str(out), "--param", "sessionId=sess_1", vendors=Vendors(),
        )  # fmt: skip

    told = capsys.readouterr()
    assert status == 0, told
    assert "2 of 2 calls as expected." in told.out
    assert "call 1 of 2: as expected" in told.err
    assert ElementTree.parse(junit_file).getroot()[0].get("tests") == "2"
    assert "person  Hello." in (out / "2" / "words.txt").read_text()
    assert (out / "1" / "call.wav").stat().st_size > 8_000


def test_a_scenario_that_goes_wrong_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hurried.yaml").write_text(CALLS)

    with serving(listen, []) as url:
        status = simulate("run", "hurried", "--personas", str(tmp_path), "--url", url, vendors=Vendors())

    assert status == 1
    assert "the agent was not heard" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "ghost"], "no simulated person 'ghost'. There are busy"),
        (["run", "busy"], "busy never talks to anybody"),
        (["run", "guest", "--n", "0"], "--n 0 is not from 1"),
        (["run", "guest", "--parallel", "0"], "--parallel 0 is not from 1"),
        (["run", "guest", "--url", "http://x"], "does not begin with wss://"),
        (["run", "guest", "--param", "x"], "--param x is not KEY=VALUE"),
        (["run", "guest", "--out", "/dev/null/x"], "cannot be used"),
        (["run", "guest", "--personas", "/nowhere"], "no folder of personas"),
        (["run", "guest"], "no voice engine"),
        (["people", "--personas", "/nowhere"], "no folder of personas"),
    ],
)
def test_what_cannot_be_run_is_refused(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(*words) == 2
    assert says in capsys.readouterr().err


def test_the_people_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("people") == 0

    assert "restaurant       A restaurant that takes bookings" in capsys.readouterr().out


async def test_somebody_told_by_a_record_elsewhere_answers_what_was_said(tmp_path: Path) -> None:
    waits = {"when": [{"words": "evening", "say": "Hello.", "goto": "bye"}]}
    states = {"waits": waits, "bye": {"hang_up": True}}
    persona = Persona.model_validate({"description": "A.", "thinks": 0, "patience": 9, "states": states})

    def told(call_sid: str) -> AsyncIterator[str]:
        return follow(record_at(url_of_the_record, call_sid))

    async with served(greet, []) as url:
        with a_server(said(EVENTS[:2]), []) as url_of_the_record:
            (trial,) = await Calling(persona, url, Senses(Speaker()), told).often(1)

    assert trial.passed
    assert trial.encounter is not None
    assert trial.encounter.states == ("waits", "bye")
