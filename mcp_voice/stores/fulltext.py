"""SQLite's full-text index over the words in `said`, where the SQLite has FTS5.

The index holds no text of its own: triggers keep it with the table, in the same
transaction, whoever writes. Its tokenizer cuts at ASCII blanks and `|` only, where `core.finding`
has put them, so it finds what LIKE finds. A SQLite without FTS5 does without:
it takes the triggers away, and the next one that has it builds the index anew.

What is removed has to be gone from the file, and an index forgets by writing a
note; so after a removal it is merged into one, which drops the notes and what
they are about (https://sqlite.org/fts5.html#the_optimize_command).
"""

from typing import Any, Final

from sqlalchemy import Connection, Select, column, select, table, text

_INDEX: Final = table("said_index", column("rowid"), column("said_index"))

_ADDED: Final = "INSERT INTO said_index(rowid, words) VALUES (new.n, new.words);"
_GONE: Final = "INSERT INTO said_index(said_index, rowid, words) VALUES ('delete', old.n, old.words);"
_TRIGGERS: Final = {
    "said_added": f"AFTER INSERT ON said BEGIN {_ADDED} END",
    "said_changed": f"AFTER UPDATE OF words ON said BEGIN {_GONE} {_ADDED} END",
    "said_gone": f"AFTER DELETE ON said BEGIN {_GONE} END",
}


def able(db: Connection) -> bool:
    """Whether this SQLite has FTS5."""
    return bool(db.scalar(text("SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'")))


def kept(db: Connection) -> bool:
    """Whether the index of this file is kept with its table."""
    query = text(
        "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'said#_%' ESCAPE '#'"
    )
    return bool(db.scalar(query) == len(_TRIGGERS))


def keep(db: Connection) -> None:
    """Make the index of what is in the table now, and keep it from now on."""
    db.exec_driver_sql(
        "CREATE VIRTUAL TABLE IF NOT EXISTS said_index USING fts5"
        "(words, content=said, content_rowid=n, tokenize=ascii, detail=none, columnsize=0)"
    )
    for name, does in _TRIGGERS.items():
        db.exec_driver_sql(f"CREATE TRIGGER IF NOT EXISTS {name} {does}")
    db.exec_driver_sql("INSERT INTO said_index(said_index) VALUES ('rebuild')")


def leave(db: Connection) -> None:
    """Keep the index no longer."""
    for name in _TRIGGERS:
        db.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")


def forget(db: Connection) -> None:
    """Leave nothing in the index of what was deleted from the table."""
    db.exec_driver_sql("INSERT INTO said_index(said_index) VALUES ('optimize')")


def beginning(word: str) -> Select[Any]:
    """Select the rows of `said` that have a word which begins so; it is letters and digits only."""
    return select(_INDEX.c.rowid).where(_INDEX.c.said_index.op("MATCH")(f'"{word}"*'))
