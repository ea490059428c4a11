"""Time that a test may bound on a busy machine."""

import time
from collections.abc import Callable
from typing import Final

_TRIES: Final = 3


def least_seconds(action: Callable[[], object]) -> float:
    """Processor seconds that this thread spends on an action in the quickest of a few tries."""
    spent = []
    for _ in range(_TRIES):
        began = time.thread_time()
        action()
        spent.append(time.thread_time() - began)
    return min(spent)
