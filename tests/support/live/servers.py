"""The service in a process of its own, and raw requests to it: an HTTP client would correct what is to be tested."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, Final

from app.pipeline.files.png import encode_png
from app.workers.usage import resident_memory
from tests.support.codes import qr_picture
from tests.support.paths import ROOT

SERVE: Final = ("-m", "app.cli", "serve", "--port", "0")
MEMBERS: Final = {"type", "title", "status", "detail", "instance", "request_id"}
"""The members of every problem, by RFC 9457 and the service's documentation."""
BOUNDARY: Final = b"some-boundary"
GOOD_TEXT: Final = "still serving"
GOOD: Final = encode_png(qr_picture(GOOD_TEXT))
_START_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 30.0
_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:(\d+)")
_LEAKS: Final = re.compile(
    re.escape(str(ROOT)).encode()
    + rb"|traceback|file \"|/home|/usr|/tmp|site-packages|\.py\b|python|cv2|opencv|zbar|zxing-?cpp|torch|numpy"
    rb"|starlette|fastapi|pydantic|uvicorn|h11|httptools|libpng|libjpeg|errno|0x[0-9a-f]{6}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; `seconds` run from the last byte sent to the last byte received."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def __repr__(self) -> str:
        return f"{self.status} {self.headers.get('content-type')} {self.body[:300]!r}"

    def json(self) -> Any:
        return json.loads(self.body)

    def payloads(self) -> list[bytes]:
        """The payload bytes of every code. Asserts a 200 with every documented member."""
        assert self.status == 200, self
        answer = self.json()
        assert {"codes", "unread", "image", "route", "trace", "truncated", "complete", "request_id"} <= set(answer)
        for code in answer["codes"]:
            assert isinstance(code["text"], str)
        return [base64.b64decode(code["bytes_base64"], validate=True) for code in answer["codes"]]

    def problem(self, status: int) -> dict[str, Any]:
        """Asserts a problem of this status that has every member and reveals nothing of the service's inside."""
        assert self.status == status, self
        assert self.headers["content-type"] == "application/problem+json", self
        problem: dict[str, Any] = self.json()
        assert set(problem) >= MEMBERS, self
        assert problem["status"] == status
        assert problem["request_id"] == self.headers["x-request-id"]
        assert not (leak := _LEAKS.search(self.body)), leak
        for name, value in self.headers.items():
            assert not (leak := _LEAKS.search(f"{name}: {value}".encode())), leak
        return problem


def form(*parts: tuple[bytes, bytes], boundary: bytes = BOUNDARY) -> bytes:
    """A multipart body; each part is a pair of its header lines and its content."""
    body = b"".join(b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary, head, content) for head, content in parts)
    return body + b"--%s--\r\n" % boundary


def file_part(data: bytes, name: bytes = b"picture.png", *, kind: bytes = b"image/png") -> tuple[bytes, bytes]:
    head = b'Content-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: %s' % (name, kind)
    return head, data


def request(
    body: bytes = b"",
    *headers: bytes,
    line: bytes = b"POST /decode",
    kind: bytes = b"multipart/form-data; boundary=" + BOUNDARY,
) -> bytes:
    """A complete request with the right Content-Length; `headers` are further header lines."""
    fixed = [line + b" HTTP/1.1", b"Host: localhost", b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*fixed, *([b"Content-Type: " + kind] if kind else []), *headers, b"", body])


def upload(data: bytes, *headers: bytes, query: bytes = b"", path: bytes = b"/decode") -> bytes:
    return request(form(file_part(data)), *headers, line=b"POST " + path + query)


