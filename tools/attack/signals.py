"""Attack 10: signals to stop that come twice, as to a process group whose parent passes its own on, and a third."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Final

from tests.support.live.servers import running
from tests.support.live.slow import SLOW, at_work
from tools.attack.figures import Figure, at_most, is_true

WORK_SECONDS: Final = 6.0
CASES: Final[dict[str, tuple[Sequence[tuple[float, int]], bool]]] = {
    "two SIGTERM at once": (((0.0, signal.SIGTERM), (0.0, signal.SIGTERM)), True),
    "SIGTERM and SIGINT within a second": (((0.0, signal.SIGTERM), (1.0, signal.SIGINT)), True),
    "SIGTERM again after three seconds": (((0.0, signal.SIGTERM), (3.0, signal.SIGTERM)), True),
    "three SIGTERM": (((0.0, signal.SIGTERM), (0.5, signal.SIGTERM), (0.5, signal.SIGTERM)), False),
    "another signal after three seconds": (((0.0, signal.SIGTERM), (3.0, signal.SIGINT)), False),
}
"""Signals with the seconds before each, and whether work that was promised is still finished."""
_FORCED_SECONDS: Final = 3.0


def stopped(signals: Sequence[tuple[float, int]]) -> tuple[int, float]:
    """The status of the answer to work that was under way, 0 for none, and the seconds until the process ended."""
    with running(entry=SLOW, workers=1) as server, at_work(server, WORK_SECONDS) as (working,):
        for pause, number in signals:
            time.sleep(pause)
            os.kill(server.pid, number)
        last = time.monotonic()
        server.process.wait(30)
        seconds = time.monotonic() - last
        return 0 if working.exception() else working.result().status, seconds


def measure() -> Iterator[Figure]:
    for name, (signals, finished) in CASES.items():
        status, seconds = stopped(signals)
        figure = f"{status or 'no answer'}, ended {seconds:.1f} s after the last"
        yield is_true(name, (status == 200) == finished, figure=figure, wanted="200" if finished else "cut off")
        if not finished:
            yield at_most("  end after the last signal", 1000 * seconds, 1000 * _FORCED_SECONDS, unit="ms")
