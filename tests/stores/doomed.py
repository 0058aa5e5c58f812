"""A program that changes sessions, says which changes are kept, and waits to be killed.

    python doomed.py sqlite:///calls.db CA7

It prints `session_id turn_id` for each change that was acknowledged, from many
tasks at once, and never ends by itself.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime

from mcp_voice.core.session import Entry, SessionConfig, Turn, begin, change
from mcp_voice.stores import open_store

TASKS = 20


async def main(url: str, call_sid: str) -> None:
    store = open_store(url)

    async def call() -> None:
        session = begin(call_sid, SessionConfig(), datetime.now(UTC))
        await store.add(session)
        while True:
            now = datetime.now(UTC)
            turn = Turn(turn_id=f"t{session.version}", user_utterance="one more " * 20, timestamp=now)
            new = change(session.touched(now), [turn], [Entry(at=now, kind="turn.done")])
            await store.commit(new, session.version)
            os.write(1, f"{session.session_id} {turn.turn_id}\n".encode())  # unbuffered: said is said
            session = new.session

    await asyncio.gather(*(call() for _ in range(TASKS)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
