"""Who gets in: slots for synchronous work, a bounded queue before them, and a bound on uploads.

Belongs to one event loop; only the work itself runs on threads.
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

_RECENT: Final = 0.1  # weight of the last piece of work in the mean


class Refusal(StrEnum):
    """Why a request was turned away at once."""

    QUEUE_FULL = "queue_full"
    UPLOADS_FULL = "uploads_full"


class Admission:
    """``slots`` pieces of work at once, each on a thread of its own; ``queue`` more wait, first come, first served.

    ``uploads`` bodies may be on their way in at once. ``on_wait`` is told how long each piece of work waited, and
    ``on_refusal`` why a request was turned away.
    """

    def __init__(
        self,
        *,
        slots: int,
        queue: int,
        uploads: int,
        on_wait: Callable[[float], None] = lambda _: None,
        on_refusal: Callable[[Refusal], None] = lambda _: None,
    ) -> None:
        self.slots = slots
        self.capacity = queue
        self._most_uploads = uploads
        self._on_wait = on_wait
        self._on_refusal = on_refusal
        self._threads = ThreadPoolExecutor(max_workers=slots, thread_name_prefix="slot")
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._usual = 0.0
        self.busy = 0
        self.uploads = 0

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot."""
        return len(self._waiting)

    def _refuse(self, reason: Refusal) -> Overloaded:
        self._on_refusal(reason)
        return Overloaded(retry_after=self._usual * (1 + len(self._waiting)) / self.slots)

    def check(self) -> None:
        """Raises Overloaded where a request that came now would find no place."""
        if self.busy >= self.slots and len(self._waiting) >= self.capacity:
            raise self._refuse(Refusal.QUEUE_FULL)

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Held while a body comes in. Raises Overloaded where too many do."""
        if self.uploads >= self._most_uploads:
            raise self._refuse(Refusal.UPLOADS_FULL)
        self.uploads += 1
        try:
            yield
        finally:
            self.uploads -= 1

    async def run(self, work: Callable[[], T], *, deadline: float) -> T:
        """The work's result. Raises Overloaded at once where every place is taken, QueueTimeout where no slot came free
        before ``deadline`` (`time.monotonic`), and what the work raises, which keeps the deadline itself from there.

        Whoever is cancelled while waiting leaves the queue. Work that has begun goes on: its slot is free when it ends.
        """
        arrived = time.monotonic()
        await self._slot(deadline)
        began = time.monotonic()
        self._on_wait(began - arrived)
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        running.add_done_callback(lambda _: self._over(time.monotonic() - began))
        return await asyncio.shield(running)

    async def _slot(self, deadline: float) -> None:
        """Takes a slot, now or in turn."""
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
            elif not turn.cancelled():  # the slot came in the same moment: pass it on
                self._free()
            if isinstance(exc, TimeoutError):
                raise QueueTimeout(retry_after=self._usual) from exc
            raise

    def _over(self, seconds: float) -> None:
        self._usual += (seconds - self._usual) * (_RECENT if self._usual else 1)
        self._free()

    def _free(self) -> None:
        """Hands a slot to whoever waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # whoever is about to leave the queue gets none
                turn.set_result(None)
                return
        self.busy -= 1

    def close(self) -> None:
        """Lets running work end."""
        self._threads.shutdown(wait=True, cancel_futures=True)
