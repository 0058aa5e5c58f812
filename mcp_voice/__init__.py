"""One process that gives any MCP agent a telephone."""


def __getattr__(name: str) -> str:
    """Look `__version__` up when it is asked for; the import is not free."""
    if name == "__version__":
        from importlib.metadata import version

        return version("mcp-voice")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
