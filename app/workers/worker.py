"""Workers: what does the jobs of a service."""

import threading
from dataclasses import dataclass
from typing import Any, Protocol

from app.workers.jobs import Pipeline


class GaveWay(Exception):
    """Work was ended because it was asked to give way; it may be done again."""


class Worker(Protocol):
    """What a worker is: it does jobs, from several threads at once. `app.workers.pool.Pool` is the one that serves."""

    def run(self, job: Any, *, deadline: float, seconds: float, give_way: threading.Event | None = None) -> Any:
        """The job's result, by ``deadline`` (`time.monotonic`) and within ``seconds``.

        Raises QrestoreError, and GaveWay where ``give_way`` is set before the job is done.
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

    def run(self, job: Any, *, deadline: float, seconds: float, give_way: threading.Event | None = None) -> Any:
        del deadline, seconds, give_way
        return self.pipeline.do(job)

    def memory(self) -> int:
        return 0

    def close(self) -> None:
        pass