@dataclass
class Server:
    """A running service. `log` holds every line that it and its children have written."""

    process: subprocess.Popen[str]
    port: int
    log: list[str] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.process.pid

    def connect(self, timeout: float = 60.0, source: str = "") -> socket.socket:
        """A connection from ``source``, one of this machine's addresses; from any if empty."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout, (source, 0))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def send(self, *pieces: bytes, timeout: float = 60.0, source: str = "") -> Answer:
        """The answer to these bytes, even if the server answers before it has read them all."""
        with self.connect(timeout, source) as connection:
            with suppress(BrokenPipeError, ConnectionResetError):
                for piece in pieces:
                    connection.sendall(piece)
            return read_answer(connection)

    def upload(
        self, data: bytes, *headers: bytes, query: bytes = b"", timeout: float = 60.0, source: str = ""
    ) -> Answer:
        return self.send(upload(data, *headers, query=query), timeout=timeout, source=source)

    def reads(self, source: str = "") -> bool:
        """Whether it reads a good picture within half a minute."""
        with suppress(OSError, HTTPException, AssertionError, ValueError):
            return self.upload(GOOD, timeout=30.0, source=source).payloads() == [GOOD_TEXT.encode()]
        return False

    def restore(self, data: bytes, *headers: bytes, query: bytes = b"", timeout: float = 60.0) -> Answer:
        return self.send(upload(data, *headers, query=query, path=b"/restore"), timeout=timeout)

    def get(self, path: str) -> Answer:
        return self.send(request(line=b"GET " + path.encode(), kind=b""))

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name with these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = [line for line in self.get("/metrics").body.decode().splitlines() if re.match(rf"{name}[{{ ]", line)]
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(label in line for label in wanted))

    def await_ready(self) -> None:
        self.wait_until(lambda: self.get("/readyz").status == 200, _START_SECONDS)

    def assert_well(self) -> None:
        """Asserts that the same process is alive and reads the next picture."""
        assert self.process.poll() is None, "".join(self.log[-40:])
        assert self.get("/livez").json() == {"status": "alive"}
        assert self.upload(GOOD).payloads() == [GOOD_TEXT.encode()]

    def children(self) -> list[int]:
        """Every living descendant of the server."""
        return self.helpers() + self.workers()

    def workers(self) -> list[int]:
        """The children that read pictures: they descend from the fork server, which is a child itself."""
        return [child for pid in self.helpers() for child in children_of(pid)]

    def helpers(self) -> list[int]:
        """The direct children, the fork server among them."""
        return children_of(self.pid)

    def wait_until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Returns once the condition holds; fails after ``seconds``."""
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "this did not happen:\n" + "".join(self.log[-20:])
            time.sleep(0.02)

    def wait_until_busy(self, slots: int, waiting: int = 0) -> None:
        """Returns once `slots` pictures are being read and `waiting` requests are in the queue."""
        wanted = {"qrestore_busy_slots": slots, "qrestore_queue_length": waiting}
        self.wait_until(lambda: all(self.metric(name) == count for name, count in wanted.items()))

    def restarts(self, reason: str) -> float:
        return self.metric("qrestore_child_restarts_total", reason=reason)

    def memory(self) -> int:
        """Resident bytes of the server alone."""
        return resident_memory(self.pid)

    def log_text(self) -> str:
        return "".join(self.log)


def read_answer(connection: socket.socket) -> Answer:
    began = time.perf_counter()
    response = HTTPResponse(connection)
    response.begin()
    body = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, body, time.perf_counter() - began)


def title_of(pid: int) -> str:
    """The command line of a process; empty if it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    return ""


def children_of(pid: int) -> list[int]:
    """The living children of a process; none if it has ended."""
    children: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                children += map(int, (task / "children").read_text().split())
    return children


@contextmanager
def running(
    *arguments: str, entry: Sequence[str] = SERVE, folder: Path | None = None, ready: bool = True, **settings: object
) -> Iterator[Server]:
    """Runs a service under these settings (`max_pixels=...` is QRESTORE_MAX_PIXELS) inside the block.

    It is ready when the block begins, or with ``ready=False`` only listening. `folder` is for its temporary files.
    Raises RuntimeError with its log if it does not start.
    """
    variables = {"device": "cpu", "torch_threads": 1} | settings
    environment = os.environ | {f"QRESTORE_{name.upper()}": str(value) for name, value in variables.items()}
    if folder is not None:
        environment["TMPDIR"] = str(folder)
    process = subprocess.Popen(
        [sys.executable, *entry, *arguments], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    server = Server(process, port=0)
    listening = threading.Event()
    reader = threading.Thread(target=_follow, args=(server, listening), daemon=True)
    reader.start()
    try:
        if not listening.wait(_START_SECONDS) or not server.port:
            raise RuntimeError("the service does not start:\n" + server.log_text())
        if ready:
            server.await_ready()
        yield server
    finally:
        stop(server)
        reader.join(_STOP_SECONDS)


def _follow(server: Server, listening: threading.Event) -> None:
    """Reads the log, so that the service never blocks on it; sets `listening` at the address, or at the end."""
    assert server.process.stderr is not None
    with server.process.stderr as stream:
        for line in stream:
            server.log.append(line)
            address = _ADDRESS.search(line)
            if address and not server.port:
                server.port = int(address[1])
                listening.set()
    listening.set()


def stop(server: Server) -> int:
    """Ends the service as an operator would and returns its exit status; kills it, and raises, if that fails."""
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGTERM)
    try:
        return server.process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in [*server.children(), server.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.process.wait(_STOP_SECONDS)
        raise
