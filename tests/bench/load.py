"""Many carriers at once, cheaper than what they load: raw sockets, one selector, prebuilt frames.

Each stream says what Twilio says: `connected`, `start`, then a `media` message
every 20 ms with 160 bytes of mu-law. Frames are masked, as a client's must be,
with a key of zeroes: the server unmasks as ever, and nothing is computed here.

The first three bytes of a frame count frames, a nibble each, in the sixteen
codes nearest to silence, so that a voice detector does not hear them. They come
back in the echo and tell which frame it is; the payload is not decoded.
"""

import gc
import secrets
import socket
from array import array
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from selectors import EVENT_READ, DefaultSelector
from statistics import quantiles
from time import perf_counter as clock
from typing import Final

PATH: Final = "/twilio/media"
PERIOD: Final = 0.02
LATE: Final = 0.04
"""A round trip longer than this is late, in seconds."""
LOSABLE: Final = 0.01
"""Keeping up allows this share of the frames to be lost, and the same to be late."""
GRACE: Final = 0.3
"""Seconds after a window in which its echoes are still waited for."""

QUIET: Final = bytes(range(0xF0, 0x100))
"""The codes of samples from -120 to 0: 49 dB below the loudest."""
COUNTERS: Final = tuple(b64encode(bytes(codes)) for codes in product(QUIET, repeat=3))
NUMBERS: Final = {counter: number for number, counter in enumerate(COUNTERS)}
SILENCE: Final = b64encode(b"\xff" * 160)[4:]

_TEXT: Final = 0x81
_ANSWERS: Final = {0x89: 0x8A, 0x88: 0x88}  # pong to a ping, close to a close
_MASKED: Final = b"\xfe"  # a mask, and a length of two bytes
_KEY: Final = bytes(4)
_PAYLOAD: Final = b'"payload":"'
_FIRST: Final = 10_000  # sequence numbers and timestamps keep their width from here on


@dataclass(slots=True)
class Window:
    """What is measured between two moments: round trips in seconds, of frames sent within."""

    begins: float = float("inf")
    ends: float = float("inf")
    sent: int = 0
    cpu: float = 0.0
    """Seconds of processor time that the server used."""
    trips: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)
    """How late the load itself was, for each frame: it should be much less than the trips."""

    @property
    def lost(self) -> float:
        """The share of frames without an echo."""
        return 1 - len(self.trips) / self.sent if self.sent else 1.0

    @property
    def p99(self) -> float:
        """The round trip that one in a hundred exceeds, in milliseconds."""
        return _p99(self.trips)

    @property
    def behind_p99(self) -> float:
        """The same of the load's own lateness."""
        return _p99(self.behind)

    @property
    def cpu_us(self) -> float:
        """Microseconds of the server's processor time for a frame in and its echo out."""
        return 1e6 * self.cpu / max(1, len(self.trips))

    @property
    def kept_up(self) -> bool:
        """Whether the server kept up."""
        return self.lost <= LOSABLE and self.p99 <= LATE * 1_000


