"""Rows 1 to 11, 13, 37, 38 and 41 of docs/bad-inputs.md: requests that are refused before any picture is opened."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from tests.live.conftest import Beginning
from tests.support.live.servers import (
    BOUNDARY,
    GOOD,
    GOOD_TEXT,
    Answer,
    Server,
    file_part,
    form,
    read_answer,
    request,
    upload,
)

pytestmark = pytest.mark.slow

CAP: Final = 20 * 1024 * 1024
MULTIPART: Final = b"multipart/form-data; boundary="
FIELD: Final = (b'Content-Disposition: form-data; name="other"', b"text")


def quickest(ask: Callable[[], Answer], *, tries: int = 5) -> tuple[Answer, float]:
    """The last answer, and the seconds of the fastest: the machine may be busy."""
    spent = []
    for _ in range(tries):
        began = time.perf_counter()
        answer = ask()
        spent.append(time.perf_counter() - began)
    return answer, min(spent)


@pytest.mark.parametrize(
    ("raw", "category"),
    [
        (request(form(FIELD)), "invalid_request"),
        (request(form()), "missing_input"),
        (request(form((b'Content-Disposition: form-data; name="file"', b"text, not a file"))), "invalid_request"),
        (request(kind=b""), "missing_input"),
        (request(b"{}", kind=b"application/json"), "missing_input"),
    ],
    ids=["another field", "empty form", "file without a name", "nothing at all", "empty object"],
)
def test_row_01_no_file_field(server: Server, raw: bytes, category: str) -> None:
    assert server.send(raw).problem(422)["type"] == f"urn:qrestore:problem:{category}"


@pytest.mark.parametrize(
    "kind", [b"text/json", b"application/vnd.api+json", b"application/x-www-form-urlencoded", b"application/ld+json"]
)
def test_row_02_json_instead_of_multipart(server: Server, kind: bytes) -> None:
    """Only `application/json` with `image_base64` is an upload."""
    server.send(request(b'{"file": "picture"}', kind=kind)).problem(415)


@pytest.mark.parametrize("kind", [b"multipart/form-data", b"multipart/form-data;", b"multipart/form-data; boundary="])
def test_row_03_no_boundary(server: Server, kind: bytes) -> None:
    server.send(request(form(file_part(GOOD)), kind=kind)).problem(400)


def test_row_04_boundary_of_300_bytes(server: Server) -> None:
    boundary = b"b" * 300
    body = form(file_part(GOOD), boundary=boundary)
    server.send(request(body, kind=MULTIPART + boundary)).problem(400)


@pytest.mark.parametrize("tail", [b"", b'"', b'\\"', b'"; x="' + b"\\" * 2000])
def test_row_05_backslashes_in_a_quoted_boundary(server: Server, tail: bytes) -> None:
    raw = request(form(file_part(GOOD)), kind=MULTIPART + b'"' + b"\\" * 5000 + tail)
    answer, seconds = quickest(lambda: server.send(raw))
    answer.problem(400)
    assert seconds < 0.1


@pytest.mark.parametrize("filler", [b"\r\n", b"x", b"--", b"\r\n--" + BOUNDARY[:-1]])
@pytest.mark.parametrize("place", ["preamble", "epilogue"])
def test_row_06_ten_megabytes_around_the_form(server: Server, place: str, filler: bytes) -> None:
    around = filler * (10_000_000 // len(filler))
    body = form(file_part(GOOD))
    raw = request(around + b"\r\n" + body if place == "preamble" else body + around)
    answer, seconds = quickest(lambda: server.send(raw), tries=3)
    answer.problem(400)
    assert seconds < 1


def test_row_07_ten_thousand_part_headers(server: Server) -> None:
    head = b'Content-Disposition: form-data; name="file"; filename="f"' + b"".join(
        b"\r\nX-%d: y" % number for number in range(10_000)
    )
    answer, seconds = quickest(lambda: server.send(request(form((head, GOOD)))), tries=3)
    answer.problem(400)
    assert seconds < 0.5


def test_row_08_a_thousand_and_one_parts(server: Server) -> None:
    answer, seconds = quickest(lambda: server.send(request(form(*[FIELD] * 1001))), tries=3)
    answer.problem(400)
    assert seconds < 0.5


def test_row_08_a_thousand_and_one_files(server: Server) -> None:
    """The second file is refused, and the rest is not read."""
    answer, seconds = quickest(lambda: server.send(request(form(*[file_part(b"")] * 1001))), tries=3)
    assert answer.problem(422)["type"].endswith("too_many_files")
    assert seconds < 0.5


@pytest.mark.parametrize("cut", [len(BOUNDARY) // 2, 60, 200, -10, -4])
def test_row_09_body_ends_within_a_part(server: Server, cut: int) -> None:
    server.send(request(form(file_part(GOOD))[:cut])).problem(400)


def test_row_09_connection_ends_within_a_part(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(upload(GOOD)[:-100])
        connection.shutdown(socket.SHUT_WR)
        rest = b""
        with suppress(ConnectionResetError):
            rest = connection.recv(65536)
    assert rest == b""


@pytest.mark.parametrize("length", [CAP + 1, 10**12, 10**19])
def test_row_10_length_over_the_cap(server: Server, length: int) -> None:
    head = b"POST /decode HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    answer = server.send(head % (MULTIPART + BOUNDARY, length), timeout=5)
    answer.problem(413)
    assert answer.headers["connection"] == "close"


def written(server: Server) -> int:
    """Bytes that the service and its children have written to disks."""
    lines = [Path(f"/proc/{pid}/io").read_text() for pid in (server.pid, *server.children())]
    return sum(int(text.split("\nwrite_bytes: ")[1].split()[0]) for text in lines)


def test_row_11_chunks_without_end(server: Server, beginning: Beginning) -> None:
    before = written(server)
    head = b'--%s\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' % BOUNDARY
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    sent = 0
    with server.connect() as connection:
        connection.sendall(
            b"POST /decode HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: %s\r\n\r\n%x\r\n%s\r\n"
            % (MULTIPART + BOUNDARY, len(head), head)
        )
        with suppress(BrokenPipeError, ConnectionResetError):
            while sent < 10 * CAP:
                connection.sendall(chunk)
                sent += len(chunk)
        assert sent < 3 * CAP
        read_answer(connection).problem(413)
    assert written(server) - before <= CAP
    assert sum(file.stat().st_size for file in beginning.folder.rglob("*") if file.is_file()) == 0


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: -1",
        b"Content-Length: +5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 0x5",
        b"Content-Length: 5 5",
        b"Content-Length:",
        b"Content-Length: " + b"1" * 5000,
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ],
    ids=lambda lines: lines[:60].decode().replace("\r\n", "; "),
)
def test_row_13_nonsensical_length(server: Server, lines: bytes) -> None:
    raw = b"POST /decode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n\r\n12345" % lines
    server.send(raw, timeout=5).problem(400)


@pytest.mark.parametrize("lines", [b"Content-Length: 2\r\nContent-Length: 2", b"Content-Length: 2, 2"])
def test_row_13_the_same_length_twice(server: Server, lines: bytes) -> None:
    """RFC 9110, 8.6, allows two ways; the repeated value is refused, since not everyone in front may merge it."""
    raw = b"POST /decode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n\r\n{}" % lines
    answer = server.send(raw, timeout=5)
    answer.problem(400)
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"PUT"])
def test_row_13_both_lengths_whatever_the_method(server: Server, method: bytes) -> None:
    """The connection ends, so that nothing behind it is taken for a request."""
    raw = b"%s /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % method
    with server.connect(20) as connection:
        connection.sendall(raw + GET + b"\r\n")
        answer = read_answer(connection)
        answer.problem(400)
        assert connection.recv(100) == b""


GET: Final = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
CHUNKED: Final = (
    b"POST /decode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)
NO_HTTP: Final = {
    "nonsense": b"\r\n\r\n\r\nnonsense\r\n\r\n",
    "no host": b"GET /livez HTTP/1.1\r\n\r\n",
    "two hosts": GET + b"Host: y\r\n\r\n",
    "two spaces": b"GET  /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "space in a name": GET + b"Bad Header: y\r\n\r\n",
    "nul in a value": GET + b"X: \0\r\n\r\n",
    "no name": GET + b": z\r\n\r\n",
    "long header": GET + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
    "many headers": GET + b"X: y\r\n" * 50_000 + b"\r\n",
    "long path": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
    "chunk of no size": CHUNKED + b"zz\r\n\r\n",
    "chunk of a huge size": CHUNKED + b"f" * 40 + b"\r\n",
    "chunk of a negative size": CHUNKED + b"-5\r\nhello\r\n",
    "chunk longer than it says": CHUNKED + b"2\r\nhello\r\n0\r\n\r\n",
}


TOO_LONG: Final = {"long header": 431, "many headers": 431, "long path": 414}


@pytest.mark.parametrize("name", NO_HTTP)
def test_row_13_bytes_that_are_no_http(server: Server, name: str) -> None:
    server.send(NO_HTTP[name]).problem(TOO_LONG.get(name, 400))


def test_row_13_preface_of_another_version(server: Server) -> None:
    server.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").problem(404)


NAMES: Final = {
    "path": b"../../x-name-of-a-file",
    "absolute": b"/etc/x-name-of-a-file",
    "escaped line break": b"x-name-of-a-file%0d%0aX-Evil: yes",
    "markup": b"<script>x-name-of-a-file</script>",
    "terminal": b"\x1b[2Jx-name-of-a-file",
    "bytes": b"x-name-of-a-file\xff\xfe\x80",
    "very long": b"x-name-of-a-file" * 640,
}


@pytest.mark.parametrize("name", NAMES)
def test_row_37_file_name(server: Server, beginning: Beginning, name: str) -> None:
    answer = server.send(request(form(file_part(GOOD, NAMES[name]))))
    assert answer.payloads() == [GOOD_TEXT.encode()]
    assert b"x-name-of" not in answer.body
    assert not any("evil" in header or "x-name-of" in value for header, value in answer.headers.items())
    assert "x-name-of" not in server.log_text()
    assert not list(beginning.folder.rglob("*x-name-of*"))


def test_row_37_line_break_in_a_file_name(server: Server) -> None:
    answer = server.send(request(form(file_part(GOOD, b"x-name-of\r\nX-Evil: yes"))))
    assert answer.payloads() == [GOOD_TEXT.encode()]
    assert "x-evil" not in answer.headers
    assert "x-name-of" not in server.log_text()


@pytest.mark.parametrize(
    "target",
    [
        b"/decode?effort=NaN",
        b"/decode?effort=-1",
        b"/decode?effort=",
        b"/decode?effort=fast&effort=slow",
        b"/decode?fuse=NaN",
        b"/decode?budget=NaN",
        b"/decode?budget=-1",
        b"/decode?budget=0",
        b"/decode?budget=1e400",
        b"/decode?expect=NaN",
        b"/decode?expect=-1",
        b"/decode?expect=0",
        b"/decode?expect=255",
        b"/decode?nonsense=1",
        b"/decode?%00=%ff",
        b"/restore?scale=NaN",
        b"/restore?scale=-4",
        b"/restore?scale=1e400",
        b"/restore?scale=4.0",
        b"/restore?binary=maybe",
        b"/restore?network=../../etc/passwd",
        b"/restore?network=" + b"n" * 500,
        b"/restore?view=inside",
        b"/restore?nonsense=1",
    ],
)
def test_row_38_invalid_options(server: Server, target: bytes) -> None:
    server.send(upload(GOOD, path=target)).problem(422)


@pytest.mark.parametrize("method", [b"PUT", b"GET", b"DELETE", b"PATCH", b"BREW"])
def test_row_41_other_methods(server: Server, method: bytes) -> None:
    answer = server.send(request(line=method + b" /decode", kind=b""))
    answer.problem(405)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "path",
    [
        b"/nowhere",
        b"/decode/",
        b"//decode",
        b"/%00",
        b"/..%2f..%2fetc/passwd",
        b"/../../../etc/passwd",
        b"/%ff",
        b"/DECODE",
    ],
)
def test_row_41_unknown_paths(server: Server, path: bytes) -> None:
    server.send(request(line=b"GET " + path, kind=b"")).problem(404)
