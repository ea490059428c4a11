"""Waits for other threads, tasks and processes."""

import asyncio
import time
from collections.abc import Callable


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Returns once the condition holds; fails after ``seconds``."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


async def awaited(condition: Callable[[], bool], seconds: float = 20) -> None:
    """As `wait_for`, while the event loop goes on."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        await asyncio.sleep(0.002)
