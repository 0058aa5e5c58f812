"""What can be installed besides: asked for without importing it."""

import sys
from importlib.util import find_spec
from typing import Final

from mcp_voice.errors import NotConfigured

_NO_WHEEL: Final = {"pocketsphinx": (3, 14)}
"""Packages that have no wheel from this Python on, and need a compiler."""


def installed(package: str) -> bool:
    """Return whether a package could be imported."""
    return find_spec(package) is not None


def require(package: str, what: str, *, extra: str = "local") -> None:
    """Check that an optional package is there. Raises `NotConfigured`, with how to get it."""
    if not installed(package):
        raise NotConfigured(
            f"{what} is not installed: there is no package {package!r}.",
            advice=advice(package, extra, sys.version_info[:2]),
        )


def advice(package: str, extra: str, python: tuple[int, int]) -> str:
    """Say how to get a package, for a version of Python.

    >>> advice("pocketsphinx", "local", (3, 13))
    "pip install 'mcp-voice[local]'."
    """
    how = f"pip install 'mcp-voice[{extra}]'."
    if python < _NO_WHEEL.get(package, (4, 0)):
        return how
    return f"It has no wheel for Python {python[0]}.{python[1]} yet: use Python 3.11 to 3.13, and {how}"
