"""Rows 12, 36, 39, 40, 42, 43 and 44 of docs/bad-inputs.md: clients and children that are slow, many or gone."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import torch

from app.cli.terminal import CANNOT_START
from app.models.checkpoint import SUFFIX
from tests.live.conftest import DEADLINE, QUEUE, SLOTS, Misbehaving, misbehaving_service
from tests.support.live.behaviours import SECRET, Behaviour
from tests.support.live.poison import AtWork, picture
from tests.support.live.servers import GOOD, SERVE, Answer, Server, children_of, read_answer, upload
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

HEAD_DEADLINE: Final = 10.0
"""The service's own limit, not a setting: from the connection to the end of a request's head."""

WORK_SECONDS: Final = 20.0
"""The default of the setting of this name."""

Drip = tuple[Answer | None, float]


def drip(server: Server, head: bytes, drops: bytes) -> Drip:
    """Sends `head`, then a byte every second; the answer, or None, and the seconds until the connection ended."""
    began = time.monotonic()
    with server.connect(timeout=1.0) as connection:
        connection.sendall(head)
        for drop in drops:
            try:
                if connection.recv(1, socket.MSG_PEEK):
                    answer = read_answer(connection)
                    connection.settimeout(5.0)
                    with suppress(ConnectionResetError):  # where another byte had just been sent
                        assert connection.recv(1) == b""
                    return answer, time.monotonic() - began
                return None, time.monotonic() - began
            except TimeoutError:
                connection.sendall(bytes([drop]))
    raise AssertionError("the service listened to the end")


@dataclass(frozen=True, slots=True)
class Dripping:
    """Clients that send a byte a second while the other tests run."""

    body: Future[Drip]
    head: Future[Drip]


@pytest.fixture(scope="module")
def dripping(misbehaving: Misbehaving) -> Iterator[Dripping]:
    server = misbehaving.server
    head, _, body = upload(GOOD).partition(b"\r\n\r\n")
    with ThreadPoolExecutor(2) as threads:
        yield Dripping(
            threads.submit(drip, server, head + b"\r\n\r\n", body[:60]),
            threads.submit(drip, server, b"POST /decode HTTP/1.1\r\n", b"X-Slow: " + b"y" * 60),
        )


@pytest.fixture
def server(misbehaving: Misbehaving, dripping: Dripping) -> Iterator[Server]:
    """A service of two slots and two places in the queue, whose children do what pictures say."""
    del dripping
    misbehaving.server.wait_until_busy(0)
    yield misbehaving.server
    misbehaving.server.wait_until_busy(0)
    misbehaving.server.assert_well()


@pytest.fixture(scope="module")
def unhurried_service(weights: Path) -> Iterator[Server]:
    with misbehaving_service(weights) as server:
        yield server


@pytest.fixture
def unhurried(unhurried_service: Server) -> Iterator[Server]:
    """A misbehaving service whose deadlines no test reaches."""
    unhurried_service.wait_until_busy(0)
    yield unhurried_service
    unhurried_service.wait_until_busy(0)
    unhurried_service.assert_well()


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


class Crowd:
    """Sends requests at the same time."""

    def __init__(self, server: Server, threads: ThreadPoolExecutor) -> None:
        self._server = server
        self._threads = threads

    def send(self, data: bytes) -> Future[Answer]:
        return self._threads.submit(self._server.upload, data)


@pytest.fixture
def crowd(server: Server) -> Iterator[Crowd]:
    with ThreadPoolExecutor(16) as threads:
        yield Crowd(server, threads)


@pytest.fixture
def unhurried_crowd(unhurried: Server) -> Iterator[Crowd]:
    with ThreadPoolExecutor(16) as threads:
        yield Crowd(unhurried, threads)


def test_row_36_picture_that_hangs_its_reader(server: Server, crowd: Crowd) -> None:
    """It costs one answer and one child; the other child goes on reading."""
    before, children = server.restarts("timeout"), set(server.workers())
    began = time.monotonic()
    hanging = crowd.send(picture("never read", Behaviour.HANG))
    server.wait_until_busy(1)
    for number in range(10):
        assert server.upload(picture(f"beside {number}")).payloads() == [b"beside %d" % number]
    assert hanging.result().problem(504)["type"].endswith("processing_timeout")
    assert DEADLINE - 0.1 < time.monotonic() - began < WORK_SECONDS - 1
    server.wait_until_busy(0)  # the answer need not wait for the end of the child
    assert server.restarts("timeout") == before + 1
    server.assert_well()
    assert len(children - set(server.workers())) == 1


@pytest.mark.parametrize("behaviour", [Behaviour.CRASH, Behaviour.ABORT, Behaviour.EXIT])
def test_row_36_picture_that_crashes_its_reader(server: Server, behaviour: Behaviour) -> None:
    """One retry in another child, then 500."""
    before = server.restarts("crash")
    answer = server.upload(picture("never read", behaviour))
    assert answer.problem(500)["type"].endswith("worker_crashed")
    assert server.restarts("crash") == before + 2


def test_row_36_picture_that_eats_memory(server: Server) -> None:
    before = server.memory()
    server.upload(picture("never read", Behaviour.EAT)).problem(500)
    assert server.memory() - before < 32 << 20


def test_row_36_reader_that_raises(server: Server) -> None:
    answer = server.upload(picture("never read", Behaviour.RAISE))
    answer.problem(500)
    assert SECRET.encode() not in answer.body
    server.wait_until(lambda: SECRET in server.log_text())


def test_row_36_reader_that_floods_the_log(server: Server) -> None:
    assert server.upload(picture("talkative", Behaviour.FLOOD)).payloads() == [b"talkative"]


def test_row_39_one_more_than_there_is_room_for(unhurried: Server, unhurried_crowd: Crowd) -> None:
    held, working = [picture(f"held {number}", Behaviour.HELD) for number in range(SLOTS + QUEUE)], AtWork(unhurried)
    before = unhurried.metric("qrestore_refused_total", reason="queue_full")
    admitted = [unhurried_crowd.send(data) for data in held]
    unhurried.wait_until_busy(SLOTS, QUEUE)
    spent = []
    for _ in range(10):
        began = time.perf_counter()
        refused = unhurried.upload(GOOD)
        spent.append(time.perf_counter() - began)
        assert refused.problem(429)["type"].endswith("overloaded")
        assert int(refused.headers["retry-after"]) >= 1
    assert min(spent) < 0.1
    assert unhurried.metric("qrestore_refused_total", reason="queue_full") == before + 10
    working.release(SLOTS + QUEUE)
    payloads = [future.result().payloads() for future in admitted]
    assert payloads == [[b"held %d" % number] for number in range(SLOTS + QUEUE)]


def test_row_39_refused_before_a_large_body_is_read(unhurried: Server, unhurried_crowd: Crowd) -> None:
    """The rest of the body never comes."""
    working = AtWork(unhurried)
    admitted = [unhurried_crowd.send(picture("held", Behaviour.HELD)) for _ in range(SLOTS + QUEUE)]
    unhurried.wait_until_busy(SLOTS, QUEUE)
    unhurried.send(upload(bytes(10_000_000))[:1000], timeout=10).problem(429)
    working.release(SLOTS + QUEUE)
    assert [future.result().status for future in admitted] == [200] * (SLOTS + QUEUE)


def test_row_39_a_turn_that_does_not_come_in_time(server: Server, crowd: Crowd) -> None:
    """The deadline runs from the request's arrival: it passes while requests that came later hold the slots."""
    whole = upload(GOOD)
    with server.connect() as connection:
        connection.sendall(whole[:-10])
        time.sleep(0.5)
        hanging = [crowd.send(picture("never read", Behaviour.HANG)) for _ in range(SLOTS)]
        server.wait_until_busy(SLOTS)
        connection.sendall(whole[-10:])
        answer = read_answer(connection)
    assert answer.problem(503)["type"].endswith("queue_timeout")
    assert "retry-after" in answer.headers
    assert [future.result().status for future in hanging] == [504] * SLOTS


