"""HAProxy with the configuration that Ray writes: what it says itself is a problem, and a request finds a live replica.

Ray writes the configuration and HAProxy runs; the replicas are sockets here.
"""

import os
import re
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from app.cluster import haproxy
from app.errors import InvalidConfiguration
from app.http.context import SECURITY_HEADERS
from tests.support.live.servers import Server, request
from tests.support.paths import ROOT
from tests.support.ports import lasting_port

pytest.importorskip("ray", reason="ray is not installed: it is in the extra ray")

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # Ray's own, of pydantic
    from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
    from ray.serve.config import HTTPOptions

Replica = Callable[[socket.socket, bytes], None]
_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"


@contextmanager
def replica(serve: Replica) -> Iterator[int]:
    """A server on a port that is healthy, and that treats each request so."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection: socket.socket) -> None:
            with connection, suppress(ConnectionError):
                data = whole(connection)
                if data.startswith(b"GET /-/healthz"):
                    connection.sendall(_OK % (0, b""))
                elif data:
                    serve(connection, data)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def whole(connection: socket.socket) -> bytes:
    """The request that arrives, which names its length or has no body; nothing if none does."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(65536)):
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(found[1]) if (found := re.search(rb"(?i)\r\ncontent-length: (\d+)", head)) else 0
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def echo(connection: socket.socket, data: bytes) -> None:
    """Answers with the request."""
    connection.sendall(_OK % (len(data), data))


def dies(connection: socket.socket, data: bytes) -> None:
    """As a replica that is killed amid a request."""


def silent(connection: socket.socket, data: bytes) -> None:
    """Answers nothing until HAProxy gives up."""
    connection.recv(1)


def written(folder: Path, *ports: int, deployed: bool = True, **options: Any) -> tuple[Path, int]:
    """The configuration that Ray writes for replicas on these ports, and the port of HAProxy."""
    port = lasting_port()
    config = HAProxyConfig(
        http_options=HTTPOptions(host="127.0.0.1", port=port, keep_alive_timeout_s=75),
        socket_path=str(folder / "admin.sock"),
        server_state_base=str(folder),
        server_state_file=str(folder / "state"),
        metrics_socket_path=str(folder / "metrics.sock"),
        metrics_port=lasting_port(),
        stats_port=lasting_port(),
        **{"retry_on": "conn-failure empty-response 503", "has_received_routes": True, **options},
    )
    servers = [ServerConfig(name=f"replica-{number}", host="127.0.0.1", port=each) for number, each in enumerate(ports)]
    backend = BackendConfig(name="http-qrestore", path_prefix="/", app_name="qrestore", servers=servers)
    api = HAProxyApi(config, {backend.name: backend} if deployed else {}, config_file_path=str(folder / "haproxy.cfg"))
    api._generate_config_file_internal()
    return Path(api.config_file_path), port


@contextmanager
def running(folder: Path, *ports: int, **options: Any) -> Iterator[Server]:
    """`qrestore-haproxy` before replicas on these ports."""
    path, port = written(folder, *ports, **options)
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cluster.haproxy", "-db", "-f", str(path)],
        cwd=ROOT,
        env=os.environ | {"RAY_SERVE_HAPROXY_BINARY_PATH": "/nowhere"},
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(process, port)
    try:
        server.wait_until(lambda: process.poll() is not None or listens(port), 60)
        assert process.stderr is not None
        assert process.poll() is None, process.stderr.read()
        yield server
    finally:
        process.terminate()
        process.communicate(timeout=30)


def listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def assert_problem(server: Server, raw: bytes, status: int, *, path: str = "/decode") -> None:
    answer = server.send(raw)
    problem = answer.problem(status)
    assert problem["instance"] == path
    assert ("retry-after" in answer.headers) == (status == 503)
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name.lower()] == value


def test_no_replica_is_a_problem(tmp_path: Path) -> None:
    with running(tmp_path, lasting_port()) as server:
        assert_problem(server, request(b"picture"), 503)
        assert_problem(server, request(line=b'GET /a"b\\c', kind=b""), 503, path='/a"b\\c')


def test_nothing_deployed_is_a_problem(tmp_path: Path) -> None:
    with running(tmp_path, deployed=False) as server:
        assert_problem(server, request(b"picture"), 503)


def test_a_replica_that_dies_is_a_problem(tmp_path: Path) -> None:
    with replica(dies) as port, running(tmp_path, port) as server:
        assert_problem(server, request(b"picture"), 503)


def test_a_silent_replica_is_a_problem(tmp_path: Path) -> None:
    with replica(silent) as port, running(tmp_path, port, timeout_server_s=1) as server:
        assert_problem(server, request(b"picture"), 504)


def test_a_body_that_never_ends_is_a_problem(tmp_path: Path) -> None:
    """And takes no replica's time."""
    asked: list[bytes] = []
    with replica(lambda _, data: asked.append(data)) as port, running(tmp_path, port) as server:
        assert_problem(server, request(b"picture")[:-3], 408)  # after ten seconds
    assert asked == []


def test_what_is_not_http_gets_400(tmp_path: Path) -> None:
    with replica(echo) as port, running(tmp_path, port) as server:
        assert server.send(b"\x16\x03\x01 what\r\n\r\n").status == 400


def test_another_replica_gets_what_one_died_over(tmp_path: Path) -> None:
    with ExitStack() as stack:
        ports = [stack.enter_context(replica(each)) for each in (dies, echo)]
        server = stack.enter_context(running(tmp_path, *ports))
        answers = [server.send(request(b"picture %d" % number)) for number in range(10)]
    assert [each.status for each in answers] == [200] * 10
    assert [each.body.rpartition(b"\r\n\r\n")[2] for each in answers] == [b"picture %d" % n for n in range(10)]


def test_a_refusal_reaches_the_client_but_for_the_name_of_the_server(tmp_path: Path) -> None:
    """429 is not tried elsewhere: HAProxy 2.8 cannot."""

    def full(connection: socket.socket, data: bytes) -> None:
        connection.sendall(
            b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nServer: uvicorn\r\nContent-Length: 4\r\n\r\nfull"
        )

    with replica(full) as port, running(tmp_path, port) as server:
        answer = server.send(request(b"picture"))
    assert (answer.status, answer.headers["retry-after"], answer.body) == (429, "7", b"full")
    assert "server" not in answer.headers


@pytest.mark.parametrize(("offered", "kept"), [(b"mine-7", True), (b"not valid", False), (b"", False)])
def test_a_replica_is_told_one_id(tmp_path: Path, offered: bytes, *, kept: bool) -> None:
    with replica(echo) as port, running(tmp_path, port) as server:
        header = (b"X-Request-ID: " + offered,) if offered else ()
        told = re.findall(rb"(?i)\r\nx-request-id: ([^\r]*)", server.send(request(b"picture", *header)).body)
    assert len(told) == 1
    assert (told[0] == offered) == kept
    assert re.fullmatch(rb"[A-Za-z0-9._:-]{1,128}", told[0])


def test_strangers_see_no_statistics(tmp_path: Path) -> None:
    path, _ = written(tmp_path, lasting_port())
    assert re.search(r"bind \*:\d+\n *stats enable", path.read_text())
    changed = haproxy.adapted(path.read_text())
    assert re.search(r"bind 127\.0\.0\.1:\d+\n *stats enable", changed)
    assert "bind *:" not in changed
    assert "errorfile" not in changed


def test_another_form_is_refused() -> None:
    with pytest.raises(InvalidConfiguration, match="another form"):
        haproxy.adapted("defaults\n    mode http\n")
