"""Workers: what does the jobs of a service."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from app.workers.jobs import Pipeline


class GaveWay(Exception):
    """Work was ended because it was asked to give way; it may be done again."""


class Progress:
    """What passes between who waits for a job and the worker that does it.

    ``give_way`` asks the worker to end the job. ``begun`` is when the job began (`time.monotonic`), and ``spent`` tells
    how many seconds of processors and networks it has taken since; the worker sets both.
    """

    def __init__(self) -> None:
        self.give_way = threading.Event()
        self.begun: float | None = None
        self.spent: Callable[[], float] = lambda: 0.0


class Worker(Protocol):
    """What a worker is: it does jobs, from several threads at once. `app.workers.pool.Pool` is the one that serves."""

    def run(self, job: Any, *, deadline: float, seconds: float, progress: Progress | None = None) -> Any:
        """The job's result, by ``deadline`` (`time.monotonic`) and within ``seconds``.

        Raises QrestoreError, and GaveWay where ``progress`` asks for it before the job is done.
        """
        ...

    @property
    def healthy(self) -> bool: ...

    def memory(self) -> int:
        """Resident bytes of the processes that it started."""
        ...

    def close(self) -> None: ...


@dataclass(slots=True)
class InProcessWorker:
    """A worker in the calling thread, without isolation: it keeps no deadline and gives no way. For tools and tests."""

    pipeline: Pipeline
    healthy: bool = True

    def run(self, job: Any, *, deadline: float, seconds: float, progress: Progress | None = None) -> Any:
        del deadline, seconds, progress
        return self.pipeline.do(job)

    def memory(self) -> int:
        return 0

    def close(self) -> None:
        pass
