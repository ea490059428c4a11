"""Rows 45, 46, 47 and 50 of docs/bad-inputs.md: clients that send awkwardly, idly, slowly or at the edges of HTTP.

`tools/attack` measures the same at length; these are its short forms.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.support.live.servers import GOOD, GOOD_TEXT, Server, read_answer, request, upload
from tools.attack import idle, protocol, small_chunks
from tools.attack.bench import KEY, operators_of, probed, service, watched
from tools.attack.dripping import UPLOADS, dripping

pytestmark = pytest.mark.slow

LONGEST_MS: Final = 50.0
"""Longest callback of the event loop, in milliseconds of its own processor time. An idle service needs 5."""
FLOOD_SECONDS: Final = 2.5
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture(scope="module")
def guarded(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that asks for a key and watches its event loop."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(KEY + "\n")
    with service(weights=weights, api_keys_file=keys, admin_port=0) as server:
        operators_of(server)
        yield server


@pytest.mark.parametrize("name", small_chunks.FLOODS)
def test_row_45_bodies_that_are_expensive_to_parse(guarded: Server, name: str) -> None:
    """Twelve connections that send as fast as they can: health is answered, and nothing stops the event loop."""
    watched(guarded)
    flood = small_chunks.FLOODS[name]
    with (
        small_chunks.flooded(guarded.port, seconds=FLOOD_SECONDS, connections=12, **flood) as sent,
        probed(guarded.port) as health,
    ):
        time.sleep(FLOOD_SECONDS - 0.5)
    assert sent["sent"] > 1000
    assert health.lacking == 0
    assert len(health.milliseconds) > 2
    loop = watched(guarded)
    assert loop.longest < LONGEST_MS, loop.callback
    answer = guarded.send(upload(GOOD, b"X-API-Key: " + KEY.encode()))
    assert answer.payloads() == [GOOD_TEXT.encode()]


@pytest.mark.parametrize("key", [KEY, "a key of somebody else"])
def test_row_45_chunks_of_one_byte_are_refused(guarded: Server, key: str) -> None:
    """With a valid key after 16 KiB of what is no payload; without one, by the head."""
    head = b"POST /decode HTTP/1.1\r\nHost: x\r\nX-API-Key: %b\r\nContent-Type: application/json\r\n" % key.encode()
    raw = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100_000
    answer = guarded.send(raw, timeout=20)
    answer.problem(400 if key == KEY else 401)
    assert answer.headers["connection"] == "close"


def test_row_45_small_chunks_of_a_small_body_are_read(guarded: Server) -> None:
    """Row by row, as generators send it."""
    plain = upload(GOOD, b"X-API-Key: " + KEY.encode())
    head, _, body = plain.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[i : i + 40] for i in range(0, len(body), 40))
    )
    raw = b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", chunks + b"0\r\n\r\n"])
    assert guarded.send(raw).payloads() == [GOOD_TEXT.encode()]


def test_row_45_a_refused_body_is_not_parsed(guarded: Server) -> None:
    """What would be refused as malformed is not looked at: the key comes first, and it is all that is answered."""
    head = b"POST /decode HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with guarded.connect(20) as connection:
        connection.sendall(head)
        answer = read_answer(connection)
        answer.problem(401)
        connection.sendall(b"no chunk\r\n" * 1000)
        with suppress(ConnectionResetError):
            assert connection.recv(100) == b""


@pytest.mark.parametrize("sends", [b"", b"GET /livez HTTP/1.1\r\nX-Idle: "], ids=["silent", "half a head"])
def test_row_46_more_idle_connections_than_descriptors(weights: Path, sends: bytes) -> None:
    with service("--descriptors", "256", weights=weights, admin_port=0) as server:
        operators = operators_of(server)
        before = len(server.log)
        for attacked in (server, operators):
            with ExitStack() as kept:
                for _ in range(idle.IDLE):
                    connection = socket.create_connection(("127.0.0.1", attacked.port), timeout=10)
                    kept.enter_context(connection)
                    with suppress(OSError):
                        connection.sendall(sends)
                for view in (server, operators):
                    assert [view.get(path).status for path in ("/livez", "/readyz")] == [200, 200]
                server.assert_well()

        def told() -> list[str]:
            return [line for line in server.log[before:] if '"answered"' not in line]

        server.wait_until(lambda: any("idle connections closed" in line for line in told()))
        assert len(told()) < 20, told()


def test_row_46_a_connection_at_work_is_not_idle(weights: Path) -> None:
    with service(weights=weights, connections=16) as server, ExitStack() as kept:
        whole = upload(GOOD)
        connection = kept.enter_context(server.connect())
        connection.sendall(whole[:-20])
        server.wait_until(lambda: server.metric("qrestore_in_flight") == 2)  # the scrape is one
        for _ in range(40):
            kept.enter_context(server.connect())
        connection.sendall(whole[-20:])
        assert read_answer(connection).payloads() == [GOOD_TEXT.encode()]
        assert 10 <= server.metric("qrestore_connections") <= 16
        assert server.metric("qrestore_connections_lost_total", reason="idle") >= 20


def test_row_46_while_all_work_only_health_is_answered(weights: Path) -> None:
    with service(weights=weights, connections=16) as server, ExitStack() as kept:
        uploads = []
        while server.get("/version").status == 200:
            uploads.append(kept.enter_context(server.connect()))
            uploads[-1].sendall(upload(GOOD, b"Expect: 100-continue")[:-20])
            assert uploads[-1].recv(len(CONTINUE)) == CONTINUE  # its head is read: it is at work
            assert len(uploads) < 30
        server.get("/version").problem(503)
        assert [server.get(path).status for path in ("/livez", "/readyz")] == [200, 200]
        for connection in uploads[-10:]:
            connection.sendall(upload(GOOD)[-20:])
            assert read_answer(connection).status == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_row_47_uploads_at_a_byte_a_second(weights: Path, address: str) -> None:
    """Honest uploads are admitted in the meantime, from the same address or another."""
    with service(weights=weights) as server, dripping(server, b"x") as drips:
        server.wait_until(lambda: server.metric("qrestore_in_flight") > UPLOADS)
        time.sleep(1.5)  # what has just begun is not slow
        for _ in range(5):
            assert server.upload(GOOD, source=address).payloads() == [GOOD_TEXT.encode()]
        server.wait_until(lambda: drips.refused >= UPLOADS, 30)


def test_row_47_a_slow_upload_is_told_so(weights: Path) -> None:
    with service(weights=weights) as server, server.connect() as connection:
        began = time.monotonic()
        connection.sendall(upload(GOOD)[:-60])
        answer = read_answer(connection)
        assert "too slow" in answer.problem(408)["detail"]
        assert 4 < time.monotonic() - began < 15


def test_row_47_another_client_gets_its_share(weights: Path) -> None:
    with service(weights=weights) as server, dripping(server, bytes(4096)):
        server.wait_until(lambda: server.metric("qrestore_in_flight") > UPLOADS)
        assert server.upload(GOOD, source="127.0.0.2").payloads() == [GOOD_TEXT.encode()]


@pytest.fixture(scope="module")
def named(weights: Path) -> Iterator[Server]:
    """A service that goes by one host."""
    with service(weights=weights, allowed_hosts=protocol.HOST) as server:
        yield server


@pytest.mark.parametrize("name", protocol.CASES)
def test_row_50_the_edges_of_http(named: Server, name: str) -> None:
    raw, status = protocol.CASES[name]
    if raw.startswith(b"HEAD "):
        assert protocol.status_of(named, raw)[0] == status
        return
    answer = named.send(raw)
    if status == 200:
        assert answer.status == 200, answer
    else:
        answer.problem(status)
    assert max(map(len, named.log)) < 1000


def test_row_50_head_has_the_headers_of_get_and_no_body(named: Server) -> None:
    host = b"Host: %b\r\n" % protocol.HOST.encode()
    with named.connect(5) as connection:
        connection.sendall(b"HEAD /version HTTP/1.1\r\n%b\r\nGET /version HTTP/1.1\r\n%b\r\n" % (host, host))
        head = connection.makefile("rb")
        lines = list(iter(head.readline, b"\r\n"))
        assert lines[0].startswith(b"HTTP/1.1 200 ")
        length = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length"))
        assert length > 0
        assert head.readline().startswith(b"HTTP/1.1 200 ")


def test_row_50_an_empty_line_behind_a_body_is_no_request(named: Server) -> None:
    host = protocol.HOST.encode()
    raw = upload(GOOD).replace(b"Host: localhost", b"Host: " + host) + b"\r\n"
    with named.connect(20) as connection:
        for _ in range(3):
            connection.sendall(raw[:-1])
            time.sleep(0.1)  # the empty line comes in two packets
            connection.sendall(raw[-1:])
            assert read_answer(connection).payloads() == [GOOD_TEXT.encode()]


@pytest.mark.parametrize("pause", [0.0, 0.3])
def test_row_50_a_client_that_stops_sending_is_answered(guarded: Server, pause: float) -> None:
    raw = upload(GOOD, b"X-API-Key: " + KEY.encode())
    with guarded.connect(20) as connection:
        connection.sendall(raw[:100])
        time.sleep(pause)
        connection.sendall(raw[100:] + request(line=b"GET /livez", kind=b""))
        connection.shutdown(socket.SHUT_WR)
        assert read_answer(connection).payloads() == [GOOD_TEXT.encode()]
