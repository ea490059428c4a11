"""What stops a start, in one line that names cause and mend; what the log says of children; and SIGHUP."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live.servers import GOOD, GOOD_TEXT, SERVE, running
from tests.support.paths import ROOT

ON_A_TERMINAL = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    f"os.execv(sys.executable, [sys.executable, *{SERVE!r}])"
)


def refusal(*arguments: str, **settings: str) -> str:
    """The one line in which `qrestore serve` says why it does not start, on a machine whose GPUs are hidden."""
    environment = {"CUDA_VISIBLE_DEVICES": "", "TMPDIR": settings.pop("tmpdir", "")}
    environment |= {f"QRESTORE_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "app.cli", "serve", *arguments]
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 3
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if not line.startswith("{")]
    assert not re.search(r'"message": "ready', result.stderr)
    (line,) = lines
    return line


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("setting", ["port", "admin_port"])
def test_a_port_that_is_taken(taken: int, setting: str, weights: Path) -> None:
    settings = {"port": "0", "weights": str(weights)} | {setting: str(taken)}
    line = refusal(**settings)
    assert f"127.0.0.1:{taken} is in use" in line
    assert f"QRESTORE_{setting.upper()}" in line


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "192.0.2.1", "port": "0"}, "192.0.2.1 is no address of this machine: set QRESTORE_HOST"),
        ({"host": "no such name"}, "QRESTORE_HOST: 'no such name' is neither an address nor a known name"),
        ({"admin_port": "8000"}, "QRESTORE_ADMIN_PORT: 8000 is QRESTORE_PORT, too"),
        ({"port": "tcp://10.0.0.1:8000"}, "QRESTORE_PORT: Kubernetes"),
        ({"worker": "2"}, "QRESTORE_WORKER is no setting: did you mean QRESTORE_WORKERS?"),
        ({"foo": "1"}, "QRESTORE_FOO is no setting"),
        ({"workers": "many"}, "QRESTORE_WORKERS: Input should be a valid integer"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_met(settings: dict[str, str], words: str) -> None:
    assert words in refusal(**settings)


def test_a_gpu_that_is_not_there(weights: Path) -> None:
    line = refusal("--port", "0", device="cuda", weights=str(weights))
    assert line.startswith("qrestore: QRESTORE_DEVICE=cuda: torch ")
    assert "set QRESTORE_DEVICE=cpu" in line


def test_a_folder_for_temporary_files_that_does_not_do(weights: Path, tmp_path: Path) -> None:
    """Sockets have short paths."""
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    line = refusal("--port", "0", weights=str(weights), tmpdir=str(folder))
    assert "AF_UNIX path too long" in line
    assert "TMPDIR" in line


def test_the_log_says_that_children_do_not_start_and_when_they_do(weights: Path, tmp_path: Path) -> None:
    """Someone moves the fork server's socket away, the children die, and the socket comes back."""
    with running(weights=weights, workers=1, request_seconds=3, folder=tmp_path) as server:
        (folder,) = tmp_path.glob("pymp-*")
        folder.rename(tmp_path / "elsewhere")
        for child in server.workers():
            os.kill(child, signal.SIGKILL)
        assert server.upload(GOOD).status in {503, 504}
        server.wait_until(lambda: "child processes do not start" in server.log_text(), 30)
        (tmp_path / "elsewhere").rename(folder)
        server.wait_until(lambda: "ready again" in server.log_text(), 30)
        assert server.upload(GOOD).payloads() == [GOOD_TEXT.encode()]
        (told,) = [line for line in server.log if "child processes do not start" in line]
        assert "QRESTORE_WORKER_MEMORY_BYTES" in told
        assert "temporary files" in told


def test_a_client_that_hangs_up_leaves_no_unretrieved_error(weights: Path) -> None:
    """The work of a client that has left fails: nobody waits for what it raises."""
    slow = ("-m", "tests.support.live.slow_service")
    with running(entry=slow, weights=weights, workers=1, work_seconds=1) as server:
        with server.connect() as connection:
            form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n30\r\n--b--\r\n'
            head = b"POST /decode HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(form) + form)
            server.wait_until_busy(1)
        server.wait_until(lambda: server.restarts("timeout") == 1, 20)
        server.wait_until_busy(0)
        for _ in range(3):
            assert server.upload(b"0").status == 200
    assert "never retrieved" not in server.log_text()


def test_without_keys_a_hangup_ends_nothing(weights: Path) -> None:
    with running(weights=weights, workers=1) as server:
        server.process.send_signal(signal.SIGHUP)
        server.wait_until(lambda: "QRESTORE_API_KEYS_FILE" in server.log_text())
        assert server.upload(GOOD).payloads() == [GOOD_TEXT.encode()]


def test_it_stops_when_its_terminal_goes(weights: Path) -> None:
    ours, theirs = os.openpty()
    environment = {"QRESTORE_WEIGHTS": str(weights), "QRESTORE_WORKERS": "1", "QRESTORE_DEVICE": "cpu"}
    command = [sys.executable, "-c", ON_A_TERMINAL]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=theirs, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(theirs)
        assert process.stderr is not None
        log = []
        for line in process.stderr:
            log.append(line)
            if '"ready' in line:
                break
        began = time.monotonic()
        os.close(ours)
        log += process.stderr.readlines()
    assert process.returncode == 0, log
    assert time.monotonic() - began < 30
    assert any("the terminal has gone" in line for line in log)
