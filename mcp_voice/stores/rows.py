"""A session as rows: the one form in which every store keeps it.

A session is one row, each turn and each line of its log another. `doc` is the
whole value as JSON, what stands beside it is what a store looks for or counts
by. A doc has been read back before it becomes a row, so nothing is stored that
cannot be loaded; times are integers, microseconds since 1970 in UTC, so they
compare alike everywhere.

    >>> moment(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from mcp_voice.core.session import Change, Entry, Session, Shape, Turn
from mcp_voice.errors import Invalid, Refused, StoreFailed

_Kept = TypeVar("_Kept", bound=Shape)

LARGEST: Final = 2**63 - 1
"""The largest number a column holds."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class SessionRow(NamedTuple):
    """A session without its turns."""

    session_id: str
    call_sid: str
    status: str
    version: int
    created_at: int
    last_activity_at: int
    doc: str


class TurnRow(NamedTuple):
    """A turn; where it stands among the others is the store's to say."""

    turn_id: str
    doc: str


class EntryRow(NamedTuple):
    """A line of the event log."""

    seq: int
    at: int
    kind: str
    doc: str


class Rows(NamedTuple):
    """What one transaction writes."""

    session: SessionRow
    turns: tuple[TurnRow, ...] = ()
    entries: tuple[EntryRow, ...] = ()


def rows(change: Change) -> Rows:
    """Make a change ready to be written. Raises `Invalid` for what could not be read again."""
    doc, session = _written(change.session, leave_out="turns")
    row = SessionRow(
        session_id=name(session.session_id),
        call_sid=name(session.call_sid),
        status=session.status,
        version=_number("version", session.version),
        created_at=moment(session.created_at),
        last_activity_at=moment(session.last_activity_at),
        doc=doc,
    )
    return Rows(row, tuple(map(_turn_row, change.turns)), tuple(map(_entry_row, change.entries)))


def session_of(doc: str, turns: Iterable[str] = ()) -> Session:
    """Read a session from its doc and those of its turns. Raises `StoreFailed` if one is damaged."""
    session = _read(Session, doc)
    return session.model_copy(update={"turns": tuple(_read(Turn, turn) for turn in turns)})


def entry_of(doc: str) -> Entry:
    """Read a line of the log from its doc. Raises `StoreFailed` if it is damaged."""
    return _read(Entry, doc)


def name(text: str) -> str:
    """Return a name that every database takes as text. Raises `Invalid` for NUL and half a surrogate pair."""
    if "\0" in text or text.encode(errors="replace").decode() != text:
        raise Invalid(f"{text!r} has a character that a name cannot have.")
    return text


def moment(at: datetime) -> int:
    """Return a time in microseconds since 1970, UTC. Raises `Invalid` when it names no zone."""
    if at.utcoffset() is None:
        raise Invalid(f"The time {at.isoformat()} names no time zone.")
    return (at - _EPOCH) // _MICROSECOND


def bounded(number: int) -> int:
    """Return the nearest number that a query takes: 0 to `LARGEST`."""
    return min(max(number, 0), LARGEST)


def id_taken(session_id: str) -> Refused:
    """Say that a session of that id is there already."""
    return Refused(f"Session {session_id} is already there.", advice="Start another with session.create.")


def seq_taken(session_id: str) -> Refused:
    """Say that the log has a line of that number already."""
    return Refused(
        f"The log of session {session_id} already has an entry of that number.",
        advice="Number new entries behind the session's seq.",
    )


def store_closed() -> StoreFailed:
    """Say that the store has been let go of."""
    return StoreFailed("The store is closed.", advice="Nothing was changed. Start the server again.")


def _turn_row(turn: Turn) -> TurnRow:
    doc, turn = _written(turn)
    return TurnRow(name(turn.turn_id), doc)


def _entry_row(entry: Entry) -> EntryRow:
    doc, entry = _written(entry)
    return EntryRow(_number("seq", entry.seq), moment(entry.at), name(entry.kind), doc)


def _number(what: str, number: int) -> int:
    if not 1 <= number <= LARGEST:
        raise Invalid(f"A {what} counts from 1; {number} cannot be kept.")
    return number


def _written(value: _Kept, *, leave_out: str | None = None) -> tuple[str, _Kept]:
    """Return a value as JSON, and as it will be read from that.

    `model_copy` checks nothing and JSON is stricter on the way in than on the
    way out (200 levels against 255), so only reading it back tells.
    """
    try:
        doc = value.model_dump_json(by_alias=True, exclude={leave_out} if leave_out else None, warnings=False)
        return doc, type(value).model_validate_json(doc)
    except (PydanticSerializationError, ValidationError) as error:
        raise Invalid(f"A {type(value).__name__.lower()} that cannot be kept: {_fault(error)}.") from None


def _read(kind: type[_Kept], doc: str) -> _Kept:
    try:
        return kind.model_validate_json(doc)
    except ValidationError as error:
        raise StoreFailed(
            f"A stored {kind.__name__.lower()} is damaged: {_fault(error)}.",
            advice="Restore the database from a copy, or remove the session.",
        ) from None


def _fault(error: PydanticSerializationError | ValidationError) -> str:
    """Say what is wrong with a value, without the value: it may be a caller's words."""
    if isinstance(error, PydanticSerializationError):
        return str(error).rstrip(".")
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}"
