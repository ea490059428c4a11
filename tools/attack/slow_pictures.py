"""Attack 3: four clients send a picture that keeps zxing-cpp busy, without a pause, beside quick pictures."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from app.pipeline.files.png import encode_png
from tests.support.live.pictures import wallpaper_of_finders
from tests.support.live.servers import Server, upload
from tools.attack.bench import service
from tools.attack.figures import Figure, at_most, is_true, percentile

CLIENTS: Final = 4
SECONDS: Final = 20.0
_PAUSE: Final = 0.05
_MOST_TIMES_IDLE: Final = 10.0
_MODULE: Final = 3
_SLOW: Final = encode_png(wallpaper_of_finders(6900, module=_MODULE))
"""zxing-cpp 3.1 alone takes 40 s for it."""

REQUESTS: Final = {
    "effort=fast": upload(_SLOW, query=b"?effort=fast"),
    "balanced effort": upload(_SLOW),
    "effort=thorough": upload(_SLOW, query=b"?effort=thorough"),
    "/restore": upload(_SLOW, path=b"/restore"),
}


@contextmanager
def sending(server: Server, request: bytes) -> Iterator[Counter[int]]:
    """Keeps the clients sending inside the block; counts their answers by status."""
    stop, statuses = threading.Event(), Counter[int]()

    def send() -> None:
        while not stop.is_set():
            statuses[server.send(request).status] += 1

    with ThreadPoolExecutor(CLIENTS) as clients:
        done = [clients.submit(send) for _ in range(CLIENTS)]
        try:
            yield statuses
        finally:
            stop.set()
            for each in done:
                each.result()


def quick_reads(server: Server, seconds: float) -> tuple[int, list[float]]:
    """How many quick pictures were not read, and the milliseconds that each took."""
    failed, spent = 0, []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        failed += not server.reads()
        spent.append(1000 * (time.monotonic() - began))
        time.sleep(_PAUSE)
    return failed, spent


def measure() -> Iterator[Figure]:
    with service() as server:
        quick_reads(server, 1.0)
        _, idle = quick_reads(server, SECONDS / 2)
        bound = _MOST_TIMES_IDLE * percentile(idle, 0.95)
        for name, request in REQUESTS.items():
            with sending(server, request) as statuses:
                failed, spent = quick_reads(server, SECONDS)
            beside = f", p50 {percentile(spent, 0.5):.1f} of {len(spent)} (idle p95 {percentile(idle, 0.95):.1f})"
            yield at_most(f"quick reads beside {name}, p95", percentile(spent, 0.95), bound, unit="ms", beside=beside)
            yield is_true("  all of them read", not failed, figure=f"{failed} failed", wanted="0 failed")
            figure = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
            yield is_true("  slow pictures", set(statuses) <= {200, 429, 503, 504}, figure=figure, wanted="an answer")
