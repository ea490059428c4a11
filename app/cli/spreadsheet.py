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
    csv.writer(line, lineterminator="").writerow([_cell(value) for value in values])
    return line.getvalue()


def _cell(value: object) -> object:
    """A text with its control characters escaped, and behind an apostrophe if it were a formula; else the value."""
    if not isinstance(value, str):
        return value
    text = escape(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
