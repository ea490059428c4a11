"""The second half of row 40 of docs/bad-inputs.md. Comes last: it ends a service that other tests share."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.live.conftest import DEADLINE, Poisoned
from tests.support.live.moods import Mood
from tests.support.live.poisoning import picture
from tests.support.live.servers import GOOD


def test_row_40_while_draining(poisoned: Poisoned) -> None:
    server = poisoned.server
    server.assert_well()
    with ThreadPoolExecutor() as threads:
        begun = threads.submit(server.upload, picture("to the end", Mood.SLOW, seconds=2))
        server.wait_until_busy(1)
        children = server.children()
        server.process.send_signal(signal.SIGTERM)
        server.wait_until(lambda: server.get("/readyz").status == 503)
        assert server.upload(GOOD).problem(503)["type"].endswith("not_ready")
        assert server.get("/livez").status == 200
        assert begun.result().payloads() == [b"to the end"]
    assert server.process.wait(DEADLINE + 10) == 0
    server.wait_until(lambda: not any(Path(f"/proc/{pid}/statm").exists() for pid in children), 20)
