"""Children that crash, hang, send nonsense and leak, and a parent that goes on."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.errors import InternalError, InvalidImage, ProcessingTimeout, WorkerCrashed
from app.pipeline.inference.severity import Route
from app.workers.pool import Pool, RestartReason, child_abilities
from app.workers.process import Arrays, Factory, Infer, Limits
from app.workers.worker import GaveWay, Progress
from tests.support import isolated
from tests.support.waiting import wait_for

LONG = 60.0
Make = Callable[..., Pool]


def doubled(name: str, arrays: Arrays) -> NDArray[np.float32]:
    """The networks of the parent."""
    if name != "double":
        raise KeyError(name)
    return 2 * arrays[0]


@pytest.fixture
def restarts() -> Counter[RestartReason]:
    return Counter()


@pytest.fixture
def make(restarts: Counter[RestartReason]) -> Iterator[Make]:
    pools: list[Pool] = []

    def build(
        *,
        factory: Factory = isolated.factory,
        infer: Infer = doubled,
        size: int = 1,
        result_classes: tuple[type, ...] = (),
        at_once: int | None = None,
        **limits: Any,
    ) -> Pool:
        pool = Pool(
            factory,
            infer,
            size=size,
            limits=Limits(**limits),
            result_classes=result_classes,
            preload=("tests.support.isolated",),
            on_restart=lambda why: restarts.update([why]),
            at_once=at_once,
        )
        pools.append(pool)
        return pool

    yield build
    for pool in pools:
        pool.close()


def do(pool: Pool, word: str, content: Any = None, *, seconds: float = LONG) -> Any:
    return pool.run((word, content), deadline=time.monotonic() + LONG, seconds=seconds)


def test_results_come_back_whole(make: Make) -> None:
    pool = make(result_classes=(Route,))
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    answer = do(pool, "echo", {"bytes": b"\x00\xff", "numbers": (1, 2.5, None), "picture": picture.T[::2]})
    assert (answer["bytes"], answer["numbers"]) == (b"\x00\xff", (1, 2.5, None))
    assert np.array_equal(answer["picture"], picture.T[::2])
    assert do(pool, "route", "lenet") == Route(laplacian_variance=1.5, threshold=2.0, network="lenet")


def test_jobs_run_in_other_processes_that_are_kept(make: Make) -> None:
    pool = make()
    assert {do(pool, "pid") for _ in range(3)} == set(pool.pids()) != {os.getpid()}
    assert pool.memory() > 10_000_000


def test_the_parent_runs_networks_for_its_children(make: Make) -> None:
    asked = np.arange(200_000, dtype=np.float32)
    assert np.array_equal(do(make(), "ask", ("double", asked)), 2 * asked)


def test_a_call_of_an_unknown_network_ends_the_child(make: Make, restarts: Counter[RestartReason]) -> None:
    pool = make()
    with pytest.raises(WorkerCrashed):
        do(pool, "ask", ("colossus", np.zeros(1, np.float32)))
    assert do(pool, "echo", 1) == 1
    assert restarts == {RestartReason.CRASH: 2}


def test_a_foreseen_error_is_raised_and_the_child_stays(make: Make, restarts: Counter[RestartReason]) -> None:
    pool = make()
    before = pool.pids()
    with pytest.raises(InvalidImage, match="Cut short"):
        do(pool, "refuse", "Cut short.")
    assert pool.pids() == before
    assert not restarts


def test_an_unforeseen_error_is_not_revealed(
    make: Make, restarts: Counter[RestartReason], caplog: pytest.LogCaptureFixture
) -> None:
    pool = make()
    with pytest.raises(InternalError) as error:
        do(pool, "fail", "/srv/private")
    assert "/srv/private" not in error.value.detail
    assert "ZeroDivisionError: /srv/private" in caplog.text
    assert do(pool, "echo", 1) == 1
    assert restarts == {RestartReason.CRASH: 1}


def test_a_child_that_left_work_unfinished_is_replaced(make: Make, restarts: Counter[RestartReason]) -> None:
    pool = make()
    before = pool.pids()
    do(pool, "leave", 60.0)
    assert restarts == {RestartReason.UNFINISHED: 1}
    assert do(pool, "pid") not in before


def test_progress_tells_the_time_of_processors_and_networks(make: Make) -> None:
    def slowly(name: str, arrays: Arrays) -> NDArray[np.float32]:
        time.sleep(0.3)
        return doubled(name, arrays)

    pool, progress = make(infer=slowly), Progress()
    pool.run(
        ("ask", ("double", np.zeros(1, np.float32))), deadline=time.monotonic() + LONG, seconds=LONG, progress=progress
    )
    assert 0.3 <= progress.spent() < LONG


def test_a_child_that_dies_in_idleness_is_replaced_before_a_job_needs_it(make: Make) -> None:
    pool = make(size=2)
    dead = pool.pids()[0]
    os.kill(dead, signal.SIGKILL)
    wait_for(lambda: len(pool.pids()) == 2 and dead not in pool.pids())


def test_a_job_gives_way(make: Make, restarts: Counter[RestartReason]) -> None:
    pool, progress = make(), Progress()
    began = time.monotonic()
    threading.Timer(0.5, progress.give_way.set).start()
    with pytest.raises(GaveWay):
        pool.run(("spin", None), deadline=began + LONG, seconds=LONG, progress=progress)
    assert progress.spent() >= 0.0
    assert 0.5 <= time.monotonic() - began < LONG / 2
    assert restarts == {RestartReason.GAVE_WAY: 1}
    assert do(pool, "echo", 1) == 1


@pytest.mark.parametrize("kind", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_job_that_ends_its_process_is_tried_once_more(
    make: Make, restarts: Counter[RestartReason], kind: signal.Signals
) -> None:
    pool = make()
    with pytest.raises(WorkerCrashed):
        do(pool, "die", kind)
    assert restarts == {RestartReason.CRASH: 2}
    assert do(pool, "echo", "next") == "next"


def test_a_child_killed_from_outside_costs_no_answer(make: Make, restarts: Counter[RestartReason]) -> None:
    """It is killed in the middle of its job, while it waits for a network."""
    victims: list[int] = []

    def killing(name: str, arrays: Arrays) -> NDArray[np.float32]:
        if not victims:
            victims.extend(pool.pids())
            os.kill(victims[0], signal.SIGKILL)
        return doubled(name, arrays)

    pool = make(infer=killing)
    assert do(pool, "ask", ("double", np.ones(1, np.float32))) == [2]
    assert victims
    assert not set(victims) & set(pool.pids())
    assert restarts == {RestartReason.CRASH: 1}


def test_a_network_that_would_end_too_late_is_not_run(make: Make, restarts: Counter[RestartReason]) -> None:
    runs = []

    def slowly(name: str, arrays: Arrays) -> NDArray[np.float32]:
        runs.append(name)
        time.sleep(0.5)
        return doubled(name, arrays)

    pool, asked = make(infer=slowly), ("double", np.zeros(9, np.float32))
    do(pool, "ask", asked)
    with pytest.raises(ProcessingTimeout):
        do(pool, "ask", asked, seconds=0.3)
    assert runs == ["double"]
    assert restarts == {RestartReason.TIMEOUT: 1}


def test_an_idle_child_killed_from_outside_is_replaced(make: Make, restarts: Counter[RestartReason]) -> None:
    pool = make(size=2)
    for pid in pool.pids():
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    assert do(pool, "echo", 1) == 1
    assert restarts[RestartReason.CRASH] >= 1


def test_children_that_are_dead_already_do_not_count_as_tries(make: Make) -> None:
    pool = make(size=4)
    for pid in pool.pids():
        os.kill(pid, signal.SIGKILL)
    assert do(pool, "echo", 1) == 1


def test_a_pool_that_cannot_replace_its_children_is_unhealthy_until_it_can(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hindrance = tmp_path / "hindrance"
    pool = make(factory=partial(isolated.unless, hindrance))
    hindrance.touch()
    os.kill(pool.pids()[0], signal.SIGKILL)
    with pytest.raises(ProcessingTimeout):
        do(pool, "echo", 1, seconds=0.5)
    wait_for(lambda: not pool.healthy)
    hindrance.unlink()
    wait_for(lambda: pool.healthy)
    assert do(pool, "echo", 1) == 1
    assert "EOFError" in caplog.text
    assert sum("no child process starts" in record.getMessage() for record in caplog.records) == 1
    assert "a child process started after" in caplog.text


class Unforeseen(Exception):
    """Like onnxruntime's own errors, which are not RuntimeErrors."""


