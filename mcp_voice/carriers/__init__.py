"""Carriers: one folder each."""

from collections.abc import Mapping

from mcp_voice.errors import NotFound
from mcp_voice.ports import Carrier


class Exchange:
    """The carriers of this process, by name. Implements `ports.Carriers`."""

    def __init__(self, carriers: Mapping[str, Carrier]) -> None:
        self._carriers = carriers

    def __getitem__(self, name: str) -> Carrier:
        """Return a carrier. Raises `NotFound`."""
        if name not in self._carriers:
            raise NotFound("carrier", name, advice=f"This process has {', '.join(self._carriers)}.")
        return self._carriers[name]
