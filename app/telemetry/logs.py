"""Log lines: JSON for collectors, text for people. Neither contains payloads, file names or addresses."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, Literal

from app.telemetry.escaping import escape

_STANDARD_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "color_message",
    "taskName",
}
_QUIET: Final = ("uvicorn.access",)


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object: time (UTC), level, logger, message, and the fields of ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _extra(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


class TextLines(logging.Formatter):
    """Formats a record as one line of text: time (UTC), level, logger, message, and the fields of ``extra``; a
    traceback follows on lines of its own. Control characters are escaped."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        fields = "".join(f" {name}={value}" for name, value in _extra(record).items())
        return escape(f"{_time(record)} {record.levelname} {record.name}: {record.message}{fields}")

    def formatException(self, exc_info: Any) -> str:  # noqa: N802 - logging's own name
        return escape(super().formatException(exc_info), keep="\n\t")


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    extra = {name: value for name, value in vars(record).items() if name not in _STANDARD_ATTRIBUTES}
    return {name: value for name, value in extra.items() if value is not None}


def start_logging(*, level: str, form: Literal["auto", "json", "text"]) -> None:
    """Sends every logger's lines to standard error; ``auto`` writes text on a terminal and JSON elsewhere."""
    handler = logging.StreamHandler()
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextLines() if as_text else JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:  # `app.http.context` logs requests, without addresses and queries
        logging.getLogger(name).disabled = True