def broken(name: str, arrays: Arrays) -> NDArray[np.float32]:
    raise Unforeseen(name)


def test_unforeseen_errors_of_networks_cost_no_slot(make: Make) -> None:
    pool = make(infer=broken)
    for _ in range(2):
        with pytest.raises(WorkerCrashed):
            do(pool, "ask", ("double", np.zeros(1, np.float32)))
    assert do(pool, "echo", 1) == 1


def test_invalid_answers_cost_no_slot(make: Make) -> None:
    pool = make()
    for _ in range(2):
        with pytest.raises(InternalError):
            do(pool, "echo", lambda: None)  # cannot be pickled, on its way there
    assert do(pool, "echo", 1) == 1


@pytest.mark.parametrize("word", ["sleep", "spin"])
def test_a_job_past_its_deadline_is_killed(make: Make, restarts: Counter[RestartReason], word: str) -> None:
    pool = make()
    began = time.monotonic()
    with pytest.raises(ProcessingTimeout):
        do(pool, word, 1000, seconds=0.3)
    assert time.monotonic() - began < LONG / 2
    assert restarts == {RestartReason.TIMEOUT: 1}
    assert do(pool, "echo", "next") == "next"


@pytest.mark.parametrize(("left", "granted"), [(0.3, LONG), (LONG, 0.3)])
def test_a_job_has_its_seconds_but_never_beyond_its_deadline(make: Make, left: float, granted: float) -> None:
    pool = make()
    began = time.monotonic()
    with pytest.raises(ProcessingTimeout):
        pool.run(("sleep", 1000), deadline=began + left, seconds=granted)
    assert 0.3 <= time.monotonic() - began < LONG / 2


