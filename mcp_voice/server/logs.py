"""What is written on stderr: one line an event, JSON, or coloured on a terminal.

Our own events and those of the libraries (from WARNING up) pass the same
processors, and the last before the line is made masks numbers, secrets and
what people said. Nothing goes to stdout: over stdio it belongs to the protocol.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from mcp_voice.server.masks import masked, masked_field
from mcp_voice.settings import Log

OURS: Final = frozenset({"event", "level", "timestamp", "logger"})
"""Keys that are the line's own; their text is still searched for numbers."""


def configure(settings: Log, stream: TextIO | None = None) -> None:
    """Send every log line of this process to `stream`, stderr if none is given."""
    stream = stream or sys.stderr
    pretty = settings.format == "pretty" or (settings.format == "auto" and stream.isatty())
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, *_finishing(pretty)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_finishing(pretty)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))


def mask(logger: WrappedLogger, method: str, event: EventDict) -> MutableMapping[str, Any]:
    """Mask an event: a processor."""
    return {
        key: masked(str(value)) if key in OURS or key == "exception" else masked_field(key, value)
        for key, value in event.items()
    }


def _finishing(pretty: bool) -> list[Processor]:
    """What turns an event into a line."""
    render: Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
    )
    return [structlog.processors.format_exc_info, mask, render]
