"""The server around the application, in a process of its own: stopping, slow clients, the second port, keys, logs."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from app.pipeline.files.image_files import encode_png
from app.pipeline.imaging import GreyImage
from tests.support.live.servers import GOOD, Answer, Server, read_answer, request, running, upload
from tests.support.waiting import wait_for

SLOW = ("-m", "tests.support.slow_service")
_PIPELINED = 400
KEY = "a key of more than sixteen characters"


@contextmanager
def at_work(server: Server, *seconds: float) -> Iterator[list[Future[Answer]]]:
    """Requests that take so long each, let in one after another, the first to the slot; their answers may be asked
    for."""
    answers: list[Future[Answer]] = []
    with ThreadPoolExecutor(len(seconds)) as threads:
        for each in seconds:
            answers.append(threads.submit(server.upload, str(each).encode()))
            wait_for(
                lambda: server.metric("qrestore_busy_slots") + server.metric("qrestore_queue_length") >= len(answers)
            )
        yield answers


@pytest.fixture(scope="module")
def narrow(weights: Path) -> Iterator[Server]:
    """One slot and one place in the queue."""
    with running(entry=SLOW, weights=weights, workers=1, queue=1) as server:
        yield server


def test_told_to_stop_it_finishes_refuses_and_ends_well(weights: Path) -> None:
    with running(entry=SLOW, weights=weights, workers=1) as server:
        with at_work(server, 3.0, 0.5) as answers:
            server.process.send_signal(signal.SIGTERM)
            wait_for(lambda: server.get("/readyz").status == 503)
            refused = server.upload(b"0")
            assert refused.problem(503)["type"].endswith(":not_ready")
            assert int(refused.headers["retry-after"]) >= 1
            assert server.get("/livez").status == 200
            assert [answer.result().status for answer in answers] == [200, 200]
        assert server.process.wait(10) == 0


def test_told_to_stop_it_waits_for_a_body_that_is_coming_in(weights: Path) -> None:
    with running(entry=SLOW, weights=weights, workers=1) as server, server.connect() as connection:
        whole = upload(b"0")
        connection.sendall(whole[:-20])
        wait_for(lambda: server.metric("qrestore_in_flight") >= 2)
        time.sleep(0.5)  # it was counted first, and let in then
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: server.get("/readyz").status == 503)
        connection.sendall(whole[-20:])
        assert read_answer(connection).status == 200
        assert server.process.wait(10) == 0


def test_idle_it_stops_at_once(weights: Path) -> None:
    with running(entry=SLOW, weights=weights, workers=1) as server:
        children = server.children()
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
        assert time.monotonic() - began < 5
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))


def test_what_outlasts_the_drain_is_cut_off(weights: Path) -> None:
    with running(entry=SLOW, weights=weights, workers=1, drain_seconds=0.5) as server, at_work(server, 25.0) as answers:
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert answers[0].result().problem(503)["type"].endswith(":not_ready")
        assert server.process.wait(15) == 0
        assert time.monotonic() - began < 15


def test_while_it_loads_it_lives_but_takes_no_work(weights: Path) -> None:
    with running(weights=weights, ready=False) as server:
        assert server.get("/livez").status == 200
        early = server.upload(GOOD)
        assert early.problem(503)["detail"] == "The service is still loading."
        assert "retry-after" in early.headers
        server.await_ready()
        server.assert_well()


def test_deadlines_by_cause(weights: Path) -> None:
    with running(entry=SLOW, weights=weights, workers=1, request_seconds=3) as server:
        with at_work(server, 30.0, 0.0) as (working, waiting):
            assert working.result().problem(504)["type"].endswith(":processing_timeout")
            late = waiting.result()
            # Both have the same deadline; the one that waited may still find the slot that the other lost.
            assert late.status in (200, 503, 504)
        with at_work(server, 30.0) as (working,):
            time.sleep(0.2)
            first = server.upload(b"30")
            assert {first.status, working.result().status} <= {503, 504}
        assert server.metric("qrestore_child_restarts_total", reason="timeout") >= 2


def test_full_it_refuses_at_once(narrow: Server) -> None:
    with at_work(narrow, 2.0, 0.0) as answers:
        refused = narrow.upload(b"0")
        assert refused.problem(429)["type"].endswith(":overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.seconds < 0.5
        assert [answer.result().status for answer in answers] == [200, 200]
    assert narrow.metric("qrestore_refused_total", reason="queue_full") == 1


def test_who_hangs_up_in_the_queue_frees_the_place(narrow: Server) -> None:
    with at_work(narrow, 2.0) as (working,):
        with narrow.connect() as impatient:
            impatient.sendall(upload(b"20"))
            wait_for(lambda: narrow.metric("qrestore_queue_length") == 1)
        wait_for(lambda: narrow.metric("qrestore_queue_length") == 0)
        assert not working.done()
        assert narrow.upload(b"0").status == 200
    assert narrow.metric("qrestore_request_duration_seconds_count", status="499") == 1


def test_a_head_that_does_not_end_is_not_waited_for(narrow: Server) -> None:
    began = time.monotonic()
    with narrow.connect() as silent, narrow.connect() as slow, narrow.connect() as second:
        slow.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        second.sendall(request(line=b"GET /livez", kind=b""))
        assert read_answer(second).status == 200
        second.sendall(b"GET /livez HT")
        assert read_answer(slow).problem(408)["type"].endswith(":request_timeout")
        assert silent.recv(100) == b""
        assert read_answer(second).status == 408
    assert 8 < time.monotonic() - began < 20
    assert narrow.get("/livez").status == 200


def test_who_never_reads_nor_sends_the_rest_is_left(narrow: Server) -> None:
    """A request that was answered before its body was in; pipelined ones whose answers nobody takes."""
    asked = request(line=b"GET /openapi.json", kind=b"")
    whole, received = _PIPELINED * len(narrow.send(asked).body), 0
    with narrow.connect() as silent, narrow.connect() as deaf:
        silent.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert read_answer(silent).status == 200
        silent.sendall(b"x")
        deaf.sendall(asked * _PIPELINED)
        began = time.monotonic()
        assert silent.recv(100) == b""
        assert time.monotonic() - began < 20
        time.sleep(5)
        with suppress(ConnectionResetError):
            while piece := deaf.recv(1 << 20):
                received += len(piece)
    assert received < whole
    assert narrow.get("/livez").status == 200


def test_what_is_not_http_is_a_problem_too(narrow: Server) -> None:
    assert narrow.send(b"\x16\x03\x01 hello\r\n\r\n").problem(400)["type"].endswith(":malformed_body")
    assert narrow.metric("qrestore_errors_total", category="malformed_body") == 1


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
            assert public.get(path).problem(404)
        assert public.upload(b"0").status == 200
        assert operators.upload(b"0").status == 404
        assert "/decode" in operators.get("/openapi.json").json()["paths"]
        assert operators.metric("qrestore_request_duration_seconds_count", endpoint="/decode") == 1


def test_only_those_with_a_key_are_served(weights: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"# of the warehouse\n{KEY}\n\nanother key of sixteen and more\n")
    with running(entry=SLOW, weights=weights, workers=1, api_keys_file=keys) as server:
        refused = server.upload(b"0")
        assert refused.problem(401)["type"].endswith(":unauthorized")
        assert refused.headers["www-authenticate"] == "Bearer"
        assert server.upload(b"0", b"X-API-Key: " + KEY[:-1].encode()).status == 401
        assert server.upload(b"0", b"X-API-Key: " + KEY.encode()).status == 200
        assert server.upload(b"0", b"Authorization: bearer another key of sixteen and more").status == 200
        for path in ("/models", "/models/", "/models%0A", "/decode%0A", "/unheard-of"):
            assert server.get(path).status == 401
        for path in ("/livez", "/readyz", "/metrics", "/", "/version"):
            assert server.get(path).status == 200
        with server.connect() as large:  # refused by its head, not after its body
            large.sendall(b"POST /decode HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n")
            assert read_answer(large).status == 401
        assert KEY not in server.log_text()


@pytest.mark.parametrize("content", [None, "# nobody\n", "short\n"])
def test_it_does_not_start_without_good_keys(weights: Path, tmp_path: Path, content: str | None) -> None:
    keys = tmp_path / "keys"
    if content is not None:
        keys.write_text(content)
    with pytest.raises(RuntimeError) as failed, running(weights=weights, api_keys_file=keys):
        pass
    assert str(keys) in str(failed.value)
    assert "Traceback" not in str(failed.value)


def test_what_is_switched_off_is_not_there(weights: Path) -> None:
    with running(entry=SLOW, weights=weights, workers=1, docs=False, metrics=False, page=False) as server:
        for path in ("/docs", "/redoc", "/openapi.json", "/metrics", "/", "/page.js"):
            assert server.get(path).problem(404)


def test_the_log_is_json_without_anything_of_the_client(weights: Path, draw: Callable[..., GreyImage]) -> None:
    picture = encode_png(draw("a secret payload"))
    with running(weights=weights, workers=1) as server:
        answer = server.upload(picture, b"X-Request-ID: seen-by-proxy")
        assert answer.payloads() == [b"a secret payload"]
        server.upload(b"not a picture", query=b"?effort=fast")
    lines = [json.loads(line) for line in server.log]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    told = [line for line in lines if line["message"] == "answered" and line["endpoint"] == "/decode"]
    assert [(line["status"], line.get("problem")) for line in told] == [(200, None), (415, "unsupported_image")]
    assert told[0]["request_id"] == "seen-by-proxy"
    text = server.log_text()
    for secret in ("a secret payload", "picture.png", "effort=fast", "127.0.0.1:"):
        assert secret not in text.replace(f"http://127.0.0.1:{server.port}", "")


def test_a_child_killed_under_load_costs_at_most_one_answer(weights: Path) -> None:
    with running(entry=SLOW, weights=weights, workers=2) as server:
        statuses: list[int] = []
        lock = threading.Lock()

        def ask(_: int) -> None:
            status = server.upload(b"0.05").status
            with lock:
                statuses.append(status)

        with ThreadPoolExecutor(4) as threads:
            asking = threads.map(ask, range(60))
            time.sleep(0.3)
            victims = [pid for pid in server.children() if b"multiprocessing" in _command(pid)]
            os.kill(victims[-1], signal.SIGKILL)
            list(asking)
        assert statuses.count(200) >= 59
        assert server.process.poll() is None


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
