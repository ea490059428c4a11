"""Lines of the log: JSON and text have the same time, and no text line contains what a terminal obeys."""

import json
import logging
import re
import sys

from app.telemetry.logs import JsonLines, TextLines

HOSTILE = "\x1b[2J\rready\n\x9b"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00"


def record(message: str, *, failed: bool = False, **fields: object) -> logging.LogRecord:
    logger = logging.getLogger("qrestore.test")
    caught = None
    if failed:
        try:
            raise ValueError(message)
        except ValueError:
            caught = sys.exc_info()
    return logger.makeRecord(logger.name, logging.WARNING, __file__, 1, message, (), caught, extra=fields)


def test_text_lines_have_time_level_logger_message_and_fields() -> None:
    line = TextLines().format(record("answered", status=200, problem=None))
    assert re.fullmatch(rf"{TIME} WARNING qrestore\.test: answered status=200", line)
    told = json.loads(JsonLines().format(record("answered", status=200)))
    assert re.fullmatch(TIME, told["time"])


def test_text_lines_escape_what_terminals_obey() -> None:
    line = TextLines().format(record(f"seen {HOSTILE}", field=HOSTILE))
    assert line.endswith("seen \\x1b[2J\\rready\\n\\x9b field=\\x1b[2J\\rready\\n\\x9b")
    assert line.isprintable()


def test_tracebacks_follow_on_lines_of_their_own() -> None:
    text = TextLines().format(record(f"seen {HOSTILE}", failed=True))
    head, first, *_ = text.split("\n")
    assert head.isprintable()
    assert first == "Traceback (most recent call last):"
    assert text.replace("\n", "").isprintable()
    assert "ValueError: seen \\x1b[2J\\rready\n\\x9b" in text
