"""The code that is fuzzed: functions of bytes that raise where a promise is broken.

Importing this package imports no target, so that each process decides when its own is imported.
"""

import importlib
from collections.abc import Callable
from typing import Any, Final

NATIVE: Final = {
    "images": "images",
    "documents": "images",
    "videos": "images",
    "pictures": "codes",
    "symbols": "codes",
}
"""Targets that run native code, and so run in a child process -> the module that has them."""
PLANTED: Final = {"planted": "planted"}
PARSERS: Final = {
    "header": "formats",
    "form": "headers",
    "accept": "headers",
    "base64": "headers",
    "region": "headers",
    "symbologies": "headers",
    "message": "formats",
    "text": "formats",
}
"""Targets that are parsers in Python -> the module that has them."""
INSTRUMENTED: Final = ("app", "python_multipart")
"""Packages whose coverage guides the fuzzing of parsers."""


def load(target: str) -> Callable[[bytes], Any]:
    """Imports a target. Raises KeyError for an unknown name."""
    module = (NATIVE | PLANTED | PARSERS)[target]
    run: Callable[[bytes], Any] = getattr(importlib.import_module(f"{__name__}.{module}"), target)
    return run
