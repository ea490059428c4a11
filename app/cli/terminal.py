"""What the commands share: exit statuses, and lines of output that are safe on any terminal."""

import sys
from typing import Final

from app.telemetry.escaping import escape, escape_json

SUCCESS: Final = 0
NOT_ALL_READ: Final = 1
"""Some images gave no code, or fewer than they show."""
USAGE: Final = 2
"""The arguments are not valid; argparse's own status, too."""
BAD_FILE: Final = 3
"""Some files could not be read, or a result not be written."""
CANNOT_START: Final = 3
"""A setting, a checkpoint or the installation is not valid."""


def say(line: str) -> None:
    """Prints a line on standard output. On a terminal its control characters are escaped, elsewhere nothing is but
    characters outside the encoding of the output."""
    _print(escape(line) if sys.stdout.isatty() else line)


def say_json(document: str) -> None:
    """Prints a JSON document of one line on standard output, its control characters always escaped as JSON does."""
    _print(escape_json(document))


def complain(line: str) -> None:
    """Prints a line on standard error, after the name of the program, with its control characters escaped."""
    encoding = sys.stderr.encoding or "utf-8"
    print(f"qrestore: {escape(line)}".encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)


def _print(line: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)
