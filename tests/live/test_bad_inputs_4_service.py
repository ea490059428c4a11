"""Rows 12, 36, 39, 40, 42, 43 and 44 of the list of bad inputs: clients and children that are slow, many, or gone."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
import torch

from app.models.checkpoint import SUFFIX
from tests.live.poison import ENTRY, SECRET, Mood, picture
from tests.live.servers import GOOD, ROOT, SERVE, Answer, Server, read_answer, request, running, upload

SLOTS, QUEUE = 2, 2
DEADLINE: Final = 4.0
HEAD_DEADLINE: Final = 10.0
"""The service's own, not a setting: from a connection to the end of a request's head."""
SETTINGS: Final = {
    "workers": SLOTS,
    "queue": QUEUE,
    "request_seconds": DEADLINE,
    "worker_memory_bytes": 512 << 20,
    "log_format": "json",
}


@pytest.fixture(scope="module")
def poisoned(weights: Path) -> Iterator[Server]:
    with running(entry=ENTRY, weights=weights, **SETTINGS) as server:
        yield server


@pytest.fixture
def server(poisoned: Server) -> Iterator[Server]:
    """A service of two slots and two places before them, whose children do what pictures say."""
    wait_until_idle(poisoned)
    yield poisoned
    wait_until_idle(poisoned)
    poisoned.assert_well()


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Returns once ``condition()`` holds; fails after so many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "this did not come about"
        time.sleep(0.02)


def wait_until_idle(server: Server) -> None:
    wait_until(lambda: server.metric("qrestore_busy_slots") + server.metric("qrestore_queue_length") == 0)


def restarts(server: Server, reason: str) -> float:
    return server.metric("qrestore_child_restarts_total", reason=reason)


class Crowd:
    """Requests that are out at the same time."""

    def __init__(self, server: Server, threads: ThreadPoolExecutor) -> None:
        self._server = server
        self._threads = threads

    def send(self, data: bytes) -> Future[Answer]:
        return self._threads.submit(self._server.upload, data)


@pytest.fixture
def crowd(server: Server) -> Iterator[Crowd]:
    with ThreadPoolExecutor(16) as threads:
        yield Crowd(server, threads)


def busy(server: Server, count: int) -> None:
    wait_until(lambda: server.metric("qrestore_busy_slots") == count)


def waiting(server: Server, count: int) -> None:
    wait_until(lambda: server.metric("qrestore_queue_length") == count)


def drip(server: Server, head: bytes, drops: bytes) -> tuple[Answer | None, float]:
    """Sends `head`, then a byte every second; what came back, None for nothing, and when the connection was over."""
    began = time.monotonic()
    with server.connect(timeout=1.0) as connection:
        connection.sendall(head)
        for drop in drops:
            try:
                if connection.recv(1, socket.MSG_PEEK):
                    answer = read_answer(connection)
                    connection.settimeout(5.0)
                    assert connection.recv(1) == b""
                    return answer, time.monotonic() - began
                return None, time.monotonic() - began
            except TimeoutError:
                connection.sendall(bytes([drop]))
    raise AssertionError("the service listened to the end")


def test_row_12_one_byte_a_second(server: Server) -> None:
    """The body: 408 at the request's deadline. The head: 408 at its own. A client that says nothing is left."""
    whole = upload(GOOD)
    head, _, body = whole.partition(b"\r\n\r\n")
    with ThreadPoolExecutor(4) as threads:
        slow_body = threads.submit(drip, server, head + b"\r\n\r\n", body[:60])
        slow_head = threads.submit(drip, server, b"POST /decode HTTP/1.1\r\n", b"X-Slow: " + b"y" * 60)
        silence = threads.submit(drip, server, b"", bytes(60))
        server.assert_well()
        answer, seconds = slow_body.result()
        assert answer is not None
        assert answer.problem(408)["type"].endswith("request_timeout")
        assert DEADLINE - 0.5 < seconds < DEADLINE + 3
        answer, seconds = slow_head.result()
        assert answer is not None
        answer.problem(408)
        assert HEAD_DEADLINE - 0.5 < seconds < HEAD_DEADLINE + 3
        silence.result()


@pytest.mark.parametrize("mood", [Mood.HANG, Mood.STUBBORN])
def test_row_36_picture_that_hangs_its_reader(server: Server, mood: Mood) -> None:
    before, children = restarts(server, "timeout"), set(server.children())
    began = time.monotonic()
    answer = server.upload(picture("never read", mood))
    seconds = time.monotonic() - began
    assert answer.problem(504)["type"].endswith("processing_timeout")
    assert DEADLINE - 0.1 < seconds < DEADLINE + 2
    assert restarts(server, "timeout") == before + 1
    server.assert_well()
    assert len(children - set(server.children())) == 1