def test_row_40_while_loading(misbehaving: Misbehaving) -> None:
    *refused, livez = misbehaving.while_loading
    for answer in refused:
        assert answer.problem(503)["type"].endswith("not_ready")
        assert int(answer.headers["retry-after"]) >= 1
    assert livez.json() == {"status": "alive"}


def test_row_42_children_as_hung_as_can_be(server: Server, crowd: Crowd) -> None:
    """One ignores every signal that can be ignored, in native code; both are stopped."""
    before, working = server.restarts("timeout"), AtWork(server)
    hung = [crowd.send(picture("never read", behaviour)) for behaviour in (Behaviour.STUBBORN, Behaviour.HELD)]
    children = working.wait(SLOTS)
    for pid in children:
        os.kill(pid, signal.SIGSTOP)
    for future in hung:
        assert future.result().problem(504)["type"].endswith("processing_timeout")
    server.wait_until_busy(0)  # the answers need not wait for the ends of the children
    assert server.restarts("timeout") == before + SLOTS
    assert not set(children) & set(server.workers())


def test_row_42_child_that_is_killed_once(unhurried: Server, unhurried_crowd: Crowd) -> None:
    """The retry answers."""
    before, working = unhurried.restarts("crash"), AtWork(unhurried)
    answer = unhurried_crowd.send(picture("at the second try", Behaviour.HELD))
    kill(*working.wait(1))
    working.release(1, after=1)
    assert answer.result().payloads() == [b"at the second try"]
    assert unhurried.restarts("crash") == before + 1


def test_row_42_children_that_are_killed_twice(unhurried: Server, unhurried_crowd: Crowd) -> None:
    working = AtWork(unhurried)
    answer = unhurried_crowd.send(picture("never read", Behaviour.HELD))
    for attempt in (1, 2):
        kill(working.wait(attempt)[-1])
    assert answer.result().problem(500)["type"].endswith("worker_crashed")


