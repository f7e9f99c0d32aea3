"""Logs on stderr, as text or JSON lines, with every secret struck out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, Processor

_STRUCK = "***"
_SECRET_NAME = re.compile(r"(?i)(?:password|passwd|secret|token|api_key|authorization)\Z")
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bdapi[A-Za-z0-9_-]{8,}"), _STRUCK),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"), _STRUCK),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{4,}"), rf"\1 {_STRUCK}"),
    (re.compile(r"(://[^:/@\s\"']*:)[^@\s\"']+(?=@)"), rf"\1{_STRUCK}"),
    (re.compile(r"(?i)(AccountKey=|SharedAccessSignature=|[?&]sig=)[^;&\s\"']+"), rf"\1{_STRUCK}"),
    (
        re.compile(r"(?i)((?:password|passwd|secret|token|api_key|authorization)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&}*]+"),
        rf"\1{_STRUCK}",
    ),
)


def redact(text: str) -> str:
    """Strike tokens, bearer headers, keys and passwords of connection strings out of *text*."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def configure(log_format: str, level: str) -> None:
    """Send the logs of Brickyard and of the libraries to stderr in one format."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(log_format, shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _formatter(log_format: str, shared: list[Processor]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _strike_fields,
            _struck(_renderer(log_format)),
        ],
    )


def _strike_fields(_logger: logging.Logger, _name: str, event: EventDict) -> EventDict:
    """Replace the value of a field whose name says that it is secret, whatever it looks like."""
    return {key: _STRUCK if _SECRET_NAME.search(key) else value for key, value in event.items()}


def _renderer(log_format: str) -> Callable[..., str | bytes]:
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=False)


def _struck(render: Callable[..., str | bytes]) -> Processor:
    """Redact what *render* made, so that no field, message or traceback escapes."""

    def rendered(logger: logging.Logger, name: str, event: EventDict) -> str:
        return redact(str(render(logger, name, event)))

    return rendered