class Stream:
    """One call: says `connected` and `start` once the socket is up, then has a frame every 20 ms."""

    def __init__(self, port: int, sounds: Sequence[bytes], headers: str = "") -> None:
        self.sid = f"MZ{secrets.token_hex(16)}"
        self.due = 0.0
        self.up = self.over = False
        self.sent = array("d", bytes(8 * len(COUNTERS)))
        self._sounds = sounds
        self._number = 0
        self._rest = b""
        self._echo = (b"", 0, 0)  # how an echo begins, its length, and where its counter is
        self._unsent = b""
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self._write(_upgrade(port, headers))

    def answered(self) -> bool:
        """Whether the server has taken the call, or has not."""
        return self.up or self.over

    def speak(self, now: float) -> None:
        """Send the next frame."""
        number = self._number
        self._number += 1
        count = number % len(COUNTERS)
        self.sent[count] = now
        self._say(
            b'{"event":"media","sequenceNumber":"%d","media":{"track":"inbound","chunk":"%d",'
            b'"timestamp":"%d","payload":"%b%b"},"streamSid":"%b"}'
            % (
                _FIRST + 2 + number, _FIRST + number, 20 * (_FIRST + number),
                COUNTERS[count], self._sounds[number % len(self._sounds)], self.sid.encode(),
            )
        )  # fmt: skip

    def stop(self) -> None:
        """Hang up; the server closes."""
        self._say(b'{"event":"stop","sequenceNumber":"9","streamSid":"%b","stop":{}}' % self.sid.encode())

    def read(self, now: float, window: Window) -> None:
        """Take what has come; put the round trips of echoes into the window."""
        try:
            data = self.socket.recv(262_144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.over = True
            return
        data = self._rest + data
        if not self.up:
            data = self._begin(data)
        at, size = 0, len(data)
        begins, length, offset = self._echo
        while at < size:
            if length and at + length <= size and data.startswith(begins, at):
                self._echoed(data[at + offset : at + offset + 4], now, window)
                at += length
            elif taken := self._message(data, at, now, window):
                begins, length, offset = self._echo
                at += taken
            else:
                break
        self._rest = data[at:]

    def _begin(self, data: bytes) -> bytes:
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            return data
        if not head.startswith(b"HTTP/1.1 101"):
            self.over = True
            return b""
        self.up = True
        sid, call = self.sid.encode(), f"CA{secrets.token_hex(16)}".encode()
        self._say(b'{"event":"connected","protocol":"Call","version":"1.0.0"}')
        self._say(
            b'{"event":"start","sequenceNumber":"1","start":{"accountSid":"AC%b","streamSid":"%b","callSid":"%b",'
            b'"tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},'
            b'"customParameters":{"from":"+12025550142","to":"+12025550100"}},"streamSid":"%b"}'
            % (b"0" * 32, sid, call, sid)
        )
        return rest

    def _message(self, data: bytes, at: int, now: float, window: Window) -> int:
        """Take any one frame of the server; return its length, 0 if it is not whole."""
        head = 2 if data[at + 1 : at + 2] < b"\x7e" else 4
        if len(data) < at + head:
            return 0
        length = data[at + 1] if head == 2 else int.from_bytes(data[at + 2 : at + 4], "big")
        if len(data) < at + head + length:
            return 0
        body = data[at + head : at + head + length]
        if data[at] in _ANSWERS and length < 126:
            self._write(bytes((_ANSWERS[data[at]], 0x80 | length)) + _KEY + body)
        elif data[at] == _TEXT and (found := body.find(_PAYLOAD)) >= 0:
            offset = head + found + len(_PAYLOAD)
            self._echo = (data[at : at + head], head + length, offset)
            self._echoed(data[at + offset : at + offset + 4], now, window)
        return head + length

    def _echoed(self, counter: bytes, now: float, window: Window) -> None:
        number = NUMBERS.get(counter)  # None when it is no echo, but what a server says of its own
        if number is not None and window.begins <= self.sent[number] < window.ends:
            window.trips.append(now - self.sent[number])

    def _say(self, text: bytes) -> None:
        if len(text) < 126:
            self._write(bytes((_TEXT, 0x80 | len(text))) + _KEY + text)
        else:
            self._write(b"\x81" + _MASKED + len(text).to_bytes(2, "big") + _KEY + text)

    def _write(self, data: bytes) -> None:
        data = self._unsent + data
        try:
            self._unsent = data[self.socket.send(data) :]
        except BlockingIOError:
            self._unsent = data
        except OSError:
            self.over = True


class Load:
    """Streams at one port, served by calling `run`. `sounds` are base64 of frames, behind the counter;
    `headers` are whole lines of the upgrade.
    """

    def __init__(self, port: int, sounds: Sequence[bytes] = (SILENCE,), headers: str = "") -> None:
        self._port = port
        self._headers = headers
        self._sounds = sounds
        self._selector = DefaultSelector()
        self._talking: deque[Stream] = deque()  # by when they are due
        self.window = Window()

    def __len__(self) -> int:
        return len(self._talking)

    def grow(self, streams: int, a_second: float) -> None:
        """Open streams, so many a second, until there are so many; each begins to talk at once."""
        begins = clock()
        for number in range(streams - len(self._talking)):
            self.run(begins + number / a_second - clock())
            stream = self._open()
            self._wait(stream.answered)
            stream.due = clock()
            self._talking.append(stream)
            self._talking = deque(sorted(self._talking, key=lambda stream: stream.due))

    def run(self, seconds: float) -> None:
        """Send what is due and take what comes, for so long; at least once."""
        ends = clock() + seconds
        while True:
            now = clock()
            self._send(now)
            wakes = min(self._talking[0].due, ends) if self._talking else ends
            for key, _ in self._selector.select(max(0.0, wakes - clock())):
                stream: Stream = key.data
                stream.read(clock(), self.window)
                if stream.over:
                    self._drop(stream)
            if clock() >= ends:
                return

    def resume(self) -> None:
        """Go on after a pause: the frames between are not owed. A server may close what is silent for 5 s."""
        now = clock()
        for number, stream in enumerate(self._talking):
            stream.due = now + PERIOD * number / len(self)

    def measure(self, seconds: float, cpu: Callable[[], float]) -> Window:
        """Watch round trips for so long, or until it is certain that the server does not keep up.

        `cpu` tells the processor time that the server has used.
        """
        begins, used = clock(), cpu()
        window = self.window = Window(begins, begins + seconds)
        hopeless = LOSABLE * len(self) * seconds / PERIOD
        gc.disable()
        try:
            late = looked = 0
            while clock() < window.ends and late <= hopeless:
                self.run(min(0.5, window.ends - clock()))
                late += sum(trip > LATE for trip in window.trips[looked:])
                looked = len(window.trips)
            window.ends, window.cpu = min(window.ends, clock()), cpu() - used
            self.run(GRACE)
        finally:
            gc.enable()
            self.window = Window()
        return window

    def shrink(self, streams: int, patience: float = 5.0) -> None:
        """Hang up until there are so many; wait for the server to close."""
        leaving = [self._talking.pop() for _ in range(len(self._talking) - streams)]
        for stream in leaving:
            stream.stop()
        self._wait(lambda: all(stream.over for stream in leaving), patience)
        for stream in leaving:
            self._drop(stream)

    def batch(self, streams: int, frames: int) -> int:
        """Make so many short calls at once, with so many frames each; return how many began and ended."""
        calls = [self._open() for _ in range(streams)]
        self._wait(lambda: all(call.answered() for call in calls))
        for call in calls:
            for _ in range(frames):
                call.speak(clock())
            call.stop()
        self._wait(lambda: all(call.over for call in calls))
        for call in calls:
            self._drop(call)
        return sum(call.up for call in calls)

    def close(self) -> None:
        """Hang up everywhere."""
        self.shrink(0)
        self._selector.close()

    def _open(self) -> Stream:
        stream = Stream(self._port, self._sounds, self._headers)
        self._selector.register(stream.socket, EVENT_READ, stream)
        return stream

    def _send(self, now: float) -> None:
        talking, window = self._talking, self.window
        counts = window.begins <= now < window.ends
        while talking and talking[0].due <= now:
            stream = talking.popleft()
            if counts:
                window.sent += 1
                window.behind.append(now - stream.due)
            stream.speak(clock())
            stream.due += PERIOD
            talking.append(stream)

    def _wait(self, holds: Callable[[], bool], patience: float = 10.0) -> None:
        gives_up = clock() + patience
        while not holds() and clock() < gives_up:
            self.run(0.002)

    def _drop(self, stream: Stream) -> None:
        stream.over = True
        if stream.socket.fileno() >= 0:
            self._selector.unregister(stream.socket)
            stream.socket.close()
        if stream in self._talking:
            self._talking.remove(stream)


def _p99(values: Sequence[float]) -> float:
    return quantiles(values, n=100)[98] * 1_000 if len(values) > 1 else float("inf")


def _upgrade(port: int, headers: str) -> bytes:
    key = b64encode(secrets.token_bytes(16)).decode()
    return (
        f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
    ).encode()
