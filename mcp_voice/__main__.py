"""`python -m mcp_voice` is `mcp-voice`."""

from mcp_voice.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
