"""The machine: cores, a server in a process of its own, what it uses, and word of progress.

A server runs on one core and whoever measures it on another, where the system
lets a process choose. What a server is told by the environment is set here and
nowhere else, so that a run does not depend on whose shell it is in.
"""

import json
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from typing import IO, Any, Final

import psutil  # type: ignore[import-untyped]  # it has none

CORES: Final = sorted(
    os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
)
SERVER_CORE: Final = CORES[0]
LOAD_CORE: Final = CORES[-1]
FILES: Final = 8_192
"""Sockets open at once, at either end."""

_STARTED: Final = time.monotonic()


def say(what: str) -> None:
    """Write a line of progress, with the seconds since the start."""
    sys.stderr.write(f"[{time.monotonic() - _STARTED:4.0f} s] {what}\n")
    sys.stderr.flush()


def elapsed() -> float:
    """Seconds since the start."""
    return time.monotonic() - _STARTED


def settle_down(core: int) -> None:
    """Move this process, and what it starts, to one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def allow_files() -> None:
    """Raise the limit of open files, for this process and what it starts."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def environment(**more: str) -> dict[str, str]:
    """The environment without anybody's settings of ours."""
    ours = ("MCP_VOICE_", "TWILIO_", "OTEL_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | more


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run the block, and the processes it starts, on one core."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Server:
    """A server that runs: where it listens, and what it uses."""

    def __init__(self, process: Popen[bytes], ports: Mapping[str, int], said: deque[str]) -> None:
        self.public = ports.get("public", 0)
        self.private = ports.get("private", 0)
        self._process = process
        self._seen = psutil.Process(process.pid)
        self._said = said

    def cpu(self) -> float:
        """Seconds of processor time used, its children's included."""
        used = 0.0
        for process in (self._seen, *self._seen.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used += times.user + times.system
        return used

    def memory(self) -> float:
        """Resident memory, in MiB; without its children's."""
        resident: int = self._seen.memory_info().rss
        return resident / 2**20

    def last_words(self) -> str:
        """What it has said last, on stderr."""
        return "\n".join(self._said)

    def complaint(self) -> str:
        """The last exception that it told of; empty if there is none."""
        found = re.findall(r"\w+Error: [^\n\\]*", self.last_words())
        return found[-1] if found else ""


class Died(Exception):
    """A server that did not begin to listen, or did not stay."""


@contextmanager
def server(*arguments: str, **env: str) -> Iterator[Server]:
    """Run `python …` on the server's core until the block ends; it says on stderr when it listens.

    That is a JSON line whose `event` is `listening`, with its ports. Raises `Died`.
    """
    command = [sys.executable, *arguments]
    with on_core(SERVER_CORE):
        process = Popen(command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, env=environment(**env))
    said: deque[str] = deque(maxlen=40)
    assert process.stderr is not None
    try:
        ports = _ports(process.stderr, said)
        threading.Thread(target=said.extend, args=(_lines(process.stderr),), daemon=True).start()
        yield Server(process, ports, said)
        if process.poll() is not None:
            raise Died(f"{' '.join(arguments)} ended with {process.returncode}:\n" + "\n".join(said))
    finally:
        end(process)


def end(process: Popen[bytes]) -> None:
    """End a process: told first, then killed."""
    process.terminate()
    try:
        process.wait(timeout=5)
    except TimeoutExpired:
        process.kill()
        process.wait()


def _lines(stream: IO[bytes]) -> Iterator[str]:
    return (line.decode(errors="replace").rstrip() for line in stream)


def _ports(stream: IO[bytes], said: deque[str]) -> Mapping[str, int]:
    for line in _lines(stream):
        said.append(line)
        with suppress(ValueError):
            told: dict[str, Any] = json.loads(line)
            if told.get("event") == "listening":
                return {name: port for name, port in told.items() if isinstance(port, int)}
    raise Died("It did not begin to listen:\n" + "\n".join(said))
