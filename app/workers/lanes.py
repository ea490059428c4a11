"""Lanes: slots for work, with a bounded queue in front of them. A lane belongs to one event loop."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from app.errors import QueueTimeout


class Lane:
    """``slots`` pieces of work at once; ``capacity`` more may wait, first come, first served.

    ``on_queued`` is called when a caller begins to wait.
    """

    def __init__(self, *, slots: int, capacity: int, on_queued: Callable[[], None] = lambda: None) -> None:
        self.slots = slots
        self.capacity = capacity
        self._on_queued = on_queued
        self.busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """Number of callers that wait for a slot."""
        return len(self._waiting)

    @property
    def has_free_slot(self) -> bool:
        return self.busy < self.slots

    @property
    def is_full(self) -> bool:
        """Whether all slots and the whole queue are taken."""
        return not self.has_free_slot and len(self._waiting) >= self.capacity

    def take_free_slot(self) -> bool:
        """Takes a slot if one is free; returns whether it did."""
        if self.has_free_slot:
            self.busy += 1
            return True
        return False

    async def take(self, deadline: float) -> None:
        """Takes a slot, waiting for one if none is free. The caller has seen that the lane is not full.

        Raises QueueTimeout if none is free by ``deadline`` (`time.monotonic`). A caller that is cancelled leaves the
        queue.
        """
        if self.take_free_slot():
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._on_queued()
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await turn
        except BaseException as exc:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled():  # the slot was handed over in the same moment: pass it on
                self.free()
            if isinstance(exc, TimeoutError):
                raise QueueTimeout from exc
            raise

    def free(self) -> None:
        """Hands a slot to the caller that has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # one that is about to leave the queue gets none
                turn.set_result(None)
                return
        self.busy -= 1
