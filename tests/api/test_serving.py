"""The server around the application, in a process of its own: deadlines, slow clients, the second port, the log."""

import json
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.pipeline.files.png import encode_png
from tests.support.codes import qr_picture
from tests.support.live.servers import GOOD, Answer, Server, read_answer, request, running, upload
from tests.support.live.slow import SLOW, at_work
from tests.support.waiting import wait_for

DEADLINE = 4.0
HEAD_DEADLINE = 10.0
"""The service's own limit, not a setting: for the head of a request, and for the rest of a body that was answered."""
PIPELINED = 400
SECRET = "a secret payload"


@pytest.fixture(scope="module")
def narrow(weights: Path) -> Iterator[Server]:
    """A service of one slot and one place in the queue."""
    with running(entry=SLOW, weights=weights, workers=1, queue=1, request_seconds=DEADLINE, quick_seconds=60) as server:
        yield server


@dataclass(frozen=True, slots=True)
class SlowClients:
    """Clients that make the server wait while other tests run."""

    heads: Future[tuple[Answer, bytes, Answer, float]]
    rest: Future[tuple[bytes, float]]
    deaf: Future[tuple[int, int]]


@pytest.fixture(scope="module", autouse=True)
def slow_clients(narrow: Server) -> Iterator[SlowClients]:
    with ThreadPoolExecutor(3) as threads:
        yield SlowClients(
            threads.submit(never_end_the_head, narrow),
            threads.submit(never_send_the_rest, narrow),
            threads.submit(never_read, narrow),
        )


def never_end_the_head(server: Server) -> tuple[Answer, bytes, Answer, float]:
    """The answer to half a head, what a silent client receives, the answer to a second half head, and the seconds."""
    began = time.monotonic()
    with server.connect() as silent, server.connect() as slow, server.connect() as second:
        slow.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        second.sendall(request(line=b"GET /livez", kind=b""))
        assert read_answer(second).status == 200
        second.sendall(b"GET /livez HT")
        return read_answer(slow), silent.recv(100), read_answer(second), time.monotonic() - began


def never_send_the_rest(server: Server) -> tuple[bytes, float]:
    """What follows an answer to a request whose body is incomplete, and after how many seconds."""
    began = time.monotonic()
    with server.connect() as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert read_answer(connection).status == 200
        connection.sendall(b"x")
        return connection.recv(100), time.monotonic() - began


def never_read(server: Server) -> tuple[int, int]:
    """How many bytes a client gets that reads no answer for longer than the server waits, and how many were due."""
    question = request(line=b"GET /openapi.json", kind=b"")
    due, received = PIPELINED * len(server.send(question).body), 0
    with server.connect() as deaf:
        deaf.sendall(question * PIPELINED)
        time.sleep(HEAD_DEADLINE + 4)
        with suppress(ConnectionResetError):
            while piece := deaf.recv(1 << 20):
                received += len(piece)
    return received, due


def test_each_deadline_has_its_own_cause(narrow: Server) -> None:
    """The deadline runs from the arrival of a request, so the one that waits for the slot is late first."""
    whole = upload(b"0")
    with narrow.connect() as connection:
        connection.sendall(whole[:-10])
        time.sleep(0.5)
        with at_work(narrow, 30.0) as (working,):
            connection.sendall(whole[-10:])
            assert read_answer(connection).problem(503)["type"].endswith(":queue_timeout")
            assert working.result().problem(504)["type"].endswith(":processing_timeout")
    wait_for(lambda: narrow.metric("qrestore_child_restarts_total", reason="timeout") == 1)