def test_row_42_fork_server_that_is_killed(server: Server) -> None:
    """It is a child itself, and all others come from it. A new one takes a second or two, more on a busy machine."""
    workers = server.workers()
    (fork_server,) = (pid for pid in server.helpers() if children_of(pid))
    kill(fork_server)
    for pid in workers:
        with suppress(ProcessLookupError):  # it may have ended with its parent
            kill(pid)
    server.wait_until(lambda: server.upload(GOOD).status == 200, 30)
    for number in range(2 * SLOTS):
        assert server.upload(picture(f"anew {number}")).payloads() == [b"anew %d" % number]


def test_row_42_idle_child_that_is_killed(server: Server) -> None:
    kill(server.workers()[0])
    for number in range(2 * SLOTS):
        assert server.upload(picture(f"after {number}")).payloads() == [b"after %d" % number]


def test_row_43_bad_file_among_the_weights(weights: Path, tmp_path: Path) -> None:
    """The service does not start, and names the file and what is wrong with it in one line."""
    for file in weights.iterdir():
        (tmp_path / file.name).symlink_to(file)
    bad = tmp_path / f"bad{SUFFIX}"
    torch.save({"weight": torch.zeros(3)}, bad)
    environment = os.environ | {"QRESTORE_WEIGHTS": str(tmp_path), "QRESTORE_DEVICE": "cpu"}
    done = subprocess.run(
        [sys.executable, *SERVE], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == CANNOT_START
    (line,) = [line for line in done.stderr.splitlines() if bad.name in line]
    assert "it is not a complete safetensors file" in line
    assert "Traceback" not in done.stderr


def test_what_a_child_saw_but_did_not_read_is_answered_and_counted(server: Server) -> None:
    before = server.metric("qrestore_unread_total", reason="budget"), server.metric("qrestore_incomplete_total")
    answer = server.upload(picture("overlooked", Behaviour.OVERLOOK), query=b"?budget=0.5&expect=1")
    assert answer.payloads() == []
    (place,) = answer.json()["unread"]
    assert len(place.pop("position")) == 4
    unknown = {"module_pixels": None, "version": None, "frame": 0, "page": 0}
    assert place == {"reason": "budget", "symbology": "QRCode", "confidence": 0.75} | unknown
    assert answer.json()["complete"] is False
    after = server.metric("qrestore_unread_total", reason="budget"), server.metric("qrestore_incomplete_total")
    assert after == (before[0] + 1, before[1] + 1)


def left(server: Server) -> float:
    """How many clients have left before their answer."""
    return server.metric("qrestore_request_duration_seconds_count", endpoint="/decode", status="499")


def test_row_44_client_that_leaves_while_its_picture_is_read(unhurried: Server) -> None:
    """Its slot is free when the work is over, not before."""
    before, working = left(unhurried), AtWork(unhurried)
    with ExitStack() as connections:
        for _ in range(SLOTS):
            connection = connections.enter_context(unhurried.connect())
            connection.sendall(upload(picture("left alone", Behaviour.HELD)))
        working.wait(SLOTS)
    unhurried.wait_until(lambda: left(unhurried) == before + SLOTS)
    assert unhurried.metric("qrestore_busy_slots") == SLOTS
    working.release(SLOTS)
    unhurried.wait_until_busy(0)


def test_row_44_client_that_leaves_the_queue(unhurried: Server, unhurried_crowd: Crowd) -> None:
    working = AtWork(unhurried)
    held = [unhurried_crowd.send(picture("held", Behaviour.HELD)) for _ in range(SLOTS)]
    unhurried.wait_until_busy(SLOTS)
    with ExitStack() as connections:
        for _ in range(QUEUE):
            connection = connections.enter_context(unhurried.connect())
            connection.sendall(upload(GOOD))
        unhurried.wait_until_busy(SLOTS, QUEUE)
    unhurried.wait_until_busy(SLOTS)
    working.release(SLOTS)
    assert [future.result().status for future in held] == [200] * SLOTS


def test_row_44_clients_that_leave_in_the_middle_of_an_upload(server: Server) -> None:
    half = upload(GOOD)[:-50]
    for _ in range(3):
        with ExitStack() as connections:
            for _ in range(32):
                connections.enter_context(server.connect()).sendall(half)
            server.wait_until(lambda: server.upload(GOOD).status == 429)
        server.wait_until(lambda: server.upload(GOOD).status == 200)


def test_row_12_one_byte_a_second(dripping: Dripping) -> None:
    """408: for the body at the request's deadline, for the head at its own."""
    answer, seconds = dripping.body.result()
    assert answer is not None
    problem = answer.problem(408)
    assert problem["type"].endswith("request_timeout")
    assert "deadline" in problem["detail"]
    assert DEADLINE - 0.5 < seconds < 30
    answer, seconds = dripping.head.result()
    assert answer is not None
    answer.problem(408)
    assert HEAD_DEADLINE - 0.5 < seconds < 30
