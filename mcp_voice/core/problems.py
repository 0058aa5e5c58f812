"""What has failed in a call, in sentences for its agent, who is told of it once.

>>> problems = Problems()
>>> problems.voice("The voice is gone.", unsaid="And this is the second one.")
>>> problems.tell(), problems.tell()
('The voice is gone. Not said: And this is the second one.', None)
"""

from collections.abc import Mapping
from typing import Any, Final

KNOWN_BY: Final = 80
"""Characters of a text by which the agent knows which was not said."""


class Problems:
    """One call's, oldest first."""

    def __init__(self) -> None:
        self._untold: list[str] = []
        self.unheard = False
        """Whether the caller has said something that was not understood, and the agent was not told."""

    def voice(self, why: str, unsaid: str) -> None:
        """The voice failed, and did not say this any more."""
        short = unsaid if len(unsaid) <= KNOWN_BY else f"{unsaid[:KNOWN_BY].rstrip()}…"
        self._untold.append(f"{why} Not said: {short}")

    def ear(self, why: str) -> None:
        """The recogniser failed: what the caller said is lost, or will be."""
        self.unheard = True
        sentence = f"The caller could not be understood: {why}"
        if sentence not in self._untold:
            self._untold.append(sentence)

    def tell(self) -> str | None:
        """Hand over what has failed since the last time; None if nothing has."""
        untold, self._untold, self.unheard = self._untold, [], False
        return " ".join(untold) or None


def deafens(error: Mapping[str, Any]) -> bool:
    """Whether an error of the call's log is a recogniser's that has given up what the caller said."""
    return error.get("of") == "ear" and not error.get("recovered")
