"""Work for admission control that waits until a test releases it."""

import threading
import time
from collections.abc import Callable
from typing import Final

from app.workers.worker import GaveWay, Progress
from tests.support.waiting import awaited

LONG: Final = 30.0
"""Seconds that no test waits."""


class Work:
    """Work that waits until it is released.

    ``begun`` holds the names of the jobs in the order of their start, ``found_slow`` of those that have outlasted their
    time in the quick lane.
    """

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.found_slow: list[str] = []
        self.gate = threading.Event()

    def named(self, name: str) -> Callable[[Progress], str]:
        def spent() -> float:
            self.found_slow.append(name)
            return LONG

        def work(progress: Progress) -> str:
            self.begun.append(name)
            progress.begun, progress.spent = time.monotonic(), spent
            for _ in range(1000):
                if self.gate.wait(0.01):
                    return name
                if progress.give_way.is_set():
                    raise GaveWay
            raise AssertionError("nobody opened the gate")

        return work

    async def begins(self, *names: str) -> None:
        """Returns once these jobs have begun, in whatever order, and no other."""
        await awaited(lambda: sorted(self.begun) == sorted(names))

    async def is_slow(self, *names: str) -> None:
        """Returns once each of these jobs was found to be slow: it was moved, or may have to give way."""
        await awaited(lambda: set(names) <= set(self.found_slow))
