"""Work on several threads: in order, bounded, and ended at once where nobody wants the rest."""

import threading
import time
from collections.abc import Iterator

import pytest

from app.cli.batch.parallel import in_order
from tests.support.waiting import wait_for


def no_stop() -> None:
    raise AssertionError("stopped without a reason")


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_if_even(number: int) -> int:
        time.sleep(0.02 * (number % 2 == 0))
        return -number

    assert list(in_order(slow_if_even, range(20), jobs=4, stop=no_stop)) == [-number for number in range(20)]


def test_several_run_at_once_and_no_more() -> None:
    meeting = threading.Barrier(3, timeout=10)
    running, most = 0, 0
    lock = threading.Lock()

    def meet(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        meeting.wait()
        with lock:
            running -= 1

    assert len(list(in_order(meet, range(12), jobs=3, stop=no_stop))) == 12
    assert most == 3


def test_a_result_does_not_wait_for_the_next_item() -> None:
    taken = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        assert taken.wait(10)
        yield 2

    results = in_order(lambda number: number, items(), jobs=2, stop=no_stop)
    assert next(results) == 1
    taken.set()
    assert list(results) == [2]


def test_items_are_taken_no_further_than_a_bound() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while taken < 100_000:
            taken += 1
            yield taken

    results = in_order(lambda number: number, items(), jobs=2, stop=lambda: None)
    assert next(results) == 1
    time.sleep(0.2)
    assert taken < 300
    results.close()


@pytest.mark.parametrize("where", ["item", "result"])
def test_errors_are_raised_where_results_are_taken(where: str) -> None:
    def items() -> Iterator[int]:
        yield 1
        if where == "item":
            raise ValueError("no more")
        yield 2

    def do(number: int) -> int:
        if number == 2:
            raise ValueError("no more")
        return number

    stopped: list[bool] = []
    results = in_order(do, items(), jobs=1, stop=lambda: stopped.append(True))
    assert next(results) == 1
    with pytest.raises(ValueError, match="no more"):
        next(results)
    assert stopped == [True]


def test_work_that_runs_is_stopped_where_nobody_waits_any_more() -> None:
    stop, began = threading.Event(), threading.Event()

    def hang(_: int) -> None:
        began.set()
        assert stop.wait(10)

    def raise_in_the_middle() -> None:
        for _ in in_order(hang, range(1000), jobs=2, stop=stop.set):
            raise KeyboardInterrupt

    threading.Timer(0.1, stop.set).start()  # lets the first one end
    with pytest.raises(KeyboardInterrupt):
        raise_in_the_middle()
    assert stop.is_set()
    wait_for(lambda: not any(thread.name == "feeder" for thread in threading.enumerate()))