def test_children_do_not_outlive_a_parent_that_was_killed() -> None:
    """A child in an endless loop whose parent is gone is ended by its own timer."""
    program = (
        "import time; from app.workers.process import Limits\n"
        "from app.workers.pool import Pool; from tests.support import isolated\n"
        "if __name__ == '__main__':\n"
        "    pool = Pool(isolated.factory, None, size=1, limits=Limits(), preload=('tests.support.isolated',))\n"
        "    print(pool.pids()[0], flush=True)\n"
        "    pool.run(('sleep', 1000), deadline=time.monotonic() + 1, seconds=60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    time.sleep(0.2)
    process.kill()
    process.communicate()
    wait_for(lambda: not Path(f"/proc/{child}").exists())


def test_a_child_is_replaced_after_its_jobs(make: Make, restarts: Counter[RestartReason]) -> None:
    pool = make(jobs=3)
    pids = [do(pool, "pid") for _ in range(7)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]
    assert restarts == {RestartReason.RECYCLED: 2}


def test_memory_is_bounded(make: Make) -> None:
    pool = make(memory_bytes=256 << 20)
    assert do(pool, "allocate", 64 << 20) == 64 << 20
    with pytest.raises(InternalError):
        do(pool, "allocate", 1 << 30)
    assert do(pool, "echo", 1) == 1


def test_a_child_writes_no_file_opens_no_socket_and_runs_no_program(make: Make, tmp_path: Path) -> None:
    pool = make()
    target = tmp_path / "written"
    refused = "OSError" if "read files" in child_abilities() else "PermissionError"  # by the size of files, by Landlock
    assert do(pool, "write", str(target)) == refused
    assert not target.exists() or target.stat().st_size == 0
    assert do(pool, "connect") == "PermissionError"
    assert do(pool, "run") == "PermissionError"


def test_what_a_child_loads_before_its_first_job_is_confined_and_not_counted(make: Make, tmp_path: Path) -> None:
    pool = make(factory=isolated.laden, memory_bytes=256 << 20)
    assert do(pool, "allocate", 64 << 20) == 64 << 20
    assert do(pool, "write", str(tmp_path / "written")) != "done"
    assert do(pool, "connect") == "PermissionError"
    assert do(pool, "run") == "PermissionError"


def test_a_child_reads_other_files_only_where_it_may(make: Make, tmp_path: Path) -> None:
    if "read files" in child_abilities():
        pytest.skip("this system has no Landlock")
    for name in ("weights", "private"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"content")
    pool = make(readable=(tmp_path / "weights",))
    assert do(pool, "read", str(tmp_path / "weights" / "file")) == "done"
    assert do(pool, "read", str(tmp_path / "private" / "file")) == "PermissionError"
    assert do(make(), "read", str(tmp_path / "weights" / "file")) == "PermissionError"


def meet(make: Make, *, size: int, at_once: int | None = None) -> Pool:
    """A pool whose children have all been at work in the same moment; fails where one has not."""
    together = threading.Barrier(size)

    def waiting(name: str, arrays: Arrays) -> NDArray[np.float32]:
        together.wait(30)
        return doubled(name, arrays)

    pool = make(infer=waiting, size=size, at_once=at_once)
    assert do(pool, "echo", 1) == 1
    with ThreadPoolExecutor(size) as threads:
        asked = [threads.submit(do, pool, "ask", ("double", np.full(1, number, np.float32))) for number in range(size)]
        assert [float(each.result()[0]) for each in asked] == [2 * number for number in range(size)]
    return pool


def test_a_pool_that_need_not_wait_starts_the_others_while_the_first_works(make: Make) -> None:
    assert len(meet(make, size=3, at_once=1).pids()) == 3


def test_classes_that_the_parent_does_not_know_are_not_built(make: Make, restarts: Counter[RestartReason]) -> None:
    pool = make()
    with pytest.raises(WorkerCrashed):
        do(pool, "stranger")
    assert restarts == {RestartReason.CRASH: 2}
    with pytest.raises(WorkerCrashed):  # nor is one that the parent has but does not allow
        do(pool, "route", "lenet")


def test_children_work_side_by_side(make: Make) -> None:
    assert len(meet(make, size=3).pids()) == 3


def test_a_pool_that_cannot_start_says_so() -> None:
    with pytest.raises(WorkerCrashed):
        Pool(isolated.stillborn, doubled, size=1, limits=Limits(), preload=("tests.support.isolated",))


def test_closing_ends_every_child(make: Make) -> None:
    pool = make(size=2)
    pids = pool.pids()
    pool.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert pool.pids() == []
