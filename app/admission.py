"""Slots: how many pieces of synchronous work run at once, off the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Slots:
    """Worker threads; work beyond `count` waits its turn in order of arrival.

    A caller that goes away does not stop work that has begun: its slot is free when the work is over.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(max_workers=count, thread_name_prefix="pipeline")

    async def run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Let running work end, drop what waits."""
        self._threads.shutdown(wait=True, cancel_futures=True)
