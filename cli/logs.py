"""Logs, set up once: text for people, JSON for machines, on standard error or in a file."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any, Final, TextIO

import structlog

from cli.settings import LogFormat

_BEFORE: Final[list[Any]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

_QUIET: Final = (
    *("amqtt", "transitions", "asyncio", "aiosqlite", "alembic", "sqlalchemy"),
    *("httpx", "httpcore"),
)
"""Libraries whose news is for their own developers: only their warnings are shown."""


def configure(level: str, format_: LogFormat, *, file: Path | None = None) -> None:
    """Send the logs of services and devices to standard error, or into a file.

    Args:
        level: the least that is shown: debug, info, warning or error.
        format_: text or JSON.
        file: where they go instead of standard error, as where that is a live view.
    """
    handler: logging.Handler = (
        logging.StreamHandler(_Stderr()) if file is None else logging.FileHandler(file)
    )
    colours = file is None and sys.stderr.isatty()
    last: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if format_ is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(
            colors=colours,
            pad_event_to=0,
            # Rich's own would print local variables, and so secrets.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_BEFORE,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([structlog.processors.format_exc_info] if format_ is LogFormat.JSON else []),
                last,
            ],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        if getattr(old, "heard", False):
            root.removeHandler(old)
            old.close()
    handler.heard = True  # type: ignore[attr-defined]  # so that it is found again
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_BEFORE,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


class _Stderr:
    """Whatever standard error is at the moment of writing: a live view may stand before it."""

    def write(self, text: str) -> int:
        """Write."""
        return self._now().write(text)

    def flush(self) -> None:
        """Flush."""
        self._now().flush()

    @staticmethod
    def _now() -> TextIO:
        return sys.stderr
