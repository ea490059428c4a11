"""Waiting for what another thread or process is about to do."""

import time
from collections.abc import Callable


def wait_for(what: Callable[[], bool], seconds: float = 20) -> None:
    """Returns once this holds; fails after so many seconds."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)
