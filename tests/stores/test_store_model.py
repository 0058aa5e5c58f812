"""Memory and SQLite, told the same, answer the same; and SQLite forgets nothing when it is opened again."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mcp_voice.core.finding import Place, place
from mcp_voice.core.session import Change, Entry, Session, SessionConfig, Turn
from mcp_voice.errors import VoiceError
from mcp_voice.ports import SessionStore
from mcp_voice.stores.memory import MemoryStore
from mcp_voice.stores.sql import SqlStore
from tests.stores.records import a_session, at

IDS: Final = st.sampled_from(["sess_a", "sess_b", "sess_c"])
CALLS: Final = st.sampled_from(["CA1", "CA2"])
SECONDS: Final = st.integers(0, 5)
VERSIONS: Final = st.integers(1, 4)
STATUSES: Final = st.sampled_from(["pending", "active", "held", "closed"])
TEXT: Final = st.text(max_size=6)
WORDS: Final = st.lists(
    st.sampled_from(
        [
            "book",
            "booking",
            "Bo",
            "tables",
            "Straße",
            "STRASSE",
            "e\u0301",
            "é",
            "Əli",
            "4711",
            "*",
            '"',
            "OR",
        ]
    )
).map(" ".join)
METADATA: Final = st.dictionaries(
    TEXT, st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)
SESSIONS: Final = st.builds(
    lambda made, idle, **fields: Session(
        created_at=at(made), last_activity_at=at(made + idle), config=SessionConfig(), **fields
    ),
    made=SECONDS,
    idle=SECONDS,
    session_id=IDS,
    call_sid=CALLS,
    status=STATUSES,
    version=VERSIONS,
    metadata=METADATA,
    from_=st.none() | TEXT,
    close_reason=st.none() | WORDS,
)
TURNS: Final = st.lists(
    st.builds(
        lambda name, said, answer, second: Turn(
            turn_id=name, user_utterance=said, agent_response=answer, timestamp=at(second)
        ),
        st.sampled_from("tuvw"),
        st.none() | TEXT | WORDS,
        st.none() | WORDS,
        SECONDS,
    ),
    max_size=3,
).map(tuple)
LINES: Final = st.lists(
    st.builds(
        lambda number, second, kind: Entry(seq=number, at=at(second), kind=kind),
        st.integers(0, 8),
        SECONDS,
        st.sampled_from(["mark", "dtmf"]),
    ),
    max_size=2,
).map(tuple)

Verb = Callable[[SessionStore], Coroutine[Any, Any, Any]]


class Stores(RuleBasedStateMachine):
    """Both stores, and one loop for them."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{Path(self.folder.name)}/calls.db"
        self.memory = MemoryStore()
        self.sqlite = SqlStore(self.url)

    def both(self, verb: Verb) -> Any:
        """Ask both; an answer is a value, or the kind and words of a refusal."""

        async def outcome(store: SessionStore) -> Any:
            try:
                return await verb(store)
            except VoiceError as error:
                return type(error), str(error), error.details

        async def outcomes() -> tuple[Any, Any]:
            return await outcome(self.memory), await outcome(self.sqlite)

        memory, sqlite = self.runner.run(outcomes())
        assert memory == sqlite
        return memory

    @rule(session=SESSIONS, turns=TURNS)
    def add(self, session: Session, turns: tuple[Turn, ...]) -> None:
        self.both(lambda store: store.add(session.model_copy(update={"turns": turns})))

    @rule(new=SESSIONS, turns=TURNS, lines=LINES, expected=VERSIONS)
    def commit_any(self, new: Session, turns: Any, lines: Any, expected: int) -> None:
        self.both(lambda store: store.commit(Change(new, turns, lines), expected))

    @rule(new=SESSIONS, turns=TURNS, lines=LINES)
    def commit_the_next_version(self, new: Session, turns: Any, lines: Any) -> None:
        old = self.both(lambda store: store.load(new.session_id))
        if old is not None:
            fits = new.model_copy(update={"version": old.version + 1})
            self.both(lambda store: store.commit(Change(fits, turns, lines), old.version))

    @rule(calls=CALLS, ids=IDS, after=st.integers(-1, 9), limit=st.integers(-1, 4))
    def read(self, calls: str, ids: str, after: int, limit: int) -> None:
        self.both(lambda store: store.named(calls))
        self.both(lambda store: store.entries(ids, after, limit))

    @rule(before=st.none() | SECONDS.map(at), live=st.none() | st.booleans(), limit=st.integers(-1, 3))
    def find(self, before: Any, live: bool | None, limit: int) -> None:
        self.both(lambda store: store.find(idle_before=before, live=live, limit=limit))

    @rule(
        query=TEXT | WORDS,
        live=st.none() | st.booleans(),
        party=TEXT,
        before=st.none()
        | st.builds(Place, SECONDS.map(lambda second: place(a_session(made=second))[0]), IDS),
        limit=st.integers(-1, 3),
    )
    def search(self, query: str, live: bool | None, party: str, before: Any, limit: int) -> None:
        self.both(lambda store: store.search(query, live=live, limit=limit))
        self.both(lambda store: store.search("", party=party, before=before))

    @rule(ids=st.lists(IDS, max_size=2))
    def remove(self, ids: list[str]) -> None:
        self.both(lambda store: store.remove(ids))

    @rule(index=st.booleans())
    def open_the_file_again(self, index: bool) -> None:
        self.runner.run(self.sqlite.aclose())
        self.sqlite = SqlStore(self.url, index=index)

    @invariant()
    def everything_agrees(self) -> None:
        for session in self.both(lambda store: store.find()):
            session_id = session.session_id
            self.both(lambda store, asked=session_id: store.load(asked))  # type: ignore[misc]
            self.both(lambda store, asked=session_id: store.entries(asked))  # type: ignore[misc]

    def teardown(self) -> None:
        self.runner.run(self.sqlite.aclose())
        self.runner.close()
        self.folder.cleanup()


TestStores = Stores.TestCase
TestStores.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