@pytest.mark.parametrize("mood", [Mood.CRASH, Mood.ABORT, Mood.EXIT])
def test_row_36_picture_that_crashes_its_reader(server: Server, mood: Mood) -> None:
    """One retry in another child, then 500."""
    before = restarts(server, "crash")
    answer = server.upload(picture("never read", mood))
    assert answer.problem(500)["type"].endswith("worker_crashed")
    assert restarts(server, "crash") == before + 2


def test_row_36_picture_that_eats_memory(server: Server) -> None:
    before = server.memory()
    server.upload(picture("never read", Mood.EAT)).problem(500, 504)
    assert server.memory() - before < 32 << 20


def test_row_36_reader_that_raises(server: Server) -> None:
    answer = server.upload(picture("never read", Mood.RAISE))
    answer.problem(500)
    assert SECRET.encode() not in answer.body
    wait_until(lambda: SECRET in server.log_text())


def test_row_36_reader_that_floods_the_log(server: Server) -> None:
    assert server.upload(picture("talkative", Mood.FLOOD)).payloads() == [b"talkative"]


def test_row_36_good_requests_beside_a_hanging_one(server: Server, crowd: Crowd) -> None:
    hanging = crowd.send(picture("never read", Mood.HANG))
    busy(server, 1)
    for number in range(10):
        assert server.upload(picture(f"beside {number}")).payloads() == [b"beside %d" % number]
    assert hanging.result().status == 504


def test_row_39_one_more_than_there_is_room_for(server: Server, crowd: Crowd) -> None:
    slow = [picture(f"slow {number}", Mood.SLOW, seconds=1.2) for number in range(SLOTS + QUEUE)]
    before = server.metric("qrestore_refused_total", reason="queue_full")
    admitted = [crowd.send(data) for data in slow]
    waiting(server, QUEUE)
    spent = []
    for _ in range(5):
        began = time.perf_counter()
        refused = server.upload(GOOD)
        spent.append(time.perf_counter() - began)
        assert refused.problem(429)["type"].endswith("overloaded")
        assert int(refused.headers["retry-after"]) >= 1
    assert min(spent) < 0.05
    assert server.metric("qrestore_refused_total", reason="queue_full") == before + 5
    payloads = [future.result().payloads() for future in admitted]
    assert payloads == [[b"slow %d" % number] for number in range(SLOTS + QUEUE)]


def test_row_39_refused_before_a_large_body_is_read(server: Server, crowd: Crowd) -> None:
    admitted = [crowd.send(picture("slow", Mood.SLOW, seconds=1.5)) for _ in range(SLOTS + QUEUE)]
    waiting(server, QUEUE)
    head = upload(bytes(10_000_000))[:1000]
    began = time.perf_counter()
    server.send(head, timeout=5).problem(429)
    assert time.perf_counter() - began < 1
    assert [future.result().status for future in admitted] == [200] * (SLOTS + QUEUE)


def test_row_39_a_turn_that_does_not_come_in_time(server: Server, crowd: Crowd) -> None:
    """The deadline runs from the request's arrival: it passes here while others, who came later, hold the slots."""
    whole = upload(GOOD)
    with server.connect() as connection:
        connection.sendall(whole[:-10])
        time.sleep(1)
        hanging = [crowd.send(picture("never read", Mood.HANG)) for _ in range(SLOTS)]
        busy(server, SLOTS)
        connection.sendall(whole[-10:])
        answer = read_answer(connection)
    assert answer.problem(503)["type"].endswith("queue_timeout")
    assert "retry-after" in answer.headers
    assert [future.result().status for future in hanging] == [504] * SLOTS


def test_row_40_while_loading_and_draining(weights: Path) -> None:
    with running(entry=ENTRY, weights=weights, ready=False, **SETTINGS) as server:
        for raw in (upload(GOOD), request(line=b"GET /readyz", kind=b""), request(line=b"GET /models", kind=b"")):
            assert server.send(raw).problem(503)["type"].endswith("not_ready")
        assert server.get("/livez").status == 200
        server.await_ready()
        server.assert_well()
        with ThreadPoolExecutor() as threads:
            running_on = threads.submit(server.upload, picture("to the end", Mood.SLOW, seconds=2))
            busy(server, 1)
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: server.get("/readyz").status == 503)
            assert server.upload(GOOD).problem(503)["type"].endswith("not_ready")
            assert server.get("/livez").status == 200
            assert running_on.result().payloads() == [b"to the end"]
        children = server.children()
        assert server.process.wait(DEADLINE + 10) == 0
        wait_until(lambda: not any(Path(f"/proc/{pid}/statm").exists() for pid in children), 20)


def workers_at_work(server: Server) -> list[int]:
    """Children of the fork server."""
    return [pid for pid in server.children() if Path(f"/proc/{pid}/stat").read_text().split()[3] != str(server.pid)]


