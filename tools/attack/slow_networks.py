"""Attack 5: networks that take longer than a request may."""

import time
from collections.abc import Iterator
from typing import Final

import numpy as np

from app.pipeline.files.png import encode_png
from tests.support.live.servers import upload
from tests.support.paths import ROOT
from tools.attack.bench import service
from tools.attack.figures import Figure, at_most, is_true

_WORK_SECONDS: Final = 2.0
_LATE_MS: Final = 500.0
_NETWORKS: Final = ("srgan", "qr-esrgan", "eg-restormer-small")
_BLANK: Final = encode_png(np.full((512, 512), 200, np.uint8))
"""Nothing is located in it, so that the network gets all of it."""


def measure() -> Iterator[Figure]:
    with service(weights=ROOT / "weights", work_seconds=_WORK_SECONDS) as server:
        for network in _NETWORKS:
            request = upload(_BLANK, path=b"/restore?scale=4&network=" + network.encode())
            answers = [server.send(request) for _ in range(3)]
            longest = max(1000 * answer.seconds for answer in answers)
            statuses = {answer.status for answer in answers}
            bound = 1000 * _WORK_SECONDS + _LATE_MS
            yield at_most(f"/restore by {network}, longest", longest, bound, unit="ms", beside=f", {statuses}")
            began = time.monotonic()
            server.wait_until(lambda: not server.metric("qrestore_busy_slots"), 30)
            freed = 1000 * (time.monotonic() - began)
            yield at_most("  its slot is free after", freed, 1000.0, unit="ms")
        yield is_true("a picture is read afterwards", server.get("/readyz").status == 200)
