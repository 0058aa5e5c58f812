"""Start: how long a desktop client waits for its tools.

From the process's start to the answer of `tools/list`, over pipes, with a
handshake before it as clients do. The floor is the SDK's low-level stdio server
that lists the same tools. The two take turns, and the ratio is the median of
the turns' ratios.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, PIPE, Popen
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

from tests.bench.machine import SERVER_CORE, Died, end, environment, on_core, say
from tests.bench.rows import Bar, Row

PART: Final = "start"
TOOLSETS: Final = ("agent", "all")
_CLIENT: Final = {"name": "bench", "version": "0"}
_SHAKE: Final = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": _CLIENT}


def run(*, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """Start both, in turns: with the tools of an agent, and with all."""
    turns = 3 if quick else 7
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found = {toolset: _compare(toolset, turns, Path(folder)) for toolset in TOOLSETS}
    return [row for row, _ in found.values()], {
        "start_s": {which: times for which, (_, times) in found.items()}
    }


def _compare(toolset: str, turns: int, folder: Path) -> tuple[Row, Mapping[str, list[float]]]:
    """Start the two in turns, after one start of each that compiles what is to be compiled."""
    listing = folder / f"{toolset}.json"
    commands = {
        "ours": ("-m", "mcp_voice", "stdio", "--public-port", "0", "--toolset", toolset),
        "bare": ("-m", "tests.bench.bare_stdio", str(listing)),
    }
    _, tools = _start(commands["ours"], folder)
    listing.write_text(json.dumps(tools))
    _, same = _start(commands["bare"], folder)
    if [tool["inputSchema"] for tool in same] != [tool["inputSchema"] for tool in tools]:
        raise Died("The two servers list different tools.")
    times: dict[str, list[float]] = {"ours": [], "bare": []}
    for number in range(turns):
        for which in sorted(times, reverse=number % 2 == 1):
            times[which].append(_start(commands[which], folder)[0])
        say(f"start, {len(tools)} tools: ours {times['ours'][-1]:.2f} s, bare {times['bare'][-1]:.2f} s")
    floor = median(times["bare"])
    ratio = median(a / b for a, b in zip(times["ours"], times["bare"], strict=True))
    what = f"stdio, start to tools/list, {len(tools)} tools"
    return Row(PART, what, "s", ratio * floor, floor, Bar("ratio", "most", 1.2)), times


def _start(arguments: Sequence[str], folder: Path) -> tuple[float, list[dict[str, Any]]]:
    """Start a server, shake hands, list its tools; return the seconds it took, and the tools."""
    began = perf_counter()
    env = environment(XDG_DATA_HOME=str(folder))
    with on_core(SERVER_CORE):
        process = Popen([sys.executable, *arguments], stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=env)
    try:
        _ask(process, "initialize", _SHAKE, 1)
        _tell(process, {"method": "notifications/initialized"})
        tools: list[dict[str, Any]] = _ask(process, "tools/list", {}, 2)["tools"]
        return perf_counter() - began, tools
    finally:
        end(process)


def _ask(process: Popen[bytes], method: str, params: Any, number: int) -> dict[str, Any]:
    _tell(process, {"id": number, "method": method, "params": params})
    assert process.stdout is not None
    for line in process.stdout:
        said = json.loads(line)
        if said.get("id") == number and "result" in said:
            result: dict[str, Any] = said["result"]
            return result
    raise Died(f"The server left before it answered {method}.")


def _tell(process: Popen[bytes], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    process.stdin.flush()
