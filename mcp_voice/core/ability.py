"""What a telephone can do here: one line of its status.

>>> Ability("incoming calls", "missing", "Set a token.").state
'missing'
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["ok", "missing", "off"]
"""It works; it would, if something were set or installed; it is not meant to."""


@dataclass(frozen=True, slots=True)
class Ability:
    """One thing, how it is here, and what would make it work."""

    what: str
    state: State
    fix: str | None = None
