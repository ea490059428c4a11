"""Calls of several threads run in one batch, in order, and each gets its own answer."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.inference.runners import BatchingRunner
from tests.support.waiting import wait_for

Array = NDArray[np.float32]
Make = Callable[..., BatchingRunner]


class Slow:
    """A network that doubles its input; each run waits for ``gate``, and ``batches`` remembers the batches.

    ``runs`` is set as soon as it runs.
    """

    def __init__(self) -> None:
        self.gate, self.runs = threading.Event(), threading.Event()
        self.gate.set()
        self.batches: list[list[float]] = []

    def __call__(self, *inputs: Array) -> Array:
        self.runs.set()
        self.gate.wait(30)
        self.batches.append([float(sample.flat[0]) for sample in inputs[0]])
        if any(sample.flat[0] < 0 for sample in inputs[0]):
            raise ValueError("less than nothing")
        return 2 * inputs[0]


@pytest.fixture
def network() -> Slow:
    return Slow()


@pytest.fixture
def make(network: Slow) -> Iterator[Make]:
    made: list[BatchingRunner] = []

    def build(*, most: int = 4, wait: float = 0.5) -> BatchingRunner:
        made.append(BatchingRunner(network, most=most, wait=wait))
        return made[-1]

    yield build
    for runner in made:
        network.gate.set()
        runner.close()


def sample(value: float, *, count: int = 1, side: int = 2) -> Array:
    return np.full((count, 1, side, side), value, np.float32)


def ask_in_order(runner: BatchingRunner, network: Slow, *calls: Array) -> list[Array]:
    """Calls the runner from one thread each, in this order, while an earlier call blocks the network."""
    with ThreadPoolExecutor(len(calls) + 1) as threads:
        network.gate.clear()
        first = threads.submit(runner, sample(0, side=9))
        assert network.runs.wait(10)
        waiting = []
        for call in calls:
            waiting.append(threads.submit(runner, call))
            wait_for(lambda: runner._calls.qsize() == len(waiting))
        network.gate.set()
        first.result()
        return [each.result() for each in waiting]


def test_calls_of_one_shape_run_together_and_each_gets_its_own(make: Make, network: Slow) -> None:
    answers = ask_in_order(make(wait=0.05), network, sample(1), sample(2), sample(3))
    assert [float(answer.flat[0]) for answer in answers] == [2, 4, 6]
    assert network.batches == [[0], [1, 2, 3]]


def test_a_batch_has_no_more_than_the_most(make: Make, network: Slow) -> None:
    answers = ask_in_order(make(most=4, wait=0.05), network, sample(1, count=3), sample(2, count=2), sample(3))
    assert network.batches == [[0], [1, 1, 1], [2, 2, 3]]
    assert [len(answer) for answer in answers] == [3, 2, 1]


def test_a_larger_call_runs_alone(make: Make, network: Slow) -> None:
    (answer,) = ask_in_order(make(most=2, wait=0.05), network, sample(1, count=5))
    assert answer.shape == (5, 1, 2, 2)
    assert network.batches == [[0], [1] * 5]


def test_other_shapes_are_not_overtaken(make: Make, network: Slow) -> None:
    ask_in_order(make(wait=0.05), network, sample(1), sample(2, side=3), sample(3))
    assert network.batches == [[0], [1], [2], [3]]


def test_the_wait_is_bounded(make: Make, network: Slow) -> None:
    runner = make(wait=0.2)
    began = time.monotonic()
    runner(sample(1))
    assert 0.15 < time.monotonic() - began < 20


def test_a_full_batch_does_not_wait(make: Make, network: Slow) -> None:
    began = time.monotonic()
    make(most=1, wait=60)(sample(1))
    assert time.monotonic() - began < 30


def test_errors_reach_only_the_calls_of_the_batch(make: Make, network: Slow) -> None:
    runner = make(wait=0)
    with pytest.raises(ValueError, match="less than nothing"):
        runner(sample(-1))
    assert float(runner(sample(1)).flat[0]) == 2
    assert runner.is_alive()


def test_a_closed_runner_raises_instead_of_waiting_for_ever(make: Make, network: Slow) -> None:
    runner = make()
    runner.close()
    assert not runner.is_alive()
    with pytest.raises(RuntimeError, match="has ended"):
        runner(sample(1))
