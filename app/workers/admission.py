"""Admission control: slots for work, a bounded queue in front of them, a slow lane for what takes long, and a limit on
uploads.

Nobody knows beforehand how long a picture takes. Work that outlasts ``quick_seconds`` moves to the slow lane, which has
slots of its own, so that slow pictures never hold all slots. If the slow lane is full, it goes on where it is until
someone waits for its slot; then it gives way, and begins again once the slow lane has room.

An `Admission` belongs to one event loop; only the work itself runs on threads.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Final, TypeVar

from app.errors import Overloaded, ProcessingTimeout, QueueTimeout
from app.workers.lanes import Lane
from app.workers.worker import GaveWay, Progress

T = TypeVar("T")

_LATEST_WEIGHT: Final = 0.1  # of the latest piece of work in the moving average of durations
_BUSY: Final = 0.5  # of its time in the quick lane that work has spent at work, from which it counts as slow
_STARVED: Final = 4.0  # times its time in the quick lane, after which it counts as slow even if it got no processor
_GRACE_SECONDS: Final = 0.15  # by which work may be late: what ends it looks at the clock every 0.05 s


class RefusalReason(StrEnum):
    """Why admission control refused a request at once."""

    QUEUE_FULL = "queue_full"
    UPLOADS_FULL = "uploads_full"


class Slowness(StrEnum):
    """What became of work that outlasted its time in the quick lane."""

    MOVED = "moved"
    GAVE_WAY = "gave_way"


@dataclass(eq=False)
class _Turn:
    """One piece of work in a slot of its ``lane``, until it ``ended``."""

    lane: Lane
    progress: Progress = field(default_factory=Progress)
    began: float = field(default_factory=time.monotonic)
    ended: bool = False


class Admission:
    """Runs ``slots`` pieces of work at once, each on its own thread; ``queue`` more wait, first come, first served.
    ``slow_slots`` more run in the slow lane, and ``queue`` more wait for it.

    Up to ``uploads`` request bodies may arrive at once. ``on_wait`` is called with the seconds that each piece of work
    waited, ``on_refusal`` with the reason of each refusal, ``on_slow`` with what became of work that takes long.
    """

    def __init__(
        self,
        *,
        slots: int,
        queue: int,
        uploads: int,
        slow_slots: int,
        quick_seconds: float,
        on_wait: Callable[[float], None] = lambda _: None,
        on_refusal: Callable[[RefusalReason], None] = lambda _: None,
        on_slow: Callable[[Slowness], None] = lambda _: None,
    ) -> None:
        self.quick = Lane(slots=slots, capacity=queue, on_queued=self._make_room)
        self.slow = Lane(slots=slow_slots, capacity=queue)
        self.uploads = 0
        self._max_uploads = uploads
        self._quick_seconds = quick_seconds
        self._on_wait = on_wait
        self._on_refusal = on_refusal
        self._on_slow = on_slow
        self._thread_count = slots + slow_slots
        self._threads = ThreadPoolExecutor(self._thread_count, thread_name_prefix="slot")
        self._overdue: list[_Turn] = []
        self._average_seconds = 0.0

    def start(self) -> None:
        """Starts the threads of all slots now, so that no request needs one that a limit may refuse it later.

        Raises RuntimeError if they cannot be started.
        """
        started = threading.Event()
        try:
            for _ in range(self._thread_count):
                self._threads.submit(started.wait)  # keeps its thread busy, so that the next one needs another
        finally:
            started.set()

    def _refuse(self, reason: RefusalReason) -> Overloaded:
        self._on_refusal(reason)
        return Overloaded(retry_after=self._average_seconds * (1 + self.quick.waiting) / self.quick.slots)

    def check(self) -> None:
        """Raises Overloaded if all slots and the whole queue are taken."""
        if self.quick.is_full:
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

    async def run(self, work: Callable[[Progress], T], *, deadline: float, seconds: float, is_slow: bool = False) -> T:
        """The work's result, or what it raises. ``is_slow``: it is known to take long.

        The work gets ``seconds`` from when it begins. It must end itself by then and by ``deadline``
        (`time.monotonic`), and raise GaveWay soon after it is asked to give way.

        Raises Overloaded at once if every place is taken, QueueTimeout if no slot is free by ``deadline``, and
        ProcessingTimeout if the work has not ended itself in time. A caller that is cancelled while it waits leaves the
        queue; work that has begun goes on, and frees its slot when it ends.
        """
        arrived = time.monotonic()
        turn = await self._take_slot(self.slow if is_slow else self.quick, deadline)
        self._on_wait(turn.began - arrived)
        if is_slow:
            return await self._answer(turn, work, min(deadline, turn.began + seconds))
        asyncio.get_running_loop().call_later(self._quick_seconds, self._outlast, turn)
        try:
            return await self._answer(turn, work, min(deadline, turn.began + seconds))
        except GaveWay:
            self._on_slow(Slowness.GAVE_WAY)
        turn = await self._take_slot(self.slow, deadline)
        return await self._answer(turn, work, min(deadline, turn.began + seconds))

    async def _take_slot(self, lane: Lane, deadline: float) -> _Turn:
        if lane.is_full:
            raise self._refuse(RefusalReason.QUEUE_FULL)
        try:
            await lane.take(deadline)
        except QueueTimeout as exc:
            raise QueueTimeout(retry_after=self._average_seconds) from exc
        return _Turn(lane)

    async def _answer(self, turn: _Turn, work: Callable[[Progress], T], until: float) -> T:
        """Runs the work in its slot; returns its result, or gives it up if it is late."""
        running = asyncio.get_running_loop().run_in_executor(self._threads, work, turn.progress)
        running.add_done_callback(partial(self._finish, turn))
        done, _ = await asyncio.wait({running}, timeout=max(0.0, until - time.monotonic()) + _GRACE_SECONDS)
        if not done:
            raise ProcessingTimeout
        return running.result()

    def _finish(self, turn: _Turn, running: "asyncio.Future[T]") -> None:
        if not running.cancelled():
            running.exception()  # it counts as looked at if the caller has left
        turn.ended = True
        seconds = time.monotonic() - turn.began
        self._average_seconds += (seconds - self._average_seconds) * (_LATEST_WEIGHT if self._average_seconds else 1)
        if turn in self._overdue:
            self._overdue.remove(turn)
        turn.lane.free()
        while self._overdue and self.slow.take_free_slot():
            self._move(self._overdue.pop(0))

    # --- the slow lane ----------------------------------------------------------------------------------------------

    def _outlast(self, turn: _Turn) -> None:
        """Moves work that was not quick into the slow lane, or remembers that it may have to give way."""
        if turn.ended:
            return
        if not self._is_slow(turn.progress):
            asyncio.get_running_loop().call_later(self._quick_seconds / 2, self._outlast, turn)
        elif self.slow.take_free_slot():
            self._move(turn)
        else:
            self._overdue.append(turn)
            self._make_room()

    def _is_slow(self, progress: Progress) -> bool:
        """Whether work has had its time in the quick lane; it is not to blame for a wait for a child or a processor."""
        if progress.begun is None:
            return False
        elapsed = time.monotonic() - progress.begun
        return progress.spent() >= _BUSY * self._quick_seconds or elapsed >= _STARVED * self._quick_seconds

    def _move(self, turn: _Turn) -> None:
        """Lets work go on in a slot of the slow lane that was taken for it."""
        turn.lane = self.slow
        turn.progress.give_way.clear()
        self.quick.free()
        self._on_slow(Slowness.MOVED)

    def _make_room(self) -> None:
        """Asks as many pieces of overdue work to give way as requests wait for a slot, the longest overdue first."""
        for turn in self._overdue[: self.quick.waiting]:
            turn.progress.give_way.set()

    def close(self) -> None:
        """Waits for running work to end; work that has not begun is dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)