def test_full_it_refuses_at_once(narrow: Server) -> None:
    with at_work(narrow, 2.5, 0.0) as answers:
        refused = narrow.upload(b"0")
        assert refused.problem(429)["type"].endswith(":overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert [answer.result().status for answer in answers] == [200, 200]
    assert narrow.metric("qrestore_refused_total", reason="queue_full") == 1


def test_a_client_that_hangs_up_in_the_queue_frees_its_place(narrow: Server) -> None:
    with at_work(narrow, 3.0) as (working,):
        with narrow.connect() as impatient:
            impatient.sendall(upload(b"20"))
            wait_for(lambda: narrow.metric("qrestore_queue_length") == 1)
        wait_for(lambda: narrow.metric("qrestore_queue_length") == 0)
        assert not working.done()
        assert narrow.upload(b"0").status == 200
    assert narrow.metric("qrestore_request_duration_seconds_count", status="499") == 1


def test_bytes_that_are_no_http_get_a_problem(narrow: Server) -> None:
    before = narrow.metric("qrestore_errors_total", category="malformed_body")
    assert narrow.send(b"\x16\x03\x01 hello\r\n\r\n").problem(400)["type"].endswith(":malformed_body")
    assert narrow.metric("qrestore_errors_total", category="malformed_body") == before + 1


@dataclass(frozen=True, slots=True)
class Life:
    """What a service answered from its start to its end, and what it left behind."""

    alive: Answer
    early: Answer
    read: Answer
    refused: Answer
    status: int
    seconds_to_stop: float
    children: list[int]
    log: list[str]
    port: int


@pytest.fixture(scope="module")
def life(weights: Path) -> Life:
    with running(weights=weights, workers=1, ready=False) as server:
        alive, early = server.get("/livez"), server.upload(GOOD)
        server.await_ready()
        read = server.upload(encode_png(qr_picture(SECRET)), b"X-Request-ID: seen-by-proxy")
        refused = server.upload(b"not a picture", query=b"?effort=fast")
        children = server.children()
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        status = server.process.wait(10)
        seconds = time.monotonic() - began
    return Life(alive, early, read, refused, status, seconds, children, server.log, server.port)


def test_while_it_loads_it_lives_but_takes_no_work(life: Life) -> None:
    assert life.alive.status == 200
    assert life.early.problem(503)["detail"] == "The service is still loading."
    assert "retry-after" in life.early.headers
    assert life.read.payloads() == [SECRET.encode()]


def test_idle_it_stops_at_once(life: Life) -> None:
    assert life.children
    assert life.status == 0
    assert life.seconds_to_stop < 5
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in life.children))


def test_the_log_is_json_and_holds_nothing_of_the_client(life: Life) -> None:
    lines = [json.loads(line) for line in life.log]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    answered = [line for line in lines if line["message"] == "answered" and line["endpoint"] == "/decode"]
    assert [(line["status"], line.get("problem")) for line in answered] == [
        (503, "not_ready"),
        (200, None),
        (415, "unsupported_image"),
    ]
    assert answered[1]["request_id"] == "seen-by-proxy"
    text = "".join(life.log).replace(f"http://127.0.0.1:{life.port}", "")
    for secret in (SECRET, "picture.png", "effort=fast", "127.0.0.1:"):
        assert secret not in text


def test_operators_have_a_port_of_their_own(weights: Path) -> None:
    with running(entry=SLOW, weights=weights, workers=1, admin_port=0, ready=False) as server:
        wait_for(lambda: len(set(re.findall(r"http://127\.0\.0\.1:(\d+)", server.log_text()))) == 2)
        ports = [int(port) for port in dict.fromkeys(re.findall(r"http://127\.0\.0\.1:(\d+)", server.log_text()))]
        views = {port: Server(server.process, port) for port in ports}
        wait_for(lambda: all(view.get("/readyz").status == 200 for view in views.values()), 60)
        operators = next(view for view in views.values() if view.get("/metrics").status == 200)
        public = next(view for view in views.values() if view is not operators)
        for path in ("/metrics", "/docs", "/openapi.json"):
            assert operators.get(path).status == 200
            public.get(path).problem(404)
        assert public.upload(b"0").status == 200
        assert operators.upload(b"0").status == 404
        assert "/decode" in operators.get("/openapi.json").json()["paths"]
        assert operators.metric("qrestore_request_duration_seconds_count", endpoint="/decode") == 1


def test_an_endless_head_ends_at_its_deadline(slow_clients: SlowClients) -> None:
    slow, silence, second, seconds = slow_clients.heads.result()
    assert slow.problem(408)["type"].endswith(":request_timeout")
    assert second.problem(408)["type"].endswith(":request_timeout")
    assert silence == b""
    assert HEAD_DEADLINE - 1 < seconds < 2 * HEAD_DEADLINE


def test_a_client_that_never_sends_the_rest_is_left(slow_clients: SlowClients) -> None:
    received, seconds = slow_clients.rest.result()
    assert received == b""
    assert HEAD_DEADLINE - 1 < seconds < 2 * HEAD_DEADLINE


def test_a_client_that_never_reads_is_left(slow_clients: SlowClients, narrow: Server) -> None:
    received, due = slow_clients.deaf.result()
    assert received < due
    assert narrow.get("/livez").status == 200
