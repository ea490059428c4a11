"""What the service gives to a worker, and when it gives nothing."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import pytest

from app.errors import NotReady
from app.service import Loaded, Service
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.workers.admission import Admission


class Recorder:
    """A worker that answers with the seconds it was given."""

    healthy = True

    def run(self, job: Any, deadline: float) -> Any:
        del job
        return deadline - time.monotonic()

    def memory(self) -> int:
        return 0

    def close(self) -> None:
        pass


@dataclass
class Nothing:
    images: int = 1

    def run(self, pipeline: object) -> float:
        raise AssertionError("the recorder runs no job")


def service(worker: Recorder, **settings: Any) -> Service:
    admission = Admission(slots=1, queue=1, uploads=1)
    return Service(Settings(**settings), Metrics(), admission, loaded=Loaded(worker))


@pytest.mark.parametrize(("images", "left", "granted"), [(1, 30.0, 4.0), (3, 30.0, 12.0), (3, 2.0, 2.0)])
def test_workers_get_their_part_of_the_time_and_no_more_than_is_left(images: int, left: float, granted: float) -> None:
    deadline = time.monotonic() + left
    given = asyncio.run(service(Recorder(), work_seconds=4).work(Nothing(images), deadline=deadline))
    assert granted - 1 < given <= granted


def test_told_to_stop_it_lets_nobody_in_and_works_for_those_who_are() -> None:
    one = service(Recorder())
    one.draining = True
    with pytest.raises(NotReady):
        one.ready()
    assert asyncio.run(one.work(Nothing(), deadline=time.monotonic() + 10)) > 0


@pytest.mark.parametrize("trouble", ["worker", "networks", "loading"])
def test_nothing_is_begun_by_what_is_not_ready(trouble: str) -> None:
    worker = Recorder()
    one = service(worker)
    if trouble == "worker":
        worker.healthy = False
    elif trouble == "networks":
        one.loaded = Loaded(worker, healthy=lambda: False)
    else:
        one.loaded = None
    assert not one.is_ready()
    with pytest.raises(NotReady):
        asyncio.run(one.work(Nothing(), deadline=time.monotonic() + 10))
