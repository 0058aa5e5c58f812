"""One writer: a thread that does everybody's work with the database.

Work waits in a queue while the thread is busy. When it turns to the queue it
takes all that is there and does it in order, in one transaction with one
COMMIT. What writes has a savepoint of its own, so that one's refusal undoes
nothing of another's. Callers are answered after the COMMIT: an answer means
that the change is kept.

    callers ─ work ─▶ queue ─▶ thread: BEGIN work work work COMMIT ─ answers ─▶ callers

A caller that is cancelled while it waits does not take its work back: what was
handed over is done, once. After a failure the connection is dropped, and the
next work opens another.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from copy import copy
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from mcp_voice.errors import StoreFailed, VoiceError
from mcp_voice.stores.rows import store_closed

if TYPE_CHECKING:
    from mcp_voice.stores.sqlite import SqliteFile
    from mcp_voice.stores.tables import Records

T = TypeVar("T")

MOST_AT_ONCE: Final = 256
"""How many pieces of work share a transaction: it bounds how long the first of them waits."""


class _Work(Generic[T]):
    """Something to do with the records, and who waits for it."""

    def __init__(self, do: Callable[["Records"], T], writes: bool) -> None:
        self.do = do
        self.writes = writes
        self.loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[T] = self.loop.create_future()
        self.result: T | None = None
        self.error: BaseException | None = None

    def run(self, file: "SqliteFile") -> None:
        """Do it, in the writer's thread; a refusal is an answer too."""
        try:
            with file.attempt() if self.writes else nullcontext():
                self.result = self.do(file.records)
        except VoiceError as error:
            self.error = error

    def tell(self) -> None:
        """Answer, in the caller's loop; a caller that was cancelled waits no more."""
        if self.answer.done():
            return
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.result)  # type: ignore[arg-type]  # a T once it ran without error


class Writer:
    """The thread, its queue and its connection; `open_file` is called in the thread, by the first work.

    writer = Writer(lambda: SqliteFile(path, "crash", 5.0))
    session = await writer.do(lambda records: records.load(session_id), writes=False)
    """

    def __init__(self, open_file: Callable[[], "SqliteFile"]) -> None:
        self._open_file = open_file
        self._file: SqliteFile | None = None
        self._waiting: deque[_Work[Any]] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mcp-voice-store")
        self._ending: Future[None] | None = None

    async def do(self, do: Callable[["Records"], T], *, writes: bool) -> T:
        """Have something done with the records; return its answer once it is kept.

        Raises what `do` raises, and `StoreFailed`.
        """
        if self._ending is not None:
            raise store_closed()
        work = _Work(do, writes)
        self._waiting.append(work)
        self._thread.submit(self._turn_to_the_queue)
        return await work.answer

    async def aclose(self) -> None:
        """Do all that waits, let go of the file and end the thread."""
        if self._ending is None:
            self._ending = self._thread.submit(self._drop)
            self._thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(self._ending))
        self._thread.shutdown()  # there is nothing left to wait for but the thread's last step

    # ─── in the thread ───────────────────────────────────────────────────────

    def _turn_to_the_queue(self) -> None:
        """Do what waits. It is called once for each piece of work, and often finds nothing left."""
        works = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_AT_ONCE))]
        if not works:
            return
        try:
            self._together(works)
        except StoreFailed as error:
            self._drop()
            for work in works:
                work.error = copy(error)  # each is raised in another task, with a traceback of its own
        finally:
            unforeseen = sys.exception()  # a mistake of ours: those who wait get to see it
            for work in works if unforeseen else ():
                work.error = unforeseen
            _settle(works)
            if unforeseen:
                self._drop()

    def _together(self, works: Sequence[_Work[Any]]) -> None:
        self._file = file = self._file or self._open_file()
        with file.transaction(writes=any(work.writes for work in works)):
            for work in works:
                work.run(file)

    def _drop(self) -> None:
        file, self._file = self._file, None
        if file:
            with suppress(StoreFailed):
                file.close()


def _settle(works: Sequence[_Work[Any]]) -> None:
    """Answer everybody: one call into a loop for all who wait in it."""
    for loop, theirs in groupby(works, key=lambda work: work.loop):
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_tell, list(theirs))


def _tell(works: Sequence[_Work[Any]]) -> None:
    for work in works:
        work.tell()