def test_row_42_child_that_is_stopped(server: Server, crowd: Crowd) -> None:
    """As hung as a process can be: it does not even sleep."""
    slow = crowd.send(picture("never read", Mood.SLOW, seconds=1))
    busy(server, 1)
    time.sleep(0.3)
    children = workers_at_work(server)
    before = restarts(server, "timeout")
    for pid in children:
        os.kill(pid, signal.SIGSTOP)
    try:
        slow.result().problem(504)
        assert restarts(server, "timeout") == before + 1
    finally:
        for pid in workers_at_work(server):
            os.kill(pid, signal.SIGCONT)


def test_row_42_child_that_is_killed_once(server: Server, crowd: Crowd) -> None:
    """The retry answers."""
    slow = crowd.send(picture("at the second try", Mood.SLOW, seconds=1))
    busy(server, 1)
    time.sleep(0.3)
    before = restarts(server, "crash")
    for pid in workers_at_work(server):
        os.kill(pid, signal.SIGKILL)
    assert slow.result().payloads() == [b"at the second try"]
    assert restarts(server, "crash") >= before + 1


def test_row_42_children_that_are_killed_again_and_again(server: Server, crowd: Crowd) -> None:
    slow = crowd.send(picture("never read", Mood.SLOW, seconds=2))
    busy(server, 1)
    while not slow.done():
        for pid in workers_at_work(server):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    assert slow.result().problem(500)["type"].endswith("worker_crashed")


def test_row_42_idle_child_that_is_killed(server: Server) -> None:
    os.kill(random.choice(workers_at_work(server)), signal.SIGKILL)
    for number in range(2 * SLOTS):
        assert server.upload(picture(f"after {number}")).payloads() == [b"after %d" % number]


def bad_file(kind: str, folder: Path, good: Path) -> Path:
    file = folder / f"bad{SUFFIX}"
    whole = good.read_bytes()
    if kind == "truncated":
        file.write_bytes(whole[: len(whole) // 2])
    elif kind == "corrupt":
        file.write_bytes(b"\xff" * 64 + whole[64:])
    else:
        torch.save({"weight": torch.zeros(3)}, file)
    return file


def test_row_43_bad_file_among_the_weights(weights: Path, tmp_path: Path) -> None:
    """The service does not start, and says which file it is and what is wrong with it, in a line."""
    processes = {}
    for kind in ("truncated", "corrupt", "pickled"):
        folder = tmp_path / kind
        folder.mkdir()
        for file in weights.iterdir():
            (folder / file.name).symlink_to(file)
        bad = bad_file(kind, folder, next(weights.iterdir()))
        environment = os.environ | {"QRESTORE_WEIGHTS": str(folder), "QRESTORE_DEVICE": "cpu"}
        processes[bad] = subprocess.Popen(
            [sys.executable, *SERVE], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
        )
    for bad, process in processes.items():
        _, said = process.communicate(timeout=120)
        assert process.returncode not in (0, None)
        (line,) = [line for line in said.splitlines() if bad.name in line]
        reason = line.partition(bad.name)[2]
        assert len(reason.strip(' :"}')) > 10, line
        assert "Traceback" not in said


def test_row_44_client_that_leaves_while_its_picture_is_read(server: Server) -> None:
    """The slot is free when the work is over, not before."""
    with ExitStack() as connections:
        began = time.monotonic()
        for _ in range(SLOTS):
            connection = connections.enter_context(server.connect())
            connection.sendall(upload(picture("left alone", Mood.SLOW, seconds=2)))
        busy(server, SLOTS)
    time.sleep(0.3)
    assert time.monotonic() - began < 2, "this machine is too busy for this test"
    assert server.metric("qrestore_busy_slots") == SLOTS
    busy(server, 0)
    assert time.monotonic() - began > 1.9


def test_row_44_client_that_leaves_the_queue(server: Server, crowd: Crowd) -> None:
    slow = [crowd.send(picture("slow", Mood.SLOW, seconds=2)) for _ in range(SLOTS)]
    busy(server, SLOTS)
    with ExitStack() as connections:
        for _ in range(QUEUE):
            connection = connections.enter_context(server.connect())
            connection.sendall(upload(GOOD))
        waiting(server, QUEUE)
    waiting(server, 0)
    assert server.metric("qrestore_busy_slots") == SLOTS
    assert [future.result().status for future in slow] == [200] * SLOTS


def test_row_44_clients_that_leave_in_the_middle_of_an_upload(server: Server) -> None:
    half = upload(GOOD)[:-50]
    for _ in range(3):
        with ExitStack() as connections:
            for _ in range(32):
                connections.enter_context(server.connect()).sendall(half)
            wait_until(lambda: server.upload(GOOD).status == 429)
        wait_until(lambda: server.upload(GOOD).status == 200)
