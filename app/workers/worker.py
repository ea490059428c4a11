"""Workers: what does the jobs of a service."""

from dataclasses import dataclass
from typing import Any, Protocol

from app.workers.jobs import Pipeline


class Worker(Protocol):
    """What a worker is: it does jobs, from several threads at once. `app.workers.pool.Pool` is the one that serves."""

    def run(self, job: Any, *, deadline: float, seconds: float) -> Any:
        """The job's result, by ``deadline`` (`time.monotonic`) and within ``seconds``. Raises QrestoreError."""
        ...

    @property
    def healthy(self) -> bool: ...

    def memory(self) -> int:
        """Resident bytes of the processes that it started."""
        ...

    def close(self) -> None: ...


@dataclass(slots=True)
class InProcessWorker:
    """A worker in the calling thread, without isolation and without keeping deadlines: for tools and tests."""

    pipeline: Pipeline
    healthy: bool = True

    def run(self, job: Any, *, deadline: float, seconds: float) -> Any:
        del deadline, seconds
        return self.pipeline.do(job)

    def memory(self) -> int:
        return 0

    def close(self) -> None:
        pass
