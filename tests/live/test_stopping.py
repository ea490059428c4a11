"""The second half of row 40 of docs/bad-inputs.md: stopping a service whose children misbehave, and by many signals."""

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.live.behaviours import RELEASE, Behaviour
from tests.support.live.poison import MISBEHAVING, AtWork, picture
from tests.support.live.servers import GOOD, Server, running
from tests.support.live.slow import at_work
from tests.support.paths import ROOT
from tests.support.ports import lasting_port
from tools.attack import signals

pytestmark = pytest.mark.slow

DRAIN = 4.0


def test_row_40_while_draining(weights: Path) -> None:
    """A picture that is being read is read to its end; one that hangs its reader is cut off after the drain."""
    with running(entry=MISBEHAVING, weights=weights, workers=2, drain_seconds=DRAIN) as server:
        with ThreadPoolExecutor() as threads:
            working = AtWork(server)
            held = threads.submit(server.upload, picture("to the end", Behaviour.HELD))
            (child,) = working.wait(1)
            hanging = threads.submit(server.upload, picture("never read", Behaviour.HANG))
            server.wait_until_busy(2)
            children = server.children()
            server.process.send_signal(signal.SIGTERM)
            server.wait_until(lambda: server.get("/readyz").status == 503)
            assert server.upload(GOOD).problem(503)["type"].endswith("not_ready")
            assert server.get("/livez").status == 200
            os.kill(child, RELEASE)
            assert held.result().payloads() == [b"to the end"]
            assert hanging.result().problem(503)["type"].endswith("not_ready")
        assert server.process.wait(DRAIN + 10) == 0
        server.wait_until(lambda: not any(Path(f"/proc/{pid}/statm").exists() for pid in children), 20)


@pytest.mark.parametrize("name", signals.CASES)
def test_only_a_signal_that_is_meant_cuts_work_off(name: str) -> None:
    times, finished = signals.CASES[name]
    status, seconds = signals.stopped(times)
    assert (status == 200) == finished
    assert finished or seconds < 10


def test_a_signal_to_the_group_of_make_lets_work_finish(weights: Path, tmp_path: Path) -> None:
    """make passes the signal on to the service, which has had it already."""
    port = lasting_port()
    settings = {"WEIGHTS": weights, "DEVICE": "cpu", "WORKERS": 1, "TORCH_THREADS": 1}
    environment = os.environ | {f"QRESTORE_{name}": str(value) for name, value in settings.items()}
    entry = tmp_path / "serve.py"
    entry.write_text(SERVE_ON.format(port=port))
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"serve:\n\tPYTHONPATH={ROOT} {sys.executable} {entry}\n")
    make = subprocess.Popen(
        ["make", "-f", str(makefile), "serve"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        server = Server(make, port)
        server.wait_until(lambda: is_ready(server), 90)
        with at_work(server, 3.0) as (working,):
            os.killpg(make.pid, signal.SIGTERM)
            assert working.result().status == 200
        make.wait(30)
        server.wait_until(lambda: not is_listening(port), 30)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(make.pid, signal.SIGKILL)
        make.wait(30)


SERVE_ON = """
from tests.support.live.slow_service import factory

if __name__ == "__main__":
    from app.main import serve
    from app.settings import Settings

    serve(Settings(port={port}), factory=factory)
"""


def is_ready(server: Server) -> bool:
    return is_listening(server.port) and server.get("/readyz").status == 200


def is_listening(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
