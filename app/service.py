"""The running service, free of HTTP: it admits jobs, has them done, and records every outcome."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, overload

from app.errors import NotReady
from app.pipeline.results import AUTO, MODULES, Outcome, Restored
from app.schemas import ModelCard
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import trace_stages
from app.workers.admission import Admission
from app.workers.jobs import DecodeJob, FuseJob, Job, RestoreJob
from app.workers.worker import Progress, Worker

log = logging.getLogger("qrestore")

_WATCH_SECONDS: Final = 0.5
_NO_CHILDREN: Final = (
    "child processes do not start, so that every picture is refused with 503; it is tried again and again. Raise the "
    "limit that they meet: memory (the container's, or QRESTORE_WORKER_MEMORY_BYTES), processes (ulimit -u, the "
    "container's pids limit), open files (ulimit -n) or space in the folder for temporary files. `qrestore doctor` "
    "starts one and says whether it could"
)


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a running service works with: a worker, and the cards of the networks, which ``engine`` runs on ``device``.

    ``healthy`` says whether the threads that batch inferences are alive, and ``close`` ends them.
    """

    worker: Worker
    device: str = "cpu"
    engine: str = ""
    models: tuple[ModelCard, ...] = ()
    healthy: Callable[[], bool] = lambda: True
    close: Callable[[], None] = lambda: None


@dataclass(slots=True)
class Service:
    """The state of one running service.

    `runtime` is None until start-up is over, and again after shutdown. `draining` is set by a signal to stop.
    `failure` is the exception that start-up failed with, if it did.
    """

    settings: Settings
    metrics: Metrics
    admission: Admission
    runtime: Runtime | None = None
    draining: bool = False
    failure: Exception | None = None

    def ready(self) -> Runtime:
        """The runtime, for a new request. Raises NotReady."""
        if self.draining:
            raise NotReady("The service is shutting down.", retry_after=1)
        return self._working_runtime()

    def _working_runtime(self) -> Runtime:
        """The runtime, for any request that was admitted: while the service drains, it still does their work."""
        runtime = self.runtime
        if runtime is None:
            raise NotReady("The service is still loading.", retry_after=1)
        if not (runtime.worker.healthy and runtime.healthy()):
            raise NotReady(retry_after=5)
        return runtime

    async def watch(self) -> None:
        """Logs when the runtime becomes unable to work, with the cause and the fix, and when it can work again.

        Runs until it is cancelled.
        """
        known = ""
        while True:
            fault = self._fault()
            if fault and fault != known:
                log.error("not ready: %s", fault)
            elif known and not fault:
                log.info("ready again")
            known = fault
            await asyncio.sleep(_WATCH_SECONDS)

    def _fault(self) -> str:
        """Why the runtime cannot work, for the operator; empty if it can, or while there is none."""
        runtime = self.runtime
        if runtime is None:
            return ""
        if not runtime.healthy():
            return "a thread that runs the networks has ended; restart the service"
        return "" if runtime.worker.healthy else _NO_CHILDREN

    def is_ready(self) -> bool:
        try:
            self.ready()
        except NotReady:
            return False
        return True

    @overload
    async def work(self, job: DecodeJob | FuseJob, *, deadline: float) -> Outcome: ...
    @overload
    async def work(self, job: RestoreJob, *, deadline: float) -> Restored: ...
    async def work(self, job: Job, *, deadline: float) -> Outcome | Restored:
        """The job's result, by ``deadline`` (`time.monotonic`); its outcome is counted and traced.

        Each image of the job may take `work_seconds`, so that requests behind it in the queue have time left. Raises
        NotReady, Overloaded, QueueTimeout, ProcessingTimeout, and what the job raises.
        """
        seconds = self.settings.work_seconds * job.images
        worker = self._working_runtime().worker

        def work(progress: Progress) -> Any:
            return worker.run(job, deadline=deadline, seconds=seconds, progress=progress)

        result: Outcome | Restored
        result = await self.admission.run(work, deadline=deadline, seconds=seconds, is_slow=self._is_slow(job))
        outcome = result.outcome if isinstance(result, Restored) else result
        self.metrics.record(outcome)
        trace_stages(outcome.trace)
        return result

    def _is_slow(self, job: Job) -> bool:
        """Whether a job is known to take long: networks outside the ladder may take seconds for a picture."""
        quick = (AUTO, MODULES, self.settings.light_network, self.settings.heavy_network)
        return isinstance(job, RestoreJob) and job.network not in quick

    def register_gauges(self) -> None:
        """Has the gauges of this service's state read it whenever they are scraped."""
        admission, metrics = self.admission, self.metrics
        metrics.watch("qrestore_ready", self.is_ready)
        metrics.watch("qrestore_slots", lambda: admission.quick.slots)
        metrics.watch("qrestore_busy_slots", lambda: admission.quick.busy)
        metrics.watch("qrestore_slow_slots", lambda: admission.slow.slots)
        metrics.watch("qrestore_busy_slow_slots", lambda: admission.slow.busy)
        metrics.watch("qrestore_slow_queue_length", lambda: admission.slow.waiting)
        metrics.watch("qrestore_queue_length", lambda: admission.quick.waiting)
        metrics.watch("qrestore_queue_capacity", lambda: admission.quick.capacity)
        metrics.watch("qrestore_child_memory_bytes", lambda: self.runtime.worker.memory() if self.runtime else 0)
