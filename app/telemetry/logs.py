"""Lines of the log: JSON for collectors, text for people. Neither holds payloads, file names or addresses."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, Literal

_OF_EVERY_RECORD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "color_message",
    "taskName",
}
_QUIET: Final = ("uvicorn.access",)


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, and what `extra` added."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _added(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


class TextLines(logging.Formatter):
    """One line to read: level, logger, message, and what `extra` added."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        added = " ".join(f"{name}={value}" for name, value in _added(record).items())
        return f"{line} {added}" if added else line


def _added(record: logging.LogRecord) -> dict[str, Any]:
    extra = {name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD}
    return {name: value for name, value in extra.items() if value is not None}


def start_logging(*, level: str, form: Literal["auto", "json", "text"]) -> None:
    """Sends every logger's lines to standard error; `auto` is text on a terminal and JSON elsewhere."""
    handler = logging.StreamHandler()
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextLines("%(levelname)s %(name)s: %(message)s") if as_text else JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:  # requests have a line of their own, without addresses and queries
        logging.getLogger(name).disabled = True
