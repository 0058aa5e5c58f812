"""The line between a process and the engine that is its child.

Both directions carry frames: which job, a message, and perhaps sound. A frame
without a message drops the job. The lengths come first, so that a reader needs
to understand nothing to find the next frame.

    >>> head = HEAD.unpack(pack(7, b"msg", b"sound")[: HEAD.size])
    >>> head
    (7, 3, 5)

`Line` is the child's end. Reading has a thread of its own: the engine learns
that a job is dropped, or that its parent is gone, while it works on that job.
"""

import os
import signal
import sys
from collections.abc import Iterator
from queue import SimpleQueue
from struct import Struct
from threading import Thread
from typing import BinaryIO, Final, Generic, NamedTuple, TypeVar

import msgspec

from mcp_voice.providers.workers.messages import Ready

HEAD: Final = Struct("<III")  # the job, the message's bytes, the sound's bytes
LONGEST: Final = 1 << 22  # bytes of a message or of a sound; whoever announces more is out of step

Ask = TypeVar("Ask")
_encode: Final = msgspec.msgpack.Encoder().encode


def pack(job: int, message: bytes = b"", sound: bytes = b"") -> bytes:
    """Spell one frame."""
    return b"".join((HEAD.pack(job, len(message), len(sound)), message, sound))


class Frame(NamedTuple, Generic[Ask]):
    """What the parent said about one job; without an `ask` it is dropped."""

    job: int
    ask: Ask | None
    sound: bytes


class Line(Generic[Ask]):
    """The child's end of the line, on its standard input and output.

    Whatever a library prints goes to standard error: a C parser that echoes to
    standard output must not get between the frames.
    """

    def __init__(self, asks: "msgspec.msgpack.Decoder[Ask]") -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent; it closes the line
        self.closed = False
        self._asks = asks
        self._dropped: set[int] = set()
        self._news: SimpleQueue[Frame[Ask] | None] = SimpleQueue()
        self._in: BinaryIO = os.fdopen(os.dup(0), "rb")
        self._out: BinaryIO = os.fdopen(os.dup(1), "wb")
        sys.stdout.flush()
        os.dup2(2, 1)
        Thread(target=self._read, daemon=True).start()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be read."""
        return self._news.empty()

    def over(self, job: int) -> bool:
        """Whether nobody waits for this job's answer any more."""
        return self.closed or job in self._dropped

    def reply(self, job: int, message: msgspec.Struct, sound: bytes = b"") -> None:
        """Answer a job; a parent that is gone does not mind."""
        try:
            self._out.write(pack(job, _encode(message), sound))
            self._out.flush()
        except OSError:
            self.closed = True

    def __iter__(self) -> Iterator[Frame[Ask]]:
        """Say that the engine is ready; then give what the parent says, until it hangs up."""
        self.reply(0, Ready())
        while (frame := self._news.get()) is not None:
            if frame.ask is None:
                self._dropped.discard(frame.job)
            yield frame

    def _read(self) -> None:
        try:
            while len(head := self._in.read(HEAD.size)) == HEAD.size:
                job, message, sound = HEAD.unpack(head)
                told = self._in.read(message)
                if not told:
                    self._dropped.add(job)
                self._news.put(Frame(job, self._asks.decode(told) if told else None, self._in.read(sound)))
        finally:
            self.closed = True
            self._news.put(None)
