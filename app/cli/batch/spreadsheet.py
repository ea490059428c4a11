"""Lines of CSV that a spreadsheet shows as they are: no cell is a formula, and each row is one line."""

import csv
import io
from collections.abc import Iterable
from typing import Final

from app.telemetry.escaping import escape

_FORMULA: Final = ("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}",
                   "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip
"""What spreadsheets take for the beginning of a formula."""


def row(values: Iterable[object]) -> str:
    """One line of CSV (RFC 4180) without its end; None is an empty cell."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([cell(value) if isinstance(value, str) else value for value in values])
    return line.getvalue()


def cell(text: str) -> str:
    """The text with its control characters escaped, and behind an apostrophe if it were a formula."""
    escaped = escape(text)
    return f"'{escaped}" if escaped.lstrip().startswith(_FORMULA) else escaped
