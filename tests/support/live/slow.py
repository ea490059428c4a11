"""A service whose children take as long as they are asked to, and requests that keep it at work."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from tests.support.live.servers import Answer, Server
from tests.support.waiting import wait_for

SLOW: Final = ("-m", "tests.support.live.slow_service")
"""The entry for `running`: uploads are numbers of seconds."""


@contextmanager
def at_work(server: Server, *seconds: float) -> Iterator[list[Future[Answer]]]:
    """Sends requests that take so many seconds each and yields their answers to be.

    The next request is sent when the one before has its slot or its place in the queue.
    """
    answers: list[Future[Answer]] = []
    with ThreadPoolExecutor(len(seconds)) as threads:
        for each in seconds:
            answers.append(threads.submit(server.upload, str(each).encode()))
            wait_for(
                lambda: server.metric("qrestore_busy_slots") + server.metric("qrestore_queue_length") >= len(answers)
            )
        yield answers
