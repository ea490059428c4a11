"""Does one thing after another on several threads, and keeps the order."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AHEAD: Final = 256
"""Most results that wait for an earlier one: a file of 4 seconds holds up nobody while others take 30 ms."""
_FEEDER_SECONDS: Final = 1.0
"""Longest wait for the thread that takes the items, so that it does not run while the interpreter ends; reading names
from a pipe may hold it longer."""


def in_order(do: Callable[[T], R], items: Iterable[T], *, jobs: int, stop: Callable[[], None]) -> Iterator[R]:
    """The result for each item, in the order of the items, as soon as it is there; ``jobs`` of them are made at once.

    Takes at most ``_AHEAD`` items before their results are taken. Raises what ``do`` or the items raise. ``stop`` makes
    running calls of ``do`` end soon; it is called where the results are not taken to the end.
    """
    waiting: queue.Queue[Future[R] | None] = queue.Queue(_AHEAD)
    stopped = threading.Event()
    executor = ThreadPoolExecutor(jobs, thread_name_prefix="reader")

    def feed() -> None:
        try:
            for item in items:
                waiting.put(executor.submit(do, item))
                if stopped.is_set():
                    return
            waiting.put(None)
        except BaseException as exc:  # noqa: BLE001 - raised where the results are taken
            failed: Future[R] = Future()
            failed.set_exception(exc)
            waiting.put(failed)

    feeder = threading.Thread(target=feed, name="feeder", daemon=True)
    feeder.start()
    try:
        while (future := waiting.get()) is not None:
            yield future.result()
    except BaseException:
        stopped.set()
        stop()
        with suppress(queue.Empty):  # makes room for the feeder, which then sees that it is over
            while True:
                waiting.get_nowait()
        executor.shutdown(wait=False, cancel_futures=True)
        feeder.join(_FEEDER_SECONDS)
        raise
    executor.shutdown()
