"""Where sessions are kept: one file a store, one suite for all.

    memory:                 in this process, until it ends
    sqlite:///calls.db      in a file; with a fourth slash, at an absolute path
    (nothing)               in a file of the platform's data folder

`open_store` reads such a URL. A database is opened, and its library imported,
when the first work comes.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mcp_voice.errors import NotConfigured
from mcp_voice.ports import SessionStore

if TYPE_CHECKING:
    from mcp_voice.stores.sql import Durability


def open_store(url: str | None = None, *, durability: "Durability" = "crash") -> SessionStore:
    """Return the store that a URL names; None means `default_path`.

    Raises:
        NotConfigured: there is no such kind of store.
    """
    from mcp_voice.stores.memory import MemoryStore
    from mcp_voice.stores.sql import SqlStore

    if url == "memory:":
        return MemoryStore()
    if url is None or url.startswith("sqlite:"):
        return SqlStore(url or f"sqlite:///{default_path()}", durability=durability)
    raise NotConfigured(
        f"There is no store for {url.partition(':')[0]!r}.",
        advice="Name one that starts with sqlite:/// or memory:, or none to keep calls in the data folder.",
    )


def default_path() -> Path:
    """Return where calls are kept when nobody says: `calls.db` in the platform's data folder."""
    from platformdirs import user_data_path

    return user_data_path("mcp-voice") / "calls.db"
