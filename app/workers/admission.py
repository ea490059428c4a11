"""Admission control: slots for synchronous work, a bounded queue in front of them, and a limit on uploads.

An `Admission` belongs to one event loop; only the work itself runs on threads.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from enum import StrEnum
from typing import Final, TypeVar

from app.errors import Overloaded, QueueTimeout

T = TypeVar("T")

_LATEST_WEIGHT: Final = 0.1  # of the latest piece of work in the moving average of durations


class RefusalReason(StrEnum):
    """Why admission control refused a request at once."""

    QUEUE_FULL = "queue_full"
    UPLOADS_FULL = "uploads_full"


class Admission:
    """Runs ``slots`` pieces of work at once, each on its own thread; ``queue`` more wait, first come, first served.

    Up to ``uploads`` request bodies may arrive at once. ``on_wait`` is called with the seconds that each piece of work
    waited, ``on_refusal`` with the reason of each refusal.
    """

    def __init__(
        self,
        *,
        slots: int,
        queue: int,
        uploads: int,
        on_wait: Callable[[float], None] = lambda _: None,
        on_refusal: Callable[[RefusalReason], None] = lambda _: None,
    ) -> None:
        self.slots = slots
        self.capacity = queue
        self._max_uploads = uploads
        self._on_wait = on_wait
        self._on_refusal = on_refusal
        self._threads = ThreadPoolExecutor(max_workers=slots, thread_name_prefix="slot")
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._average_seconds = 0.0
        self.busy = 0
        self.uploads = 0

    @property
    def waiting(self) -> int:
        """Number of requests that wait for a slot."""
        return len(self._waiting)

    def _refuse(self, reason: RefusalReason) -> Overloaded:
        self._on_refusal(reason)
        return Overloaded(retry_after=self._average_seconds * (1 + len(self._waiting)) / self.slots)

    def check(self) -> None:
        """Raises Overloaded if all slots and the whole queue are taken."""
        if self.busy >= self.slots and len(self._waiting) >= self.capacity:
            raise self._refuse(RefusalReason.QUEUE_FULL)

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Counts one arriving body while it is open. Raises Overloaded if there are ``uploads`` already."""
        if self.uploads >= self._max_uploads:
            raise self._refuse(RefusalReason.UPLOADS_FULL)
        self.uploads += 1
        try:
            yield
        finally:
            self.uploads -= 1

    async def run(self, work: Callable[[], T], *, deadline: float) -> T:
        """The work's result, or what it raises. Work that has begun must keep the deadline itself.

        Raises Overloaded at once if every place is taken, and QueueTimeout if no slot is free by ``deadline``
        (`time.monotonic`). A caller that is cancelled while it waits leaves the queue; work that has begun goes on, and
        frees its slot when it ends.
        """
        arrived = time.monotonic()
        await self._take_slot(deadline)
        began = time.monotonic()
        self._on_wait(began - arrived)
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        running.add_done_callback(lambda _: self._finish(time.monotonic() - began))
        return await asyncio.shield(running)

    async def _take_slot(self, deadline: float) -> None:
        """Takes a slot, waiting in the queue if none is free."""
        self.check()
        if self.busy < self.slots:
            self.busy += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await turn
        except BaseException as exc:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled():  # the slot was handed over in the same moment: pass it on
                self._free_slot()
            if isinstance(exc, TimeoutError):
                raise QueueTimeout(retry_after=self._average_seconds) from exc
            raise

    def _finish(self, seconds: float) -> None:
        self._average_seconds += (seconds - self._average_seconds) * (_LATEST_WEIGHT if self._average_seconds else 1)
        self._free_slot()

    def _free_slot(self) -> None:
        """Hands a slot to the request that has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # one that is about to leave the queue gets none
                turn.set_result(None)
                return
        self.busy -= 1

    def close(self) -> None:
        """Waits for running work to end; work that has not begun is dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)
