"""The second half of row 40 of docs/bad-inputs.md: stopping a service whose children misbehave."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.live.behaviours import Behaviour
from tests.support.live.poison import MISBEHAVING, picture
from tests.support.live.servers import GOOD, running

pytestmark = pytest.mark.slow

DRAIN = 2.0


def test_row_40_while_draining(weights: Path) -> None:
    """A picture that is being read is read to its end; one that hangs its reader is cut off after the drain."""
    with running(entry=MISBEHAVING, weights=weights, workers=2, drain_seconds=DRAIN) as server:
        with ThreadPoolExecutor() as threads:
            slow = threads.submit(server.upload, picture("to the end", Behaviour.SLOW, seconds=1))
            hanging = threads.submit(server.upload, picture("never read", Behaviour.HANG))
            server.wait_until_busy(2)
            children = server.children()
            server.process.send_signal(signal.SIGTERM)
            server.wait_until(lambda: server.get("/readyz").status == 503)
            assert server.upload(GOOD).problem(503)["type"].endswith("not_ready")
            assert server.get("/livez").status == 200
            assert slow.result().payloads() == [b"to the end"]
            assert hanging.result().problem(503)["type"].endswith("not_ready")
        assert server.process.wait(DRAIN + 10) == 0
        server.wait_until(lambda: not any(Path(f"/proc/{pid}/statm").exists() for pid in children), 20)
