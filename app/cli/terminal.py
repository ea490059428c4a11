"""What the commands share: exit statuses, and lines of output on any terminal."""

import sys
from typing import Final

SUCCESS: Final = 0
NOT_ALL_READ: Final = 1
"""Some images gave no code, or fewer than they show."""
BAD_FILE: Final = 2
"""Some files could not be read."""
CANNOT_START: Final = 3
"""A setting, a checkpoint or the installation is not valid."""


def say(line: str) -> None:
    """Prints a line on the terminal, on standard output; characters outside its encoding are written as escapes."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def complain(line: str) -> None:
    """Prints a line on the terminal, on standard error, after the name of the program."""
    encoding = sys.stderr.encoding or "utf-8"
    print(f"qrestore: {line}".encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)
