"""Calls that must end in time."""

import threading
import time

import pytest

from app.pipeline.engines.bounded import Unfinished, run_within


def test_results_and_errors_come_back() -> None:
    assert run_within(30, lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        run_within(30, lambda: 1 // 0)


def test_a_call_that_is_late_is_left_behind() -> None:
    gate = threading.Event()
    began = time.monotonic()
    with pytest.raises(Unfinished):
        run_within(0.1, lambda: gate.wait(30))
    assert 0.1 <= time.monotonic() - began < 10
    gate.set()
