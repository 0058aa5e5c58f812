"""What has failed in a call, in sentences for its agent, who is told of it once.

>>> problems = Problems()
>>> problems.voice("The voice is gone.", unsaid="And this is the second one.")
>>> problems.tell(), problems.tell()
('The voice is gone. Not said: And this is the second one.', None)
"""

from typing import Final

KNOWN_BY: Final = 80
"""Characters of a text by which the agent knows which was not said."""


class Problems:
    """One call's, oldest first."""

    def __init__(self) -> None:
        self._untold: list[str] = []

    def voice(self, why: str, unsaid: str) -> None:
        """The voice failed, and did not say this any more."""
        short = unsaid if len(unsaid) <= KNOWN_BY else f"{unsaid[:KNOWN_BY].rstrip()}…"
        self._untold.append(f"{why} Not said: {short}")

    def tell(self) -> str | None:
        """Hand over what has failed since the last time; None if nothing has."""
        untold, self._untold = self._untold, []
        return " ".join(untold) or None
