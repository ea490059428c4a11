"""The service: what it passes to a worker, what it records of an outcome, and when it refuses."""

import asyncio
import gc
import threading
import time
from typing import Any

import pytest

from app.errors import InvalidImage, NotReady
from app.pipeline.results import Effort, Outcome, Restored, Stage, View
from app.service import Runtime, Service
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.workers.admission import Admission
from app.workers.jobs import DecodeJob, FuseJob, Job, RestoreJob
from app.workers.worker import Progress
from tests.support.waiting import awaited

OUTCOME = Outcome(codes=(), width=1, height=1, route=None, trace=(Stage("direct", 0.5, 0),), truncated=False)
RESTORED = Restored(png=b"", width=1, height=1, network=None, outcome=OUTCOME)
DECODE = DecodeJob(b"", Effort.FAST)
FUSE = FuseJob((b"", b"", b""), Effort.FAST)
RESTORE = RestoreJob(b"", network="auto", scale=1, binary=False, view=View.STRAIGHTENED)


class FakeWorker:
    """A worker that answers every job alike and keeps the arguments of its calls."""

    healthy = True

    def __init__(self, result: Outcome | Restored | Exception = OUTCOME) -> None:
        self.result = result
        self.calls: list[dict[str, Any]] = []

    def run(self, job: Any, *, deadline: float, seconds: float, progress: Progress | None = None) -> Any:
        assert progress is not None
        self.calls.append({"job": job, "deadline": deadline, "seconds": seconds})
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def memory(self) -> int:
        return 0

    def close(self) -> None:
        pass


def service_of(worker: FakeWorker, **settings: Any) -> Service:
    admission = Admission(slots=1, queue=1, uploads=1, slow_slots=1, quick_seconds=30.0)
    return Service(Settings(**settings), Metrics(), admission, runtime=Runtime(worker))


def work(service: Service, job: Job = DECODE, *, deadline: float | None = None) -> Any:
    return asyncio.run(service.work(job, deadline=time.monotonic() + 10 if deadline is None else deadline))


@pytest.mark.parametrize(("job", "seconds"), [(DECODE, 4.0), (FUSE, 12.0), (RESTORE, 4.0)])
def test_a_worker_gets_the_deadline_and_the_seconds_for_its_images(job: Job, seconds: float) -> None:
    worker = FakeWorker()
    deadline = time.monotonic() + 30
    assert work(service_of(worker, work_seconds=4), job, deadline=deadline) is OUTCOME
    assert worker.calls == [{"job": job, "deadline": deadline, "seconds": seconds}]


@pytest.mark.parametrize(("job", "result"), [(DECODE, OUTCOME), (FUSE, OUTCOME), (RESTORE, RESTORED)])
def test_every_outcome_is_recorded_once(job: Job, result: Outcome | Restored) -> None:
    service = service_of(FakeWorker(result))
    assert work(service, job) is result
    sample = service.metrics.registry.get_sample_value
    assert sample("qrestore_stage_duration_seconds_sum", {"stage": "direct"}) == 0.5
    none = {"rung": "none", "engine": "none", "result": "not_read"}
    assert sample("qrestore_decode_total", none) == 1


def test_a_job_that_fails_has_no_outcome_to_record() -> None:
    service = service_of(FakeWorker(InvalidImage()))
    with pytest.raises(InvalidImage):
        work(service)
    none = {"rung": "none", "engine": "none", "result": "not_read"}
    assert service.metrics.registry.get_sample_value("qrestore_decode_total", none) is None


def test_a_draining_service_refuses_new_requests_and_works_for_those_it_admitted() -> None:
    service = service_of(FakeWorker())
    service.draining = True
    with pytest.raises(NotReady):
        service.ready()
    assert work(service) is OUTCOME


@pytest.mark.parametrize("trouble", ["worker", "networks", "loading"])
def test_a_service_that_is_not_ready_starts_no_work(trouble: str) -> None:
    worker = FakeWorker()
    service = service_of(worker)
    if trouble == "worker":
        worker.healthy = False
    elif trouble == "networks":
        service.runtime = Runtime(worker, healthy=lambda: False)
    else:
        service.runtime = None
    assert not service.is_ready()
    with pytest.raises(NotReady):
        work(service)
    assert worker.calls == []


def test_the_log_says_once_that_nothing_works_and_once_that_it_does_again(caplog: pytest.LogCaptureFixture) -> None:
    worker, batching = FakeWorker(), [True]
    service = service_of(worker)
    service.runtime = Runtime(worker, healthy=lambda: batching[0])

    async def live() -> None:
        watching = asyncio.create_task(service.watch())
        for worker.healthy, batching[0] in ((True, True), (False, True), (False, True), (True, False), (True, True)):
            await asyncio.sleep(0.05)
        service.runtime = None
        await asyncio.sleep(0.05)
        watching.cancel()

    with pytest.MonkeyPatch.context() as patch, caplog.at_level("INFO", "qrestore"):
        patch.setattr("app.service._WATCH_SECONDS", 0.01)
        asyncio.run(live())
    told = [(record.levelname, record.getMessage()[:26]) for record in caplog.records]
    assert told == [
        ("ERROR", "not ready: child processes"),
        ("ERROR", "not ready: a thread that r"),
        ("INFO", "ready again"),
    ]


def test_what_a_job_raises_reaches_its_caller_and_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    """Work that fails after its client has left must not be reported as an error that nobody took."""

    class Slow(FakeWorker):
        def run(self, job: Any, *, deadline: float, seconds: float, progress: Progress | None = None) -> Any:
            begun.set()
            assert has_left.wait(10)
            return super().run(job, deadline=deadline, seconds=seconds, progress=progress)

    begun, has_left = threading.Event(), threading.Event()
    worker = Slow(InvalidImage())

    async def leave(service: Service) -> None:
        working = asyncio.create_task(service.work(DECODE, deadline=time.monotonic() + 10))
        await awaited(begun.is_set)
        working.cancel()
        await asyncio.wait((working,))
        has_left.set()
        await asyncio.to_thread(service.admission.close)  # waits for the work
        await asyncio.sleep(0.05)

    asyncio.run(leave(service_of(worker)))
    gc.collect()
    assert len(worker.calls) == 1
    assert "never retrieved" not in caplog.text
