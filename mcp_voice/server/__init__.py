"""The wiring: MCP, HTTP and the console around one process."""
