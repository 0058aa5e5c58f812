"""Who lives in a store: whether a session left open was left by the dead.

A desktop client may start a second process on the same file while a first one
has calls. Each holds a shared lock on `<file>.lock` while it lives; whoever can
lock it alone, at its start, is the only one, and what is open then is nobody's.
The lock ends with its process, however that ends.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def tenancy(file: Path | None) -> Iterator[bool]:
    """Live in a store of that file, if it is one; yield whether nobody else does.

    A store without a file is its process's own. Where there are no such locks
    (Windows) nobody is taken to be alone, and idle time closes what was left.
    """
    if file is None:
        yield True
        return
    if sys.platform == "win32":
        yield False
        return
    import fcntl

    file.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{file}.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            alone = False
        # Given up before the work it stands for is done, lest a newcomer wait: it finds us, and is not alone.
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield alone
