"""The running service, free of HTTP: what does the work, who gets in, and what is counted."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from app.errors import NotReady
from app.schemas import ModelCard
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.workers.admission import Admission
from app.workers.jobs import Pipeline

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")


class Job(Protocol[R_co]):
    """A piece of work that a pipeline does on so many images; see `app.workers.jobs`."""

    @property
    def images(self) -> int: ...

    def run(self, pipeline: Pipeline) -> R_co: ...


class Worker(Protocol):
    """Does jobs, from several threads at once."""

    def run(self, job: Any, deadline: float) -> Any:
        """The job's result by ``deadline`` (`time.monotonic`). Raises QrestoreError."""
        ...

    @property
    def healthy(self) -> bool: ...

    def memory(self) -> int:
        """Resident bytes of processes beside this one."""
        ...

    def close(self) -> None: ...


@dataclass(slots=True)
class InProcess:
    """Does jobs in the calling thread, without isolation: for tools and tests. Deadlines are not kept."""

    pipeline: Pipeline
    healthy: bool = True

    def run(self, job: Any, deadline: float) -> Any:
        del deadline
        return job.run(self.pipeline)

    def memory(self) -> int:
        return 0

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Loaded:
    """What start-up makes: a worker whose networks are loaded and warm, and their cards. ``healthy`` says whether what
    runs the networks still does; ``close`` ends it."""

    worker: Worker
    device: str = "cpu"
    models: tuple[ModelCard, ...] = ()
    healthy: Callable[[], bool] = lambda: True
    close: Callable[[], None] = lambda: None


@dataclass(slots=True)
class Service:
    """One application's state. `loaded` is None until start-up is over, and again after shutdown; `draining` is set
    when the process was told to stop; `failure` is why start-up failed, where it did."""

    settings: Settings
    metrics: Metrics
    admission: Admission
    loaded: Loaded | None = None
    draining: bool = False
    failure: Exception | None = None

    def ready(self) -> Loaded:
        """What does the work of a new request. Raises NotReady."""
        if self.draining:
            raise NotReady("The service is shutting down.", retry_after=1)
        return self._able()

    def _able(self) -> Loaded:
        """What does the work, for requests that were let in before the service was told to stop, too."""
        loaded = self.loaded
        if loaded is None:
            raise NotReady("The service is still loading.", retry_after=1)
        if not (loaded.worker.healthy and loaded.healthy()):
            raise NotReady(retry_after=5)
        return loaded

    def is_ready(self) -> bool:
        try:
            self.ready()
        except NotReady:
            return False
        return True

    async def work(self, job: Job[R], *, deadline: float) -> R:
        """The job's result. Raises NotReady, Overloaded, QueueTimeout, ProcessingTimeout, and what the job raises."""
        granted = self.settings.work_seconds * job.images
        work = partial(_in_time, self._able().worker, job, deadline=deadline, seconds=granted)
        return await self.admission.run(work, deadline=deadline)

    def watch(self) -> None:
        """Has the gauges ask for their values."""
        admission, metrics = self.admission, self.metrics
        metrics.watch("qrestore_ready", self.is_ready)
        metrics.watch("qrestore_slots", lambda: admission.slots)
        metrics.watch("qrestore_busy_slots", lambda: admission.busy)
        metrics.watch("qrestore_queue_length", lambda: admission.waiting)
        metrics.watch("qrestore_queue_capacity", lambda: admission.capacity)
        metrics.watch("qrestore_child_memory_bytes", lambda: self.loaded.worker.memory() if self.loaded else 0)


def _in_time(worker: Worker, job: Job[R], *, deadline: float, seconds: float) -> R:
    """The job's result by ``deadline``, and in so many seconds from now: what waits behind it has time left then."""
    result: R = worker.run(job, min(deadline, time.monotonic() + seconds))
    return result
